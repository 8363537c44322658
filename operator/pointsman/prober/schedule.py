"""Probes every provider again and again: one loop, a heap of due times, at most 32 probes at a time."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import random
import ssl
import time
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pointsman.prober.ask import ask
from pointsman.prober.clients import Clients
from pointsman.prober.inquiry import Known
from pointsman.prober.thresholds import fold, news, next_due
from pointsman.served import Finding, Probed, State

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

    import httpx

    from pointsman.prober.request import ProbeTarget

log = logging.getLogger(__name__)

CONCURRENCY: Final = 32
Key = TypeVar("Key", bound="Hashable")


class _Entry:
    """A provider that is probed. `ticket` is that of its place in the heap; older ones there count for nothing."""

    def __init__(self, target: ProbeTarget) -> None:
        self.target = target
        self.probed = Probed()
        self.ticket = 0
        self.task: asyncio.Task[None] | None = None
        self.again = False
        self.client: httpx.AsyncClient | None = None
        self.known = Known()


class Prober(Generic[Key]):
    """Keeps the standing of providers. `run` probes until it is cancelled; `close` lets go of everything.

    `on_result` hears of a provider's first standing, of every one that is news, and of the one that is known whenever
    `set` is called for it; `on_probe` of each probe, with its Finding and the seconds that it took. `clock` gives the
    time in seconds that standings bear.
    """

    def __init__(
        self,
        on_result: Callable[[Key, Probed], None],
        on_probe: Callable[[Key, Finding, float], None] | None = None,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self._on_result, self._on_probe, self._clock, self._jitter = on_result, on_probe, clock, jitter
        self._concurrency = concurrency
        self._clients = Clients()
        self._entries: dict[Key, _Entry] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._tickets = itertools.count(1)
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    def set(self, key: Key, target: ProbeTarget | None, standing: Probed | None = None) -> None:
        """Probe this from now on, at once if it is new or has changed; None: no more.

        `standing` is what the caller knows of a new one, from before a restart: then one probe that is missed is no
        outage, as it would be of a server that nobody knows.

        What earlier probes found stays, unless the endpoint or its credentials are others now, and is told again: the
        caller's object may have changed in what probes do not see, and the caller may wait for a result.
        """
        old = self._entries.get(key)
        if old and old.target != target:
            self._drop(key, old)
        if target is None:
            return
        if not old or old.target != target:
            self._add(key, target, old, standing)
        known = self._entries[key].probed
        if known.state is not State.UNKNOWN:
            self._on_result(key, known)

    def poke(self, key: Key) -> None:
        """Probe now; a probe that is under way is followed by another, as it may have asked too early."""
        entry = self._entries.get(key)
        if entry and entry.task:
            entry.again = True
        elif entry:
            self._plan(key, entry, 0.0)

    async def run(self) -> None:
        """Probe whatever is due, until cancelled."""
        try:
            while True:
                self._wake.clear()
                delay = self._start_due()
                try:
                    async with asyncio.timeout(delay):
                        await self._wake.wait()
                except TimeoutError:
                    pass  # the next one is due
        finally:
            for entry in self._entries.values():
                if entry.task:
                    entry.task.cancel()

    async def close(self) -> None:
        """End all probes and connections. Nothing is probed any more."""
        for key, entry in list(self._entries.items()):
            self._drop(key, entry)
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _start_due(self) -> float | None:
        """Start what is due and may run; seconds until there is more to do, None: until woken."""
        now = asyncio.get_running_loop().time()
        while self._heap and self._running < self._concurrency:
            due, ticket, key = self._heap[0]
            entry = self._entries.get(key)
            if entry and entry.ticket == ticket:
                if due > now:
                    return due - now
                self._running += 1
                entry.task = self._spawn(self._probe(key, entry))
            heapq.heappop(self._heap)
        return None

    async def _probe(self, key: Key, entry: _Entry) -> None:
        try:
            await self._probe_once(key, entry)
        except Exception:  # one provider's surprise must not end the probing of all
            log.exception("probe of %s failed", key)
        finally:
            entry.task = None
            self._running -= 1
            self._wake.set()
            if self._entries.get(key) is entry:
                delay = 0.0 if entry.again else next_due(entry.probed, entry.target.settings, self._jitter())
                entry.again = False
                self._plan(key, entry, delay)

    async def _probe_once(self, key: Key, entry: _Entry) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        finding = await self._ask(entry)
        if self._entries.get(key) is not entry:
            return  # changed or gone in the meantime
        latency = loop.time() - started
        before = entry.probed
        entry.probed = fold(before, finding, self._clock(), latency, entry.target.settings)
        if self._on_probe:
            self._on_probe(key, finding, latency)
        if before.state is State.UNKNOWN or news(before, entry.probed):
            self._on_result(key, entry.probed)

    async def _ask(self, entry: _Entry) -> Finding:
        request = entry.target.request
        if entry.client is None:
            try:
                entry.client = self._clients.make(request)
            except (ssl.SSLError, ValueError) as error:
                message = f"spec.endpoint.tls.caBundle cannot be read: {error}; it must hold PEM certificates"
                return Finding(ok=False, reason="TLSFailure", message=message)
        return await ask(entry.client, request, entry.known)

    def _plan(self, key: Key, entry: _Entry, delay: float) -> None:
        entry.ticket = next(self._tickets)
        heapq.heappush(self._heap, (_now() + delay, entry.ticket, key))
        self._wake.set()

    def _add(self, key: Key, target: ProbeTarget, old: _Entry | None, standing: Probed | None) -> None:
        entry = self._entries[key] = _Entry(target)
        if old is None and standing is not None:
            entry.probed = standing
        elif old and old.target.identity == target.identity:
            entry.probed, entry.known = old.probed, old.known
        self._plan(key, entry, 0.0)

    def _drop(self, key: Key, entry: _Entry) -> None:
        del self._entries[key]
        if entry.task or entry.client:
            self._spawn(_retire(entry))

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _retire(entry: _Entry) -> None:
    if entry.task:
        entry.task.cancel()
        await asyncio.wait([entry.task])
    if entry.client:
        await entry.client.aclose()


def _now() -> float:
    return asyncio.get_running_loop().time()
