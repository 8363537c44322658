"""A rollout that takes every replica away, without a failed request: drain, roll, prove, and back.

    ""        nothing is under way: what is wanted is applied
    Draining  routes are on their fallback; nothing changes until what is under way has ended
    Rolling   the old engine goes, the new one starts
    Proving   it is ready and is asked for one completion
    Failed    it did not come up, or gave no completion: routes stay on their fallback until it does, or is changed

The phase lives in `status.maintenance`, so that an operator that starts anew goes on where the last one was. While it
is there, `seen.state` tells the table Down: gateways then try the provider only where nothing else is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from pointsman.api.fields import seconds
from pointsman.fleet.acceptance import route_refusals
from pointsman.fleet.chain import OUTSIDE, links
from pointsman.fleet.conditions import Finding, good
from pointsman.fleet.render import RenderError, render
from pointsman.fleet.world import Workload

if TYPE_CHECKING:
    from pointsman.api.deploy import Deploy
    from pointsman.fleet.chain import Link
    from pointsman.fleet.seen import Seen
    from pointsman.fleet.world import Json, ProofResult, World

Phase = Literal["", "Draining", "Rolling", "Proving", "Failed"]

DRAIN_SECONDS: Final = 600.0
STARTUP_SECONDS: Final = 1800.0
_SPARE: Final = 600.0  # seconds beyond the startup's own: the image is pulled before it
_UNPROVEN: Final = 600.0  # seconds after which an engine that nobody could ask counts as failed
# Where gateways do not tell what is under way: their acknowledgement takes some seconds, and then 30 more.
_UNTOLD: Final = 60.0
_CUTS: Final = "the engine is replaced in place, and requests fail meanwhile"
_SOON, _LATER, _SELDOM = 1.0, 5.0, 30.0  # seconds until the next look: while draining, while starting, once failed


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


@dataclass(frozen=True, slots=True)
class Step:
    """`apply`: the engine's object may be written; `out`: of the routes; `again`: look again after so many seconds."""

    phase: Phase
    apply: bool = True
    out: bool = False
    prove: bool = False
    again: float | None = None
    message: str = ""  # for people; says the same as long as the same is waited for


_PROVE: Final = Step(
    "Proving", out=True, prove=True, again=_LATER, message="waiting for one completion of the new engine"
)


def step(phase: str, facts: Facts) -> Step:
    """What is to be done now, and the phase that holds from now on. A phase that nobody knows counts as none."""
    if phase == "Draining":
        return _draining(facts)
    if phase in {"Rolling", "Proving", "Failed"} and facts.changed:
        return _anew(facts)
    if phase == "Rolling":
        return _rolling(facts)
    if phase == "Proving":
        return _proving(facts)
    return _failed(facts) if phase == "Failed" else _settled(facts)


def _settled(facts: Facts) -> Step:
    if not facts.changed or not facts.in_place or facts.down:
        return Step("")
    if facts.wait_for_idle or _moves(facts):
        return _drain(facts, _what_drains(facts))
    return Step("", message=f"{_CUTS}: {_why_not(facts)}")


def _draining(facts: Facts) -> Step:
    if not facts.changed:
        return _undone(facts)
    if not facts.in_place:
        return Step("")
    if facts.down:
        return _roll(facts, "the old engine is down already")
    if facts.use_fallback or facts.wait_for_idle:
        return _waiting(facts)
    return Step("", message=f"{_CUTS}: {_why_not(facts)}")


def _waiting(facts: Facts) -> Step:
    if facts.elapsed >= facts.drain_timeout:
        return _roll(facts, f"rolled after a drainTimeout of {facts.drain_timeout:.0f} s, {_left(facts)}")
    if facts.used and not facts.covered and not facts.wait_for_idle:
        return _drain(facts, "a route's fallback has failed: the old engine goes on until there is one again")
    return _roll(facts, "nothing is under way any more") if _idle(facts) else _drain(facts, _what_drains(facts))


