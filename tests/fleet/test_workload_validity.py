"""What Kubernetes would take for something else."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.worlds import Json, deployed
from pointsman.fleet.workload_validity import refusals


def refused(**deploy: Any) -> list[str]:
    found = deployed("qwen", **deploy)
    assert found.spec
    assert found.spec.deploy
    return list(refusals(found.spec.deploy))


@pytest.mark.parametrize(
    ("deploy", "told"),
    [
        ({"sharedMemorySize": 0}, "spec.deploy.sharedMemorySize: 0 would be no bound at all: state a size"),
        ({"sharedMemorySize": "0Gi"}, "spec.deploy.sharedMemorySize: 0 would be no bound at all"),
        (
            {"parallelism": {"nodes": 2}, "rollout": {"strategy": "Recreate"}},
            "spec.deploy.rollout.strategy: replicas of several nodes (spec.deploy.parallelism.nodes) are replaced one",
        ),
    ],
)
def test_what_means_something_else_is_refused(deploy: Json, told: str) -> None:
    """Where it is, why, and what to do instead."""
    (text,) = refused(**deploy)
    assert text.startswith(told)


def test_what_means_what_it_says_is_taken() -> None:
    """What is no quantity is told of elsewhere."""
    for stated in ({}, {"sharedMemorySize": "1Gi"}, {"sharedMemorySize": "x"}, {"rollout": {"strategy": "Recreate"}}):
        assert refused(**stated) == []
    assert refused(parallelism={"nodes": 2}, rollout={"strategy": "RollingUpdate"}) == []
