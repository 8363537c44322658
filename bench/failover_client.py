"""The client of `bench/failover.py`: one kept connection, and answers of which every arrival is dated.

All times are CLOCK_MONOTONIC, as in the backends' processes.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import httptools
import msgspec
from failover_text import PATHS, judge, request, text  # beside this file

if TYPE_CHECKING:
    from failover_text import Plan


@dataclass
class Reply:
    """An answer as it came. `arrivals`: when body was read, and how much of it there was then."""

    sent: float
    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    size: int = 0
    complete: bool = False
    problem: str = ""

    @property
    def first(self) -> float:
        """When the first byte was here; infinite when none came."""
        return self.arrivals[0][0] if self.arrivals else float("inf")

    @property
    def decision(self) -> str:
        return self.fields.get("x-pointsman-decision", "")

    def answered_by(self, provider: str) -> bool:
        return f"answered={provider}/" in self.decision

    def after(self, moment: float) -> float:
        """When the next byte came after a moment; infinite when none did."""
        return next((at for at, _ in self.arrivals if at > moment), float("inf"))


class Line(asyncio.Protocol):
    """A connection to the gateway, one request at a time. State: the answer that is being read."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.reply: Reply | None = None
        self.done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.reply is not None and not self.reply.complete:
            self._over(f"the connection ended: {exc or 'FIN'}")

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._over(f"malformed HTTP: {error}")

    def on_header(self, name: bytes, value: bytes) -> None:
        assert self.reply is not None
        self.reply.fields[name.decode().lower()] = value.decode()

    def on_headers_complete(self) -> None:
        assert self.reply is not None
        self.reply.status = self.parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        reply = self.reply
        assert reply is not None
        reply.parts.append(body)
        reply.size += len(body)
        reply.arrivals.append((time.monotonic(), reply.size))

    def on_message_complete(self) -> None:
        if self.reply is not None:
            self.reply.complete = True
            self._over("")

    def _over(self, problem: str) -> None:
        if self.reply is not None and self.done is not None and not self.done.done():
            self.reply.problem = problem
            self.done.set_result(None)

    async def start(self, port: int, data: bytes) -> Reply:
        """Send a request; the Reply fills by itself, `finished` waits for its end. OSError: no connection."""
        loop = asyncio.get_running_loop()
        if self.transport is None or self.transport.is_closing():
            await loop.create_connection(lambda: self, "127.0.0.1", port)
        assert self.transport is not None
        self.parser = httptools.HttpResponseParser(self)
        self.done = loop.create_future()
        self.reply = Reply(time.monotonic())
        self.transport.write(data)
        return self.reply

    async def finished(self, limit: float) -> None:
        """Wait for the end; after `limit` seconds the Reply says that it never came."""
        assert self.done is not None
        try:
            await asyncio.wait_for(self.done, limit)
        except TimeoutError:
            self.close()
            if self.reply is not None:
                self.reply.problem = f"no end within {limit:g} s"

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()


@dataclass(frozen=True)
class Question:
    """A request and what is right as its answer."""

    dialect: str
    plan: Plan
    stream: bool
    name: str

    @property
    def data(self) -> bytes:
        body = msgspec.json.encode(request(self.dialect, self.plan, stream=self.stream))
        head = (f"POST {PATHS[self.dialect]} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
                f"x-request-id: {self.name}\r\nContent-Length: {len(body)}\r\n\r\n")  # fmt: skip
        return head.encode() + body

    def wrong(self, reply: Reply) -> str:
        """What is wrong with the answer; "": nothing."""
        body = b"".join(reply.parts)
        if reply.problem:
            return f"{reply.problem} (status {reply.status}, {reply.size} bytes: …{body[-200:]!r})"
        if reply.status != 200:
            return f"status {reply.status}: {body[:300]!r}"
        problem = judge(self.dialect, body, text(self.plan), stream=self.stream)
        return f"wrong: {problem}" if problem else ""


async def ask(line: Line, port: int, question: Question, limit: float = 60.0) -> Reply:
    """One request and its whole answer; Reply.problem says what was wrong with the transport."""
    try:
        reply = await line.start(port, question.data)
    except OSError as error:
        return Reply(time.monotonic(), problem=f"cannot connect to the gateway: {error}")
    await line.finished(limit)
    return reply
