"""What providers may be asked to bear, and who waits."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman import table
from pointsman.failover.limits import BOUND, MINUTE, Grant, Limits, Queue, Ticket, Window


def provider(**limits: int) -> table.Provider:
    bounds = table.Limits(**limits) if limits else None
    return table.Provider(name="p", type="VLLM", base_url="http://p", api=(), limits=bounds)


def bound(**limits: int) -> Limits:
    found = Limits()
    found.bind([provider(**limits)])
    return found


def test_without_limits_there_are_none() -> None:
    """No meter, no grant, nothing to settle."""
    limits = bound()
    assert limits.admits("p", 10**9, 0.0) == 0.0
    assert limits.take("p", 10**9, 0.0) is None
    assert not limits.done(None, 5, 1.0)
    assert not list(limits.running())


def test_so_many_at_a_time() -> None:
    """The next one when one has ended, and each ends once."""
    limits = bound(concurrent=2)
    first, second = limits.take("p", 0, 0.0), limits.take("p", 0, 0.0)
    assert limits.admits("p", 0, 0.0) == inf
    assert limits.done(first, -1, 1.0)
    assert limits.admits("p", 0, 1.0) == 0.0
    assert not limits.done(first, -1, 1.0)
    assert list(limits.running()) == [("p", 1)]
    assert limits.done(second, -1, 1.0)


def test_so_many_a_minute() -> None:
    """A burst of all of them is allowed; after it the wait is told to the second."""
    limits = bound(requests_per_minute=3)
    for at in (0.0, 2.0, 4.0):
        assert limits.admits("p", 0, at) == 0.0
        limits.take("p", 0, at)
    assert limits.admits("p", 0, 10.0) == 50.0
    assert limits.admits("p", 0, 60.0) == 0.0


def test_estimated_tokens_are_settled() -> None:
    """What was thought too many is given back, what was too few is taken; who does not know leaves it as it was."""
    limits = bound(tokens_per_minute=1000)
    grant = limits.take("p", 900, 0.0)
    assert limits.admits("p", 200, 1.0) == 59.0
    limits.done(grant, 100, 1.0)
    assert limits.admits("p", 900, 1.0) == 0.0
    limits.done(limits.take("p", 100, 2.0), 1000, 3.0)
    assert limits.admits("p", 1, 3.0) > 0
    limits = bound(tokens_per_minute=1000)
    limits.done(limits.take("p", 900, 0.0), -1, 1.0)
    assert limits.admits("p", 200, 1.0) == 59.0


def test_more_than_the_limit_must_be_alone() -> None:
    """A request that is larger than a minute's worth would else wait for ever."""
    limits = bound(tokens_per_minute=1000)
    assert limits.admits("p", 5000, 0.0) == 0.0
    limits.take("p", 1, 0.0)
    assert limits.admits("p", 5000, 0.0) == MINUTE


def test_a_new_table_keeps_what_was_counted() -> None:
    """Other limits hold at once; a provider that has gone is forgotten, and its requests end in peace."""
    limits = bound(concurrent=1)
    grant = limits.take("p", 0, 0.0)
    limits.bind([provider(concurrent=2)])
    assert limits.admits("p", 0, 0.0) == 0.0
    limits.take("p", 0, 0.0)
    assert limits.admits("p", 0, 0.0) == inf
    limits.bind([])
    assert limits.admits("p", 0, 0.0) == 0.0
    assert limits.done(grant, 5, 1.0)


@given(
    st.integers(1, 4),
    st.integers(1, 20),
    st.integers(1, 1000),
    st.lists(
        st.tuples(
            st.floats(0, 20),
            st.integers(1, 400),
            st.one_of(st.none(), st.tuples(st.integers(0, 9), st.integers(-1, 800))),
        ),
        max_size=80,
    ),
)
def test_no_limit_is_ever_passed(
    concurrent: int, requests: int, tokens: int, script: list[tuple[float, int, tuple[int, int] | None]]
) -> None:
    """Never more at a time, and in no stretch of a minute more requests or tokens than may be, but for one alone."""
    limits = bound(concurrent=concurrent, requests_per_minute=requests, tokens_per_minute=tokens)
    now, flying, sent = 0.0, list[Grant](), list[tuple[float, int]]()
    for pause, size, ended in script:
        now += pause
        wait = limits.admits("p", size, now)
        assert wait >= 0
        if wait == 0:
            grant = limits.take("p", size, now)
            assert grant is not None
            flying.append(grant)
            sent.append((now, size))
        elif wait < inf and len(flying) < concurrent:
            assert limits.admits("p", size, now + wait + 1e-6) == 0.0
            now += wait + 1e-6
        assert len(flying) <= concurrent
        if ended is not None and flying:
            grant = flying.pop(ended[0] % len(flying))
            assert limits.done(grant, min(ended[1], grant.tokens) if ended[1] < 0 else grant.tokens, now)
            assert not limits.done(grant, 0, now)
    for end, _ in sent:
        last = [size for at, size in sent if end - MINUTE < at <= end]
        assert len(last) <= requests
        assert sum(last) <= tokens or len(last) == 1


