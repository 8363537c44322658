"""What failures lead to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.exchange import Failure, FailureKind
from pointsman.failover.policy import (
    AUTHENTICATION_LONGEST,
    LONGEST,
    QUICKLY_FOUND,
    RETRY_AFTER_LONGEST,
    Scope,
    advances,
    cooldown,
    scope,
)
from pointsman.table import Breaker, Policy

NEVER = {FailureKind.BAD_REQUEST, FailureKind.CONTENT_POLICY, FailureKind.DIVERGED, FailureKind.OVERTAKEN}
MOST = {
    FailureKind.CONNECT_FAILURE: LONGEST,  # what a Retry-After says; else QUICKLY_FOUND
    FailureKind.SERVER_ERROR: LONGEST,
    FailureKind.TIMEOUT: LONGEST,
    FailureKind.INVALID_RESPONSE: LONGEST,
    FailureKind.MODEL_NOT_FOUND: LONGEST,
    FailureKind.MODEL_LOADING: 10.0,
    FailureKind.RATE_LIMITED: RETRY_AFTER_LONGEST,
    FailureKind.AUTHENTICATION: AUTHENTICATION_LONGEST,
}


def test_what_advances() -> None:
    """All but what would be wrong everywhere, and what is an answer."""
    assert {kind for kind in FailureKind if not advances(Failure(kind), Policy())} == NEVER


def test_a_loading_model_is_a_server_error_to_the_policy() -> None:
    """Whoever does not fail over on server errors waits for it."""
    failure = Failure(FailureKind.MODEL_LOADING)
    assert advances(failure, Policy(failover_on=("ServerError",)))
    assert not advances(failure, Policy(failover_on=("Timeout",)))


def test_a_target_at_the_gateways_own_limit_was_not_asked() -> None:
    """So nothing failed, and the next one is tried whatever the policy says."""
    assert advances(Failure(FailureKind.BUSY), Policy(failover_on=()))


@pytest.mark.parametrize(
    ("failure", "reached", "expected"),
    [
        (Failure(FailureKind.CONNECT_FAILURE), False, Scope.ENDPOINT),
        (Failure(FailureKind.CONNECT_FAILURE), True, Scope.MODEL),
        (Failure(FailureKind.CONNECT_FAILURE, status=200), False, Scope.MODEL),
        (Failure(FailureKind.AUTHENTICATION, status=401), True, Scope.KEY),
        (Failure(FailureKind.AUTHENTICATION, status=402), True, Scope.KEY),
        (Failure(FailureKind.AUTHENTICATION, status=403), True, Scope.MODEL),
        (Failure(FailureKind.TIMEOUT), True, Scope.MODEL),
        (Failure(FailureKind.BAD_REQUEST, status=403), True, Scope.NOTHING),
        (Failure(FailureKind.DIVERGED, status=200), True, Scope.NOTHING),
    ],
)
def test_scopes(failure: Failure, reached: bool, expected: Scope) -> None:
    """The endpoint's, the key's, the model's, or the request's own."""
    assert scope(failure, reached=reached) is expected


@given(st.sampled_from(sorted(MOST)), st.floats(0, 1e6), st.integers(1, 9), st.integers(0, 99))
def test_cooldowns_are_bounded(kind: FailureKind, retry_after: float, failures: int, opened: int) -> None:
    """By each kind's own bound; they never get shorter on the way up."""
    failure = Failure(kind, retry_after=retry_after)
    seconds = cooldown(failure, Breaker(), failures, opened)
    assert 0 < seconds <= MOST[kind]
    assert cooldown(failure, Breaker(), failures, opened + 1) >= seconds


@given(st.sampled_from(["ConnectFailure", "ServerError"]), st.integers(0, 99))
def test_what_is_found_out_at_once_is_asked_again_soon(kind: str, opened: int) -> None:
    """To ask costs a client nothing; a breaker that says more is obeyed."""
    assert cooldown(Failure(FailureKind(kind)), Breaker(), 1, opened) <= QUICKLY_FOUND
    assert cooldown(Failure(FailureKind(kind)), Breaker(open_seconds=60.0), 1, opened) == 60.0


@given(st.integers(1, 9), st.integers(1, 9))
def test_so_many_in_a_row(failures: int, needed: int) -> None:
    """A breaker counts what may be a passing fault; what names its time, or does not pass, it does not."""
    breaker = Breaker(consecutive_failures=needed)
    assert bool(cooldown(Failure(FailureKind.SERVER_ERROR), breaker, failures, 0)) == (failures >= needed)
    assert cooldown(Failure(FailureKind.RATE_LIMITED, retry_after=7), breaker, failures, 0) == 7
