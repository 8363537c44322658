"""A rollout that takes every replica away, without a failed request: drain, roll, prove, and back.

    ""        nothing is under way: what is wanted is applied
    Draining  routes are on their fallback; nothing changes until what is under way has ended
    Rolling   the old engine goes, the new one starts
    Proving   it is ready and is asked for one completion
    Failed    it did not come up, or gave no completion: routes stay on their fallback until it does, or is changed

The phase lives in `status.maintenance`, so that an operator that starts anew goes on where the last one was. While it
is there, `seen.state` tells the table Down: gateways then try the provider only where nothing else is left.

Providers that cover each other are rolled one after the other: what would be left alone is held until the other is
back. Of two that began in the same instant, each seeing the other well, the one that is later goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from pointsman.fleet.conditions import Finding, good
from pointsman.fleet.handover_facts import CUTS, Facts, facts

if TYPE_CHECKING:
    from pointsman.fleet.world import Json

__all__ = ["CUTS", "Facts", "Step", "facts", "finding", "step"]

Phase = Literal["", "Draining", "Rolling", "Proving", "Failed"]

_SPARE: Final = 600.0  # seconds beyond the startup's own: the image is pulled before it
_UNPROVEN: Final = 600.0  # seconds after which an engine that nobody could ask counts as failed
# Where gateways do not tell what is under way: their acknowledgement takes some seconds, and then 30 more.
_UNTOLD: Final = 60.0
_STUCK: Final = "not rolled within drainTimeout"
_AT_ONCE: Final = "spec.deploy.rollout.useFallback: false replaces it all the same"
_SOON, _LATER, _SELDOM = 1.0, 5.0, 30.0  # seconds until the next look: while draining, while starting, once failed


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
    if facts.begun_for and facts.begun_for != facts.wanted_revision:
        facts = replace(facts, elapsed=0.0)  # the phase is that of another change
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
        told = facts.replacing and facts.used and not _moves(facts)
        return Step("", message=f"{CUTS}: {_why_not(facts)}" if told else "")
    if _waits(facts):
        return _held(facts)
    if facts.wait_for_idle or _moves(facts):
        return _drain(facts, _what_drains(facts))
    return Step("", message=f"{CUTS}: {_why_not(facts)}")


def _draining(facts: Facts) -> Step:
    if not facts.changed:
        return _undone(facts)
    if not facts.in_place:
        return Step("")
    if facts.down:
        return _roll(facts, "the old engine is down already")
    if facts.use_fallback or facts.wait_for_idle:
        return _waiting(facts)
    return Step("", message=f"{CUTS}: {_why_not(facts)}")


def _waiting(facts: Facts) -> Step:
    if _waits(facts):
        message = f"waiting until {_list(facts.awaits)}, which drains too, is back in its routes"
        return _drain(facts, message) if facts.first else _held(facts)
    alone = facts.used and not facts.covered and not facts.wait_for_idle
    if alone and facts.answers and facts.wanted_replicas:
        return _drain(facts, _lost(facts))
    if _idle(facts):
        return _roll(facts, "nothing is under way any more")
    if facts.elapsed >= facts.drain_timeout:
        return _roll(facts, f"rolled after a drainTimeout of {facts.drain_timeout:.0f} s, {_left(facts)}")
    return _drain(facts, _what_drains(facts))


def _waits(facts: Facts) -> bool:
    """Whether it is left as it is until others are back. What is to stop, stops: its routes need not be asked."""
    return facts.use_fallback and facts.wanted_replicas > 0 and not facts.covered and bool(facts.awaits)


def _held(facts: Facts) -> Step:
    message = f"waiting for the rollout of {_list(facts.awaits)}: until then {_lack(facts)}; {_AT_ONCE}"
    return Step("", apply=False, again=_LATER, message=message)


def _lost(facts: Facts) -> str:
    """Time does not end this wait: `drainTimeout` is for requests that are under way."""
    goes_on = f"{_lack(facts)}: the old engine goes on until there is one again"
    return goes_on if facts.elapsed < facts.drain_timeout else f"{_STUCK}, as {goes_on}; {_AT_ONCE}"


def _undone(facts: Facts) -> Step:
    """What is wanted is live: the spec was set back, or the last operator ended just after it had applied it."""
    if facts.rolled and facts.begun_for != facts.wanted_revision:
        return Step("", message="the spec was set back: nothing was rolled")
    return _rolling(replace(facts, elapsed=0.0))


def _rolling(facts: Facts) -> Step:
    if facts.rolled:
        return _PROVE if facts.wanted_replicas else Step("", message="the engine is stopped")
    if not facts.wanted_replicas:
        return Step("Rolling", out=True, again=_LATER, message="waiting until the engine has ended")
    if facts.hopeless and facts.elapsed >= facts.patience:
        return Step("Failed", out=True, again=_SELDOM, message=_not_ready(facts))
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
    if facts.begun_for and facts.begun_for != facts.wanted_revision:
        return _rolling(facts)  # another one has just been applied
    if not facts.live_ready:
        return Step("Failed", out=True, again=_SELDOM, message=_not_ready(facts))
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


def _not_ready(facts: Facts) -> str:
    return f"the new engine is not ready: {facts.hopeless or 'see the WorkloadReady condition'}"


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
    if not facts.away:
        return "with gateways that did not tell that they had taken it out"
    return "with gateways that do not tell what is under way"


def _why_not(facts: Facts) -> str:
    if not facts.use_fallback:
        return "spec.deploy.rollout.useFallback is false"
    return _lack(facts) if facts.used else "no route uses the provider"


def _lack(facts: Facts) -> str:
    named = f"route{'s' * (len(facts.bare) > 1)} {_list(facts.bare)}" if facts.bare else "a route"
    return f"{named} {'have' if len(facts.bare) > 1 else 'has'} no other target that is healthy"


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


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
    if phase == "Draining" and message.startswith(_STUCK):
        return good("NoHealthyTarget", message)
    said = f"{_WAITS[phase]}: {message}" if phase == "Failed" and message else message or _WAITS[phase]
    return good("RolloutFailed" if phase == "Failed" else phase, said)
