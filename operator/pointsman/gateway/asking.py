"""A small question to a server beside the requests of clients: how many tokens is this, and: wake up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from pointsman.gateway.state import State
    from pointsman.gateway.upstream import Backend, Connection, Dial, Fields

_LIMIT = 1024 * 1024  # bytes of an answer


class Asking:
    """One question. `answered` is called once: with the body of a 200, or None. State: what carries it, what came."""

    __slots__ = ("_answered", "_backend", "_parts", "_request", "_state", "_status", "_timer", "line")

    def __init__(
        self, state: State, backend: Backend, request: bytes, seconds: float, answered: Callable[[bytes | None], None]
    ) -> None:
        self._state, self._backend, self._request = state, backend, request
        self._answered: Callable[[bytes | None], None] | None = answered
        self._parts: list[bytes] = []
        self._status = 0
        self.line: Connection | Dial | None = None
        self._timer: asyncio.TimerHandle = state.loop.call_later(seconds, self._end, None)
        state.askings.add(self)
        backend.send(self, request, state.loop)

    def drop(self) -> None:
        """The answer is not wanted any more."""
        self._answered = None
        self._end(None)

    # What a connection calls back (upstream.Caller)

    def connected(self) -> None:
        """Nothing to do: the timer is for all of it."""

    def whole(self, status: int, fields: Fields, body: bytes) -> None:  # noqa: ARG002 - a Caller's
        self.line = None
        self._end(body if status == 200 else None)

    def answered(self, status: int, fields: Fields) -> None:  # noqa: ARG002 - a Caller's
        self._status = status

    def received(self, body: bytes, last: bool) -> None:
        self._parts.append(body)
        if last:
            self.line = None
            self._end(b"".join(self._parts) if self._status == 200 else None)
        elif sum(map(len, self._parts)) > _LIMIT:
            self._end(None)

    def broke(self, message: str, stale: bool) -> None:  # noqa: ARG002 - a Caller's
        self.line = None
        if stale:
            self._backend.send(self, self._request, self._state.loop, fresh=True)
        else:
            self._end(None)

    def _end(self, body: bytes | None) -> None:
        self._timer.cancel()
        self._state.askings.discard(self)
        line, self.line = self.line, None
        if line is not None:
            line.drop()
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(body)
