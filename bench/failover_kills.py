"""Failed requests out of 100,000 while the primary is killed every two seconds, and comes back each time.

Whole answers, streams in one burst and streams word by word, in three dialects, over kept connections; requests come
at a steady rate (open loop), and every answer is compared with the text that it must be.
"""

from __future__ import annotations

import asyncio
import collections
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from failover_client import Line, Question, Reply, ask  # beside this file
from failover_rig import Rig, Setting
from failover_text import DIALECTS, Plan

if TYPE_CHECKING:
    from pathlib import Path

EVERY: Final = 2.0  # seconds between two kills
SETTING: Final = Setting(
    timeouts="{connect: 1s, firstToken: 10s, stall: 10s, total: 60s}",
    breaker="{openDuration: 100ms}",  # the primary is soon first again, so that each kill hits answers under way
    probe="{period: 1s}",
)
MOST: Final = 400  # requests under way; more wait for a connection


@dataclass
class Tally:
    """What the clients saw."""

    failures: list[str] = field(default_factory=list)
    kinds: collections.Counter[str] = field(default_factory=collections.Counter)
    by: collections.Counter[str] = field(default_factory=collections.Counter)
    slowest: float = 0.0
    kills: int = 0
    asked: int = 0
    late: float = 0.0  # seconds by which the rate could not be kept


def question(number: int, draw: random.Random) -> Question:
    """A third whole answers, a third bursts, a third streams of 60 to 300 ms."""
    dialect = DIALECTS[number % 3]
    kind = draw.randrange(3)
    words = draw.randint(3, 20)
    if kind == 0:
        plan = Plan(number, words, think=draw.choice((0.0, 0.005, 0.02)))
    elif kind == 1:
        plan = Plan(number, words, think=draw.choice((0.0, 0.005)))
    else:
        plan = Plan(number, words, pace=draw.choice((0.01, 0.015)))
    return Question(dialect, plan, stream=kind > 0, name=f"b-{number}")


async def measure(requests: int, rate: float, keep: Path | None) -> dict[str, Any]:
    tally = Tally()
    print(f"\na kill every {EVERY:g} s: {requests:,} requests at {rate:,.0f} a second, SIGKILL, back after 0.5 to 1 s")
    async with Rig(SETTING, keep) as rig:
        began = time.monotonic()
        killer = asyncio.create_task(kill_and_start(rig, tally))
        await load(rig, tally, requests, rate)
        killer.cancel()
        await asyncio.gather(killer, return_exceptions=True)
        seconds = time.monotonic() - began
        moved, resumed = (rig.counts(f"pointsman_gateway_{name}_total") for name in ("failovers", "streams_resumed"))
        for failure in tally.failures[:5]:
            print("  failed:", failure, "\n   ", rig.evidence(failure.split()[0]))
    wrong = tally.kinds["wrong"]
    failed = len(tally.failures) - wrong + requests - tally.asked  # one that was never asked is no success
    print(f"  {tally.asked:,} requests in {seconds:.0f} s ({tally.asked / seconds:,.0f}/s), {tally.kills} kills: "
          f"{failed} failed, {wrong} wrong, {moved} failovers, {resumed} streams resumed")  # fmt: skip
    print(f"  answered by first {tally.by['first']:,}, second {tally.by['second']:,}; slowest {tally.slowest:.2f} s; "
          f"behind the rate by {tally.late:.1f} s at most")  # fmt: skip
    return {"requests": tally.asked, "seconds": round(seconds, 1), "kills": tally.kills, "failed": failed,
            "wrong": wrong, "failovers": moved, "resumed": resumed, "first": tally.by["first"],
            "second": tally.by["second"], "slowest_s": round(tally.slowest, 3)}  # fmt: skip


async def kill_and_start(rig: Rig, tally: Tally) -> None:
    draw = random.Random(1)
    while True:
        due = time.monotonic() + EVERY
        await asyncio.sleep(draw.uniform(0.5, 1.0))
        if tally.kills:
            await rig.first.start()
        await asyncio.sleep(due - time.monotonic())
        rig.first.kill()
        tally.kills += 1


async def load(rig: Rig, tally: Tally, requests: int, rate: float) -> None:
    """Start requests on time, and wait for the last."""
    draw, began = random.Random(2), time.monotonic()
    lines = [Line() for _ in range(MOST)]
    under_way: set[asyncio.Task[None]] = set()
    for number in range(1, requests + 1):
        late = time.monotonic() - began - number / rate
        if late < 0:
            await asyncio.sleep(-late)
        elif number % 16 == 0:
            await asyncio.sleep(0)
        tally.late = max(tally.late, late)
        while not lines:
            await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(one(rig, tally, lines, lines.pop(), question(number, draw)))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)


async def one(rig: Rig, tally: Tally, lines: list[Line], line: Line, asked: Question) -> None:
    reply = await ask(line, rig.port, asked, 90)
    lines.append(line)
    tally.asked += 1
    tally.slowest = max(tally.slowest, time.monotonic() - reply.sent)
    for name in ("first", "second"):
        tally.by[name] += reply.answered_by(name)
    if problem := asked.wrong(reply):
        fail(tally, asked, reply, problem)


def fail(tally: Tally, asked: Question, reply: Reply, problem: str) -> None:
    tally.kinds["wrong" if problem.startswith("wrong:") else "failed"] += 1
    what = "streamed" if asked.stream else "whole"
    tally.failures.append(f"{asked.name} {asked.dialect} {what} [{reply.decision}]: {problem}")
