"""Why a deployed provider's Pods are not ready, and how long its start takes, from what the API server tells of them.

Only what a Pod says counts, never the clock: the same Pods always say the same, so that a status is written only
when something has happened.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pointsman.engines.vllm_words import clip
from pointsman.fleet import pod_containers
from pointsman.fleet.pod_scheduling import Kept, asked, unscheduled
from pointsman.fleet.pod_times import between, condition, moment, since
from pointsman.fleet.world import Startup, Told
from pointsman.names import ROLE_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Json = dict[str, Any]

PROGRESS: Final = frozenset({"Progressing", "ContainerCreating", "ModelLoading", "Downloading"})
"""Reasons that time alone mends."""

_HASHES: Final = ("pod-template-hash", "leaderworkerset.sigs.k8s.io/template-revision-hash")
_MESSAGE: Final = 800


class Log(NamedTuple):
    """A container's log that tells more than its Pod does."""

    pod: str
    container: str
    previous: bool
    restarts: int


def told(pods: Iterable[Json], gpu: str, startup_seconds: float, logs: Mapping[str, str] | None = None) -> Told:
    """What keeps the engine's Pods from being ready, the newest first; reason "" where they say nothing.

    `gpu` is the resource's name, `startup_seconds` what the startup probe allows, `logs` the ends of logs by
    Pod name (see `wanted_logs`).
    """
    newest = _newest(each for each in pods if _role(each) != "prefetch")
    logs = logs or {}
    living = [pod for pod in newest if not _leaving(pod)]
    said = [(pod, kept) for pod in living if (kept := _of_pod(pod, gpu, startup_seconds, logs.get(_name(pod), "")))]
    pod, kept = _chosen(said, living)
    if pod is None:
        return _lost(newest) or Told(startup=_startup(living))
    fits = max((_fits(each, logs) for each, _ in said), default=0)
    message = clip(f"{kept.message}{_beside(pod, kept, newest, gpu)}", _MESSAGE)
    return Told(kept.reason, message, _startup(living), fits if kept.reason == "KVCacheTooSmall" else 0)


def fetched(pods: Iterable[Json], job: str, logs: Mapping[str, str] | None = None) -> Told:
    """The same of the Job that fetches the model; without startup times."""
    logs = logs or {}
    for pod in _newest(each for each in pods if _role(each) == "prefetch"):
        if (pod.get("status") or {}).get("phase") == "Succeeded":
            return Told()
        kept = _of_pod(pod, "", math.inf, logs.get(_name(pod), ""))
        if kept is None or kept.reason == "ModelLoading":
            kept = Kept("Downloading", "it runs")
        return Told(kept.reason, clip(f"the Job {job} that fetches the model: {kept.message}", _MESSAGE))
    return Told()


def podless(job: Json) -> Told:
    """Of a Job: that it cannot make its Pod, of which only an Event tells why; reason "" otherwise.

    Its controller writes `startTime` and `active` at once, after it has tried to make the Pod: that it has begun
    and never had a Pod means that the API server refused one.
    """
    status = job.get("status") or {}
    waits = any(each.get("status") == "True" for each in status.get("conditions") or ())
    had = any(status.get(count) for count in ("active", "succeeded", "failed", "terminating"))
    counted = any((status.get("uncountedTerminatedPods") or {}).values())
    if not status.get("startTime") or waits or had or counted:
        return Told()
    name = clip(str(job["metadata"]["name"]), 253)
    why = f"`kubectl describe job {name}` says why"
    return Told("PrefetchPodsMissing", f"the Job {name} that fetches the model cannot make its Pod: {why}")


def wanted_logs(pods: Iterable[Json]) -> tuple[Log, ...]:
    """Logs worth reading, of the newest Pod of each role: vLLM's termination message ends before it tells the cause."""
    found: dict[str, Log] = {}
    for pod in _newest(each for each in pods if not _leaving(each)):
        if _role(pod) not in found and (unclear := pod_containers.unclear(pod)):
            found[_role(pod)] = Log(_name(pod), *unclear)
    return tuple(found.values())


def _of_pod(pod: Json, gpu: str, startup_seconds: float, log: str) -> Kept | None:
    """What is in the way of one Pod; None: it is ready."""
    if condition(pod, "Ready").get("status") == "True":
        return None
    status = pod.get("status") or {}
    if status.get("phase") == "Failed" and (kept := _ended(status, gpu)):
        return kept
    if kept := _gone_node(pod):
        return kept
    if kept := unscheduled(pod, gpu):
        return kept
    container = unclear[0] if (unclear := pod_containers.unclear(pod)) else ""
    kept = pod_containers.said(pod, startup_seconds, {container: log})
    return kept or (
        None if status.get("containerStatuses") else Kept("ContainerCreating", "its node has just taken it")
    )


def _ended(status: Json, gpu: str) -> Kept | None:
    """Why a whole Pod is over: what kubelet or the scheduler did to it."""
    reason, message = str(status.get("reason") or ""), clip(str(status.get("message") or ""), 300)
    if reason == "Evicted":
        return Kept("Evicted", f"the node evicted the Pod: {message}")
    if reason in {"Preempting", "Preempted"}:
        return Kept("Preempted", f"a Pod of higher priority took its place: {message}")
    if reason == "NodeLost":
        return Kept("NodeLost", message)
    if (
        reason == "UnexpectedAdmissionError"
        or reason.startswith("OutOf")
        or reason in {"NodeAffinity", "TopologyAffinityError"}
    ):
        return Kept("InsufficientGPU" if gpu and gpu in message + reason else "AdmissionRejected", message or reason)
    return None


