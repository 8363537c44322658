"""The server in which all backends are: `/at/PROVIDER/v1`, and the model's name says what is answered."""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from matrix.backends import ALL, Backend
from matrix.speech import Ask, Fault, Say

Json = Any
_PATH: Final = re.compile(r"/at/([a-z-]+)(/v1/.*)")
Script = tuple[Say | Fault, ...] | Callable[[Ask], Say | Fault]
_TORN: Final = 61  # bytes of one write: through lines, events and code points


@dataclass
class Seen:
    """A request as a backend understood it. `fields` are its headers."""

    ask: Ask
    complaints: list[str]
    fields: dict[str, str]
    body: Json = field(repr=False)


@dataclass
class Place:
    """A provider. `fault`: what it answers whatever it is asked; `cut`: it breaks off after so many words."""

    dialect: str
    fault: Fault | None = None
    cut: int = -1


class Server:
    """State: the providers by name, what each says of a model in turn or as it is asked, and what each was asked."""

    def __init__(self, places: dict[str, Place], says: dict[str, Script]) -> None:
        self.places, self.says = places, says
        self.seen: dict[tuple[str, str], list[Seen]] = defaultdict(list)
        self.strays: list[str] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._number = 0

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
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        raw = await reader.readexactly(int(fields.get("content-length", "0")))
        method, path = head[0].split(" ")[:2]
        found = _PATH.fullmatch(path.partition("?")[0])
        place = self.places.get(found[1]) if found else None
        if found is None or place is None:
            self.strays.append(path)
            return await _document(writer, 404, {})
        if method == "GET":
            names = sorted(self.says)
            return await _document(writer, 200, {"object": "list", "data": [{"id": name} for name in names]})
        backend = ALL[place.dialect]
        if found[2] != backend.path:
            return await _document(writer, 404, backend.fault(Fault(404, "not_found", "Not Found")))
        return await self._answer(writer, found[1], backend, json.loads(raw), fields)

    async def _answer(
        self, writer: asyncio.StreamWriter, name: str, backend: Backend, body: Json, fields: dict[str, str]
    ) -> bool:
        ask, complaints = backend.understand(body)
        model = str(body.get("model"))
        seen = self.seen[name, model]
        seen.append(Seen(ask, list(complaints), fields, body))
        says = self.says.get(model)
        if says is None:
            return await _document(writer, 404, backend.fault(Fault(404, "model_not_found", f"no model {model}")))
        self._number += 1
        ident, place = f"{self._number:08x}", self.places[name]
        say = place.fault or _say(says, ask, len(seen), last=name.endswith("-b"))
        if isinstance(say, Fault) and not (say.late and ask.stream):
            return await _document(writer, say.status, backend.fault(say), say.retry_after)
        if not ask.stream:
            assert isinstance(say, Say)
            if place.cut >= 0:
                writer.transport.abort()
                return False
            return await _document(writer, 200, backend.whole(say, model, ident))
        await _stream(writer, _events(backend, say, (model, ident), place.cut), cut=place.cut >= 0)
        return place.cut < 0


def _say(script: Script, ask: Ask, number: int, *, last: bool) -> Say | Fault:
    if callable(script):
        return script(ask)
    # Another than the backend is only asked in the end.
    return script[-1] if last else script[min(number, len(script)) - 1]


def _events(backend: Backend, say: Say | Fault, of: tuple[str, str], cut: int) -> bytes:
    if isinstance(say, Fault):
        assert say.late is not None
        events = [*backend.events(say.late, *of, until=3), backend.late(say, *of)]
    else:
        events = [*backend.events(say, *of, until=cut)]
    return b"".join(_event(name, data) for name, data in events)


async def _stream(writer: asyncio.StreamWriter, body: bytes, *, cut: bool) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    for at in range(0, len(body), _TORN):
        piece = body[at : at + _TORN]
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
    if cut:
        await asyncio.sleep(0.05)  # what was written is to come before the reset
        writer.transport.abort()
    else:
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _event(name: str, data: Json) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


async def _document(writer: asyncio.StreamWriter, status: int, document: Json, retry_after: int = 0) -> bool:
    body = json.dumps(document, ensure_ascii=False).encode()
    retry = f"retry-after: {retry_after}\r\n" if retry_after else ""
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{retry}content-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    return True
