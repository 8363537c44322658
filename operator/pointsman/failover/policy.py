"""What a failure leads to: whether the next target is tried, and what is left alone for how long."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pointsman.exchange import Failure, FailureKind

if TYPE_CHECKING:
    from pointsman.table import Breaker, Policy

QUICKLY_FOUND: Final = 20.0  # seconds; the most for faults that are told at once: to ask again costs a client nothing
LONGEST: Final = 300.0  # seconds; the most for faults that take a client's time to find out
RATE_LIMITED: Final = 30.0  # seconds, doubled each time, when the target named no time
AUTHENTICATION: Final = 600.0  # a key does not mend itself; a new one ends it at once
AUTHENTICATION_LONGEST: Final = 3600.0
MODEL_NOT_FOUND: Final = 300.0
MODEL_LOADING: Final = 2.0  # it ends by itself, and soon
MODEL_LOADING_LONGEST: Final = 10.0
RETRY_AFTER_LONGEST: Final = 86_400.0  # a daily quota
_FORBIDDEN: Final = 403


class Scope(StrEnum):
    """What a failure speaks of."""

    NOTHING = ""  # of the request
    MODEL = "model"  # of this model at this provider
    KEY = "key"  # of the provider's key, for all its models
    ENDPOINT = "endpoint"  # of the provider's servers, for all its models


_SCOPES: Final = {
    FailureKind.CONNECT_FAILURE: Scope.ENDPOINT,
    FailureKind.TIMEOUT: Scope.MODEL,
    FailureKind.SERVER_ERROR: Scope.MODEL,
    FailureKind.INVALID_RESPONSE: Scope.MODEL,
    FailureKind.RATE_LIMITED: Scope.MODEL,
    FailureKind.MODEL_NOT_FOUND: Scope.MODEL,
    FailureKind.MODEL_LOADING: Scope.MODEL,
    FailureKind.AUTHENTICATION: Scope.KEY,
}
_LADDERS: Final = {  # the most that the breaker's doubled time may become
    FailureKind.CONNECT_FAILURE: QUICKLY_FOUND,
    FailureKind.SERVER_ERROR: QUICKLY_FOUND,
    FailureKind.TIMEOUT: LONGEST,
    FailureKind.INVALID_RESPONSE: LONGEST,
}


_NAMED: Final = {  # what a policy calls kinds of which it has no name
    FailureKind.MODEL_LOADING: FailureKind.SERVER_ERROR,
    FailureKind.UNSUPPORTED: FailureKind.INVALID_RESPONSE,
}


def advances(failure: Failure, policy: Policy) -> bool:
    """Whether the next target is tried. Never for a request that is wrong, nor for a refusal."""
    if failure.kind is FailureKind.BUSY:
        return True  # nothing was asked, so nothing failed
    return _NAMED.get(failure.kind, failure.kind) in policy.failover_on


def scope(failure: Failure, *, reached: bool = False) -> Scope:
    """What the failure speaks of. `reached`: a connection to the target stood.

    A connection that is cut is no refused one: it may be this model's fault, while its siblings answer. A 403 is what
    vendors say of a model that a good key may not use. Context, format and content errors speak of the request.
    """
    found = _SCOPES.get(failure.kind, Scope.NOTHING)
    if found is Scope.ENDPOINT and (reached or failure.status):
        return Scope.MODEL
    if found is Scope.KEY and failure.status == _FORBIDDEN:
        return Scope.MODEL
    return found


def cooldown(failure: Failure, breaker: Breaker, failures: int, opened: int) -> float:
    """For how many seconds what it speaks of is left alone.

    After `failures` in a row (this one counts), `opened` times before by this kind without a success since.
    """
    kind = failure.kind
    if kind is FailureKind.AUTHENTICATION:
        return _doubled(AUTHENTICATION, opened, AUTHENTICATION_LONGEST)
    if kind is FailureKind.MODEL_NOT_FOUND:
        return MODEL_NOT_FOUND
    if kind is FailureKind.MODEL_LOADING:
        return min(failure.retry_after or MODEL_LOADING, MODEL_LOADING_LONGEST)
    if kind is FailureKind.RATE_LIMITED:
        return min(failure.retry_after, RETRY_AFTER_LONGEST) or _doubled(RATE_LIMITED, opened, LONGEST)
    if kind not in _LADDERS or failures < breaker.consecutive_failures:
        return 0.0
    said = min(failure.retry_after, LONGEST)  # a 503 may name a time as well
    most = max(_LADDERS[kind], breaker.open_seconds)
    return max(said, _doubled(breaker.open_seconds, opened, most))


def _doubled(seconds: float, times: int, most: float) -> float:
    # 2**16 is far past any bound; without it a long outage would end in an overflow.
    return min(seconds * float(1 << min(times, 16)), most)
