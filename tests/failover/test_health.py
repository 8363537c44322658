"""Cooldowns: scope, length, trials."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.exchange import Failure, FailureKind
from pointsman.failover.choose import Need, order, survey
from pointsman.failover.health import SECOND_OPINION, TRIAL, Health
from pointsman.failover.policy import LONGEST
from pointsman.names import Dialect
from pointsman.table import Breaker, Policy, Provider, Route, Target

BREAKER = Breaker()
ERROR = Failure(FailureKind.SERVER_ERROR)


def failed(health: Health, kind: str = "ServerError", now: float = 0.0, model: str = "m", **more: float) -> float:
    return health.failed("p", model, Failure(FailureKind(kind), **more), BREAKER, now)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "ladder"),
    [("ServerError", [5, 10, 20, 20, 20, 20, 20, 20]), ("ConnectFailure", [5, 10, 20, 20, 20, 20, 20, 20]),
     ("Timeout", [5, 10, 20, 40, 80, 160, 300, 300]), ("InvalidResponse", [5, 10, 20, 40, 80, 160, 300, 300]),
     ("RateLimited", [30, 60, 120, 240, 300]), ("Authentication", [600, 1200, 2400, 3600, 3600]),
     ("ModelLoading", [2, 2, 2, 2]), ("ModelNotFound", [300, 300])],
)  # fmt: skip
def test_cooldowns_climb_and_are_bounded(kind: str, ladder: list[float]) -> None:
    """Each kind its own ladder, which a success takes it down from."""
    health, now, seen = Health(), 0.0, []
    for _ in ladder:
        seen.append(failed(health, kind, now=now))
        now = health.until("p", "m")
    assert seen == ladder
    health.succeeded("p", "m")
    assert failed(health, kind, now=now) == ladder[0]


def test_what_is_back_is_used_again_within_30_s_however_long_it_was_away() -> None:
    """A request every four seconds at a target that answers 503 for so long (scenario S15)."""
    for away in (10, 60, 300, 3000):
        health, now = Health(), 0.0
        while now < away or health.cooling("p", "m", now) is not None:
            if health.cooling("p", "m", now) is None:
                failed(health, now=now)
            now += 4.0
        assert now - away < 30


def test_each_kind_climbs_a_ladder_of_its_own() -> None:
    """A long run of quick refusals is no reason to leave a target alone for minutes because of one slow answer."""
    health, now = Health(), 0.0
    for _ in range(9):
        failed(health, now=now)
        now = health.until("p", "m")
    assert failed(health, "Timeout", now=now) == 5


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
     ("ModelNotFound", 0, 300), ("Authentication", 0, 600), ("Timeout", 0, 5), ("ConnectFailure", 0, 5),
     ("ModelLoading", 0, 2), ("ModelLoading", 5, 5), ("ModelLoading", 60, 10)],
)  # fmt: skip
def test_how_long(kind: str, retry_after: float, seconds: float) -> None:
    """Retry-After is honoured; keys and missing models do not mend themselves in seconds."""
    assert failed(Health(), kind, retry_after=retry_after) == seconds


@pytest.mark.parametrize("kind", ["ContextLengthExceeded", "BadRequest", "ContentPolicy", "Diverged", "Busy"])
def test_what_speaks_of_the_request_cools_nothing(kind: str) -> None:
    """Context, format and content errors are not the target's fault."""
    health = Health()
    assert failed(health, kind) == 0
    assert not health.entries


def test_scopes() -> None:
    """A missing model leaves its siblings alone; a bad key is the whole provider's; another provider's is another."""
    health = Health()
    for kind in ("ModelNotFound", "ServerError", "Timeout", "InvalidResponse", "RateLimited", "ModelLoading"):
        health = Health()
        failed(health, kind)
        assert health.cooling("p", "m", 1.0) is FailureKind(kind)
        assert health.cooling("p", "sibling", 1.0) is None
    failed(health, "Authentication")
    assert health.cooling("p", "sibling", 1.0) is FailureKind.AUTHENTICATION
    assert health.cooling("q", "m", 1.0) is None
    health.forget("p")
    assert health.cooling("p", "m", 1.0) is None
    failed(health, "ConnectFailure")
    assert health.cooling("p", "sibling", 1.0) is FailureKind.CONNECT_FAILURE


def test_a_cut_connection_is_no_refused_one() -> None:
    """What breaks off may be the model's fault: its siblings are still asked."""
    for more in ({"reached": True}, {"status": 200}):
        health = Health()
        reached = more.pop("reached", False)
        failure = Failure(FailureKind.CONNECT_FAILURE, **more)
        health.failed("p", "m", failure, BREAKER, 0.0, reached=bool(reached))
        assert health.cooling("p", "m", 1.0) is FailureKind.CONNECT_FAILURE
        assert health.cooling("p", "sibling", 1.0) is None


def test_each_scope_ends_by_its_own_proof() -> None:
    """A bad key and a dead endpoint are two things: the answer that refuses a key proves that somebody is there."""
    health = Health()
    failed(health, "ConnectFailure")
    assert [(target, entry.cause) for target, entry in health.open(1.0)] == [(("p", ""), FailureKind.CONNECT_FAILURE)]
    failed(health, "Authentication", now=5.0, status=401)
    assert [(target, entry.cause) for target, entry in health.open(6.0)] == [(("p", ""), FailureKind.AUTHENTICATION)]
    failed(health, "ConnectFailure", now=6.0)
    assert len(list(health.open(6.0))) == 2
    health.recovered("p", 7.0)
    assert health.cooling("p", "m", 7.0) is FailureKind.AUTHENTICATION


