"""Runs all cases against one gateway, side by side, and gives a verdict of each."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from wall.cases import Case, Form, Scenario
from wall.catalogue import CATALOGUE
from wall.drives import ALIVE
from wall.faults import NOWHERE
from wall.judge import judge
from wall.objects import document
from wall.ours import OURS
from wall.program import Program, ready, started
from wall.server import Wall

ALL_SCENARIOS: Final = (*CATALOGUE, *OURS)
_AT_ONCE: Final = 16  # cases that work; those that mostly wait come on top


@dataclass(frozen=True)
class Verdict:
    """`reasons` empty: passed. `rescues`: seconds from faults that show at once to the next target's first byte."""

    scenario: str
    form: Form
    reasons: tuple[str, ...]
    seconds: float = 0.0  # the longest answer
    rescues: tuple[float, ...] = ()
    cut: int = 0  # streams that were cut after output
    rescued: int = 0


@dataclass
class Result:
    """The verdicts of a run, in the scenarios' order."""

    scenarios: tuple[Scenario, ...]
    verdicts: list[Verdict] = field(default_factory=list)
    seconds: float = 0.0
    troubles: list[str] = field(default_factory=list)

    @property
    def passed(self) -> int:
        return sum(not verdict.reasons for verdict in self.verdicts)


async def run(
    scenarios: Iterable[Scenario] = ALL_SCENARIOS, forms: Iterable[Form] | None = None, *, crossed: bool = False
) -> Result:
    """All scenarios in all their forms (or in these), against a `pointsman up` of their own.

    `crossed`: no target speaks its client's dialect, so that all that passes is translated.
    """
    result = Result(tuple(scenarios))
    begun = time.monotonic()
    wall = Wall()
    await wall.start()
    wanted = None if forms is None else set(forms)
    cases = [
        Case(scenario, form, wall, 0)
        for scenario in result.scenarios
        for form in scenario.forms
        if wanted is None or form in wanted
    ]
    with tempfile.TemporaryDirectory(prefix="wall-") as folder:
        async with started(Path(folder), document(cases, wall, crossed=crossed)) as program:
            await ready(program, {ALIVE, *(case.name for case in cases)})
            await _all_probed(wall)
            result.verdicts = await _verdicts(cases, program)
            result.troubles = await _afterwards(program, wall)
    wall.stop()
    result.seconds = time.monotonic() - begun
    return result


async def _all_probed(wall: Wall) -> None:
    end = time.monotonic() + 30
    there = [place for place in wall.places.values() if place.model not in NOWHERE]
    while any(not place.listed for place in there) and time.monotonic() < end:  # noqa: ASYNC110 - of hundreds
        await asyncio.sleep(0.1)
    await asyncio.sleep(1.0)  # the last table is on its way


async def _verdicts(cases: list[Case], program: Program) -> list[Verdict]:
    working, heavy = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(1)

    async def one(case: Case) -> Verdict:
        case.port = program.port
        async with contextlib.AsyncExitStack() as stack:
            if not case.scenario.long:
                await stack.enter_async_context(heavy if case.scenario.heavy else working)
            await case.scenario.drive(case)
        return verdict(case)

    return await asyncio.gather(*(one(case) for case in cases))


async def _afterwards(program: Program, wall: Wall) -> list[str]:
    troubles = []
    if program.process.returncode is not None or not await program.knows({ALIVE}):
        troubles.append("the gateway is not alive after all cases")
    said = program.said
    for sign in ("Traceback", "starting it again"):
        if sign in said:
            at = said.index(sign)
            troubles.append(f"the program says: {said[at : at + 1500]}")
    if wall.strays:
        troubles.append(f"{wall.strays} requests for no provider of the wall")
    return troubles


_AT_ONCE_SEEN: Final = ("status", "reset", "cut", "end", "error", "herd")


def verdict(case: Case) -> Verdict:
    """The judge's word on a case that was asked, and its figures."""
    reasons = tuple(judge(case))
    seconds = max((asked.received.seconds for asked in case.asked), default=0.0)
    rescues: list[float] = []
    cut = rescued = 0
    for asked in case.asked:
        attempts = case.attempts(asked.mark)
        for before, after in pairwise(attempts):
            if before.broke and after.first > before.broke and before.fault.startswith(_AT_ONCE_SEEN):
                rescues.append(after.first - before.broke)
        was_cut = case.form.streamed and any(one.broke and one.spoken and not one.whole for one in attempts)
        cut += was_cut
        rescued += was_cut and not reasons and asked.reading.error is None
    return Verdict(case.scenario.ident, case.form, reasons, seconds, tuple(rescues), cut, rescued)
