"""How many replicas a deployed provider has now: as the spec says, fewer while nobody asks, none while suspended.

    spec.suspend ─────────────────────────────────────────────▶ 0
    no scaling, or replicas is 0 ─────────────────────────────▶ replicas
    scaling: wanted within `idle` ────────────────────────────▶ replicas       (this is what wakes it)
             idle for `idle`, ready for as long, none under way ▶ minReplicas
             otherwise, and while demand is not known ────────▶ as it is; replicas where there is nothing yet

An engine that has not been ready for `idle` is left alone: it is what somebody waits for, or a fault that must be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Final

from pointsman.api.fields import seconds
from pointsman.fleet.pod_times import between, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pointsman.api.deploy import Deploy, Scaling
    from pointsman.api.provider import ModelProviderSpec
    from pointsman.fleet.world import Demand

IDLE: Final = 15 * 60.0  # seconds without a request, unless spec.deploy.scaling.idle says otherwise
LEAST_IDLE: Final = 60.0  # of a shorter one the engine would go while a person reads the answer
SCALED_TO_ZERO: Final = "ScaledToZero"
WAKING: Final = "Waking"
_LOOK: Final = 10.0  # seconds between two looks at what is only waiting for the last answer's end


@dataclass(frozen=True, slots=True)
class Scale:
    """What the workload is to have. `again`: seconds until it may be another number; None: nothing but an event."""

    replicas: int
    idle_on_purpose: bool = False  # fewer than spec.deploy.replicas, as nobody asks
    again: float | None = None
    message: str = ""  # for people, where it is not what spec.deploy.replicas says


def decide(spec: ModelProviderSpec, live: int | None, demand: Demand | None, ready_for: float = inf) -> Scale:
    """The replicas of a provider with `deploy`; 0 of one without.

    `live`: of the object that is there, None: there is none. `demand`: None: not known. `ready_for`: seconds since all
    of it was last found ready, 0 while it is not (see `ready_for`).
    """
    deploy = spec.deploy
    if deploy is None:
        return Scale(0)
    if spec.suspend:
        return Scale(0, message="spec.suspend is true")
    scaling = deploy.scaling
    if scaling is None or scaling.min_replicas >= deploy.replicas:
        return Scale(deploy.replicas)
    awake = live is None or live > scaling.min_replicas
    if live is None or demand is None:
        # No event tells that a gateway which was silent tells again.
        return _full(deploy, None if live is None else LEAST_IDLE) if awake else _least(scaling)
    return _by_demand(deploy, scaling, demand, ready_for if awake else None)


def ready_for(status: Mapping[str, Any], now: str) -> float:
    """Seconds since the engine was last found ready, by the provider's status; 0.0: it is not. `now` is RFC 3339."""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "WorkloadReady" and condition.get("status") == "True":
            return between(moment(condition["lastTransitionTime"]), moment(now)) or 0.0
    return 0.0


def sleeping(spec: ModelProviderSpec, live: int | None) -> bool:
    """Whether nothing runs because nobody asks: the next request starts it, and its phase is Idle."""
    return live == 0 and _goes_to_zero(spec)


def table_reason(spec: ModelProviderSpec, live: int | None, ready: int) -> str:
    """Why the table says Down of what demand starts: ScaledToZero, Waking; "": it is not that.

    `live`: replicas that the workload is to have, `ready`: that are. Gateways pass over a provider with either, and
    tell clients when to come again.
    """
    if live is None or ready or not _goes_to_zero(spec):
        return ""
    return WAKING if live else SCALED_TO_ZERO


def refusals(deploy: Deploy) -> Iterator[str]:
    """What makes `spec.deploy.scaling` unusable, and how to mend it."""
    scaling = deploy.scaling
    if scaling is None:
        return
    at = "spec.deploy.scaling"
    if 0 < deploy.replicas < scaling.min_replicas:
        yield (
            f"{at}.minReplicas: {scaling.min_replicas} is more than spec.deploy.replicas ({deploy.replicas}): "
            "lower it, or raise replicas"
        )
    if not scaling.idle:
        return
    try:
        idle = seconds(scaling.idle)
    except ValueError as error:
        yield f"{at}.idle: {error}"
        return
    if not LEAST_IDLE <= idle < inf:
        yield f"{at}.idle: {scaling.idle} is less than 1m: it would be started over and over: use 1m or more"


def idle_seconds(scaling: Scaling) -> float:
    """Seconds without a request after which it scales down."""
    return seconds(scaling.idle) if scaling.idle else IDLE


def _by_demand(deploy: Deploy, scaling: Scaling, demand: Demand, ready_for: float | None) -> Scale:
    """`ready_for` is None of what is down at minReplicas."""
    idle = idle_seconds(scaling)
    if demand.wanted and demand.idle < idle:
        return _full(deploy, idle - demand.idle)
    if ready_for is None:
        return _least(scaling)
    quiet = min(demand.idle, ready_for)
    if quiet < idle:
        return _full(deploy, idle - quiet)
    return _full(deploy, _LOOK) if demand.in_flight else _least(scaling)


def _full(deploy: Deploy, again: float | None = None) -> Scale:
    return Scale(deploy.replicas, again=again)


def _least(scaling: Scaling) -> Scale:
    message = (
        f"no request for {scaling.idle or '15m'}: scaled to {scaling.min_replicas}, and up again with the next request"
    )
    return Scale(scaling.min_replicas, idle_on_purpose=True, message=message)


def _goes_to_zero(spec: ModelProviderSpec) -> bool:
    deploy = spec.deploy
    return bool(
        deploy and deploy.scaling and deploy.scaling.min_replicas == 0 and deploy.replicas > 0 and not spec.suspend
    )
