"""A client in the three dialects, and a server that begins a recorded answer and breaks off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from pointsman import dialects
from pointsman.names import Dialect
from pointsman.sse import Frame, Splitter
from pointsman.table import Policy, Timeouts

TURNS = [{"role": "user", "content": "Count."}]
ASKED: dict[Dialect, dict[str, Any]] = {
    Dialect.CHAT: {"messages": TURNS, "stream_options": {"include_usage": True}},
    Dialect.RESPONSES: {"input": "Count."},
    Dialect.MESSAGES: {"messages": TURNS, "max_tokens": 4096},
}
PATIENT = Policy(timeouts=Timeouts(connect=2, first_token=30, whole=60, stall=30, total=120))
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


async def ask(url: str, dialect: Dialect, model: str, fields: Mapping[str, Any]) -> list[Frame]:
    """The events of a streamed answer, without comments, as they came off the wire."""
    splitter, found = Splitter(), []
    content = {"model": model, "stream": True, **fields}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=120) as client,
        client.stream("POST", url + dialects.ALL[dialect].PATH, json=content) as reply,
    ):
        assert reply.status_code == 200, await reply.aread()
        async for chunk in reply.aiter_raw():
            found += [frame for frame in splitter.feed(chunk) if frame.data]
    return found


@asynccontextmanager
async def broken_off(sent: Sequence[Frame]) -> AsyncIterator[str]:
    """The URL of a server that answers every request with these frames, and then with the end of the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_HEAD)
        for frame in sent:
            writer.write(b"%x\r\n%b\r\n" % (len(frame.raw), frame.raw))
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
