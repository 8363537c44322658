"""Runs all cells against one gateway, side by side, and gives a verdict of each."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from matrix import cases as all_cases
from matrix import native
from matrix.cases import Case
from matrix.cells import Cell
from matrix.judge import judge, refuses
from matrix.objects import document, places
from matrix.server import Server
from testbed.ports import free_port
from wall.program import Program, ready, started

_AT_ONCE: Final = 8


@dataclass(frozen=True)
class Verdict:
    """`reasons` empty: passed. `refused`: what it passed is that the gateway said no."""

    case: str
    client: str
    backend: str
    stream: bool
    reasons: tuple[str, ...]
    refused: bool = False

    @property
    def mode(self) -> str:
        return "streamed" if self.stream else "whole"


@dataclass
class Result:
    cases: tuple[Case, ...]
    verdicts: list[Verdict] = field(default_factory=list)
    seconds: float = 0.0
    troubles: list[str] = field(default_factory=list)

    @property
    def passed(self) -> int:
        return sum(not verdict.reasons for verdict in self.verdicts)


def cells_of(cases: Iterable[Case]) -> list[Cell]:
    """Each case by each client of each backend, whole and streamed."""
    return [
        Cell(case, client, backend, stream)
        for case in cases
        for client in case.clients
        for backend in case.backends
        for stream in case.modes
    ]


async def run(cases: Iterable[Case] = all_cases.ALL) -> Result:
    """All cells of these cases, against a `pointsman up` of their own."""
    result = Result(tuple(cases))
    begun = time.monotonic()
    cells = cells_of(result.cases)
    server = Server(places(cells), {cell.name: cell.case.says for cell in cells})
    await server.start()
    with tempfile.TemporaryDirectory(prefix="matrix-") as name:
        folder, names = Path(name), {cell.route for cell in cells}
        async with started(folder, document(cells, server.port, free_port())) as up:
            await ready(up, names)
            async with native.started(folder / "native", up, names) as other:
                result.verdicts = await _verdicts(cells, server, {False: up.port, True: other.port})
                result.troubles = [*_troubles(server, up), *_troubles(server, other)]
    server.stop()
    result.seconds = time.monotonic() - begun
    return result


async def _verdicts(cells: list[Cell], server: Server, ports: dict[bool, int]) -> list[Verdict]:
    working = asyncio.Semaphore(_AT_ONCE)

    async def one(cell: Cell) -> Verdict:
        cell.url, cell.server = f"http://127.0.0.1:{ports[cell.case.vendor]}", server
        async with working:
            await cell.drive()
        return Verdict(cell.case.name, cell.client, cell.backend, cell.stream, tuple(judge(cell)), refuses(cell))

    return await asyncio.gather(*(one(cell) for cell in cells))


def _troubles(server: Server, program: Program) -> list[str]:
    troubles = [f"a request for no provider: {path}" for path in server.strays]
    said = program.said
    for sign in ("Traceback", "starting it again"):
        if sign in said:
            at = said.index(sign)
            troubles.append(f"the program says: {said[at : at + 1500]}")
    return troubles
