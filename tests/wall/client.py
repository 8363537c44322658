"""A client that keeps what it saw: every byte, when it came, and whether the answer ended as HTTP says it must."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any, Final

_SIZE: Final = re.compile(rb"\s*([0-9a-fA-F]+)[^\r\n]*\r\n")
_READ: Final = 1 << 16


@dataclass
class Received:
    """An answer as a client got it, times by the monotonic clock. `ended`: by length or last chunk, not by a cut."""

    asked: float
    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    arrivals: list[tuple[float, int]] = field(default_factory=list)  # when so many bytes of the body were there
    ended: bool = False
    trouble: str = ""  # refused, reset, timeout ...
    closed: float = 0.0

    @property
    def seconds(self) -> float:
        return self.closed - self.asked

    def came(self, size: int) -> float:
        """When the first `size` bytes of the body were there."""
        return next((at for at, length in self.arrivals if length >= size), self.closed)


async def ask(
    port: int, path: str, body: dict[str, Any] | None, limit: float, *, headers: dict[str, str], leave_after: int = 0
) -> Received:
    """POST a body, or GET without one, and read to the end, at most `limit` s; `leave_after` so many bytes: go away."""
    received = Received(time.monotonic())
    try:
        async with asyncio.timeout(limit):
            await _exchange(port, _sent(port, path, body, headers), received, leave_after)
    except TimeoutError:
        received.trouble = f"no end within {limit:g} s"
    except (OSError, asyncio.IncompleteReadError) as error:
        received.trouble = f"{type(error).__name__}: {error}"
    except ValueError as error:
        received.trouble = f"bad HTTP: {error}"
    received.closed = time.monotonic()
    return received


def _sent(port: int, path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> bytes:
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{extra}"
    if body is None:
        return f"{head}\r\n".encode()
    data = json.dumps(body).encode()
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


async def _exchange(port: int, sent: bytes, received: Received, leave_after: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
    try:
        writer.write(sent)
        await _read_head(reader, received)
        await _read_body(reader, received, leave_after)
    finally:
        (writer.transport.abort if leave_after else writer.close)()


async def _read_head(reader: asyncio.StreamReader, received: Received) -> None:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    received.status = int(lines[0].split(" ")[1])
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            received.fields[name.strip().lower()] = value.strip()


async def _read_body(reader: asyncio.StreamReader, received: Received, leave_after: int) -> None:
    decoder = _Decoder(received.fields)
    parts: list[bytes] = []
    size = 0
    try:
        while not decoder.ended and not (leave_after and size >= leave_after):
            data = await reader.read(_READ)
            part = decoder.feed(data)
            if part:
                size += len(part)
                parts.append(part)
                received.arrivals.append((time.monotonic(), size))
            if not data:
                break
    finally:
        received.body, received.ended = b"".join(parts), decoder.ended


class _Decoder:
    """The body's framing. State: bytes not used yet, what is left of a chunk or of the whole."""

    def __init__(self, fields: dict[str, str]) -> None:
        self.chunked = "chunked" in fields.get("transfer-encoding", "").lower()
        self.left = int(fields.get("content-length", -1))
        self.held = b""
        self.in_chunk = 0  # bytes of the chunk that are due, its line's end included
        self.ended = self.left == 0

    def feed(self, data: bytes) -> bytes:
        if self.chunked:
            self.held += data
            return b"".join(self._chunks())
        if self.left >= 0:
            self.left -= len(data)
            self.ended = self.left <= 0
        elif not data:
            self.ended = True
        return data

    def _chunks(self) -> list[bytes]:
        parts: list[bytes] = []
        while self.held:
            if self.in_chunk:
                part, self.held = self.held[: self.in_chunk], self.held[self.in_chunk :]
                data = part[: max(self.in_chunk - 2, 0)]
                self.in_chunk -= len(part)
                parts.append(data)
                continue
            found = _SIZE.match(self.held)
            if found is None:
                if len(self.held) > 64:
                    raise ValueError(f"not a chunk: {self.held[:40]!r}")
                break
            size = int(found[1], 16)
            if size == 0:
                self.ended = self.held[found.end() :].endswith(b"\r\n")
                break
            self.held, self.in_chunk = self.held[found.end() :], size + 2
        return parts
