"""Why a deployed provider does not run, from what its Pods say."""

from __future__ import annotations

from typing import Any

import pytest

from controller.fakeapi import Direct, FakeApi
from pointsman.controller.pods import Pods, told
from pointsman.fleet.reasons import REASONS
from pointsman.fleet.world import Workload

GPU = "nvidia.com/gpu"


def pod(created: str = "1", conditions: tuple[Any, ...] = (), **container: Any) -> dict[str, Any]:
    status = {"conditions": list(conditions), "containerStatuses": [container] if container else []}
    return {"metadata": {"name": "p", "creationTimestamp": created}, "status": status}


def unschedulable(message: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod(conditions=(condition,))


def ended(message: str = "", reason: str = "Error") -> dict[str, Any]:
    last = {"terminated": {"exitCode": 1, "reason": reason, "message": message}}
    return pod(state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState=last)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (unschedulable("0/3 nodes are available: 3 Insufficient nvidia.com/gpu."), "InsufficientGPU"),
        (unschedulable("0/3 nodes are available: 3 node(s) had untolerated taint"), "Unschedulable"),
        (pod(state={"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}), "ImagePullFailed"),
        (pod(state={"waiting": {"reason": "ContainerCreating"}}), "ContainerCreating"),
        (ended(reason="OOMKilled"), "OOMKilled"),
        (ended("huggingface_hub.errors.GatedRepoError: 401 Client Error"), "ModelAccessDenied"),
        (ended("RepositoryNotFoundError: 404 Client Error"), "ModelSourceNotFound"),
        (ended("429 Client Error: Too Many Requests"), "RateLimitedByHub"),
        (ended("ValueError: To serve at least one request ... KV cache is needed, which is larger"), "KVCacheTooSmall"),
        (ended("torch.OutOfMemoryError: CUDA out of memory"), "OutOfMemory"),
        (ended("Traceback: something else"), "CrashLoopBackOff"),
        (ended(), "CrashLoopBackOff"),
        (pod(state={"running": {}}), ""),
        (pod(), ""),
    ],
)
def test_what_a_pod_says(body: dict[str, Any], reason: str) -> None:
    """A stable reason for each usual trouble, and words for people."""
    said = told([body], GPU)
    assert said[0] == reason
    assert not reason or reason in REASONS


def test_the_newest_pod_is_asked_first() -> None:
    """What an older one said may be mended; one that is going says nothing any more."""
    old, new = unschedulable("x"), ended("CUDA out of memory") | {"metadata": {"creationTimestamp": "2"}}
    assert told([old, new], GPU)[0] == "OutOfMemory"
    new["metadata"]["deletionTimestamp"] = "3"
    assert told([old, new], GPU)[0] == "Unschedulable"
    assert told([], GPU) == ("", "")


async def test_pods_are_asked_only_while_replicas_are_missing() -> None:
    """And what they said is forgotten once all are ready."""
    asked = []
    cluster = Direct(FakeApi())
    cluster.before = asked.append
    pods = Pods(cluster)  # type: ignore[arg-type]
    assert not await pods.look("ns", "a", Workload(status={"replicas": 1, "readyReplicas": 1}), GPU)
    assert asked == []
    pods._told[("ns", "a")] = ("OutOfMemory", "x")
    assert pods.reasons("ns") == {"a": ("OutOfMemory", "x")}
    assert await pods.look("ns", "a", Workload(status={"replicas": 1}), GPU)
    assert asked == ["GET"]
    assert pods.reasons("ns") == {}
