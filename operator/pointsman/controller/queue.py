"""Which keys are to be looked at when: each once however often it was asked for, and never twice at a time.

`Schedule` decides and takes the time as an argument; `Queue` runs it. The contract is that of client-go's workqueue:
a key added while it is being worked on is worked on again afterwards; a failed one comes back later and later.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

WORKERS: Final = 16
_BASE, _CAP = 0.1, 60.0


class Key(NamedTuple):
    """What is to be looked at: `kind` is "provider", "route" or "namespace" (then `name` is "")."""

    kind: str
    namespace: str
    name: str = ""


@dataclass(slots=True)
class Schedule:
    """Times are seconds of the caller's clock."""

    _due: dict[Key, float] = field(default_factory=dict)
    _since: dict[Key, float] = field(default_factory=dict)  # of those that are put off: when first asked for
    _heap: list[tuple[float, Key]] = field(default_factory=list)
    _active: set[Key] = field(default_factory=set)
    _failures: dict[Key, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._due) + len(self._active)

    def add(self, key: Key, now: float, after: float = 0.0) -> None:
        """Look at `key` in `after` seconds, or when it is due already if that is earlier."""
        due = now + after
        if self._due.get(key, float("inf")) > due:
            self._set(key, due)

    def put_off(self, key: Key, now: float, quiet: float, cap: float) -> None:
        """Look at `key` once nobody asked for it for `quiet` seconds, but at most `cap` after the first who did."""
        first = self._since.setdefault(key, now)
        self._set(key, min(first + cap, now + quiet))

    def take(self, now: float) -> Key | None:
        """A key that is due and that nobody works on; it counts as worked on until `done`."""
        while self._heap and self._heap[0][0] <= now:
            due, key = heapq.heappop(self._heap)
            if self._due.get(key) != due or key in self._active:
                continue  # replaced by another time, or `done` will bring it back
            del self._due[key]
            self._since.pop(key, None)
            self._active.add(key)
            return key
        return None

    def done(self, key: Key, now: float, *, failed: bool = False, after: float = 0.0, jitter: float = 1.0) -> float:
        """Work has ended; a failed key comes back after the delay that is returned, `after` seconds at least."""
        self._active.discard(key)
        delay = 0.0
        if failed:
            count = self._failures[key] = self._failures.get(key, 0) + 1
            delay = max(after, min(_CAP, _BASE * 2.0 ** min(count, 16)) * jitter)
            self.add(key, now, delay)
        else:
            self._failures.pop(key, None)
        if key in self._due:
            heapq.heappush(self._heap, (self._due[key], key))
        return delay

    def next(self) -> float | None:
        """When the next key is due that nobody works on; None: none is."""
        while self._heap and (self._due.get(self._heap[0][1]) != self._heap[0][0] or self._heap[0][1] in self._active):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _set(self, key: Key, due: float) -> None:
        self._due[key] = due
        if key not in self._active:
            heapq.heappush(self._heap, (due, key))


class Queue:
    """Runs `work` on the keys of a Schedule, WORKERS at a time.

    `work` gives seconds after which to look again, or None. What it raises is logged and tried again later; an
    attribute `retry_after` of the exception, in seconds, is respected. `on_error` hears of each failure.
    """

    def __init__(
        self, work: Callable[[Key], Awaitable[float | None]], on_error: Callable[[Key], None] = lambda _: None
    ) -> None:
        self._work, self._on_error = work, on_error
        self._schedule = Schedule()
        self._woken = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._schedule)

    def add(self, key: Key, after: float = 0.0) -> None:
        self._schedule.add(key, self._now(), after)
        self._woken.set()

    def put_off(self, key: Key, quiet: float, cap: float) -> None:
        self._schedule.put_off(key, self._now(), quiet, cap)
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled, and let no key's work outlive it."""
        try:
            while True:
                self._woken.clear()
                self._start()
                due = self._schedule.next() if len(self._running) < WORKERS else None
                await self._wait(None if due is None else max(0.0, due - self._now()))
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _start(self) -> None:
        while len(self._running) < WORKERS and (key := self._schedule.take(self._now())):
            task = asyncio.create_task(self._one(key), name=f"{key.kind} {key.namespace}/{key.name}")
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._woken.set()

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _one(self, key: Key) -> None:
        try:
            again = await self._work(key)
        except Exception as error:  # noqa: BLE001 - a key's trouble must not stop the others: it is logged, counted and tried again
            self._failed(key, error)
            return
        self._schedule.done(key, self._now())
        if again is not None:
            self.add(key, again)

    def _failed(self, key: Key, error: Exception) -> None:
        jitter = random.uniform(0.7, 1.3)  # noqa: S311 - spreads retries, guards nothing
        after = float(getattr(error, "retry_after", 0.0))
        delay = self._schedule.done(key, self._now(), failed=True, after=after, jitter=jitter)
        self._on_error(key)
        known = hasattr(error, "status")  # an answer of the API server: its text says all
        log.warning("%s %s/%s: %s; again in %.1f s", *key, error, delay, exc_info=None if known else error)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
