"""Before a request is sent: does it fit? Servers that can count are asked where an estimate is not enough."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from pointsman import counting
from pointsman.failover import choose, context
from pointsman.failover.choose import Passed
from pointsman.failover.context import Fit
from pointsman.gateway import answers
from pointsman.gateway.asking import Asking

if TYPE_CHECKING:
    from pointsman.exchange import Failure
    from pointsman.failover.choose import Candidate
    from pointsman.gateway.relay import Exchange

_SECONDS: Final = 2.0  # for a server to count
Counted = dict["Candidate", int]


def check(exchange: Exchange) -> None:
    """Leave out the targets that cannot hold the request, then let it go; or say that none can."""
    _look(exchange, {})


def learn(exchange: Exchange, candidate: Candidate, failure: Failure) -> None:
    """A target found the request too long: of those that are left, only larger ones are tried."""
    run, windows = exchange.run, exchange.state.windows
    limit = windows.failed(candidate, exchange.head, failure, time.monotonic())
    left = run.candidates[run.tried : run.limit]
    larger = choose.larger(left, limit, windows)
    run.only(larger)
    exchange.passed += tuple(
        Passed(
            each.provider.name, each.model.id, choose.CONTEXT, f"no larger than the {limit} tokens that were too few"
        )
        for each in left
        if each not in larger
    )


def _look(exchange: Exchange, counted: Counted) -> None:
    windows, head = exchange.state.windows, exchange.head
    while (candidate := choose.uncounted(exchange.order, windows, head, counted)) is not None:
        if _ask(exchange, candidate, counted):
            return
        counted[candidate] = 0
    order, passed = choose.fitting(exchange.order, windows, head, counted)
    exchange.passed += passed
    exchange.asking = None
    if order.candidates:
        exchange.go(order)
    elif any(windows.look(each, head, None)[0] is not Fit.NO for each in exchange.lane.asleep):
        exchange.refuse(answers.starting(exchange.lane, exchange.state.now))
    else:
        exchange.refuse(answers.too_long(exchange.wire, exchange.lane.route, passed))


def _ask(exchange: Exchange, candidate: Candidate, counted: Counted) -> bool:
    how = context.counting_of(candidate)
    fields = exchange.head.fields
    if candidate.translated:
        fields = exchange.translation().fields(candidate.dialect, candidate.model, candidate.provider)
    question = counting.request(how, candidate.dialect, fields, candidate.model.id)
    if question is None:
        return False
    place = exchange.lane.tally(candidate).place
    request = place.request(candidate.dialect, *question)

    def answered(body: bytes | None) -> None:
        counted[candidate] = counting.read(how, body) if body is not None else 0
        _look(exchange, counted)

    exchange.deadline = min(exchange.run.ends, time.monotonic() + 2 * _SECONDS)
    exchange.asking = Asking(exchange.state, place.backend, request, _SECONDS, answered)
    return True
