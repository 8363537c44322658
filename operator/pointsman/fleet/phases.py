"""The summary of a provider's status: its phase, and how far the newest start of its engine is.

Both follow from what has happened alone, never from the clock: they change when something does.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pointsman.fleet import scale
from pointsman.fleet.conditions import Finding
from pointsman.fleet.pod_times import moment
from pointsman.fleet.podreport import PROGRESS
from pointsman.fleet.world import Startup
from pointsman.served import State

if TYPE_CHECKING:
    from pointsman.fleet.seen import Seen
    from pointsman.fleet.world import Prefetch

Json = dict[str, Any]

NO_ANSWER: Final = frozenset({"ConnectionRefused", "DNSFailure", "TLSFailure", "Timeout", "ConnectionReset"})
"""A probe's reasons that say that no answer came."""

_PLACES: Final = frozenset(
    {
        "InsufficientGPU",
        "InsufficientResources",
        "UntoleratedTaint",
        "NoMatchingNode",
        "VolumeNotBound",
        "Unschedulable",
    }
    | {"SchedulingGated"}
)
_LONGEST: Final = 30 * 86400  # seconds: a start that took longer is a Pod that was ready, and is so once more


def phase(seen: Seen | Finding) -> str:
    """Pending, Provisioning, Downloading, Loading, Ready, Degraded, Unreachable, Suspended, Idle, Maintenance, Failed.

    A refused provider is Failed.
    """
    if isinstance(seen, Finding):
        return "Failed"
    if seen.spec.suspend:
        return "Suspended"
    return _deployed(seen) if seen.spec.deploy else _answering(seen)


def startup(seen: Seen, old_status: Json, now: str) -> Json:
    """`status.startup`, from what Pods and the Job say and from what it was (`old_status`).

    Times are whole seconds. `now` (RFC 3339) is the beginning of a start that only its download tells of yet.
    """
    told = seen.workload.told.startup if seen.workload else Startup()
    if not replicas(seen):
        return old_status if "loadSeconds" in old_status else _last(old_status)
    fetching = bool(seen.workload and seen.workload.prefetch and not seen.workload.prefetch.done)
    if not told.since:
        return _downloading(old_status, now) if fetching else _downloaded(seen, old_status)
    phases = _phases(seen, told, old_status)
    ended = "loadSeconds" in phases
    last = _total(phases) if ended else old_status.get("lastSeconds")
    out = {"since": told.since, **phases} | ({"lastSeconds": last} if last is not None else {})
    return out | (_expected(told.since, last) if last is not None and not ended and _goes_on(seen) else {})


def replicas(seen: Seen) -> int:
    """How many are to run now: fewer than the spec says where nobody asks for them."""
    deploy, live = seen.spec.deploy, seen.workload
    if deploy is None or seen.spec.suspend:
        return 0
    scaled = deploy.scaling is not None and live is not None and live.present
    return min(live.replicas, deploy.replicas) if scaled and live else deploy.replicas


def asleep(seen: Seen) -> bool:
    """Whether nothing runs because nobody asks; the next request starts it."""
    live = seen.workload
    return live is not None and live.present and scale.sleeping(seen.spec, live.replicas)


def _answering(seen: Seen) -> str:
    """Of a server that others run."""
    probed = seen.probed
    if probed.state is State.UP or probed.reason == "ProbeDisabled":
        return "Ready"
    if probed.state is State.UNKNOWN:
        return "Pending"
    if probed.reason in NO_ANSWER:
        return "Unreachable"
    return {"ModelLoading": "Loading", "Asleep": "Idle"}.get(probed.reason, "Degraded")


def _deployed(seen: Seen) -> str:
    wanted, live = replicas(seen), seen.workload
    ready = live.ready if live else 0
    if rollout := (seen.provider.status.get("maintenance") or {}).get("phase"):
        return "Failed" if rollout == "Failed" else "Maintenance"
    if not wanted:
        return "Idle"
    if not ready:
        return _starting(seen)
    if ready < wanted:
        return "Degraded"
    return {"Pending": "Loading"}.get(found := _answering(seen), found)


def _starting(seen: Seen) -> str:
    live = seen.workload
    fetched = live.prefetch if live else None
    if fetched and not fetched.done:
        return _fetching(fetched)
    reason = live.told.reason or live.reason if live else ""
    if reason in _PLACES or not reason:
        return "Pending"
    return {"Progressing": "Pending", "ContainerCreating": "Provisioning", "ModelLoading": "Loading"}.get(
        reason, "Failed"
    )


def _fetching(job: Prefetch) -> str:
    if job.failed or job.told.reason == "PrefetchPodsMissing":
        return "Failed"
    return "Pending" if job.told.reason in _PLACES else "Downloading"


def _phases(seen: Seen, told: Startup, old: Json) -> Json:
    """What has ended, of the same start once told for good: a Pod that is ready again has not loaded all that time."""
    job = seen.workload.prefetch if seen.workload else None
    found = {
        "scheduledSeconds": told.scheduled,
        "imageSeconds": told.image,
        "downloadSeconds": job.seconds if job else None,
        "loadSeconds": told.load,
    }
    new = {name: round(value) for name, value in found.items() if value is not None and 0 <= value < _LONGEST}
    if old.get("since") == told.since:
        new |= {name: old[name] for name in ("scheduledSeconds", "imageSeconds", "loadSeconds") if name in old}
    return {name: new[name] for name in found if name in new}


def _total(phases: Json) -> int:
    return sum(int(phases.get(name, 0)) for name in ("scheduledSeconds", "imageSeconds", "loadSeconds"))


def _expected(since: str, last: int) -> Json:
    begun = moment(since)
    if not begun:
        return {}
    ready = datetime.fromtimestamp(begun, UTC) + timedelta(seconds=min(last, _LONGEST))
    return {"expectedReady": ready.strftime("%Y-%m-%dT%H:%M:%SZ")}


def _goes_on(seen: Seen) -> bool:
    """Whether time alone will make it ready: of one in trouble no time can be told."""
    return seen.workload is not None and seen.workload.told.reason in {"", *PROGRESS}


def _last(old: Json) -> Json:
    return {key: old[key] for key in ("lastSeconds",) if key in old}


def _downloading(old: Json, now: str) -> Json:
    """While the model is fetched for the first time no Pod has begun."""
    begun = old.get("since") if "loadSeconds" not in old else None
    return {"since": begun or now, **_last(old)}


def _downloaded(seen: Seen, old: Json) -> Json:
    job = seen.workload.prefetch if seen.workload else None
    if job is None or job.seconds is None or not old or "loadSeconds" in old:
        return old
    return old | {"downloadSeconds": round(job.seconds)}
