"""How a case is asked: once, in a series until the primary is back, side by side, leaving early."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from wall.cases import Case

ALIVE = "alive"  # a route with a healthy target, there for all cases


async def once(case: Case) -> None:
    await case.ask()


async def then_alive(case: Case) -> None:
    """And the gateway answers others afterwards."""
    await case.ask()
    await case.ask(route=ALIVE)


def side_by_side(count: int) -> Callable[[Case], Awaitable[None]]:
    async def drive(case: Case) -> None:
        await asyncio.gather(*(case.ask() for _ in range(count)))

    return drive


def series(count: int, every: float, longest: float) -> Callable[[Case], Awaitable[None]]:
    """`count` requests, one each `every` seconds, and more until the primary is back, for `longest` seconds at most."""

    async def drive(case: Case) -> None:
        started = time.monotonic()
        at = 0
        while at < count or (not _back(case) and time.monotonic() - started < longest):
            await asyncio.sleep(max(started + at * every - time.monotonic(), 0))
            await case.ask()
            at += 1

    return drive


def _back(case: Case) -> bool:
    return any(attempt.whole for attempt in case.place(0).attempts)


async def leave(case: Case) -> None:
    """Go away in mid-answer, and look for a while what the target sees of it."""
    await case.ask(leave_after=600)
    for _ in range(60):
        if all(attempt.gone or attempt.whole for attempt in case.attempts()):
            return
        await asyncio.sleep(0.05)
