"""Cooldowns: scope, length, trials."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.exchange import Failure, FailureKind
from pointsman.failover.health import TRIAL, Health
from pointsman.failover.policy import LONGEST
from pointsman.table import Breaker

BREAKER = Breaker()
ERROR = Failure(FailureKind.SERVER_ERROR)


def failed(health: Health, kind: str = "ServerError", now: float = 0.0, model: str = "m", **more: float) -> float:
    return health.failed("p", model, Failure(FailureKind(kind), **more), BREAKER, now)  # type: ignore[arg-type]


def test_cooldowns_double_and_are_bounded() -> None:
    """5 s, 10 s, 20 s … 300 s, and back to 5 s after a success."""
    health, now, seen = Health(), 0.0, []
    for _ in range(9):
        seen.append(failed(health, now=now))
        now = health.until("p", "m")
    assert seen == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    health.succeeded("p", "m")
    assert failed(health, now=now) == 5


def test_a_burst_is_one_fault() -> None:
    """Fifty streams that die together open it once."""
    health = Health()
    assert {failed(health, now=1.0) for _ in range(50)} == {5.0}
    assert health.until("p", "m") == 6.0


def test_some_failures_in_a_row_open_it() -> None:
    """With a breaker of three, two failures do nothing, and a success starts over."""
    health, breaker = Health(), Breaker(consecutive_failures=3)
    assert [health.failed("p", "m", ERROR, breaker, 0.0) for _ in range(3)] == [0, 0, 5]
    health.succeeded("p", "m")
    assert health.failed("p", "m", ERROR, breaker, 9.0) == 0


@pytest.mark.parametrize(
    ("kind", "retry_after", "seconds"),
    [("RateLimited", 7, 7), ("RateLimited", 0, 30), ("RateLimited", 1e9, 86_400), ("ServerError", 60, 60),
     ("ModelNotFound", 0, 300), ("Authentication", 0, 600), ("Timeout", 0, 5), ("ConnectFailure", 0, 5)],
)  # fmt: skip
def test_how_long(kind: str, retry_after: float, seconds: float) -> None:
    """Retry-After is honoured; keys and missing models do not mend themselves in seconds."""
    assert failed(Health(), kind, retry_after=retry_after) == seconds


@pytest.mark.parametrize("kind", ["ContextLengthExceeded", "BadRequest", "ContentPolicy"])
def test_what_speaks_of_the_request_cools_nothing(kind: str) -> None:
    """Context, format and content errors are not the target's fault."""
    health = Health()
    assert failed(health, kind) == 0
    assert not health.entries


def test_scopes() -> None:
    """A missing model leaves its siblings alone; a bad key is the whole provider's; another provider's is another."""
    health = Health()
    failed(health, "ModelNotFound")
    assert health.cooling("p", "m", 1.0) is FailureKind.MODEL_NOT_FOUND
    assert health.cooling("p", "sibling", 1.0) is None
    failed(health, "Authentication")
    assert health.cooling("p", "sibling", 1.0) is FailureKind.AUTHENTICATION
    assert health.cooling("q", "m", 1.0) is None
    health.forget("p")
    assert health.cooling("p", "m", 1.0) is None


def test_half_open_lets_one_through() -> None:
    """When its time is over, one trial holds the others back; its failure cools for longer, its success opens all."""
    health = Health()
    failed(health)
    assert health.cooling("p", "m", 5.0) is None
    health.tried("p", "m", 5.0)
    assert health.cooling("p", "m", 5.1) is FailureKind.SERVER_ERROR
    failed(health, now=6.0)
    assert health.until("p", "m") == 16.0
    health.tried("p", "m", 16.0)
    health.succeeded("p", "m")
    assert health.cooling("p", "m", 16.1) is None


def test_a_trial_that_never_ends_holds_nobody_for_ever() -> None:
    """The client left, or the trial hangs."""
    health = Health()
    failed(health)
    health.tried("p", "m", 5.0)
    health.released("p", "m")
    assert health.cooling("p", "m", 5.1) is None
    health.tried("p", "m", 5.0)
    assert health.cooling("p", "m", 5.0 + TRIAL) is None


@given(st.lists(st.tuples(st.sampled_from(list(FailureKind)), st.floats(0, 1000), st.floats(0, 1000)), max_size=20))
def test_the_longest_deadline_wins(script: list[tuple[FailureKind, float, float]]) -> None:
    """A further failure never shortens a cooldown, and transient ones are bounded."""
    health, now = Health(), 0.0
    for kind, wait, retry_after in script:
        now += wait
        before = health.until("p", "m")
        seconds = health.failed("p", "m", Failure(kind, "", 0, retry_after), BREAKER, now)
        assert health.until("p", "m") >= before
        assert kind in {FailureKind.AUTHENTICATION, FailureKind.RATE_LIMITED} or seconds <= LONGEST
        assert not seconds or health.until("p", "m") >= now + seconds
    assert {key for key, _ in health.open(now)} <= set(health.entries)


@pytest.mark.parametrize(
    ("kind", "cools"),
    [
        ("ConnectFailure", False),
        ("Timeout", False),
        ("ServerError", False),
        ("RateLimited", True),
        ("Authentication", True),
    ],
)
def test_a_provider_whose_probes_succeed_again_may_be_tried_at_once(kind: str, cools: bool) -> None:
    """What failed because it was down is over; a rate limit or a refused key is not."""
    health = Health()
    failed(health, kind)
    health.recovered("p")
    assert (health.cooling("p", "m", 0.1) is not None) == cools


def test_the_recovery_of_one_provider_is_not_that_of_another() -> None:
    """Each has its own probes."""
    health = Health()
    failed(health)
    health.recovered("q")
    assert health.cooling("p", "m", 0.1) is FailureKind.SERVER_ERROR
