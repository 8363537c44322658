"""What a rollout with hand-over is decided from: the engine, its routes, and who else could answer for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pointsman.api.fields import seconds
from pointsman.engines.vllm_layout import STARTUP_SECONDS, startup
from pointsman.fleet import workload
from pointsman.fleet.acceptance import route_refusal
from pointsman.fleet.chain import OUTSIDE, links
from pointsman.fleet.conditions import message_of, status_of
from pointsman.fleet.pod_times import between, moment
from pointsman.fleet.podreport import PROGRESS
from pointsman.fleet.render import RenderError, render
from pointsman.fleet.world import Workload
from pointsman.served import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.fleet.chain import Link
    from pointsman.fleet.seen import Seen
    from pointsman.fleet.world import Json, ProofResult, Provider, Route, World

    Chain = tuple[Link, ...]

CUTS: Final = "the engine is replaced in place, and requests fail meanwhile"
"""How the condition Maintenance begins while a running engine is replaced without a hand-over."""

DRAIN_SECONDS: Final = 600.0
_GRACE: Final = 60.0  # seconds in which what looks hopeless may still be of the last engine, or a slip
_PATIENCE: Final = 600.0  # where another Pod may end, an autoscaler may bring a node, or nobody knows the cause
_PHASES: Final = frozenset({"Draining", "Rolling", "Proving", "Failed"})
_PASSING: Final = PROGRESS | {"", "NoReadyReplica", "RateLimitedByHub", "ReadinessProbeFailed", "SchedulingGated"}
_SLOW: Final = frozenset(
    {"InsufficientGPU", "InsufficientResources", "Unschedulable", "VolumeNotBound", "AdmissionRejected", "NodeLost"}
    | {"Evicted", "Preempted", "GPUMemoryInUse", "PortInUse", "ModelSourceUnreachable"}
    | {"CrashLoopBackOff", "EngineStartFailed", "EngineDied"}
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a step is decided from. Times in seconds; "" and 0 where nothing is live."""

    wanted_revision: str
    wanted_replicas: int
    live_revision: str = ""
    live_replicas: int = 0
    live_ready: int = 0
    rolled: bool = False  # what is wanted is live, and all of it is ready
    in_place: bool = True  # the change takes all replicas away before there is a new one
    covered: bool = False  # every route that uses the provider has another target that is healthy
    used: bool = False  # a route uses it
    away: bool = False  # every gateway runs the table in which it is out, or there is no gateway
    in_flight: int | None = None  # requests that gateways have under way there; None: not known
    proof: ProofResult | None = None
    elapsed: float = 0.0  # in this phase
    use_fallback: bool = True
    wait_for_idle: bool = False
    drain_timeout: float = DRAIN_SECONDS
    startup_seconds: float = STARTUP_SECONDS
    begun_for: str = ""  # the revision that the phase was written for
    bare: tuple[str, ...] = ()  # names of the routes that have no other target that is healthy
    awaits: tuple[str, ...] = ()  # providers that would cover those but for a rollout of their own
    first: bool = False  # of those that drain and would cover each other it is the one that goes on
    answers: bool = True  # as far as probes know; nobody misses what does not
    replacing: bool = False  # it ran, is being replaced in place, and the new engine is not ready
    hopeless: str = ""  # why the new engine will not come up by itself; "": nothing says so
    patience: float = _GRACE  # seconds of a phase after which `hopeless` counts

    @property
    def changed(self) -> bool:
        """Whether what is wanted is another engine than the live one, or none. More or fewer replicas are not."""
        stops = self.wanted_replicas == 0 < self.live_replicas
        return bool(self.live_replicas) and (stops or self.wanted_revision != self.live_revision)

    @property
    def down(self) -> bool:
        """Whether nobody loses anything by a rollout. An engine that is only unready may still be answering."""
        return self.live_ready == 0 and not self.in_flight

    @property
    def proven(self) -> bool | None:
        """What came of asking this engine; None: nobody has asked it yet."""
        known = self.proof is not None and self.proof.revision == self.wanted_revision
        return self.proof.ok if self.proof and known else None


