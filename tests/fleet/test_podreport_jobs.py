"""What the Job that fetches a model tells by itself: bodies as the Job controller of Kubernetes 1.36 writes them."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.fleet.podreport import podless
from pointsman.fleet.world import Told

BEGUN = {"startTime": "2026-11-21T09:00:00Z"}


def job(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "qwen-model-1a2b"}, "status": status}


def test_a_job_that_has_begun_and_has_no_pod_was_refused_one() -> None:
    """Its controller writes the beginning once it has tried; why is in an Event alone."""
    assert podless(job(**BEGUN, ready=0, terminating=0, uncountedTerminatedPods={})) == Told(
        "PrefetchPodsMissing",
        "the Job qwen-model-1a2b that fetches the model cannot make its Pod: `kubectl describe job qwen-model-1a2b` "
        "says why",
    )


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"active": 1, "ready": 0},
        {"failed": 1},
        {"terminating": 1},
        {"uncountedTerminatedPods": {"failed": ["uid"]}},
        {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]},
        {"conditions": [{"type": "Suspended", "status": "True"}]},
        {"conditions": [{"type": "Failed", "status": "True"}]},
    ],
)
def test_a_job_that_has_or_had_a_pod_was_not(status: dict[str, Any]) -> None:
    """Nor one that has not begun, that is held, or that is over."""
    assert podless(job(**(BEGUN if status else {}), **status)) == Told()
