"""Why no node takes a Pod: the scheduler's words, in short ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pointsman.engines.vllm_words import clip

if TYPE_CHECKING:
    from collections.abc import Iterable

Json = dict[str, Any]

_NODES: Final = re.compile(r"^\d+/(\d+) nodes are available: *")
_COUNT: Final = re.compile(r"(\d{1,9}) (.+)")
_INSUFFICIENT: Final = re.compile(r"Insufficient (\S+?)\.?$")
_TAINT: Final = re.compile(r"\{([^}]*)\}")
_VOLUME: Final = re.compile(
    r"PersistentVolume|persistentvolumeclaim|volume|pvc\(s\)|no available disk|free storage", re.IGNORECASE
)
_NODE: Final = re.compile(
    r"node affinity|node selector|requested node name|topology spread|affinity rules|required features|unschedulable"
)


class Kept(NamedTuple):
    """A reason and a message for people."""

    reason: str
    message: str


def unscheduled(pod: Json, gpu: str) -> Kept | None:
    """What keeps the scheduler from placing a Pod; None: it has a node.

    `gpu` is the resource's name. Scheduler: "0/5 nodes are available: 2 Insufficient nvidia.com/gpu, 3 node(s) had
    untolerated taint {a: b}. preemption: …".
    """
    if (pod.get("spec") or {}).get("nodeName"):
        return None
    conditions = (pod.get("status") or {}).get("conditions") or ()
    placed: Json = next((each for each in conditions if each.get("type") == "PodScheduled"), {})
    if placed.get("status") == "True":
        return None
    if placed.get("reason") == "SchedulingGated":
        return Kept("SchedulingGated", "the Pod's scheduling gates are not lifted yet")
    if placed.get("reason") != "Unschedulable":
        name = (pod.get("spec") or {}).get("schedulerName") or "default-scheduler"
        return Kept("Progressing", f"the Pod waits for the scheduler {clip(name, 64)}")
    return _refused(str(placed.get("message", "")), pod, gpu)


def asked(pod: Json, resource: str) -> int:
    """How much of a resource that comes in pieces a Pod's containers ask for together."""
    containers = (pod.get("spec") or {}).get("containers") or ()
    limits = (((each.get("resources") or {}).get("limits") or {}).get(resource, "0") for each in containers)
    return sum(int(text) for each in limits if (text := str(each)).isdecimal() and len(text) < 9)


def _requested(pod: Json, resource: str) -> str:
    containers = (pod.get("spec") or {}).get("containers") or ()
    amounts = [str(((each.get("resources") or {}).get("requests") or {}).get(resource, "")) for each in containers]
    return clip(" + ".join(filter(None, amounts)), 64)


def _refused(message: str, pod: Json, gpu: str) -> Kept:
    nodes = found[1] if (found := _NODES.match(message)) else ""
    said = _NODES.sub("", message).partition(". ")[0].rstrip(". ")
    causes = [(int(found[1]), found[2]) for part in said.split(", ") if (found := _COUNT.fullmatch(part))]
    short = _short(causes) or clip(said, 300) or "the scheduler does not say why"
    reason = _reason(causes, said, gpu)
    whole = f"of {nodes} nodes " if nodes and causes else "no node fits: " if causes else ""
    return Kept(reason, clip(f"{_wants(pod, gpu, causes)}{whole}{short}"))


def _wants(pod: Json, gpu: str, causes: list[tuple[int, str]]) -> str:
    lacking = [found[1] for _, cause in causes if (found := _INSUFFICIENT.fullmatch(cause))]
    wants = [f"{asked(pod, gpu)} {gpu}"] if asked(pod, gpu) else []
    wants += [f"{much} {each}" for each in lacking if each != gpu and (much := _requested(pod, each))]
    return f"the Pod asks for {' and '.join(wants)}; " if wants else ""


def _reason(causes: list[tuple[int, str]], said: str, gpu: str) -> str:
    if gpu and f"Insufficient {gpu}" in said:
        return "InsufficientGPU"
    if "Insufficient " in said or "Too many pods" in said:
        return "InsufficientResources"
    if _VOLUME.search(said):
        return "VolumeNotBound"
    tainted = sum(count for count, cause in causes if "taint" in cause)
    apart = sum(count for count, cause in causes if _NODE.search(cause))
    if tainted or apart:
        # Control planes are tainted in every cluster: of two causes alike the other one is more likely.
        return "UntoleratedTaint" if tainted > apart else "NoMatchingNode"
    return "Unschedulable"


def _short(causes: Iterable[tuple[int, str]]) -> str:
    return ", ".join(f"{count} {_words(cause, many=count != 1)}" for count, cause in sorted(causes, reverse=True)[:8])


def _words(cause: str, *, many: bool) -> str:
    have, do = ("have", "do") if many else ("has", "does")
    if lacking := _INSUFFICIENT.fullmatch(cause):
        return f"{have} too little {lacking[1]} free"
    if "taint" in cause:
        named = _TAINT.search(cause)
        return f"{have} a taint that is not tolerated" + (f" ({named[1].strip().rstrip(':')})" if named else "")
    if "affinity/selector" in cause or "node selector" in cause:
        return f"{do} not match the nodeSelector or affinity"
    if "unschedulable" in cause:
        return "cordoned"
    return clip(cause.removeprefix("node(s) "), 120)
