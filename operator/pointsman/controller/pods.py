"""Why a deployed provider does not run, lifted from its Pods: asked only while it does not, so none is watched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pointsman.names import PROVIDER_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pointsman.controller.cluster import Cluster
    from pointsman.fleet.world import Json, Workload

Told = tuple[str, str]  # reason (CamelCase, stable) and message

_PULL: Final = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"})
_MESSAGE: Final = 400  # characters of a container's last words
# Of the hub's client and of vLLM, in the last lines of a container that ended.
_LAST_WORDS: Final = (
    (re.compile(r"GatedRepoError|40[13] Client Error|access to .* is restricted", re.IGNORECASE), "ModelAccessDenied"),
    (re.compile(r"RepositoryNotFound|RevisionNotFound|404 Client Error", re.IGNORECASE), "ModelSourceNotFound"),
    (re.compile(r"429 Client Error|Too Many Requests", re.IGNORECASE), "RateLimitedByHub"),
    (re.compile(r"KV cache.*(larger|needed)|No available memory for the cache", re.IGNORECASE), "KVCacheTooSmall"),
    (re.compile(r"CUDA out of memory|OutOfMemoryError", re.IGNORECASE), "OutOfMemory"),
)


class Pods:
    """What was told of each provider's Pods when they were last looked at."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._told: dict[tuple[str, str], Told] = {}

    async def look(self, namespace: str, provider: str, workload: Workload, gpu: str) -> bool:
        """Ask why, if replicas are missing. True: some are, so it is worth looking again."""
        wanted = int(workload.status.get("replicas") or 0)
        ready = int(workload.status.get("readyReplicas") or 0)
        if ready >= wanted:
            self._told.pop((namespace, provider), None)
            return False
        pods = await self._cluster.pods(namespace, f"{PROVIDER_LABEL}={provider}")
        self._told[(namespace, provider)] = told(pods, gpu)
        return True

    def reasons(self, namespace: str) -> Mapping[str, Told]:
        """By provider, of those whose Pods said something."""
        return {name: said for (space, name), said in self._told.items() if space == namespace and said[0]}

    def forget(self, namespace: str, provider: str) -> None:
        self._told.pop((namespace, provider), None)


def told(pods: Iterable[Json], gpu: str) -> Told:
    """What keeps the Pods from being ready, the newest Pod first; ("", "") where they say nothing."""
    newest = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True)
    says = (_of_pod(pod, gpu) for pod in newest if not pod["metadata"].get("deletionTimestamp"))
    return next((said for said in says if said[0]), ("", ""))


def _of_pod(pod: Json, gpu: str) -> Told:
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            message = str(condition.get("message", ""))
            return ("InsufficientGPU" if f"Insufficient {gpu}" in message else "Unschedulable"), message
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return next((said for container in containers if (said := _of_container(container))[0]), ("", ""))


def _of_container(container: Json) -> Told:
    waiting = (container.get("state") or {}).get("waiting") or {}
    ended = (container.get("lastState") or {}).get("terminated") or (container.get("state") or {}).get("terminated")
    reason = str(waiting.get("reason", ""))
    if reason in _PULL:
        return "ImagePullFailed", str(waiting.get("message", ""))
    if ended and ended.get("exitCode"):
        return _ended(ended)
    return ("ContainerCreating", "") if reason in {"ContainerCreating", "PodInitializing"} else ("", "")


def _ended(terminated: Json) -> Told:
    words = str(terminated.get("message") or "").strip()
    if terminated.get("reason") == "OOMKilled":
        return "OOMKilled", "the container was killed for its memory"
    reason = next((reason for pattern, reason in _LAST_WORDS if pattern.search(words)), "CrashLoopBackOff")
    return reason, words[-_MESSAGE:] or f"the container ended with exit code {terminated['exitCode']}"
