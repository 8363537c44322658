"""What the kubelet would say of a simulated Pod: ready or not, waiting for an image, crashing.

Meant for Pods that kwok leaves alone once they run: on `engine-` nodes, or with the annotation
`pointsman.test/ready-after: never`. On others it makes them Ready again.
"""

from datetime import UTC, datetime

from testbed.api import Api, Object

READY_AFTER = "pointsman.test/ready-after"


def set_ready(api: Api, namespace: str, pod: str, ready: bool) -> Object:
    """All containers, and so the Pod, ready or not, as after a readiness probe."""
    return _patch(api, namespace, pod, {"ready": ready, "started": True, "state": {"running": {"startedAt": _now()}}})


def set_waiting(api: Api, namespace: str, pod: str, reason: str, *, message: str = "", restarts: int = 0) -> Object:
    """All containers waiting, for a `reason` such as ImagePullBackOff or CrashLoopBackOff."""
    waiting = {"waiting": {"reason": reason, "message": message}}
    container: Object = {"ready": False, "started": False, "restartCount": restarts, "state": waiting}
    return _patch(api, namespace, pod, container)


def set_crashed(
    api: Api, namespace: str, pod: str, exit_code: int, *, reason: str = "Error", message: str = "", restarts: int = 1
) -> Object:
    """All containers in CrashLoopBackOff after an end such as (137, "OOMKilled"); `message`: the last words."""
    ended = {"exitCode": exit_code, "reason": reason, "startedAt": _now(), "finishedAt": _now()}
    ended |= {"message": message} if message else {}
    container: Object = {
        "ready": False, "started": False, "restartCount": restarts, "lastState": {"terminated": ended},
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}},
    }  # fmt: skip
    return _patch(api, namespace, pod, container)


def _patch(api: Api, namespace: str, pod: str, container: Object) -> Object:
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}"
    found = api.get(path)
    status, reason = ("True", None) if container["ready"] else ("False", "ContainersNotReady")
    conditions = [
        {"type": kind, "status": status, "reason": reason, "lastTransitionTime": _now()}
        for kind in ("ContainersReady", "Ready")
    ]
    others = [c for c in found["status"].get("conditions", []) if c["type"] not in {"ContainersReady", "Ready"}]
    running = {c["name"]: c["state"] for c in found["status"].get("containerStatuses", []) if "running" in c["state"]}
    containers = [
        {"name": c["name"], "image": c["image"], "imageID": "", "restartCount": 0} | container
        for c in found["spec"]["containers"]
    ]
    for each in containers:
        if "running" in each["state"]:  # it has run since it began to, not since it is ready
            each["state"] = running.get(each["name"], each["state"])
    body: Object = {"status": {"conditions": [*others, *conditions], "containerStatuses": containers}}
    return api.patch(f"{path}/status", body)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
