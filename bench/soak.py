"""A gateway under mixed faults for an hour: nothing fails that need not, and memory and files stay what they were.

    PYTHONPATH=operator:tests python -P bench/soak.py [--seconds 3600] [--rate 150]

Three fake providers, of which one is always well; the model name picks what the others do. Clients ask in all dialects,
streamed and whole, over kept and fresh connections; some leave, some read slowly, some send half a request or garbage.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway.conftest import ALL_APIS, DIALECTS, PATHS, Reply, read_reply, request
from gateway.fakeupstream import BIG, TEXT
from gateway.process import GatewayProcess, gateway_process
from gateway.smuggling import ALL as SMUGGLING
from gateway.smuggling import CANARY
from pointsman.table import Breaker, Model, Policy, Provider, Route, RoutingTable, Target, Timeouts

POLICY: Final = Policy(
    timeouts=Timeouts(connect=1.0, first_token=0.7, stall=0.7, total=30.0), breaker=Breaker(open_seconds=0.2)
)
FAULTS: Final = (
    "status-500", "status-503", "status-529", "status-401", "status-404", "html-502", "rate-limited", "context",
    "empty", "garbage", "error-first", "preamble-error", "cut-before", "cut-preamble", "cut-mid", "reset-mid",
    "end-mid", "stall-head", "stall-preamble", "stall-mid", "no-done", "crlf", "torn", "comments", "eof", "slow",
)  # fmt: skip
WIDE: Final = ("status-401", "status-404", "rate-limited")  # a provider is left alone for them, not a model only
CALM: Final = 6  # requests without a fault to one with
LIMIT: Final = 30.0  # seconds for an answer
GROWTH: Final = 8 * 1024 * 1024  # bytes of resident memory that may be more at the end than after the warm-up
SLOPE: Final = 2 * 1024 * 1024  # bytes by which a fitted line may rise over the second half of a run
LONG: Final = 600.0  # seconds; in shorter runs a slope is noise
WINDOW: Final = 30  # samples of a second each
FILES: Final = 64  # open files that may be more
UPSTREAM: Final = """
import asyncio, sys
from gateway.fakeupstream import FakeUpstream
async def main():
    fake = await FakeUpstream().start()
    print(fake.port, flush=True)
    while True:
        await asyncio.sleep(5)
        fake.seen.clear()