def _undone(facts: Facts) -> Step:
    """What is wanted is live: the spec was set back, or the last operator ended just after it had applied it."""
    if facts.rolled and facts.begun_for != facts.wanted_revision:
        return Step("", message="the spec was set back: nothing was rolled")
    return _rolling(facts)


def _rolling(facts: Facts) -> Step:
    if facts.rolled:
        return _PROVE if facts.wanted_replicas else Step("", message="the engine is stopped")
    if not facts.wanted_replicas:
        return Step("Rolling", out=True, again=_LATER, message="waiting until the engine has ended")
    limit = facts.startup_seconds + _SPARE
    if facts.elapsed >= limit:
        message = f"the new engine was not ready within {limit:.0f} s: see the WorkloadReady condition"
        return Step("Failed", out=True, again=_SELDOM, message=message)
    return Step("Rolling", out=True, again=_LATER, message="waiting until the new engine is ready")


def _proving(facts: Facts) -> Step:
    if not facts.live_ready:
        return _rolling(facts)
    if facts.proven:
        return Step("", message="the new engine has proved itself")
    if facts.proven is False:
        return _unproven(facts)
    if facts.elapsed >= _UNPROVEN:
        return Step("Failed", out=True, prove=True, again=_SELDOM, message="the new engine could not be asked")
    return _PROVE


def _failed(facts: Facts) -> Step:
    """It may come up yet, or give its completion when it is asked again."""
    if not facts.wanted_replicas:
        return Step("")
    if not facts.live_ready:
        message = "the new engine is not ready: see the WorkloadReady condition"
        return Step("Failed", out=True, again=_SELDOM, message=message)
    return Step("", message="the new engine has proved itself") if facts.proven else _unproven(facts)


def _anew(facts: Facts) -> Step:
    """Another change on the way: the engine of the last one may be answering already where nothing else could."""
    if facts.down or not (facts.use_fallback or facts.wait_for_idle):
        return _roll(facts, "a new spec, and the engine is down")
    return _drain(facts, _what_drains(facts))


def _drain(facts: Facts, message: str) -> Step:
    return Step("Draining", apply=False, out=facts.use_fallback, again=_SOON, message=message)


def _roll(facts: Facts, message: str) -> Step:
    # Without its fallback a route has nothing to come back from.
    return Step("Rolling", out=True, again=_LATER, message=message) if facts.use_fallback else Step("", message=message)


def _unproven(facts: Facts) -> Step:
    said = facts.proof.message if facts.proof and facts.proven is False else ""
    message = f"the new engine gives no completion: {said}" if said else "the new engine has given no completion"
    return Step("Failed", out=True, prove=True, again=_SELDOM, message=message)


def _moves(facts: Facts) -> bool:
    return facts.used and facts.covered and facts.use_fallback


def _idle(facts: Facts) -> bool:
    if facts.use_fallback and not facts.away:
        return False
    return facts.elapsed >= _UNTOLD if facts.in_flight is None else facts.in_flight == 0


def _what_drains(facts: Facts) -> str:
    if facts.use_fallback and not facts.away:
        return "waiting until every gateway has taken the provider out of its routes"
    if facts.in_flight is None:
        return f"gateways do not tell what is under way: waiting for {_UNTOLD:.0f} s"
    return "waiting until the requests that are under way have ended"


def _left(facts: Facts) -> str:
    if facts.in_flight:
        return "with requests still under way, which are cut unless they end within the Pod's grace period"
    return "with gateways that did not tell that they had taken it out" if not facts.away else "without a fallback"


def _why_not(facts: Facts) -> str:
    if not facts.use_fallback:
        return "spec.deploy.rollout.useFallback is false"
    return "a route has no other target that is healthy" if facts.used else "no route uses the provider"


