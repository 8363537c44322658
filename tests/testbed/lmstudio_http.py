"""The HTTP of the stand-in for LM Studio: requests with a JSON body, answers of JSON or of events."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """A request; the names of `fields` are in lower case, `body` is {} where none came."""

    method: str
    path: str
    fields: dict[str, str]
    body: dict[str, Any]

    @property
    def key(self) -> str:
        """The bearer token, "" without one."""
        return self.fields.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: a document, or the events of a stream, each with its name ("" for none) and its data."""

    content: dict[str, Any] | Sequence[tuple[str, str]]
    status: int = 200


@asynccontextmanager
async def listening(answer: Callable[[Request], Awaitable[Reply]]) -> AsyncIterator[int]:
    """A server on a free port of 127.0.0.1, which is given."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                reply = await answer(await _read(reader))
                writer.write(_document(reply) if isinstance(reply.content, dict) else _stream(reply.content))
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(talk(reader, writer))
        talks.add(task)
        task.add_done_callback(talks.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        left = list(talks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if name}
    if fields.get("transfer-encoding") == "chunked":
        data = await _read_chunks(reader)
    else:
        data = await reader.readexactly(int(fields.get("content-length", 0)))
    return Request(method, path, fields, json.loads(data) if data else {})


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    data = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        data += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return data


def _document(reply: Reply) -> bytes:
    body = json.dumps(reply.content).encode()
    head = f"HTTP/1.1 {reply.status} -\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _stream(events: Sequence[tuple[str, str]]) -> bytes:
    frames = [(f"event: {name}\n" if name else "") + f"data: {data}\n\n" for name, data in events]
    chunks = [b"%x\r\n%b\r\n" % (len(frame.encode()), frame.encode()) for frame in frames]
    head = b"HTTP/1.1 200 -\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(chunks) + b"0\r\n\r\n"
