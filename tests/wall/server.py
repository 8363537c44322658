"""The wall itself: a server of all three dialects. `/at/NAME/v1` is a provider of its own, with a journal of its own.

Requests that carry no mark of the runner (`wall:CASE#N`) are probes: they are answered well, but in an outage, and
count for nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import defaultdict
from typing import Any, Final

from wall import answers, faults, frames
from wall.course import Course, GoneError
from wall.faults import Act
from wall.journal import Attempt, Place
from wall.void import Void

MARK: Final = re.compile(rb"wall:([a-z0-9-]+)#(\d+)")
_HEAD: Final = re.compile(r"/at/([a-z0-9-]+)/v1(/.*)")
_DIALECTS: Final = {path: dialect for dialect, path in frames.PATHS.items()}


class Wall:
    """State: the providers by name."""

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self.port = 0
        self.strays = 0  # requests for no known provider
        self._server: asyncio.Server | None = None
        self._idents: dict[str, int] = defaultdict(int)

    async def start(self) -> None:
        self._void = Void()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**26, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._void.close()

    def url(self, provider: str) -> str:
        """Where a provider is; two models are nowhere."""
        port = {"nobody": self._void.closed, "blackhole": self._void.deaf}.get(self.places[provider].model, self.port)
        return f"http://127.0.0.1:{port}/at/{provider}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, GoneError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        raw = await reader.readexactly(int(length[1])) if length else b""
        method, path = head.split(" ")[:2]
        found = _HEAD.fullmatch(path.partition("?")[0])
        place = self.places.get(found[1]) if found else None
        if found is None or place is None:
            self.strays += 1
            return await Course(reader, writer).refuse(404, b"{}", "application/json")
        course = Course(reader, writer)
        if method == "GET" and found[2] == "/models":
            place.listed += 1
            return await course.refuse(200, _listed(place), "application/json")
        place.posts += 1
        dialect = _DIALECTS.get(found[2])
        if dialect is None:
            return await course.refuse(404, b'{"error":{"message":"Not Found"}}', "application/json")
        return await self._answer(course, place, found[1], dialect, raw)

    async def _answer(self, course: Course, place: Place, name: str, dialect: str, raw: bytes) -> bool:
        body: dict[str, Any] = json.loads(raw)
        mark = MARK.search(raw)
        streamed = body.get("stream") is True
        now = time.monotonic()
        prefill = answers.prefill(body)
        attempt = Attempt(
            name, str(body.get("model")), dialect, streamed, now, mark[0].decode() if mark else "", raw, prefill
        )
        act = self._act(place, attempt)
        if mark:
            place.attempts.append(attempt)
        self._idents[name] += 1
        course.take(attempt, place, act, f"{name}-{self._idents[name]}")
        try:
            return await course.run(body)
        finally:
            attempt.whole = course.whole

    @staticmethod
    def _act(place: Place, attempt: Attempt) -> Act:
        marked = bool(attempt.request)
        if not marked and not attempt.model.startswith("outage-"):
            return faults.WELL
        age = attempt.at - place.attempts[0].at if place.attempts else 0.0
        return faults.act(attempt.model, len(place.attempts), age)


def _listed(place: Place) -> bytes:
    entry = {"id": place.model, "object": "model", "created": 1, "owned_by": "wall", "max_model_len": place.window}
    return json.dumps({"object": "list", "data": [entry]}).encode()