def _gone_node(pod: Json) -> Kept | None:
    """Whether its node is lost: the node controller, not kubelet, has said that the Pod is not ready."""
    status, node = pod.get("status") or {}, clip(str((pod.get("spec") or {}).get("nodeName") or ""), 253)
    containers = status.get("containerStatuses") or ()
    unheard = containers and all(each.get("ready") for each in containers)
    ready = condition(pod, "Ready")
    marked = ready.get("status") == "False" and ready.get("reason") != "ReadinessGatesNotReady" and unheard
    tainted = condition(pod, "DisruptionTarget").get("reason") == "DeletionByTaintManager"
    if node and (marked or tainted or status.get("reason") == "NodeLost"):
        return Kept("NodeLost", f"the node {node} does not answer any more")
    return None


def _chosen(said: Sequence[tuple[Json, Kept]], living: Sequence[Json]) -> tuple[Json | None, Kept]:
    """Of the newest revision the first in trouble, else on its way; then one that is over, and older ones."""
    newest = _hash(living[0]) if living else ""
    ranked = sorted(said, key=lambda each: (_hash(each[0]) != newest, _is_over(each[0]), each[1].reason in PROGRESS))
    return ranked[0] if ranked else (None, Kept("", ""))


def _beside(pod: Json, kept: Kept, newest: Sequence[Json], gpu: str) -> str:
    """What other Pods add: one that holds the GPUs, one that was moved."""
    others = [each for each in newest if each is not pod]
    holders = (each for each in others if _holds(each, gpu) and _replaced(each, pod))
    if kept.reason == "InsufficientGPU" and (holder := next(holders, None)):
        lost = _gone_node(holder)
        where = f"{lost.message}, and the Pod on it" if lost else "the Pod before it"
        going = " until it has ended" if _leaving(holder) else ""
        held = f"{asked(holder, gpu)} {gpu}"
        return f"; {where} still holds {held}{going}, for which the new one waits"
    before = next((why for each in others if (why := _moved(each))), "")
    return f" ({before})" if before else ""


def _moved(pod: Json) -> str:
    status, target = pod.get("status") or {}, str(condition(pod, "DisruptionTarget").get("reason") or "")
    if status.get("reason") == "Evicted":
        return f"the Pod before it was evicted: {clip(str(status.get('message') or ''), 200)}"
    if target.startswith("PreemptionBy"):
        return "the Pod before it gave way to one of higher priority"
    if target == "EvictionByEvictionAPI":
        return "the Pod before it was evicted, as by a drain of its node"
    lost = _gone_node(pod)
    return f"of the Pod before it, {lost.message}" if lost else ""


def _lost(newest: Sequence[Json]) -> Told | None:
    """Where every Pod is on its way out: whether that is because a node is lost."""
    kept = next((kept for pod in newest if (kept := _gone_node(pod))), None)
    return Told(*kept) if kept else None


def _holds(pod: Json, gpu: str) -> bool:
    return bool((pod.get("spec") or {}).get("nodeName")) and asked(pod, gpu) > 0 and not _is_over(pod)


def _is_over(pod: Json) -> bool:
    """Whether it holds nothing any more: it is kept until it is collected, beside the one that came after it."""
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def _replaced(old: Json, new: Json) -> bool:
    """Whether a Pod is to go: others of the same revision are replicas beside the new one."""
    return _leaving(old) or _hash(old) != _hash(new) or _gone_node(old) is not None


def _startup(living: Sequence[Json]) -> Startup:
    """How far the newest Pod's start is. After a restart of its container how long the image took is not known."""
    pod = living[0] if living else {}
    created = str((pod.get("metadata") or {}).get("creationTimestamp") or "")
    begun, placed, ready = moment(created), condition(pod, "PodScheduled"), condition(pod, "Ready")
    if not begun:
        return Startup()
    engine = pod_containers.main(pod)
    started = since((engine.get("state") or {}).get("running") or {}, "startedAt")
    node = since(placed) if placed.get("status") == "True" else 0.0
    return Startup(
        since=created,
        scheduled=between(begun, node),
        image=None if engine.get("restartCount") else between(node, started),
        load=between(started, since(ready)) if ready.get("status") == "True" else None,
    )


def _fits(pod: Json, logs: Mapping[str, str]) -> int:
    return pod_containers.fits(pod, logs.get(_name(pod), ""))


def _newest(pods: Iterable[Json]) -> list[Json]:
    # Of two made in one second, by name: which of them speaks must not change from look to look.
    return sorted(pods, key=lambda pod: (moment(pod["metadata"].get("creationTimestamp")), _name(pod)), reverse=True)


def _leaving(pod: Json) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _name(pod: Json) -> str:
    return str(pod["metadata"].get("name") or "")


def _role(pod: Json) -> str:
    return str((pod["metadata"].get("labels") or {}).get(ROLE_LABEL, ""))


def _hash(pod: Json) -> str:
    labels = pod["metadata"].get("labels") or {}
    return next((str(labels[key]) for key in _HASHES if key in labels), "")
