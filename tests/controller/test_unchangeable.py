"""What the API server lets nobody change is made once and then left alone; only a claim may grow."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pointsman.controller.covered import APPLIED
from pointsman.controller.unchangeable import emptied, outlived, spared

Json = dict[str, Any]


def claim(size: str, mode: str = "ReadWriteOnce", **spec: Any) -> Json:
    asked = {"accessModes": [mode], "resources": {"requests": {"storage": size}}, **spec}
    return {"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": asked}


def test_what_is_not_there_is_made_whole() -> None:
    """Whatever kind it is."""
    for kind in ("Job", "PersistentVolumeClaim", "Service"):
        body = {"kind": kind, "spec": {}}
        assert spared(body, None) is body


def test_a_job_is_never_changed() -> None:
    """Its template is immutable, so that another image would be refused for ever."""
    assert spared({"kind": "Job", "spec": {"template": 2}}, {"kind": "Job", "spec": {"template": 1}}) is None


@pytest.mark.parametrize(("wanted", "there"), [("100Gi", "100Gi"), ("50Gi", "100Gi"), ("1Ti", "1024Gi"), ("1", "2k")])
def test_a_claim_never_shrinks(wanted: str, there: str) -> None:
    """The API server would refuse it."""
    assert spared(claim(wanted), claim(there)) is None


def test_a_claim_grows_and_keeps_the_rest() -> None:
    """Class and modes are what was granted, whatever is asked for now."""
    there = claim("100Gi", storageClassName="fast", volumeMode="Filesystem")
    grown = spared(claim("200Gi", "ReadWriteMany", storageClassName="slow"), there)
    assert grown is not None
    assert grown["spec"] == there["spec"] | {"resources": {"requests": {"storage": "200Gi"}}}


def test_other_kinds_may_change() -> None:
    """They are applied as they are."""
    body = {"kind": "Deployment", "spec": {"replicas": 2}}
    assert spared(body, {"kind": "Deployment", "spec": {"replicas": 1}}) is body


NOW = datetime(2026, 11, 21, 9, 10, tzinfo=UTC)


def job(applied: str = "h", ended: str = "", at: str = "2026-11-21T09:00:00Z") -> Json:
    conditions = [{"type": ended, "status": "True", "lastTransitionTime": at}] if ended else []
    return {"kind": "Job", "metadata": {"annotations": {APPLIED: applied}}, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("stored", "anew"),
    [
        (None, False),
        (job(), False),
        (job("older"), True),  # a node selector that was mended while its Pod waited
        (job("older", "Complete"), False),
        (job("h", "Failed"), True),  # ten minutes ago: what it lacked may be there by now
        (job("h", "Failed", "2026-11-21T09:08:00Z"), False),
        (job("older") | {"metadata": {"deletionTimestamp": "2026-11-21T09:00:00Z"}}, False),
    ],
)
def test_a_job_that_cannot_succeed_as_it_is_is_made_anew(stored: Json | None, anew: bool) -> None:
    """What is done stays done, whatever it was made of."""
    assert outlived(job(), stored, NOW) is anew


def test_only_jobs_are_made_anew() -> None:
    """Everything else is changed in place."""
    assert not outlived({"kind": "Deployment", "metadata": {}}, {"metadata": {}}, NOW)


def test_a_claim_that_was_made_anew_is_filled_anew() -> None:
    """Whoever deletes a claim has an empty one; what the Job did is gone with the old one."""
    volumes = [{"name": "cache", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "tmp", "emptyDir": {}}]
    done = {
        "metadata": {"creationTimestamp": "2026-11-21T09:00:00Z"},
        "spec": {"template": {"spec": {"volumes": volumes}}},
    }

    def made(at: str) -> Json:
        return {"c": {"metadata": {"creationTimestamp": at}}}

    assert not emptied(done, made("2026-11-21T08:59:59Z"))
    assert not emptied(done, made("2026-11-21T09:00:00Z"))
    assert emptied(done, made("2026-11-21T09:00:01Z"))
    assert not emptied(done, {}), "a claim of the user's own is not known"
