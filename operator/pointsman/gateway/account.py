"""What is told and counted of a request: the decision header, the metrics, the log line, tokens and their cost.

Tokens and cost of the answer are what its target said. An attempt that broke off after it had begun to answer was
most likely charged for as well: what it may have cost is told with it, as an estimate, and never added to the answer's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from pointsman.exchange import Failure, FailureKind, Usage
from pointsman.failover import steps
from pointsman.gateway import decision

if TYPE_CHECKING:
    from pointsman.failover.choose import Candidate, Passed
    from pointsman.failover.machine import Attempt, Run
    from pointsman.gateway.carriage import Carriage

_NONE = Usage()
# What a target says to a question that no client asked is no cause of anything.
_BESIDE = frozenset({FailureKind.DIVERGED, FailureKind.BAD_REQUEST, FailureKind.BUSY})


def header(exchange: Carriage, *, answered: bool) -> bytes:
    """The header lines that tell who answers and why, the request's id, and what a vendor says of limits."""
    if answered and plain(exchange):
        return b"%bx-request-id: %b\r\n%b" % (exchange.tally.told, exchange.id, exchange.vendor)
    run, lane = exchange.run, exchange.lane
    told = decision.header(
        lane.route.name,
        run.candidate if answered else None,
        run.attempts,
        _passed(exchange),
        exchange.dropped if answered else (),
    )
    vendor = exchange.vendor if answered else b""
    return b"x-pointsman-decision: %b\r\nx-request-id: %b\r\n%b" % (told.encode(), exchange.id, vendor)


def _passed(exchange: Carriage) -> tuple[Passed, ...]:
    """Targets that were not, or not at first, to be tried: by the chain, for this request, for what they did before."""
    return (*exchange.lane.chain.passed, *exchange.passed, *exchange.order.cooling)


def joint(exchange: Carriage) -> bytes:
    """A comment in the stream, at the place where another target took it up."""
    attempt = exchange.broke_off or exchange.run.attempts[-1]
    broke, took = attempt.candidate, exchange.tally.candidate
    return b": taken up by %b; %b broke off: %b\n\n" % (
        decision.name(took.provider.name, took.model.id).encode(),
        decision.name(broke.provider.name, broke.model.id).encode(),
        attempt.failure.kind.encode(),
    )


def cause(run: Run) -> Failure:
    """Why an answer that the client has begun to read could not be brought to its end."""
    telling = [attempt.failure for attempt in run.attempts if attempt.failure.kind not in _BESIDE]
    return telling[-1] if telling else run.attempts[-1].failure


def plain(exchange: Carriage) -> bool:
    """Whether there is nothing to tell but who answered."""
    return not (exchange.run.attempts or exchange.order.cooling or exchange.dropped or exchange.passed)


def broken(exchange: Carriage, failure: Failure) -> None:
    """An answer broke after the client had begun to read it, and nobody could take it up."""
    candidate = exchange.run.attempts[-1].candidate
    exchange.state.metrics.broken[candidate.provider.name, candidate.model.id, str(failure.kind)].n += 1


def waste(exchange: Carriage, attempt: Attempt) -> None:
    """Remember what an attempt may have cost that failed after its target had begun to answer.

    An estimate: its prompt by the bytes a token has there, its output by the pieces that the client was sent.
    """
    if exchange.status != 200 or exchange.resumed:
        return
    provider, model = attempt.candidate.provider.name, attempt.candidate.model.id
    prompt = exchange.state.windows.estimate(provider, model, exchange.head.size)
    usage = Usage(prompt, exchange.told_pieces())
    exchange.wasted.append((attempt, usage, exchange.tally.price(usage)))


def moved(exchange: Carriage, candidate: Candidate, failure: Failure, command: steps.Command) -> None:
    """Count that a request moves on from a target to another."""
    if not isinstance(command, steps.Try | steps.Promote):
        return
    to = exchange.run.candidate
    if to is None or to is candidate:
        return
    names = [f"{each.provider.name}/{each.model.id}" for each in (candidate, to)]
    exchange.state.metrics.failovers[exchange.lane.route.name, names[0], names[1], failure.kind].n += 1


