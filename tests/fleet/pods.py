"""A small language to write Pods in as kubelet, scheduler and node controller leave them.

`pod(vllm(ended(1, "KeyError: 'x'"), restarts=2))` is one whose engine crashed twice. Times are seconds after 9:00.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

GPU = "nvidia.com/gpu"
_BEGIN = datetime(2026, 11, 21, 9, 0, tzinfo=UTC).timestamp()


def at(seconds: float) -> str:
    return datetime.fromtimestamp(_BEGIN + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def running(since: float = 5) -> Json:
    return {"running": {"startedAt": at(since)}}


def waiting(reason: str, message: str = "") -> Json:
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def ended(code: int, message: str = "", *, reason: str = "", start: float = 5, end: float = 65) -> Json:
    said = {"message": message} if message else {}
    why = reason or ("Completed" if code == 0 else "Error")
    times = {"startedAt": at(start), "finishedAt": at(end), "containerID": "containerd://1"}
    return {"terminated": {"exitCode": code, "reason": why, **times, **said}}


def vllm(state: Json, last: Json | None = None, *, restarts: int = 0, ready: bool = False, name: str = "vllm") -> Json:
    """A container's status: its state, and how the run before it ended."""
    image = {"image": "docker.io/vllm/vllm-openai:v0.32.0", "imageID": ""}
    counts = {"restartCount": restarts, "ready": ready, "started": ready}
    return {"name": name, "state": state, "lastState": last or {}, **image, **counts}


def crashed(message: str, code: int = 1, *, restarts: int = 3, **more: Any) -> Json:
    """A container that waits before it is started again."""
    back_off = "back-off 1m20s restarting failed container=vllm pod=p_ai(0b9d)"
    return vllm(waiting("CrashLoopBackOff", back_off), ended(code, message, **more), restarts=restarts)


def pod(
    *containers: Json,
    name: str = "p-1",
    created: float = 0,
    ready: bool = False,
    since: float | None = None,
    node: str = "gpu-1",
    gpus: int = 1,
    revision: str = "a",
    role: str = "engine",
    conditions: tuple[Json, ...] = (),
    init: tuple[Json, ...] = (),
    leaving: bool = False,
    spec: Json | None = None,
    **status: Any,
) -> Json:
    """`since`: when its readiness changed last; `node` "": it has none yet."""
    limits = {GPU: str(gpus), "memory": "32Gi"} if gpus else {"memory": "32Gi"}
    labels = {"pod-template-hash": revision, "pointsman.dev/role": role, "pointsman.dev/provider": "p"}
    meta = {"name": name, "namespace": "ai", "creationTimestamp": at(created), "labels": labels}
    placed = (
        condition("PodScheduled", "True", since=created + 1),
        condition("PodReadyToStartContainers", "True" if containers else "False", since=created + 2),
        condition("Ready", str(ready), since=created + 1 if since is None else since),
    )
    known = {each["type"] for each in conditions}
    usual = tuple(each for each in placed if each["type"] not in known) if node else ()
    asked = {"limits": limits, "requests": limits}
    place = {"nodeName": node} if node else {}
    return {
        "metadata": meta | ({"deletionTimestamp": at(created + 900)} if leaving else {}),
        "spec": {"containers": [{"name": "vllm", "resources": asked}], **place, **(spec or {})},
        "status": {
            "phase": "Running" if containers else "Pending",
            "conditions": [*conditions, *usual],
            **({"containerStatuses": list(containers)} if containers else {}),
            **({"initContainerStatuses": list(init)} if init else {}),
            **status,
        },
    }  # fmt: skip


def condition(kind: str, status: str, reason: str = "", message: str = "", since: float = 1) -> Json:
    said = {"reason": reason} if reason else {}
    words = {"message": message} if message else {}
    return {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": at(since), **said, **words}


def unscheduled(message: str, **more: Any) -> Json:
    """A Pod that the scheduler could not place."""
    placed = condition("PodScheduled", "False", "Unschedulable", message)
    return pod(node="", conditions=(placed,), **more)


def serving(**more: Any) -> Json:
    """One whose engine is ready: its node found after 1 s, its container run after 41, ready after 161."""
    return pod(vllm(running(41), ready=True), ready=True, since=161, **more)
