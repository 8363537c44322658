"""A Client of the gateway's edge without sockets: what it is fed, what it takes for requests, what it answers."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from pointsman.gateway import edge, intake
from pointsman.gateway.answers import Answer
from pointsman.gateway.edge import Client, Request
from pointsman.gateway.journal import Journal
from pointsman.gateway.state import Options, State

NOWHERE = os.open(os.devnull, os.O_WRONLY)


class FakeLoop:
    """State: what is to be called soon."""

    def __init__(self) -> None:
        self.soon: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()

    def call_soon(self, callback: Callable[..., Any], *arguments: Any) -> None:
        self.soon.append((callback, arguments))

    def run(self) -> None:
        """Call what is to be called, and what that adds."""
        while self.soon:
            callback, arguments = self.soon.popleft()
            callback(*arguments)


class FakeTransport:
    """State: what was written, and whether it is paused or closed."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.paused = self.closing = self.ended = False

    def write(self, data: bytes) -> None:
        if not self.closing:
            assert not self.ended, "written after the end"
            self.written.append(data)

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class FakeEdge:
    """One client connection. State: the requests that were taken on, each answered with 200 at once."""

    def __init__(self, **options: Any) -> None:
        self.loop = FakeLoop()
        settings = Options(listen="", table="", **{"max_body": 10_000, **options})
        self.state = State(settings, cast("Any", self.loop), Journal(NOWHERE))
        self.transport = FakeTransport()
        self.requests: list[Request] = []
        self.client = Client(self.state)
        self.client.connection_made(cast("Any", self.transport))

    def feed(self, data: bytes) -> None:
        """What the event loop does with bytes; those that come while reading is paused are lost on purpose."""
        if not self.transport.closing:
            self.client.data_received(data)
            self.loop.run()
            assert not self.transport.paused or self.transport.closing, "paused for good"

    def take(self, client: Client, request: Request) -> None:
        self.requests.append(request)
        client.refuse(Answer(200, "", b"{}"))

    @property
    def refused(self) -> int:
        """The status with which the connection was refused to go on; 0: it was not."""
        refusal = self.client._refusal
        return refusal.status if refusal is not None else 0

    def outcome(self) -> tuple[Any, ...]:
        """What a client and a target can see of it."""
        answered = b"".join(self.transport.written).replace(edge._CONTINUE, b"").count(b"HTTP/1.1 ")
        requests = [(each.method, each.path, each.body, each.keep) for each in self.requests]
        return requests, self.refused, answered, self.transport.closing or self.transport.ended


@contextmanager
def taken_on() -> Iterator[None]:
    """While it lasts, what asks for a model is taken on by the FakeEdge of its state; admin pages stay real."""
    real = intake.begin

    def begin(state: State, client: Client, request: Request, dialect: Any) -> None:
        fake = EDGES.get(id(state))
        if fake is None:
            real(state, client, request, dialect)
        else:
            fake.take(client, request)

    intake.begin = begin
    try:
        yield
    finally:
        intake.begin = real
        EDGES.clear()


EDGES: dict[int, FakeEdge] = {}


def new_edge(**options: Any) -> FakeEdge:
    """A FakeEdge that gets its requests; only within `taken_on`."""
    made = FakeEdge(**options)
    EDGES[id(made.state)] = made
    return made