asyncio.run(main())
"""


@dataclass
class Sample:
    """What the gateway costs at a moment, in seconds since the start."""

    at: float
    rss: int
    files: int
    tasks: int


@dataclass
class Tally:
    """What the clients saw."""

    asked: collections.Counter[str] = field(default_factory=collections.Counter)
    failures: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    behind: float = 0.0  # seconds by which the rate could not be kept


def table(ports: list[int]) -> RoutingTable:
    """A route for each fault: two providers that have it, then one that is well."""
    models = tuple(Model(id=name) for name in (*FAULTS, "ok", "big", "wrong"))
    places = {
        "bad": 0,
        "worse": 1,
        "good": 2,
        **{f"bad-{fault}": 0 for fault in WIDE},
        **{f"worse-{fault}": 1 for fault in WIDE},
    }
    providers = tuple(
        Provider(
            name=name, type="OpenAICompatible", base_url=f"http://127.0.0.1:{ports[place]}", api=ALL_APIS, models=models
        )
        for name, place in places.items()
    )
    routes = []
    for fault in (*FAULTS, "ok", "big", "wrong"):
        last = fault if fault == "big" else "ok"
        suffix = f"-{fault}" if fault in WIDE else ""
        targets = (Target(f"bad{suffix}", fault), Target(f"worse{suffix}", fault), Target("good", last))
        routes.append(Route(name=fault, model_name=fault, targets=targets, policy=POLICY))
    return RoutingTable(providers=providers, routes=tuple(routes))


class Soak:
    """State: the gateway, what was seen, and the connections that are kept."""

    def __init__(self, gateway: GatewayProcess, seed: int) -> None:
        self.gateway = gateway
        self.tally = Tally()
        self.draw = random.Random(seed)
        self.kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.garbage = [case.data for case in SMUGGLING.values() if not case.bodies and len(case.data) < 2000]

    async def one(self) -> None:
        """One client."""
        kind = self.draw.random()
        act = (self.leave if kind < 0.08 else self.read_slowly if kind < 0.11 else self.send_half if kind < 0.14
               else self.send_garbage if kind < 0.17 else self.ask)  # fmt: skip
        self.tally.asked[act.__name__] += 1
        try:
            async with asyncio.timeout(LIMIT):
                await act()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError, KeyError) as error:
            self.tally.failures.append(f"{act.__name__}: {type(error).__name__} {error}")

    async def warm_up(self) -> None:
        """Several of the largest answers at once: what the allocator keeps after them, it keeps from the start."""
        await asyncio.gather(*(self.ask(fault="big") for _ in range(6)))

    def question(self, fault: str = "") -> tuple[str, str, bool, bytes]:
        """Fault, dialect, streamed or not, and the request."""
        draw = self.draw
        drawn = draw.choice(FAULTS) if draw.randrange(CALM) == 0 else "ok"
        fault = fault or ("big" if draw.random() < 0.003 else "wrong" if draw.random() < 0.01 else drawn)
        dialect, stream = draw.choice(DIALECTS), draw.random() < 0.6
        body = json.dumps({"model": fault, "stream": stream, **request(dialect)}).encode()
        head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (PATHS[dialect].encode(), len(body))
        return fault, dialect, stream, head + body

    async def ask(self, pause: float = 0.0, fault: str = "") -> None:
        """Ask, and compare the answer with what it must be."""
        fault, dialect, stream, data = self.question(fault)
        # Those that were not used for long, the gateway may have closed.
        self.kept = [(reader, writer) for reader, writer in self.kept if not reader.at_eof()]
        fresh = not self.kept or self.draw.random() < 0.3
        reader, writer = await self.connect() if fresh else self.kept.pop()
        writer.write(data)
        await asyncio.sleep(pause)
        reply = await read_reply(reader)
        problem = wrong(reply, fault, stream=stream)
        if problem:
            told = f"{fault} {dialect} {'streamed' if stream else 'whole'}"
            self.tally.failures.append(f"{told}: {problem} [{reply.fields.get('x-pointsman-decision')}]")
        if reply.whole and reply.fields.get("connection") != "close" and len(self.kept) < 50:
            self.kept.append((reader, writer))
        else:
            writer.close()

    async def read_slowly(self) -> None:
        """Ask, and look at the answer only after a while."""
        await self.ask(pause=self.draw.uniform(0.1, 2.0))

    async def leave(self) -> None:
        """Ask, read a part, and leave."""
        *_, data = self.question()
        reader, writer = await self.connect()
        writer.write(data)
        with contextlib.suppress(asyncio.IncompleteReadError, TimeoutError):
            await asyncio.wait_for(reader.readexactly(self.draw.randint(1, 600)), self.draw.uniform(0.01, 2.0))
        writer.transport.abort()

    async def send_half(self) -> None:
        """Send a part of a request, and leave."""
        *_, data = self.question()
        _, writer = await self.connect()
        writer.write(data[: self.draw.randint(0, len(data) - 1)])
        await asyncio.sleep(self.draw.uniform(0.0, 0.5))
        writer.transport.abort()

    async def send_garbage(self) -> None:
        """Send what is no request: it is refused."""
        reader, writer = await self.connect()
        writer.write(self.draw.choice(self.garbage) + CANARY)
        with contextlib.suppress(ConnectionResetError):
            answer = await reader.read(300)
            if not answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")):
                self.tally.failures.append(f"garbage was answered {answer[:100]!r}")
        writer.transport.abort()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.gateway.port, limit=2**26)


def wrong(reply: Reply, fault: str, *, stream: bool) -> str:
    """What is wrong with an answer; empty: nothing."""
    expected = 400 if fault == "wrong" else 200
    if reply.status != expected:
        return f"status {reply.status}: {reply.body[:300]!r}"
    if not reply.whole:
        return f"cut: {reply.body[-300:]!r}"
    if fault == "wrong":
        return ""
    if fault == "big" and not stream:
        return "" if len(reply.body) > BIG else "too short"
    return "" if reply.text == TEXT else f"text {reply.text[:100]!r}"


async def load(soak: Soak, seconds: float, rate: float) -> None:
    """Start clients at a steady rate, sample every second, and print a line every minute."""
    began, tasks, number = time.monotonic(), set[asyncio.Task[None]](), 0
    sampled = printed = 0.0
    while (now := time.monotonic() - began) < seconds:
        while number < now * rate:
            task = asyncio.create_task(soak.one())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        soak.tally.behind = max(soak.tally.behind, time.monotonic() - began - now)
        if now - sampled >= 1.0:
            sampled = now
            soak.tally.samples.append(await sample(soak.gateway, now))
        if now - printed >= 60.0:
            printed = now
            show(soak.tally)
        await asyncio.sleep(1 / rate)
    await asyncio.gather(*tasks)
    for _, writer in soak.kept:
        writer.close()


async def sample(gateway: GatewayProcess, at: float) -> Sample:
    counts = await gateway.counts()
    return Sample(at, gateway.rss(), gateway.files(), counts["tasks"])


def show(tally: Tally) -> None:
    last = tally.samples[-1]
    seen = f"{last.at:6.0f} s  {tally.asked.total():8,} clients  {len(tally.failures)} failed"
    print(f"{seen}  {last.rss / 2**20:6.1f} MiB  {last.files:4} files  {last.tasks:3} tasks", flush=True)


def verdict(tally: Tally, seconds: float, left: dict[str, Any]) -> list[str]:
    """What is not as it must be; empty: all is well."""
    warm = [each for each in tally.samples if each.at >= min(300.0, seconds / 3)]
    quarter = max(1, len(warm) // 4)
    first, last = warm[:quarter], warm[-quarter:]
    found = [f"{len(tally.failures)} requests failed that had a healthy target left"] if tally.failures else []
    growth = statistics.median(each.rss for each in last) - statistics.median(each.rss for each in first)
    print(f"memory: {growth / 2**20:+.2f} MiB from after the warm-up to the end", end="; ")
    if growth > GROWTH:
        found.append(f"memory grew by {growth / 2**20:.1f} MiB")
    rise = fitted(warm[len(warm) // 2 :])
    print(f"a line fitted to the second half rises by {rise / 2**20:+.2f} MiB")
    if seconds >= LONG and rise > SLOPE:
        found.append(f"memory rises: {rise / 2**20:.1f} MiB over the second half")
    files = max(each.files for each in last) - max(each.files for each in first)
    if files > FILES:
        found.append(f"{files} open files more")
    tasks = max(each.tasks for each in last) - max(each.tasks for each in first)
    if tasks > FILES:
        found.append(f"{tasks} tasks more")
    if left["clients"] or left["exchanges"]:
        found.append(f"left behind: {left}")
    return found


def fitted(half: list[Sample]) -> float:
    """Bytes by which a line fitted to medians of half minutes rises: a large answer is a peak, not a slope."""
    parts = [half[at : at + WINDOW] for at in range(0, len(half), WINDOW)]
    if len(parts) < 2:
        return 0.0
    medians = [statistics.median(each.rss for each in part) for part in parts]
    slope = statistics.linear_regression([part[0].at for part in parts], medians).slope
    return slope * (half[-1].at - half[0].at)


async def upstream() -> tuple[asyncio.subprocess.Process, int]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", UPSTREAM, stdout=asyncio.subprocess.PIPE,
                                                   stderr=asyncio.subprocess.DEVNULL)  # fmt: skip
    assert process.stdout is not None
    return process, int(await process.stdout.readline())


async def quiet(gateway: GatewayProcess) -> dict[str, Any]:
    """What is left in the gateway when all clients are gone, after ten seconds at the most."""
    counts: dict[str, Any] = {}
    for _ in range(100):
        counts = await gateway.counts()
        if not counts["clients"] and not counts["exchanges"]:
            break
        await asyncio.sleep(0.1)
    return counts


async def run(seconds: float, rate: float, seed: int = 1) -> list[str]:
    """Soak; what is not as it must be."""
    backends = [await upstream() for _ in range(3)]
    try:
        with tempfile.TemporaryDirectory(prefix="pointsman-soak-") as folder:
            ports = [port for _, port in backends]
            async with gateway_process(Path(folder), table(ports), idle_time=30.0) as gateway:
                soak = Soak(gateway, seed)
                await soak.warm_up()
                await load(soak, seconds, rate)
                left = await quiet(gateway)
                show(soak.tally)
                for failure, count in collections.Counter(soak.tally.failures).most_common(10):
                    print(f"  {count} x {failure}")
                print(
                    f"clients: {dict(soak.tally.asked)}; left behind: {left}; {soak.tally.behind:.2f} s behind at most"
                )
                found = verdict(soak.tally, seconds, left)
                gateway.signal()
                if await gateway.ended(10) != 0:
                    found.append("the gateway did not end in order")
                return found
    finally:
        for process, _ in backends:
            process.kill()
            await process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--rate", type=float, default=150.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found = asyncio.run(run(arguments.seconds, arguments.rate, arguments.seed))
    print("\n".join(found) or "flat: no failed request, memory, files and tasks as after the warm-up")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
