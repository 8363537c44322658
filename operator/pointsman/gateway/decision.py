"""What is told of a decision: the response header, the log line, the story at /-/explain.

    x-pointsman-decision: ROUTE [; answered=PROVIDER/MODEL] ; attempts=N [; passed=PASSED[,PASSED]...]
    PASSED  = PROVIDER/MODEL:REASON          in the order of the chain, those tried and failed and those never tried
    REASON  = a failover reason (ConnectFailure, Timeout, …) of one that failed, or why it was not tried:
              fence, skip, suspended, credential, dialect, tools, cooling-REASON

In names, everything but letters, digits and `._-~/@+` is percent-encoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.failover.choose import Candidate, Passed
    from pointsman.failover.machine import Attempt


class Step(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One target in a record: `reason` empty for the one that answered."""

    provider: str
    model: str
    reason: str = ""
    message: str = ""
    status: int = 0


class Record(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One request's line in the log. `time` is in milliseconds of the epoch; `status` 499: the client left.

    `Constant` is the part that a lane knows beforehand: the line of a request that went well is put together from it.
    """

    time: int
    id: str
    stream: bool
    status: int
    first_us: int  # microseconds from the request to the first output; 0: there was none
    total_us: int
    route: str
    model: str
    dialect: str
    provider: str = ""
    answered: str = ""
    passed: tuple[Step, ...] = ()
    failed: tuple[Step, ...] = ()
    code: str = ""


class Constant(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Of a Record, what is the same for all requests that a target answers at once."""

    route: str
    model: str
    dialect: str
    provider: str
    answered: str
    passed: tuple[Step, ...] = ()


def header(route: str, candidate: Candidate | None, attempts: Sequence[Attempt], passed: Sequence[Passed]) -> str:
    """The value of `x-pointsman-decision`."""
    answered = f"; answered={_name(candidate.provider.name, candidate.model.id)}" if candidate else ""
    text = f"{quote(route, safe='._-/@+')}{answered}; attempts={len(attempts) + (candidate is not None)}"
    told = [
        f"{_name(attempt.candidate.provider.name, attempt.candidate.model.id)}:{attempt.failure.kind}"
        for attempt in attempts
    ]
    told += [f"{_name(place.provider, place.model)}:{place.reason}" for place in passed]
    return f"{text}; passed={','.join(told)}" if told else text


def failed_steps(attempts: Sequence[Attempt]) -> tuple[Step, ...]:
    """The attempts that failed."""
    return tuple(
        Step(
            attempt.candidate.provider.name,
            attempt.candidate.model.id,
            attempt.failure.kind,
            attempt.failure.message,
            attempt.failure.status,
        )
        for attempt in attempts
    )


def passed_steps(passed: Sequence[Passed]) -> tuple[Step, ...]:
    """The targets that were not tried."""
    return tuple(Step(place.provider, place.model, place.reason, place.message) for place in passed)


def _name(provider: str, model: str) -> str:
    return quote(f"{provider}/{model}", safe="._-/@+")