@given(
    st.integers(1, 100), st.lists(st.tuples(st.floats(0, 30), st.integers(1, 60), st.integers(-60, 60)), max_size=50)
)
def test_a_window_is_empty_after_a_minute(limit: int, script: list[tuple[float, int, int]]) -> None:
    """However it was corrected, nothing of it is left behind."""
    window, now = Window(limit), 0.0
    for pause, amount, surplus in script:
        now += pause
        slot = window.take(amount, now)
        assert slot is not None
        window.correct(slot, max(surplus, -amount), now)
    assert window.wait(limit, now + MINUTE + 1e-6) == 0.0


def test_first_come_first_served() -> None:
    """Who left is passed over."""
    queue = Queue()
    a, b, c = (queue.enter("p", float(i), 10.0) for i in range(3))
    assert a is not None
    assert b is not None
    assert (a.entered, a.until) == (0.0, 10.0)
    assert queue.leave(b)
    assert not queue.leave(b)
    assert queue.first("p") is a
    assert (queue.next("p"), queue.next("p"), queue.next("p")) == (a, c, None)
    assert not queue.leave(a)
    assert queue.next("q") is None
    assert list(queue.waiting()) == [("p", 0)]


def test_no_more_wait_than_the_bound() -> None:
    """One who leaves makes room; another key has its own."""
    queue = Queue()
    tickets = [queue.enter("p", 0.0, 10.0) for _ in range(BOUND)]
    assert queue.enter("p", 0.0, 10.0) is None
    assert queue.enter("q", 0.0, 10.0) is not None
    assert tickets[50] is not None
    queue.leave(tickets[50])
    assert queue.enter("p", 0.0, 10.0) is not None


def test_the_wait_is_told_by_the_pace_of_those_that_end() -> None:
    """Whoever would wait in vain is told so at once, and when it would not; somebody may always wait."""
    queue = Queue()
    assert queue.retry_after("p", 10.0) == 1
    for _ in range(9):
        queue.enter("p", 0.0, 100.0)
    for now in (2.0, 4.0, 6.0, 8.0):
        queue.done("p", now)
        queue.next("p")
    assert queue.wait("p") == pytest.approx(12.0)
    assert queue.enter("p", 8.0, 11.0) is None
    assert 1 <= queue.retry_after("p", 11.0) <= 3
    assert queue.retry_after("p", 2.0) >= 10
    while queue.next("p"):
        pass
    assert queue.enter("p", 8.0, 0.5) is not None


def test_idle_time_is_no_pace() -> None:
    """Only what ends while others wait says how fast places become free."""
    queue = Queue()
    queue.done("p", 0.0)
    queue.enter("p", 0.0, 9.0)
    queue.done("p", 1.0)
    queue.next("p")
    queue.enter("p", 1000.0, 9.0)
    queue.done("p", 1001.0)
    assert queue.wait("p") == 0.0


@given(
    st.integers(1, 5),
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from(["come", "come", "leave", "late", "end"]), st.integers(0, 9), st.floats(0, 3))),
)
def test_no_ticket_is_lost(most: int, concurrent: int, script: list[tuple[str, int, float]]) -> None:
    """Whatever the order of coming, leaving, losing patience and ending: each is served once, in order, or has left."""
    limits, queue, now = bound(concurrent=concurrent), Queue(most), 0.0
    flying, waiting, served = list[Grant | None](), list[Ticket](), list[Ticket]()
    for act, which, pause in script:
        now += pause
        if act == "come":
            if not waiting and limits.admits("p", 1, now) == 0.0:
                flying.append(limits.take("p", 1, now))
            elif (ticket := queue.enter("p", now, 100.0)) is not None:
                waiting.append(ticket)
            else:
                assert waiting
        elif act == "end" and flying:
            limits.done(flying.pop(which % len(flying)), 1, now)
            queue.done("p", now)
            if (following := queue.next("p")) is not None:
                assert following is waiting.pop(0)
                served.append(following)
                assert limits.admits("p", 1, now) == 0.0
                flying.append(limits.take("p", 1, now))
        elif waiting and act == "leave":
            assert queue.leave(waiting.pop(which % len(waiting)))
        elif act == "late":
            for ticket in [ticket for ticket in waiting if ticket.until <= now]:
                assert queue.leave(ticket)
                waiting.remove(ticket)
        assert len(flying) <= concurrent
        assert dict(queue.waiting()).get("p", 0) == len(waiting) <= most
        assert not waiting or len(flying) == concurrent
        assert queue.first("p") is (waiting[0] if waiting else None)
    assert len({id(ticket) for ticket in served}) == len(served)
