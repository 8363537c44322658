"""A second attempt beside a slow first one. It keeps all that comes to itself, until it speaks before the other does.

The exchange then takes over its connection and what it has read, and drops its own; or it drops the hedge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.exchange import Failure, FailureKind
from pointsman.gateway import load
from pointsman.gateway.reading import begin

if TYPE_CHECKING:
    from pointsman.gateway.reading import Reading
    from pointsman.gateway.relay import Exchange
    from pointsman.gateway.routing import Tally
    from pointsman.gateway.upstream import Connection, Dial, Fields


class Rival:
    """A hedge on its way. State: what carries it, and what was read."""

    __slots__ = ("_exchange", "dropped", "fields", "line", "reading", "started", "status", "tally")

    def __init__(self, exchange: Exchange, tally: Tally, dropped: tuple[str, ...], now: float) -> None:
        self._exchange = exchange
        self.tally = tally
        self.dropped = dropped
        self.started = now
        self.status = 0
        self.fields: Fields = {}
        self.reading: Reading | None = None
        self.line: Connection | Dial | None = None

    def drop(self) -> None:
        """It is not wanted any more."""
        line, self.line = self.line, None
        if line is not None:
            line.drop()
        candidate, state = self.tally.candidate, self._exchange.state
        state.health.released(candidate.provider.name, candidate.model.id, self.started)
        load.release(self._exchange, candidate.provider.name)

    def connected(self) -> None:
        """Nothing to do: the deadline is the first attempt's."""

    def whole(self, status: int, fields: Fields, body: bytes) -> None:
        self.answered(status, fields)
        self.received(body, last=True)

    def answered(self, status: int, fields: Fields) -> None:
        self.status, self.fields = status, dict(fields)  # the connection uses its own again for the next answer
        exchange = self._exchange
        way, mend = exchange.crossing(self.tally), exchange.mending(self.tally)
        self.reading = begin(self.tally.wire, exchange.head, status, self.fields, exchange.date, way, mend)

    def received(self, body: bytes, last: bool) -> None:
        reading = self.reading
        assert reading is not None  # noqa: S101 - a connection gives the head first
        if last:
            self.line = None
        failure = reading.feed(body, last)
        if failure is not None:
            self._lose(failure)
        elif reading.spoke or last:
            self._exchange.overtaken(last)

    def broke(self, message: str, stale: bool) -> None:  # noqa: ARG002 - a Caller's; a hedge is not worth a second try
        self.line = None
        self._lose(Failure(FailureKind.CONNECT_FAILURE, message, self.status))

    def _lose(self, failure: Failure) -> None:
        self.drop()
        self._exchange.rival_broke(failure)