def test_a_key_that_is_good_for_a_sibling_is_good() -> None:
    """Then it is the one model that it may not use: that one stays alone, and no longer the others."""
    health = Health()
    failed(health, "Authentication", status=401)
    assert health.cooling("p", "sibling", SECOND_OPINION - 0.1) is FailureKind.AUTHENTICATION
    assert health.cooling("p", "sibling", SECOND_OPINION) is None
    assert health.cooling("p", "m", SECOND_OPINION) is FailureKind.AUTHENTICATION
    health.tried("p", "sibling", SECOND_OPINION)
    assert health.cooling("p", "third", SECOND_OPINION) is FailureKind.AUTHENTICATION
    health.succeeded("p", "sibling", SECOND_OPINION)
    assert health.cooling("p", "third", SECOND_OPINION) is None
    assert health.cooling("p", "m", SECOND_OPINION) is FailureKind.AUTHENTICATION
    failed(health, "Authentication", now=600.0, status=401)
    assert health.cooling("p", "third", 601.0) is None


def test_a_key_that_two_models_were_refused_for_is_bad() -> None:
    """No more second opinions are asked for."""
    health = Health()
    failed(health, "Authentication", status=401)
    failed(health, "Authentication", now=SECOND_OPINION, model="sibling", status=401)
    assert health.cooling("p", "third", 2.5 * SECOND_OPINION) is FailureKind.AUTHENTICATION


def test_a_403_speaks_of_the_model() -> None:
    """Vendors say so of a model that a good key may not use."""
    health = Health()
    failed(health, "Authentication", status=403)
    assert health.cooling("p", "m", 599.0) is FailureKind.AUTHENTICATION
    assert health.cooling("p", "sibling", 1.0) is None


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


@given(
    st.lists(
        st.tuples(st.sampled_from(list(FailureKind)), st.floats(0, 1000), st.just(0) | st.floats(0.01, 1000)),
        max_size=20,
    )
)
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
        assert not seconds or health.cooling("p", "m", now) is not None
    assert {target for target, _ in health.open(now)} <= {("p", "m"), ("p", "")}


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


def test_a_retry_after_outlives_the_answers_that_were_under_way() -> None:
    """What was asked before a 429 came proves nothing against it; what was asked after does."""
    health = Health()
    failed(health, "RateLimited", now=5.0, retry_after=60)
    health.succeeded("p", "m", 6.0, began=4.0)
    assert health.until("p", "m") == 65.0
    health.succeeded("p", "m", 66.0, began=65.0)
    assert not health.entries


_STEPS = st.lists(st.tuples(st.sampled_from(["try", "try", "release", "fail", "wrong"]), st.floats(0, 8)), max_size=60)


@given(st.integers(1, 4), _STEPS)
def test_never_more_trials_in_flight_than_half_open_allows(half_open: int, steps: list[tuple[str, float]]) -> None:
    """Whatever becomes of them, and of what was under way before; and a place that is given back can be had again."""
    health, now, flying = Health(), 0.0, [-1.0]
    breaker = Breaker(half_open=half_open)
    health.failed("p", "m", ERROR, breaker, now)
    for step, wait in steps:
        now += wait
        ready = health.cooling("p", "m", now) is None
        alive = sum(0 <= now - began < TRIAL for began in flying if began >= 0)
        if step == "try":
            assert not ready or alive < half_open
            assert ready or now < health.until("p", "m") or alive >= half_open
            if ready:
                assert health.tried("p", "m", now)
                flying.append(now)
        elif flying:
            began = flying.pop(0)
            if step == "release":
                health.released("p", "m", began)
            else:
                kind = FailureKind.SERVER_ERROR if step == "fail" else FailureKind.BAD_REQUEST
                health.failed("p", "m", Failure(kind), breaker, now, began=began)


def test_what_was_down_is_returning_until_it_has_been_well_for_long_enough() -> None:
    """By its own answers, or by its probes; a rate limit was no absence, and a further failure starts anew."""
    health = Health()
    failed(health)
    assert not health.returning("p", "m", 1.0, 30.0)
    health.succeeded("p", "m", 10.0)
    assert [health.returning("p", "m", now, 30.0) for now in (10.0, 39.0, 40.0)] == [True, True, False]
    assert not health.recoveries
    failed(health, "ConnectFailure", now=50.0)
    health.recovered("p", 60.0)
    assert health.returning("p", "m", 61.0, 30.0)
    assert not health.returning("p", "m", 61.0, 0.5)
    failed(health, "ConnectFailure", now=62.0)
    assert not health.returning("p", "m", 70.0, 30.0)
    health = Health()
    failed(health, "RateLimited")
    health.succeeded("p", "m", 10.0)
    assert not health.returning("p", "m", 11.0, 30.0)


def test_what_is_returning_comes_after_the_ready_ones() -> None:
    """For as long as the route says; a route that says nothing has it back in its place at once."""
    providers = {
        name: Provider(name=name, type="VLLM", base_url="http://x", api=tuple(Dialect), state=state)
        for name, state in (("p", "Up"), ("q", "Up"), ("r", "Down"))
    }
    targets = tuple(Target(provider=name, model="m") for name in providers)
    health = Health()
    failed(health)
    health.succeeded("p", "m", 10.0)

    def asked(return_after: float, now: float) -> list[str]:
        route = Route(name="way", model_name="way", targets=targets, policy=Policy(return_after=return_after))
        found = order(survey(route, providers, Need(Dialect.CHAT)), health, now)
        assert (found.limit, found.cooling) == (3, ())
        return [candidate.provider.name for candidate in found.candidates]

    assert asked(0.0, 11.0) == ["p", "q", "r"]
    assert asked(30.0, 11.0) == ["q", "p", "r"]
    assert asked(30.0, 40.0) == ["p", "q", "r"]