def facts(world: World, seen: Seen, rendered_revision: str, replicas: int, now: str) -> Facts:
    """Of a deployed provider; `rendered_revision` and `replicas` are what is wanted now, `now` is RFC 3339."""
    live = seen.workload if seen.workload and seen.workload.present else Workload()
    deploy, begun = seen.spec.deploy, _begun(seen.provider)
    rollout = deploy.rollout if deploy else None
    chains = _chains(world, seen.name)
    bare = {name: chain for name, chain in chains.items() if not _covered(chain, seen.name)}
    awaited = _awaited(seen, bare)
    told, in_place = (
        world.demand.get(seen.name),
        deploy is not None and workload.in_place(deploy, live.replicas, replicas),
    )
    as_wanted = (live.revision, live.replicas) == (rendered_revision, replicas)
    hopeless, patience = _hopeless(live)
    return Facts(
        wanted_revision=rendered_revision,
        wanted_replicas=replicas,
        live_revision=live.revision,
        live_replicas=live.replicas,
        live_ready=live.ready,
        rolled=live.rolled and as_wanted,
        in_place=in_place,
        covered=bool(chains) and not bare,
        used=bool(chains),
        away=begun.get("phase") == "Draining" and _away(world),
        in_flight=told.in_flight if told else None if world.gateways else 0,
        proof=world.proofs.get(seen.name),
        elapsed=_elapsed(str(begun.get("since") or ""), now),
        use_fallback=rollout is None or rollout.use_fallback is not False,
        wait_for_idle=bool(rollout and rollout.wait_for_idle),
        drain_timeout=seconds(rollout.drain_timeout) if rollout and rollout.drain_timeout else DRAIN_SECONDS,
        startup_seconds=startup(deploy) if deploy else STARTUP_SECONDS,
        begun_for=str(begun.get("revision") or ""),
        bare=tuple(sorted(bare)),
        awaits=tuple(map(_named, awaited)),
        first=begun.get("phase") == "Draining" and bool(awaited) and _turn(seen.provider) < min(map(_turn, awaited)),
        answers=seen.probed.state is not State.DOWN,
        replacing=in_place and as_wanted and replicas > 0 and _replacing(seen.provider.status, live, replicas),
        hopeless=hopeless,
        patience=patience,
    )


def _replacing(status: Json, live: Workload, replicas: int) -> bool:
    """Whether a running engine was taken away for the live one, which is not ready.

    It is told as long as it was told; it begins with a template that nobody has acted on, over an engine that ran.
    """
    conditions = status.get("conditions") or ()
    updated = int(live.status.get("updatedReplicas") or 0)
    if int(live.status.get("observedGeneration") or 0) >= live.generation:
        return _is_cut(status) and (not live.ready or updated < live.replicas)
    ran = status_of(conditions, "WorkloadReady") == "True" and status.get("desiredReplicas") == replicas
    return ran or _is_cut(status)


def _is_cut(status: Json) -> bool:
    """Whether a provider's status tells that it is replaced without a hand-over."""
    return message_of(status.get("conditions") or (), "Maintenance").startswith(CUTS)


def _hopeless(live: Workload) -> tuple[str, float]:
    """Why it will not come up, of reasons that time alone does not mend; and seconds that it is given."""
    reason, message = live.told.reason, live.told.message
    for each in live.status.get("conditions") or ():
        if reason in _PASSING and (each.get("type"), each.get("status")) == ("ReplicaFailure", "True"):
            reason, message = "ReplicaFailure", str(each.get("message") or "")
    if reason in _PASSING:
        return "", _GRACE
    return f"{reason}: {message}" if message else reason, _PATIENCE if reason in _SLOW else _GRACE


def _awaited(seen: Seen, bare: Mapping[str, Chain]) -> list[Provider]:
    """Who would cover these routes, were it not for a rollout of their own.

    What does not answer itself waits only for what ends by itself: others may be waiting for it to be mended.
    """
    links = (link for chain in bare.values() for link in chain if link.provider != seen.name and not link.skip)
    others = {link.provider: link for link in links}
    well = seen.probed.state is not State.DOWN
    ending = _PHASES if well else frozenset({"Rolling", "Proving"})
    known = ((seen.world.providers[name], link.reason) for name, link in sorted(others.items()))
    return [
        each
        for each, reason in known
        if (_begun(each).get("phase") in ending if reason == "Maintenance" else well and _is_cut(each.status))
    ]


def _turn(provider: Provider) -> tuple[bool, str, str]:
    """Of those that drain the one with the least goes first; what rolls already is before them all."""
    begun = _begun(provider)
    return begun.get("phase") == "Draining", str(begun.get("since") or ""), provider.meta.name


def _begun(provider: Provider) -> Json:
    return provider.status.get("maintenance") or {}


def _named(provider: Provider) -> str:
    return f"{provider.meta.name} (RolloutFailed)" if _begun(provider).get("phase") == "Failed" else provider.meta.name


def _chains(world: World, name: str) -> dict[str, Chain]:
    """Of the routes that would go to the provider if it were well; one that the fence keeps away is not used."""
    naming = {route: each for route, each in world.routes.items() if _names(each, name) and not each.meta.deleting}
    usable = ((route, each) for route, each in naming.items() if not route_refusal(world, each))
    chains = {route: links(world, each.spec) for route, each in usable if each.spec}
    return {
        route: chain
        for route, chain in chains.items()
        if any(link.provider == name and link.skip not in OUTSIDE for link in chain)
    }


def _names(route: Route, provider: str) -> bool:
    targets = (route.spec.primary, *(route.spec.fallbacks or ())) if route.spec else ()
    return any(target.provider == provider for target in targets)


def _covered(chain: Chain, name: str) -> bool:
    return any(link.healthy for link in chain if link.provider != name)


def _away(world: World) -> bool:
    """Whether what would be published now is what is published, and what all gateways run."""
    if any(gateway.hash != world.published_hash for gateway in world.gateways):
        return False
    if not world.gateways:
        return True
    try:
        return render(world).hash == world.published_hash
    except RenderError:
        return False


def _elapsed(since: str, now: str) -> float:
    return between(moment(since), moment(now)) or 0.0
