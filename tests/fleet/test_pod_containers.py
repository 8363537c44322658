"""What containers say of themselves, one by one; whole Pods are in test_podreport.py."""

from __future__ import annotations

from pathlib import Path

from fleet.pods import crashed, pod
from pointsman.fleet.pod_containers import said
from pointsman.fleet.podreport import told, wanted_logs


def test_what_is_no_images_name_is_told_so_whatever_words_are_in_it() -> None:
    """Kubelet quotes the name, and names hold all kinds of words."""
    words = 'Failed to apply default image tag "eof/TLS:v1::": couldn\'t parse image name "eof/TLS:v1::": bad'
    state = {"waiting": {"reason": "InvalidImageName", "message": words}}
    status = {"name": "vllm", "ready": False, "image": "eof/TLS:v1::", "state": state}
    body = pod() | {"status": {"containerStatuses": [status]}}
    kept = said(body, 1800.0, {})
    assert kept is not None
    assert kept.reason == "ImagePullFailed"
    assert kept.message.endswith("this is no image's name")


def test_a_cause_that_is_said_over_others_is_looked_for_in_the_log() -> None:
    """Kubelet keeps 2 KiB: of a hub that answered 429 they hold only that vLLM could not connect to it."""
    words = (Path(__file__).parents[1] / "testbed" / "vllm_words" / "rate-limited.txt").read_text()
    of = pod(crashed(words[-2048:]), name="q-1")
    assert wanted_logs([of]) != ()
    assert told([of], "nvidia.com/gpu", 1800).reason == "ModelSourceUnreachable"
    assert told([of], "nvidia.com/gpu", 1800, {"q-1": words}).reason == "RateLimitedByHub"
