"""A fake backend of three dialects, one process, for `bench/failover.py`: it says what the plan in the prompt asks for.

    python bench/failover_backend.py PORT CONTROL NAME STRIDE [faulty]

STRIDE words go into an event, so that two backends tear the same text apart at different places. Only a faulty one
cuts answers. At CONTROL, `GET /reset` lets every connection be reset when it is accepted, `/hole` lets connections be
taken and nothing be said, `/ok` ends that; each answers with JSON: when the last cut was made (CLOCK_MONOTONIC), and
the seeds of the answers that were cut.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING, Any, Final, cast

import httptools
import msgspec
import uvloop
from failover_text import asked, events, text, whole, words  # beside this file

if TYPE_CHECKING:
    from failover_text import Plan

MODELS: Final = {"object": "list", "data": [{"id": "real", "object": "model", "max_model_len": 131_072}]}
HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Backend:
    """State: what it does to connections now, those open, and what it has cut."""

    def __init__(self, name: str, stride: int, *, faulty: bool) -> None:
        self.name, self.stride, self.faulty = name, stride, faulty
        self.mode = "ok"
        self.lines: set[Line] = set()
        self.cut_at = 0.0
        self.cut: set[int] = set()

    def obey(self, mode: str) -> bytes:
        self.mode = mode
        if mode == "reset":
            for line in list(self.lines):
                line.reset()
        return msgspec.json.encode({"cut_at": self.cut_at, "cut": sorted(self.cut)})

    def note(self, plan: Plan) -> None:
        self.cut_at = time.monotonic()
        self.cut.add(plan.seed)


class Line(asyncio.Protocol):
    """A connection. State: the request that is being read, the stream that is being written."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.parser = httptools.HttpRequestParser(self)
        self.url, self.body = b"", b""
        self.timer: asyncio.TimerHandle | None = None
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.backend.lines.add(self)
        if self.backend.mode == "reset":
            self.reset()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self.backend.lines.discard(self)
        if self.timer is not None:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self.backend.mode == "hole":
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_url(self, url: bytes) -> None:
        self.url, self.body = url, b""

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        path = self.url.decode().partition("?")[0]
        if path.endswith("/models"):
            self.give(MODELS)
        elif path.endswith("/tokenize"):
            self.give({"count": len(self.body) // 4 + 1, "max_model_len": 131_072, "tokens": []})
        elif self.parser.get_method() == b"POST":
            self.answer(path.rpartition("/")[2], msgspec.json.decode(self.body))
        else:
            self.give({})

    def answer(self, dialect: str, body: dict[str, Any]) -> None:
        plan, said = asked(body)
        full = text(plan)
        if not full.startswith(said):
            full, said = "an assistant's turn that I never said", ""
        if not body.get("stream"):
            document = whole(dialect, self.backend.name, full[len(said) :])
            self.think(plan, [msgspec.json.encode(document)], streamed=False)
            return
        pieces, step = words(plan.seed, plan.words), self.backend.stride
        joined = tuple("".join(pieces[i : i + step]) for i in range(0, len(pieces), step))
        if said:
            joined = (full[len(said) :],) if len(said) < len(full) else ()
        told = events(dialect, self.backend.name, joined, full[len(said) :])
        self.think(plan, told, streamed=True)

    def think(self, plan: Plan, parts: list[bytes], *, streamed: bool) -> None:
        cut = int(plan.at * sum(map(len, parts))) if plan.cut and self.backend.faulty else -1
        writer = Writer(self, plan, parts, cut, streamed=streamed)
        if plan.think:
            self.timer = self.loop.call_later(plan.think, writer.begin)
        else:
            writer.begin()

    def give(self, document: Any) -> None:
        self.write_whole(msgspec.json.encode(document))

    def write_whole(self, body: bytes, sent: int | None = None) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.transport.write(head + body[:sent])

    def reset(self) -> None:
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Writer:
    """An answer that is being written. State: the parts left, and the bytes before the cut (-1: none)."""

    def __init__(self, line: Line, plan: Plan, parts: list[bytes], cut: int, *, streamed: bool) -> None:
        self.line, self.plan, self.cut, self.streamed = line, plan, cut, streamed
        self.parts = parts
        self.at = self.sent = 0

    def begin(self) -> None:
        transport = self.line.transport
        if transport.is_closing():
            return
        if self.cut == 0:
            self.break_off_later()
        elif not self.streamed:
            self.line.write_whole(self.parts[0], self.cut if self.cut > 0 else None)
            if self.cut > 0:
                self.break_off_later()
        elif self.plan.pace or self.cut > 0:
            transport.write(HEAD)
            self.step()
        else:
            transport.write(HEAD + b"".join(map(_chunk, self.parts)) + b"0\r\n\r\n")

    def step(self) -> None:
        """One event, or the piece of it that is left before the cut."""
        transport = self.line.transport
        if transport.is_closing():
            return
        part = self.parts[self.at]
        if 0 < self.cut < self.sent + len(part):
            if rest := part[: self.cut - self.sent]:
                transport.write(_chunk(rest))
            self.break_off_later()
            return
        self.at += 1
        self.sent += len(part)
        last = self.at == len(self.parts)
        transport.write(_chunk(part) + (b"0\r\n\r\n" if last else b""))
        if not last:
            self.line.timer = self.line.loop.call_later(self.plan.pace, self.step)

    def break_off_later(self) -> None:
        if self.plan.linger:
            self.line.timer = self.line.loop.call_later(self.plan.linger, self.break_off)
        else:
            self.break_off()

    def break_off(self) -> None:
        self.line.backend.note(self.plan)
        if self.plan.cut == "reset":
            self.line.reset()
        elif self.plan.cut == "close" or (self.plan.cut == "end" and not self.streamed):
            self.line.transport.close()
        elif self.plan.cut == "end":
            self.line.transport.write((b"" if self.sent else HEAD) + b"0\r\n\r\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def _control(backend: Backend, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    line = await reader.readline()
    told = backend.obey(line.split()[1].decode().strip("/") or backend.mode)
    writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))
    await writer.drain()
    writer.close()


async def serve(port: int, control: int, backend: Backend) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.start_server(lambda *ends: _control(backend, *ends), "127.0.0.1", control)
    server = await loop.create_server(lambda: Line(backend), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    _port, _ctl, _name, _stride, *_rest = sys.argv[1:]
    uvloop.run(serve(int(_port), int(_ctl), Backend(_name, int(_stride), faulty="faulty" in _rest)))
