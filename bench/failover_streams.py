"""Many streams at once: how many of those that are cut reach the client whole, and what an open one weighs."""

from __future__ import annotations

import asyncio
import collections
import random
import time
from typing import TYPE_CHECKING, Any, Final

from failover_client import Line, Question, Reply, ask  # beside this file
from failover_rig import Rig, Setting, rss, until
from failover_text import CUTS, DIALECTS, Plan

if TYPE_CHECKING:
    from pathlib import Path

WAYS: Final = {"continued": "VLLM", "replayed": "OpenAICompatible"}
"""How the next target takes an answer up, and the provider type that lets the gateway do it so."""
WORDS, PACE = 60, 0.03
SLOW: Final = 0.1  # seconds between two events of an open stream
RECEIVED: Final = 20_000  # bytes that each has received when memory is read
REST: Final = 3.0  # seconds of quiet before memory is read


async def rescue(streams: int, keep: Path | None) -> dict[str, Any]:
    """Cut `streams` parallel streams a dialect at random bytes, for each way to take them up."""
    print(f"\nrescued streams: {streams} in parallel a dialect, cut at a random byte, by {', '.join(CUTS)}")
    figures: dict[str, Any] = {}
    for way, kind in WAYS.items():
        # The primary must not cool, or those that come later would never meet the fault.
        setting = Setting(type=kind, breaker="{consecutiveFailures: 100, openDuration: 1ms}",
                          timeouts="{connect: 5s, firstToken: 10s, stall: 2s, total: 120s}")  # fmt: skip
        async with Rig(setting, keep) as rig:
            for dialect in DIALECTS:
                figures[f"{dialect}, {way}"] = await rescue_dialect(rig, dialect, way, streams)
    return figures


async def rescue_dialect(rig: Rig, dialect: str, way: str, streams: int) -> dict[str, int]:
    draw = random.Random(3)
    plans = [Plan(seed, WORDS, PACE, cut=CUTS[seed % len(CUTS)], at=draw.uniform(0.02, 0.98))
             for seed in range(1, streams + 1)]  # fmt: skip
    questions = [Question(dialect, plan, stream=True, name=f"c-{way}-{dialect}-{plan.seed}") for plan in plans]
    before = set((await rig.first.tell())["cut"])
    lines = [Line() for _ in questions]
    replies = await asyncio.gather(*(ask(line, rig.port, question, 130)
                                     for line, question in zip(lines, questions, strict=True)))  # fmt: skip
    for line in lines:
        line.close()
    cut = set((await rig.first.tell())["cut"]) if not before else {plan.seed for plan in plans}
    lost = [(question, reply, problem) for question, reply in zip(questions, replies, strict=True)
            if (problem := question.wrong(reply))]  # fmt: skip
    rescued = len(cut) - sum(question.plan.seed in cut for question, _, _ in lost)
    by_cut = collections.Counter(question.plan.cut for question, _, _ in lost)
    print(f"  {dialect:12}{way:11}{rescued:5} rescued of {len(cut)} cut ({streams} streams)"
          f"{f'; lost by {dict(by_cut)}' if lost else ''}")  # fmt: skip
    for question, reply, problem in lost[:2]:
        print(f"    {question.name} {question.plan.cut} at {question.plan.at:.3f} [{reply.decision}]: {problem}\n"
              f"    {rig.evidence(question.name)}")  # fmt: skip
    return {"streams": streams, "cut": len(cut), "rescued": rescued, "wrong_or_failed": len(lost)}


async def weigh(streams: int, keep: Path | None) -> dict[str, float]:
    """Resident memory of the gateway at rest, with slow streams open, and after they have ended."""
    setting = Setting(timeouts="{connect: 10s, firstToken: 30s, stall: 30s, total: 600s}")
    print(f"\nmemory: {streams:,} open streams of an event each {SLOW * 1e3:g} ms, {RECEIVED:,} bytes received by each")
    async with Rig(setting, keep) as rig:
        pid = rig.gateway()
        await ask(Line(), rig.port, _slow(0, 3), 10)
        await asyncio.sleep(REST)
        idle = rss(pid)
        lines, replies = await _open(rig, streams)
        await until(lambda: all(reply.size >= RECEIVED or reply.problem for reply in replies), 120, "20 KB by all")
        held, sizes = rss(pid), [reply.size for reply in replies]
        failed = [reply.problem for reply in replies if reply.problem or reply.status != 200]
        for line in lines:
            line.close()
        await asyncio.sleep(REST)
        after = rss(pid)
    each, received = (held - idle) * 1e3 / streams, sum(sizes) / len(sizes) / 1e3
    print(f"  at rest {idle:.1f} MB, with {streams - len(failed):,} open {held:.1f} MB ({each:.1f} KB a stream that "
          f"has received {received:.1f} KB), after them {after:.1f} MB; {len(failed)} failed")  # fmt: skip
    for problem in failed[:3]:
        print("    failed:", problem)
    return {"streams": streams, "idle_mb": round(idle, 1), "open_mb": round(held, 1), "after_mb": round(after, 1),
            "kb_a_stream": round(each, 1), "kb_received": round(received, 1), "failed": len(failed)}  # fmt: skip


async def _open(rig: Rig, streams: int) -> tuple[list[Line], list[Reply]]:
    lines, replies = [Line() for _ in range(streams)], []
    for number, line in enumerate(lines):
        replies.append(await line.start(rig.port, _slow(number, 2000).data))
        if number % 100 == 99:
            await asyncio.sleep(SLOW)
    return lines, replies


def _slow(number: int, words: int) -> Question:
    plan = Plan(number, words, pace=SLOW)
    return Question(DIALECTS[number % 3], plan, stream=True, name=f"d-{number}-{time.monotonic_ns()}")
