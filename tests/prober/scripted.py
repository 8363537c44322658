"""Servers that answer as a test's script says, and an ear for what a prober tells."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from pointsman.prober.schedule import Prober
from pointsman.served import Finding, Probed, State

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[..., Awaitable[str]]
T = TypeVar("T")

MODELS = b'{"object":"list","data":[{"id":"tiny","max_model_len":2048}]}'


class Answering:
    """A script that answers every request, by path, and keeps what was asked. What is not in `paths` is 404."""

    def __init__(self, paths: dict[str, tuple[int, bytes]] | None = None, extra: str = "") -> None:
        self.paths = {"/v1/models": (200, MODELS)} if paths is None else paths
        self.extra = extra
        self.heads: list[str] = []
        self.bodies: list[str] = []
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while head := await _head(reader):
            self.heads.append(head)
            self.bodies.append((await reader.readexactly(_length(head))).decode())
            status, body = self.paths.get(head.split()[1], (404, b"{}"))
            lines = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            writer.write(f"{lines}{self.extra}\r\n".encode() + body)
            await writer.drain()


async def _head(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return ""


def _length(head: str) -> int:
    found = re.search(r"content-length: (\d+)", head.lower())
    return int(found[1]) if found else 0


class Results:
    """What a prober told and how often it asked, by key, and a way to wait for more of it."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Probed]] = []
        self.asked: list[tuple[str, Finding]] = []
        self._news = asyncio.Event()

    def result(self, key: str, probed: Probed) -> None:
        self.told.append((key, probed))
        self._news.set()

    def probe(self, key: str, finding: Finding, latency: float) -> None:
        assert latency >= 0
        self.asked.append((key, finding))
        self._news.set()

    def states(self, key: str = "p") -> list[tuple[State, str]]:
        return [(probed.state, probed.reason) for told, probed in self.told if told == key]

    async def until(self, wanted: Callable[[], T]) -> T:
        """Wait until `wanted` is truthy, asked whenever there is something new."""
        async with asyncio.timeout(20):
            while not (found := wanted()):
                self._news.clear()
                await self._news.wait()
            return found


class Holding:
    """A script that holds every request until it is let go, and counts how many it held at once."""

    def __init__(self) -> None:
        self.held = self.most = self.gone = 0
        self.let_go = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            self.held += 1
            self.most = max(self.most, self.held)
            await self._wait(reader)
            self.held -= 1
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(MODELS) + MODELS)

    async def _wait(self, reader: asyncio.StreamReader) -> None:
        left = asyncio.create_task(reader.read(1))
        free = asyncio.create_task(self.let_go.wait())
        await asyncio.wait([left, free], return_when=asyncio.FIRST_COMPLETED)
        if left.done():
            self.gone += 1
            free.cancel()
            raise ConnectionResetError
        left.cancel()
        await asyncio.wait([left])


@asynccontextmanager
async def running(results: Results, concurrency: int = 32) -> AsyncIterator[Prober[str]]:
    prober = Prober[str](results.result, results.probe, clock=lambda: 1000.0, concurrency=concurrency)
    task = asyncio.create_task(prober.run())
    try:
        yield prober
    finally:
        task.cancel()
        await asyncio.wait([task])
        await prober.close()


async def spin(wanted: Callable[[], object]) -> None:
    """Wait for what a server notices, which tells nobody."""
    async with asyncio.timeout(20):
        while not wanted():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.005)
