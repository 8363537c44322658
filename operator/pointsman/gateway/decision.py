"""What is told of a decision: the response header, the log line, the story at /-/explain.

    x-pointsman-decision: ROUTE [; answered=PROVIDER/MODEL] [; translated=DIALECT] ; attempts=N
                          [; passed=PASSED[,PASSED]...] [; dropped=FIELD[,FIELD]...]
                        | ROUTE; estimated   of a count of tokens that no server made
    PASSED  = PROVIDER/MODEL:REASON          in the order of the chain, those tried and failed and those never tried
    REASON  = a failover reason (ConnectFailure, Timeout, …, Busy) of one that failed, or why it was not tried:
              fence, skip, suspended, credential, dialect, context-blocked, context, max-tokens, cold, cooling-REASON,
              tools, parallel-tools, image, audio, file, json-schema, capability-CAPABILITY, or what the dialects that
              it speaks cannot say of the request: hosted-tool, logprobs, state, …, unreadable;
              of what is no dialect: other-model, no-service
    DIALECT = what was spoken to who answered, if the client speaks another
    FIELD   = a field of the request that the target was not sent

Each target is told once, by what came last: who answered or was tried was not passed over, whatever spoke against it.
What was Busy was sent nothing, and is no attempt. In names, everything but letters, digits and `._-~/@+` is
percent-encoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from pointsman.exchange import FailureKind, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.failover.choose import Candidate, Passed
    from pointsman.failover.machine import Attempt

_NAMES = 40  # of dropped fields that the header lists
_NAME = 64  # characters of one


class Step(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One target in a record: `reason` empty for the one that answered."""

    provider: str
    model: str
    reason: str = ""
    message: str = ""
    status: int = 0
    input_tokens: int = 0  # of an attempt that failed after it had begun to answer, about
    output_tokens: int = 0
    cost_usd: float = 0.0


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
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: float
    route: str
    model: str
    dialect: str
    provider: str = ""
    answered: str = ""
    translated: str = ""  # the dialect that was spoken to the target, if not the client's
    passed: tuple[Step, ...] = ()
    failed: tuple[Step, ...] = ()
    code: str = ""
    dropped: tuple[str, ...] = ()
    estimated: bool = False  # tokens and cost are, as the target did not tell
    resumed: int = 0  # how often another target took the answer up


class Constant(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Of a Record, what is the same for all requests that a target answers at once."""

    route: str
    model: str
    dialect: str
    provider: str
    answered: str
    translated: str = ""
    passed: tuple[Step, ...] = ()


def header(
    route: str,
    candidate: Candidate | None,
    attempts: Sequence[Attempt],
    passed: Sequence[Passed],
    dropped: Sequence[str] = (),
) -> str:
    """The value of `x-pointsman-decision`."""
    answered = f"; answered={name(candidate.provider.name, candidate.model.id)}" if candidate else ""
    sent = sum(attempt.failure.kind is not FailureKind.BUSY for attempt in attempts) + (candidate is not None)
    translated = f"; translated={candidate.dialect}" if candidate is not None and candidate.translated else ""
    text = f"{_route(route)}{answered}{translated}; attempts={sent}"
    told = [
        f"{name(attempt.candidate.provider.name, attempt.candidate.model.id)}:{attempt.failure.kind}"
        for attempt in attempts
    ]
    told += [
        f"{name(place.provider, place.model)}:{quote(place.reason[:_NAME], safe='-')}"
        for place in untried(candidate, attempts, passed)
    ]
    text = f"{text}; passed={','.join(told)}" if told else text
    return f"{text}; dropped={_listed(dropped)}" if dropped else text


def _listed(names: Sequence[str]) -> str:
    """Names as the header writes them: any field of a client's may be among them, and any number of those."""
    listed = [quote(name[:_NAME], safe="._-/@+") for name in names[:_NAMES]]
    return ",".join([*listed, f"+{len(names) - _NAMES}"] if len(names) > _NAMES else listed)


def estimated(route: str) -> str:
    """The value of `x-pointsman-decision` beside a count of tokens that is the gateway's own estimate."""
    return f"{_route(route)}; estimated"


def untried(candidate: Candidate | None, attempts: Sequence[Attempt], passed: Sequence[Passed]) -> tuple[Passed, ...]:
    """Of those that were to be passed over, which were: what is in doubt, or cools, may be tried as a last resort."""
    tried = [attempt.candidate for attempt in attempts] + ([candidate] if candidate is not None else [])
    names = {(each.provider.name, each.model.id) for each in tried}
    return tuple(place for place in passed if (place.provider, place.model) not in names)


def failed_steps(attempts: Sequence[Attempt], wasted: Sequence[tuple[Attempt, Usage, float]]) -> tuple[Step, ...]:
    """The attempts that failed, with what they may have cost."""
    return tuple(_failed_step(attempt, wasted) for attempt in attempts)


def _failed_step(attempt: Attempt, wasted: Sequence[tuple[Attempt, Usage, float]]) -> Step:
    candidate, failure = attempt.candidate, attempt.failure
    usage, cost = next(((usage, cost) for other, usage, cost in wasted if other is attempt), (Usage(), 0.0))
    return Step(
        candidate.provider.name,
        candidate.model.id,
        failure.kind,
        failure.message,
        failure.status,
        usage.input,
        usage.output,
        cost,
    )


def passed_steps(passed: Sequence[Passed]) -> tuple[Step, ...]:
    """The targets that were not tried."""
    return tuple(Step(place.provider, place.model, place.reason, place.message) for place in passed)


def _route(name: str) -> str:
    return quote(name, safe="._-/@+")


def name(provider: str, model: str) -> str:
    """A target's name as the header writes it."""
    return quote(f"{provider}/{model}", safe="._-/@+")
