"""Failover time: from the fault to the first byte of the next target's answer, as the client sees it.

For each fault a number of trials: the primary answers, the fault, the request that meets it, and some after it, which
find the primary cooling. The fault's time is that of the SIGKILL or of the reset, as CLOCK_MONOTONIC has it; for a
fault that is there before the request comes, the request's sending.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from failover_client import Line, Question, Reply, ask  # beside this file
from failover_rig import Rig, Setting
from failover_text import Plan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

AFTER: Final = 5  # requests after the first in each trial
QUIET: Final = 0.03  # seconds for which nothing may be on its way when the fault comes
SETTING: Final = Setting()


@dataclass
class Sample:
    """Seconds of one fault's trials: the first request's, those after it, what went wrong."""

    first: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Trials:
    """State: a rig, a connection to its gateway, how many requests were made."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.line = Line()
        self.count = 0

    def question(self, **plan: Any) -> Question:
        self.count += 1
        dialect = ("completions", "responses", "messages")[self.count % 3]
        return Question(dialect, Plan(self.count, **plan), stream=True, name=f"a-{self.count}")

    async def ask(self, **plan: Any) -> tuple[Question, Reply]:
        question = self.question(**plan)
        return question, await ask(self.line, self.rig.port, question, 30)

    async def on_primary(self) -> None:
        """Ask until the primary answers again."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if (await self.ask())[1].answered_by("first"):
                return
            await asyncio.sleep(0.02)
        raise TimeoutError("the primary was not tried again within 30 s")

    async def quietly(self, question: Question) -> Reply:
        """Send a request that the primary leaves unanswered, or stops answering, and wait until all is quiet."""
        reply = await self.line.start(self.rig.port, question.data)
        await asyncio.sleep(QUIET)
        while reply.arrivals and time.monotonic() - reply.arrivals[-1][0] < QUIET:  # noqa: ASYNC110 - data, not an event
            await asyncio.sleep(QUIET)
        return reply


Met = tuple[Question, Reply, float]  # what was asked, the answer, when the fault came


async def nothing(trials: Trials) -> Met:
    question, reply = await trials.ask()
    return question, reply, reply.sent


async def killed_idle(trials: Trials) -> Met:
    trials.rig.first.kill()
    trials.rig.first.buried()
    question, reply = await trials.ask()
    return question, reply, reply.sent


async def killed_waiting(trials: Trials) -> Met:
    question = trials.question(cut="stall")
    reply = await trials.quietly(question)
    moment = trials.rig.first.kill()
    await trials.line.finished(30)
    return question, reply, moment


async def killed_amid(trials: Trials) -> Met:
    question = trials.question(words=40, cut="stall", at=0.5)
    reply = await trials.quietly(question)
    moment = trials.rig.first.kill()
    await trials.line.finished(30)
    return question, reply, moment


async def reset_on_accept(trials: Trials) -> Met:
    await trials.rig.first.tell("reset")
    question, reply = await trials.ask()
    return question, reply, reply.sent


async def reset_amid(trials: Trials) -> Met:
    question, reply = await trials.ask(words=40, cut="reset", at=0.5, linger=QUIET)
    return question, reply, float((await trials.rig.first.tell())["cut_at"])


async def stalled_amid(trials: Trials) -> Met:
    question, reply = await trials.ask(words=40, cut="stall", at=0.5)
    return question, reply, float((await trials.rig.first.tell())["cut_at"])


async def black_hole(trials: Trials) -> Met:
    await trials.rig.first.tell("hole")
    question, reply = await trials.ask()
    return question, reply, reply.sent


async def unreachable(trials: Trials) -> Met:
    """Somebody listens and never accepts, and the queue is full: Linux then leaves a SYN without an answer."""
    trials.rig.first.kill()
    trials.rig.first.buried()
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", trials.rig.first.port))
        listening.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", trials.rig.first.port))
        question, reply = await trials.ask()
        return question, reply, reply.sent


FAULTS: Final[dict[str, tuple[Callable[[Trials], Awaitable[Met]], float]]] = {
    # What is done, and the deadline in seconds that has to pass before anybody can know of it.
    "none (the primary answers)": (nothing, 0.0),
    "SIGKILL, then the request": (killed_idle, 0.0),
    "SIGKILL while it waits": (killed_waiting, 0.0),
    "SIGKILL amid the stream": (killed_amid, 0.0),
    "RST on accept": (reset_on_accept, 0.0),
    "RST amid the stream": (reset_amid, 0.0),
    "stall amid the stream": (stalled_amid, 1.0),
    "black hole: accepts, is silent": (black_hole, 1.0),
    "unreachable: SYN unanswered": (unreachable, 0.5),
}


_KILLS: Final = (killed_waiting, killed_amid)


async def measure(trials: int, keep: Path | None) -> dict[str, Any]:
    """All faults; figures in milliseconds."""
    print(f"\nfailover time: {trials} trials a fault, {AFTER} requests after each; deadlines {SETTING.timeouts}")
    print(f"  {'fault':32}{'deadline':>9}{'first p50':>11}{'p99':>9}{'after p50':>11}{'p99':>9}   (ms)  failed")
    figures: dict[str, Any] = {}
    for name, (fault, deadline) in FAULTS.items():
        count = trials if deadline == 0 else max(trials // 4, 5)
        async with Rig(SETTING, keep) as rig:
            sample = Sample()
            runs = Trials(rig)
            for _ in range(count):
                await trial(runs, fault, deadline, sample)
            for problem in sample.problems[:3]:
                print("    failed:", problem)
        figures[name] = report(name, sample, deadline)
    return figures


async def trial(
    runs: Trials,
    fault: Callable[[Trials], Awaitable[Met]],
    deadline: float,
    sample: Sample,
) -> None:
    await runs.on_primary()
    question, reply, moment = await fault(runs)
    # Before the deadline nothing can come of the next target; what does was on its way when the fault came.
    sample.first.append(reply.after(moment + (QUIET if deadline else 0.0)) - moment)
    note(runs.rig, question, reply, sample)
    for _ in range(AFTER):
        again, next_reply = await runs.ask()
        if next_reply.answered_by("first" if fault is nothing else "second"):
            sample.after.append(next_reply.first - next_reply.sent)
        note(runs.rig, again, next_reply, sample)
    if runs.rig.first.process is None or fault in _KILLS:
        await runs.rig.first.start()
    await runs.rig.first.tell("ok")


def note(rig: Rig, question: Question, reply: Reply, sample: Sample) -> None:
    if problem := question.wrong(reply):
        sample.problems.append(f"{question.name} {question.dialect}: {problem}\n    {rig.evidence(question.name)}")


def report(name: str, sample: Sample, deadline: float) -> dict[str, float]:
    first, after = quantiles(sample.first), quantiles(sample.after)
    print(f"  {name:32}{deadline * 1e3:9.0f}{first[0]:11.2f}{first[1]:9.2f}{after[0]:11.2f}{after[1]:9.2f}"
          f"{'':9}{len(sample.problems)} of {len(sample.first) * (1 + AFTER)}")  # fmt: skip
    return {"deadline_ms": deadline * 1e3, "first_p50_ms": first[0], "first_p99_ms": first[1],
            "after_p50_ms": after[0], "after_p99_ms": after[1], "trials": len(sample.first),
            "failed": len(sample.problems)}  # fmt: skip


def quantiles(seconds: list[float]) -> tuple[float, float]:
    """Median and 99th percentile (the largest of fewer than 100), in milliseconds to two digits."""
    if not seconds:
        return float("nan"), float("nan")
    ordered = sorted(seconds)
    median, most = statistics.median(ordered), ordered[min(len(ordered) * 99 // 100, len(ordered) - 1)]
    return round(median * 1e3, 2), round(most * 1e3, 2)
