"""The schedule of keys: each once, never twice at a time, later after failures."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.controller.queue import WORKERS, Key, Queue, Schedule

A, B = Key("provider", "ns", "a"), Key("provider", "ns", "b")
KEYS = st.sampled_from([A, B, Key("namespace", "ns")])


def test_a_key_that_is_asked_for_twice_is_worked_on_once() -> None:
    """Adding is idempotent, and the earlier time wins."""
    schedule = Schedule()
    schedule.add(A, now=0, after=5)
    schedule.add(A, now=0, after=1)
    schedule.add(A, now=0, after=9)
    assert schedule.take(0.9) is None
    assert schedule.take(1) == A
    schedule.done(A, 1)
    assert schedule.next() is None


def test_a_key_is_never_worked_on_twice_at_a_time() -> None:
    """What is added while it is worked on comes back after `done`."""
    schedule = Schedule()
    schedule.add(A, now=0)
    assert schedule.take(0) == A
    schedule.add(A, now=0)
    assert schedule.take(0) is None
    schedule.done(A, 0)
    assert schedule.take(0) == A


def test_failures_come_back_later_and_later() -> None:
    """The delay doubles up to a minute, respects what the server asked for, and success forgets it."""
    schedule = Schedule()
    delays = []
    for _ in range(12):
        schedule.add(A, now=0)
        assert schedule.take(1e9)
        delays.append(schedule.done(A, 0, failed=True))
    assert delays[:4] == [0.2, 0.4, 0.8, 1.6]
    assert delays[-1] == 60.0
    assert schedule.take(1e9)
    assert schedule.done(A, 0) == 0.0
    schedule.add(A, now=0)
    assert schedule.take(1e9)
    assert schedule.done(A, 0, failed=True, after=30) == 30


def test_a_key_that_is_put_off_waits_for_quiet_but_not_for_ever() -> None:
    """Each request postpones it by `quiet`, at most to `cap` after the first."""
    schedule = Schedule()
    for now in (0.0, 0.1, 0.2):
        schedule.put_off(A, now, quiet=0.15, cap=1.0)
    assert schedule.next() == pytest.approx(0.35)
    for tenth in range(3, 12):
        schedule.put_off(A, tenth / 10, quiet=0.15, cap=1.0)
    assert schedule.next() == pytest.approx(1.0)
    assert schedule.take(1.0) == A
    schedule.done(A, 1.0)
    schedule.put_off(A, 2.0, quiet=0.15, cap=1.0)
    assert schedule.next() == pytest.approx(2.15), "a new burst has a cap of its own"


@given(
    st.lists(st.tuples(st.sampled_from(["add", "put_off", "take", "done", "fail"]), KEYS, st.floats(0, 3)), max_size=60)
)
def test_no_key_that_was_asked_for_is_ever_lost(steps: list[tuple[str, Key, float]]) -> None:
    """After any history, every key that was added since its last turn began is due at some time, and nobody else is."""
    schedule, wanted, active, now = Schedule(), set[Key](), set[Key](), 0.0
    for action, key, seconds in steps:
        now += seconds
        if action == "add":
            schedule.add(key, now, seconds)
            wanted.add(key)
        elif action == "put_off":
            schedule.put_off(key, now, 0.1, 1.0)
            wanted.add(key)
        elif action == "take":
            if taken := schedule.take(now):
                assert taken in wanted
                assert taken not in active
                wanted.discard(taken)
                active.add(taken)
        elif key in active:
            schedule.done(key, now, failed=action == "fail")
            active.discard(key)
            if action == "fail":
                wanted.add(key)
    for key in active:
        schedule.done(key, now)
    rest = set()
    while (due := schedule.next()) is not None:
        taken = schedule.take(due)
        assert taken is not None
        rest.add(taken)
        schedule.done(taken, due)
    assert rest == wanted


async def test_a_worker_failure_is_counted_and_tried_again() -> None:
    """One key's trouble stops neither that key nor the others."""
    seen, errors, done = [], [], asyncio.Event()

    async def work(key: Key) -> float | None:
        seen.append(key)
        if key == A and seen.count(A) == 1:
            raise ValueError("broken")
        if key == A:
            done.set()
        return None

    queue = Queue(work, errors.append)
    queue.add(A)
    queue.add(B)
    task = asyncio.create_task(queue.run())
    await asyncio.wait_for(done.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (seen.count(A), seen.count(B), errors) == (2, 1, [A])


async def test_at_most_so_many_keys_are_worked_on_at_once() -> None:
    """The others wait for a worker, and each gets its turn."""
    now = most = finished = 0
    all_done = asyncio.Event()

    async def work(_: Key) -> None:
        nonlocal now, most, finished
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        finished += 1
        if finished == 3 * WORKERS:
            all_done.set()

    queue = Queue(work)
    for number in range(3 * WORKERS):
        queue.add(Key("provider", "ns", str(number)))
    task = asyncio.create_task(queue.run())
    await asyncio.wait_for(all_done.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert most == WORKERS


async def test_a_key_may_ask_to_be_looked_at_again() -> None:
    """The seconds that the work returns bring the key back."""
    turns, twice = 0, asyncio.Event()

    async def work(_: Key) -> float | None:
        nonlocal turns
        turns += 1
        if turns == 2:
            twice.set()
        return 0.01

    queue = Queue(work)
    queue.add(A)
    task = asyncio.create_task(queue.run())
    await asyncio.wait_for(twice.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
