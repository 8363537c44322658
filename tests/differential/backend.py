"""The vendors behind both gateways: one server, a place for each input and gateway, a script for each place."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from matrix.backends import ALL, Backend
from matrix.speech import Ask, Fault, Say

Json = Any


@dataclass(frozen=True)
class Raw:
    """An answer in its dialect's own words, whole and as events."""

    document: Json = field(default=None, hash=False)
    events: tuple[tuple[str, Json], ...] = field(default=(), hash=False)


Script = tuple[Say | Fault | Raw, ...]


@dataclass(frozen=True)
class Place:
    """What a vendor of this dialect answers, the last of the script for ever; `cut`: after so many words it breaks."""

    dialect: str
    script: Script
    cut: int = -1


@dataclass(frozen=True)
class Heard:
    """A request as the vendor understood it."""

    ask: Ask
    complaints: tuple[str, ...]
    body: Json = field(repr=False)


class Vendors:
    """State: what each place was asked. A place's URL is `/at/NAME`."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self.places = places
        self.heard: dict[str, list[Heard]] = {name: [] for name in places}
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**24, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        raw = await reader.readexactly(int(fields.get("content-length", "0")))
        _, _, name, path = head[0].split(" ")[1].partition("?")[0].split("/", 3)
        place = self.places[name]
        backend = ALL[place.dialect]
        if f"/{path}" != backend.path:
            return await _whole(writer, 404, {"error": {"message": f"no /{path} here", "type": "not_found"}})
        return await self._answer(writer, name, backend, json.loads(raw))

    async def _answer(self, writer: asyncio.StreamWriter, name: str, backend: Backend, body: Json) -> bool:
        ask, complaints = backend.understand(body)
        place, heard = self.places[name], self.heard[name]
        heard.append(Heard(ask, tuple(complaints), body))
        say = place.script[min(len(heard), len(place.script)) - 1]
        model, ident = str(body.get("model")), f"{len(heard):08x}"
        if isinstance(say, Fault) and not (say.late and ask.stream):
            return await _whole(writer, say.status, backend.fault(say), say.retry_after)
        if not ask.stream:
            assert not isinstance(say, Fault)
            return await _whole(writer, 200, say.document if isinstance(say, Raw) else backend.whole(say, model, ident))
        if isinstance(say, Raw):
            return await _streamed(writer, say.events)
        if isinstance(say, Fault):
            assert say.late is not None
            events = backend.events(say.late, model, ident, until=3)
            return await _streamed(writer, [*events, backend.late(say, model, ident)])
        return await _streamed(writer, backend.events(say, model, ident, until=place.cut), cut=place.cut >= 0)


async def _streamed(writer: asyncio.StreamWriter, events: Iterable[tuple[str, Json]], *, cut: bool = False) -> bool:
    kind = b"content-type: text/event-stream; charset=utf-8\r\n"
    writer.write(b"HTTP/1.1 200 OK\r\n" + kind + b"transfer-encoding: chunked\r\n\r\n")
    for event in events:
        piece = _event(*event)
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
    if cut:
        await asyncio.sleep(0.05)  # what was written is to come before the reset
        writer.transport.abort()
        return False
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


def _event(name: str, data: Json) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


async def _whole(writer: asyncio.StreamWriter, status: int, document: Json, retry_after: int = 0) -> bool:
    body = json.dumps(document, ensure_ascii=False).encode()
    retry = f"retry-after: {retry_after}\r\n" if retry_after else ""
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "X"
    head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/json\r\n{retry}content-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    return True