_WAITS: Final = {
    "Draining": "routes are on their fallback; waiting until what is under way has ended",
    "Rolling": "routes are on their fallback; waiting until the new engine is ready",
    "Proving": "routes are on their fallback; waiting for one completion of the new engine",
    "Failed": "routes stay on their fallback: the new engine did not come up, or gave no completion; "
    "mend spec.deploy or set it back",
}


def finding(status: Json, message: str = "") -> Finding:
    """The condition Maintenance, of a status with the phase that holds now; `message` is its step's."""
    phase = str((status.get("maintenance") or {}).get("phase") or "")
    if phase not in _WAITS:
        return Finding("NotInMaintenance", message or "no rollout is under way")
    said = f"{_WAITS[phase]}: {message}" if phase == "Failed" and message else message or _WAITS[phase]
    return good("RolloutFailed" if phase == "Failed" else phase, said)


def facts(world: World, seen: Seen, rendered_revision: str, replicas: int, now: str) -> Facts:
    """Of a deployed provider; `rendered_revision` and `replicas` are what is wanted now, `now` is RFC 3339."""
    live = seen.workload if seen.workload and seen.workload.present else Workload()
    deploy, begun = seen.spec.deploy, seen.provider.status.get("maintenance") or {}
    rollout = deploy.rollout if deploy else None
    chains = _chains(world, seen.name)
    told = world.demand.get(seen.name)
    return Facts(
        wanted_revision=rendered_revision,
        wanted_replicas=replicas,
        live_revision=live.revision,
        live_replicas=live.replicas,
        live_ready=int(live.status.get("readyReplicas") or 0),
        rolled=live.rolled and (live.revision, live.replicas) == (rendered_revision, replicas),
        in_place=deploy is not None and _in_place(deploy, live.replicas, replicas),
        covered=bool(chains) and all(_covered(chain, seen.name) for chain in chains),
        used=bool(chains),
        away=begun.get("phase") == "Draining" and _away(world),
        in_flight=told.in_flight if told else None if world.gateways else 0,
        proof=world.proofs.get(seen.name),
        elapsed=_elapsed(str(begun.get("since") or ""), now),
        use_fallback=rollout is None or rollout.use_fallback is not False,
        wait_for_idle=bool(rollout and rollout.wait_for_idle),
        drain_timeout=seconds(rollout.drain_timeout) if rollout and rollout.drain_timeout else DRAIN_SECONDS,
        startup_seconds=seconds(deploy.startup_timeout) if deploy and deploy.startup_timeout else STARTUP_SECONDS,
        begun_for=str(begun.get("revision") or ""),
    )


def _in_place(deploy: Deploy, live: int, replicas: int) -> bool:
    """Whether a new version begins with the end of the last old replica: as `workload` renders the strategy."""
    stated = (deploy.rollout.strategy if deploy.rollout else None) or "Auto"
    alone = deploy.replicas <= 1 or "ReadWriteOncePod" in ((deploy.cache.access_modes if deploy.cache else None) or ())
    groups = bool(deploy.parallelism and (deploy.parallelism.nodes or 1) > 1)  # one after another, whatever is stated
    if replicas == 0 or (not groups and (stated == "Recreate" or (stated == "Auto" and alone))):
        return True
    surges = stated == "RollingUpdate" and not groups and not deploy.gpus and not (deploy.cache and deploy.cache.size)
    return min(live, replicas) <= 1 and not surges


def _chains(world: World, name: str) -> tuple[tuple[Link, ...], ...]:
    """Of the routes that would go to the provider if it were well; one that the fence keeps away is not used."""
    refused = route_refusals(world.routes.values())
    usable = (route for name, route in world.routes.items() if not refused[name] and not route.meta.deleting)
    chains = (links(world, route.spec) for route in usable if route.spec)
    return tuple(chain for chain in chains if any(link.provider == name and link.skip not in OUTSIDE for link in chain))


def _covered(chain: tuple[Link, ...], name: str) -> bool:
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
    if not since:
        return 0.0
    return max(0.0, (datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds())