def finish(exchange: Carriage, status: int, code: str) -> None:
    """The request is over."""
    state = exchange.state
    now = time.monotonic()
    first, total = exchange.first and exchange.first - exchange.started, now - exchange.started
    usage, cost = exchange.usage or _NONE, 0.0
    guessed = usage is _NONE and exchange.head.stream and first > 0 and not code
    if guessed:
        usage = exchange.usage = _guess(exchange)
    if first:
        tally = exchange.tally
        tally.want.at = now
        tally.first.fresh.append(first)
        tally.duration.fresh.append(total)
        if usage is not _NONE:
            cost = tally.spend(usage)
            if not guessed and tally.teaches(state.now):
                learn(exchange, usage, now)
    if first and status == 200 and not code and plain(exchange):
        tally = exchange.tally
        tally.requests.n += 1
        line = (
            b'{"time":%d,"id":"%b","stream":%b,"status":200,"first_us":%d,"total_us":%d,"input_tokens":%d,'
            b'"output_tokens":%d,"cached_tokens":%d,"cost_usd":%g,%b%b'
        ) % (
            (state.epoch + now) * 1e3, exchange.id, b"true" if exchange.head.stream else b"false", first * 1e6,
            total * 1e6, usage.input, usage.output, usage.cached, cost, b'"estimated":true,' if guessed else b"",
            tally.line,
        )  # fmt: skip
    else:
        line = _count(exchange, status, code, now, cost, estimated=guessed)
    state.journal.add(line)


def _guess(exchange: Carriage) -> Usage:
    """About what a streamed answer used whose target does not say: chat tells only who asks for it.

    Its prompt by the bytes that a token has there, its output by events, of which engines send one a token.
    """
    candidate = exchange.tally.candidate
    prompt = exchange.state.windows.estimate(candidate.provider.name, candidate.model.id, exchange.head.size)
    return Usage(prompt, max(exchange.told_events() - 1, 1))  # the first event is a preamble


def learn(exchange: Carriage, usage: Usage, now: float) -> None:
    """What an answer shows of its target: how many bytes a token has, and its pace if no other was asked before."""
    state, head, candidate = exchange.state, exchange.head, exchange.tally.candidate
    if exchange.resumed:
        return
    if usage.input:
        state.windows.observed(candidate, head, usage.input)
    total = now - exchange.tried_at
    first = exchange.first - exchange.tried_at
    state.pace.observed(
        candidate.provider.name, candidate.model.id, head.size, first, total, usage.output,
        cold=candidate.model.loaded is False, cached=usage.cached / usage.input if usage.input else 0.0,
    )  # fmt: skip


def _count(  # noqa: PLR0913 - all that a line tells
    exchange: Carriage, status: int, code: str, now: float, cost: float, *, estimated: bool
) -> bytes:
    lane, run = exchange.lane, exchange.run
    first = exchange.first and exchange.first - exchange.started
    candidate = run.candidate if first else None
    name, model = (candidate.provider.name, candidate.model.id) if candidate is not None else ("", "")
    exchange.state.metrics.requests[lane.route.name, name, model, lane.dialect, str(status)].n += 1
    usage = exchange.usage or _NONE
    record = decision.Record(
        time=int((exchange.state.epoch + now) * 1000),
        id=exchange.id.decode(),
        stream=exchange.head.stream,
        status=status,
        first_us=int(first * 1e6),
        total_us=int((now - exchange.started) * 1e6),
        input_tokens=usage.input,
        output_tokens=usage.output,
        cached_tokens=usage.cached,
        cost_usd=cost,
        estimated=estimated,
        route=lane.route.name,
        model=lane.model,
        dialect=lane.dialect,
        provider=name,
        answered=model,
        translated=candidate.dialect if candidate is not None and candidate.translated else "",
        passed=decision.passed_steps(decision.untried(candidate, run.attempts, _passed(exchange))),
        failed=decision.failed_steps(run.attempts, exchange.wasted),
        dropped=exchange.dropped,
        resumed=exchange.resumed,
        code=code,
    )
    return msgspec.json.encode(record)
