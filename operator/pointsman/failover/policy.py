"""What a failure leads to: whether the next target is tried, and what is left alone for how long."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

import msgspec

from pointsman.exchange import Failure, FailureKind

if TYPE_CHECKING:
    from pointsman.table import Breaker, Policy

LONGEST: Final = 300.0  # seconds; transient faults are never left alone for longer
RATE_LIMITED: Final = 30.0  # seconds, doubled each time, when the target named no time
AUTHENTICATION: Final = 600.0  # a key does not mend itself; a new one ends it at once
MODEL_NOT_FOUND: Final = 300.0
RETRY_AFTER_LONGEST: Final = 86_400.0  # a daily quota


class Scope(Enum):
    """What a failure speaks of."""

    NOTHING = auto()  # of the request
    MODEL = auto()  # of this model at this provider
    PROVIDER = auto()  # of the provider's key, for all its models


class Cooldown(msgspec.Struct, frozen=True, gc=False):
    """For how long something is left alone, in seconds, and what that is. 0 seconds: it counts, and no more yet."""

    scope: Scope
    seconds: float = 0.0


_SCOPES: Final = {
    FailureKind.CONNECT_FAILURE: Scope.MODEL,
    FailureKind.TIMEOUT: Scope.MODEL,
    FailureKind.SERVER_ERROR: Scope.MODEL,
    FailureKind.INVALID_RESPONSE: Scope.MODEL,
    FailureKind.RATE_LIMITED: Scope.MODEL,
    FailureKind.MODEL_NOT_FOUND: Scope.MODEL,
    FailureKind.AUTHENTICATION: Scope.PROVIDER,
}
_NONE: Final = Cooldown(Scope.NOTHING)


def advances(failure: Failure, policy: Policy) -> bool:
    """Whether the next target is tried. Never for a request that is wrong, nor for a refusal."""
    return failure.kind in policy.failover_on


def cooldown(failure: Failure, breaker: Breaker, failures: int, opened: int) -> Cooldown:
    """What is left alone after `failures` in a row (this one counts), `opened` times before without a success since.

    Context, format and content errors speak of the request: they cool nothing.
    """
    scope = _SCOPES.get(failure.kind, Scope.NOTHING)
    if scope is Scope.NOTHING:
        return _NONE
    if failure.kind is FailureKind.AUTHENTICATION:
        return Cooldown(scope, AUTHENTICATION)
    if failure.kind is FailureKind.MODEL_NOT_FOUND:
        return Cooldown(scope, MODEL_NOT_FOUND)
    if failure.kind is FailureKind.RATE_LIMITED:
        return Cooldown(scope, _rate_limited(failure, opened))
    if failures < breaker.consecutive_failures:
        return Cooldown(scope)
    said = min(failure.retry_after, LONGEST)  # a 503 may name a time as well
    return Cooldown(scope, max(said, _doubled(breaker.open_seconds, opened)))


def _rate_limited(failure: Failure, opened: int) -> float:
    if failure.retry_after > 0:
        return min(failure.retry_after, RETRY_AFTER_LONGEST)
    return _doubled(RATE_LIMITED, opened)


def _doubled(seconds: float, times: int) -> float:
    # 2**16 is far past LONGEST; without the bound a long outage would end in an overflow.
    return min(seconds * float(1 << min(times, 16)), LONGEST)
