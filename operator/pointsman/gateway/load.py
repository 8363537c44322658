"""What a target may bear: takes and gives back what requests use of its limits, and lets them wait when it is full."""

from __future__ import annotations

import math
import time
from math import inf
from typing import TYPE_CHECKING, Final

from pointsman.exchange import Failure, FailureKind

if TYPE_CHECKING:
    from pointsman.failover.steps import Wait
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
    state.waiting[ticket] = exchange
    exchange.deadline = min(exchange.deadline, time.monotonic() + _LOOK)
    return True


def still_full(exchange: Exchange, now: float) -> bool:
    """Whether who waits in line must wait on; the time to look again is set."""
    ticket, tally = exchange.ticket, exchange.tally
    if ticket is None or now >= exchange.run.patient_until or _full(exchange, tally, now) is None:
        return False
    exchange.deadline = min(now + _LOOK, exchange.run.patient_until)
    return True


def leave(exchange: Exchange) -> None:
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
    return max(measured, math.ceil(said) if said < _MINUTE else 1)


def settle(exchange: Exchange) -> None:
    """A request has ended: give back what it used, and let who waits longest go."""
    leave(exchange)
    state, grants = exchange.state, exchange.grants
    now = time.monotonic()
    used = exchange.usage.input + exchange.usage.output if exchange.usage is not None else -1
    while grants:
        grant = grants.pop()
        if grant is not None and state.limits.done(grant, used if not grants else -1, now):
            state.queue.done(grant.provider, now)
            _wake(state, grant.provider)


def release(exchange: Exchange) -> None:
    """An attempt has ended, and the request goes on elsewhere."""
    state, grants = exchange.state, exchange.grants
    grant = grants.pop() if grants else None
    if grant is not None and state.limits.done(grant, -1, time.monotonic()):
        state.queue.done(grant.provider, time.monotonic())
        _wake(state, grant.provider)


def _wake(state: State, provider: str) -> None:
    ticket = state.queue.next(provider)
    exchange = state.waiting.pop(ticket, None) if ticket is not None else None
    if exchange is not None:
        # Not from here: whoever ends is still in the middle of it.
        exchange.ticket = None
        state.loop.call_soon(exchange.due)


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
