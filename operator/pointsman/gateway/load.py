"""What a target may bear: takes and gives back what requests use of its limits, and lets them wait when it is full."""

from __future__ import annotations

import math
import time
from math import inf
from typing import TYPE_CHECKING, Final

from pointsman.exchange import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.failover.choose import Candidate
    from pointsman.failover.limits import Grant
    from pointsman.failover.steps import Wait
    from pointsman.gateway.carriage import Carriage
    from pointsman.gateway.relay import Exchange
    from pointsman.gateway.routing import Tally
    from pointsman.gateway.state import State

PATIENCE: Final = 30.0  # seconds for which a request waits at most for a target that bears no more
_LOOK: Final = 1.0  # seconds; somebody who waits looks as often, lest a place that became free was missed
_MINUTE: Final = 60


def take(exchange: Exchange, now: float) -> Failure | None:
    """Count a request against its target's limits. A Failure: the target bears no more now.

    Who waits goes first: a newcomer does not take a place that became free for another.
    """
    state, tally = exchange.state, exchange.tally
    wait = _full(exchange, tally, now)
    if wait is not None:
        return wait
    exchange.grants.append(state.limits.take(tally.candidate.provider.name, _tokens(exchange, tally), now))
    if exchange.waited:
        _wake(state, tally.candidate.provider.name)  # what became free may be enough for the next one too
    return None


def full(exchange: Exchange, tally: Tally, now: float) -> bool:
    """Whether a target bears no more; if it does, what a hedge uses is taken."""
    if _full(exchange, tally, now) is not None:
        return True
    grant = exchange.state.limits.take(tally.candidate.provider.name, _tokens(exchange, tally), now)
    exchange.grants.append(grant)
    return False


def enter(exchange: Exchange, command: Wait) -> bool:
    """Wait in line for a target. False: too many do, or it would be in vain."""
    key = command.candidate.provider.name
    state = exchange.state
    ticket = state.queue.enter(key, time.monotonic(), max(exchange.run.patient_until - time.monotonic(), 0.0))
    if ticket is None:
        return False
    exchange.ticket, exchange.waited = ticket, True
    state.metrics.queued[key,].n += 1
    state.waiting[ticket] = exchange
    exchange.deadline = min(exchange.deadline, time.monotonic() + _LOOK)
    return True


def still_full(exchange: Exchange, now: float) -> bool:
    """Whether who waits in line must wait on; the time to look again is set."""
    ticket, waited_for, queue = exchange.ticket, exchange.run.again, exchange.state.queue
    if ticket is None or waited_for is None or now >= exchange.run.patient_until:
        return False
    busy = _full(exchange, exchange.lane.tally(waited_for), now)
    if busy is None and queue.first(ticket.key) is ticket:
        return False
    free = next((each for each in _busy(exchange) if _has_place(exchange, each, now)), None)
    if free is not None:
        exchange.run.again = free
        return False
    wait = min(busy.retry_after or _LOOK, _LOOK) if busy is not None else _LOOK
    exchange.deadline = min(now + wait, exchange.run.patient_until)
    return True


def leave(exchange: Carriage) -> None:
    """Wait in line no more."""
    ticket, exchange.ticket = exchange.ticket, None
    if ticket is not None:
        exchange.state.queue.leave(ticket)
        exchange.state.waiting.pop(ticket, None)


def seconds(exchange: Exchange, command: Wait) -> int:
    """After how many whole seconds somebody who was sent away may come again."""
    patience = max(exchange.run.patient_until - exchange.started, 0.0)
    measured = exchange.state.queue.retry_after(command.candidate.provider.name, patience)
    said = command.failure.retry_after
    return max(measured, math.ceil(min(said, _MINUTE)))


def refused(exchange: Exchange) -> int:
    """After how many whole seconds targets that were all at their limits bear a request; 0: it was not that."""
    attempts = exchange.run.attempts
    if not attempts or any(attempt.failure.kind is not FailureKind.BUSY for attempt in attempts):
        return 0
    return max(1, math.ceil(min(min(attempt.failure.retry_after, _MINUTE) for attempt in attempts)))


def settle(exchange: Carriage) -> None:
    """A request has ended: give back what it used, and let who waits longest go."""
    leave(exchange)
    state, grants = exchange.state, exchange.grants
    now = time.monotonic()
    used = exchange.usage.input + exchange.usage.output if exchange.usage is not None else -1
    while grants:
        grant = grants.pop()
        if grant is not None:
            answered = grant.provider == exchange.tally.candidate.provider.name
            _give_back(state, grant, used if answered else -1, now)


def release(exchange: Exchange, provider: str) -> None:
    """An attempt at a provider has ended, and the request goes on elsewhere."""
    for grant in exchange.grants:
        if grant is not None and grant.provider == provider and not grant.done:
            _give_back(exchange.state, grant, -1, time.monotonic())
            exchange.grants.remove(grant)
            return


def _give_back(state: State, grant: Grant, used: int, now: float) -> None:
    if state.limits.done(grant, used, now):
        state.queue.done(grant.provider, now)
        _wake(state, grant.provider)


def _wake(state: State, provider: str) -> None:
    """Let who waits longest go, if the provider bears that one now; of others, if nobody waits for this one."""
    found = _next(state, provider)
    if found is None:
        return
    exchange, candidate = found
    if _full(exchange, exchange.lane.tally(candidate), time.monotonic()) is None:
        leave(exchange)
        exchange.run.again = candidate
        # Not from here: whoever ends is still in the middle of it.
        state.loop.call_soon(exchange.due)


def _next(state: State, provider: str) -> tuple[Exchange, Candidate] | None:
    first = state.queue.first(provider)
    for ticket, exchange in state.waiting.items():  # in the order of their coming
        if first is not None and ticket is not first:
            continue
        for candidate in _busy(exchange):
            if candidate.provider.name == provider:
                return exchange, candidate
    return None


def _busy(exchange: Exchange) -> Iterator[Candidate]:
    """The targets that bore no more when they were asked."""
    return (each.candidate for each in exchange.run.attempts if each.failure.kind is FailureKind.BUSY)


def _has_place(exchange: Exchange, candidate: Candidate, now: float) -> bool:
    """Whether a target that it does not stand in line for bears it now, and nobody else waits for that one."""
    if exchange.state.queue.first(candidate.provider.name) is not None:
        return False
    return _full(exchange, exchange.lane.tally(candidate), now) is None


def _full(exchange: Exchange, tally: Tally, now: float) -> Failure | None:
    state, provider = exchange.state, tally.candidate.provider.name
    wait = state.limits.admits(provider, _tokens(exchange, tally), now)
    if wait <= 0 and (exchange.waited or state.queue.first(provider) is None):
        return None
    message = "it answers as many requests as it may" if wait == inf else f"its limits allow no more for {wait:.1f} s"
    return Failure(FailureKind.BUSY, message, retry_after=0.0 if wait == inf else wait)


def _tokens(exchange: Exchange, tally: Tally) -> int:
    candidate, head = tally.candidate, exchange.head
    known = exchange.state.windows.estimate(candidate.provider.name, candidate.model.id, head.size)
    return known + (head.max_tokens or 0)
