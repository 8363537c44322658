"""Whom to ask again when all have failed: whose failure passes by itself, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.exchange import Failure, FailureKind
from pointsman.failover.steps import Wait

if TYPE_CHECKING:
    from pointsman.failover.choose import Candidate
    from pointsman.failover.machine import Run

RETRY_AFTER: Final = 2.0  # seconds: a rate limit that ends sooner is waited for when nobody else is left
_LOOK_AGAIN: Final = 1.0  # seconds, at a model that is being loaded
_PASSING: Final = frozenset({FailureKind.CONNECT_FAILURE, FailureKind.SERVER_ERROR})
# Once the client has a part of the answer, any of these is better asked again than told.
_PASSING_LATE: Final = _PASSING | {FailureKind.TIMEOUT, FailureKind.INVALID_RESPONSE}
WAITED_FOR: Final = frozenset({FailureKind.BUSY, FailureKind.MODEL_LOADING})


def worth_waiting_for(run: Run, now: float) -> Wait | None:
    """The target that may be well soonest, of those that failed in a way that passes; earlier ones first."""
    last: dict[Candidate, Failure] = {attempt.candidate: attempt.failure for attempt in run.attempts}
    ready = len(run.order.candidates) - len(run.order.cooling)
    best: Wait | None = None
    for candidate, failure in last.items():
        after = _passes_after(run, failure)
        # What was known to be down was a last resort already.
        hopeless = candidate in run.order.candidates[ready:] and failure.kind not in WAITED_FOR
        if after is None or hopeless or now + after >= _wait_limit(run, failure):
            continue
        if best is None or now + after < best.until:
            best = Wait(candidate, failure, now + after)
    return best


def _passes_after(run: Run, failure: Failure) -> float | None:
    """Seconds after which the target is worth asking again; None: it is not."""
    if failure.kind in WAITED_FOR:
        return max(failure.retry_after, run.jitter) if failure.retry_after else _LOOK_AGAIN
    if run.retried:
        return None
    if failure.kind is FailureKind.RATE_LIMITED and 0 < failure.retry_after <= RETRY_AFTER:
        return failure.retry_after
    passing = _PASSING_LATE if run.committed else _PASSING
    return run.jitter if failure.kind in passing and failure.retry_after <= RETRY_AFTER else None


def _wait_limit(run: Run, failure: Failure) -> float:
    return min(run.patient_until, run.ends) if failure.kind in WAITED_FOR else run.ends
