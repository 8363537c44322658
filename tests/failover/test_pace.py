"""How long targets may take: never less than configured, more by what was measured, never without a bound."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.failover.choose import Candidate
from pointsman.failover.pace import HOSTED, LOAD, LOAD_LONGEST, LOCAL, SHORT, Pace
from pointsman.table import Model, Provider, Timeouts

TIMEOUTS = Timeouts()
FIRST = TIMEOUTS.first_token


def candidate(location: str = "OnPremises", *, loaded: bool | None = None) -> Candidate:
    provider = Provider(name="p", type="VLLM", base_url="http://p", api=(), location=location)
    return Candidate(provider, Model(id="m", loaded=loaded))


def first(pace: Pace, size: int, location: str = "OnPremises", *, loaded: bool | None = None) -> float:
    return pace.first_token_by(candidate(location, loaded=loaded), size, TIMEOUTS, 0.0)


def streamed(pace: Pace, size: int, seconds: float, *, tokens: int = 100, cold: bool = False, **more: float) -> None:
    pace.observed("p", "m", size, seconds, seconds + 10.0, tokens, cold, **more)


def test_a_short_prompt_has_exactly_what_is_configured() -> None:
    """A black hole must be found."""
    assert first(Pace(), SHORT - 1) == FIRST
    assert first(Pace(), SHORT - 1, loaded=True) == FIRST
    pace = Pace()
    streamed(pace, 50_000, 100.0)
    assert first(pace, SHORT - 1) == FIRST


@pytest.mark.parametrize(("location", "extra"), [("OnPremises", 10.0), ("InCluster", 10.0), ("External", 1.0)])
def test_a_longer_prompt_has_more_before_anything_was_measured(location: str, extra: float) -> None:
    """800 bytes a second near, 8000 far away."""
    assert first(Pace(), 8000, location) == FIRST + extra


@pytest.mark.parametrize(("location", "most"), [("OnPremises", 120.0), ("External", 30.0)])
def test_what_a_prompt_is_given_is_bounded(location: str, most: float) -> None:
    """Even at a target that was very slow once."""
    pace = Pace()
    assert first(pace, 10**8, location) == FIRST + most
    streamed(pace, 5000, 500.0)
    assert first(pace, 50_000, location) == FIRST + most


def test_a_slow_machine_is_given_twice_what_it_takes() -> None:
    """40 s for 20 kB, so 80 s for as much again, and the answer to a short one is not counted as reading."""
    pace = Pace()
    streamed(pace, 100, 2.0)
    streamed(pace, 20_000, 42.0)
    assert first(pace, 20_000) == pytest.approx(FIRST + 80.0)
    assert first(pace, 10_000) == pytest.approx(FIRST + 40.0)


def test_a_fast_machine_is_found_out_sooner() -> None:
    """40 kB a second."""
    pace = Pace()
    streamed(pace, 40_000, 1.0)
    assert first(pace, 40_000) == pytest.approx(FIRST + 2.0)


def test_what_the_cache_knew_was_not_read() -> None:
    """Nine tenths of 40 kB were in memory: 4 kB took that second. Where nobody says, one fast answer changes little."""
    told, untold = Pace(), Pace()
    streamed(told, 50_000, 1.0, cached=0.9)
    assert first(told, 50_000) == pytest.approx(FIRST + 20.0)
    streamed(untold, 20_000, 40.0)
    streamed(untold, 20_000, 0.1)
    assert first(untold, 20_000) > FIRST + 70.0


def test_a_pace_that_did_not_hold_is_thought_no_more() -> None:
    """After answers out of the cache, a prompt that is really read gets the time of an unknown target, and no more."""
    pace = Pace()
    streamed(pace, 50_000, 0.2)
    assert first(pace, 50_000) < FIRST + 1
    pace.missed(candidate())
    assert first(pace, 50_000) == FIRST + 62.5
    pace.missed(candidate())
    assert first(pace, 50_000) == FIRST + 62.5
    streamed(pace, 50_000, 100.0)
    pace.missed(candidate())
    assert first(pace, 50_000) == FIRST + 120.0


def test_a_cold_model_is_waited_for() -> None:
    """By what it took, and a half more; 30 s while nobody knows; never more than two minutes."""
    pace = Pace()
    assert (pace.eta("p", "m"), first(pace, 10, loaded=False)) == (LOAD, FIRST + 45.0)
    streamed(pace, 10, 20.0, cold=True)
    assert (pace.eta("p", "m"), first(pace, 10, loaded=False)) == (20.0, FIRST + 30.0)
    streamed(pace, 10, 0.3, cold=True)
    assert pace.eta("p", "m") == 20.0, "the table was old: it was loaded by then"
    streamed(pace, 10, 900.0, cold=True)
    assert first(pace, 10, loaded=False) == FIRST + LOAD_LONGEST
    assert first(pace, 10, loaded=True) == FIRST
    pace = Pace()
    pace.observed("p", "m", 10, 12.0, 12.0, 300, True)
    assert pace.eta("p", "m") == LOAD, "most of it may have been the writing"
    pace.observed("p", "m", 10, 12.0, 12.0, 1, True)
    assert pace.eta("p", "m") == 12.0, "one token, asked for to wake it"
    pace.forget("p")
    assert pace.eta("p", "m") == LOAD


def test_a_whole_answer_has_the_time_to_be_written() -> None:
    """The configured time, or what so many tokens take at its pace; not more than the request has left."""
    pace, target = Pace(), candidate()
    assert pace.whole_by(target, 10, 4000, TIMEOUTS, 0.0, inf) == FIRST + 60.0
    streamed(pace, 10, 0.5, tokens=200)  # in 10 s
    assert pace.whole_by(target, 10, 4000, TIMEOUTS, 0.0, inf) == FIRST + 250.0
    assert pace.whole_by(target, 10, 100, TIMEOUTS, 0.0, inf) == FIRST + 60.0
    assert pace.whole_by(target, 10, 4000, TIMEOUTS, 0.0, 90.0) == 90.0


def test_an_answer_that_was_not_streamed_says_how_fast_it_was_written() -> None:
    """It does not say when its first token was there."""
    pace = Pace()
    pace.observed("p", "m", 20_000, 50.0, 50.001, 100, False)
    assert first(pace, 20_000) == FIRST + 25.0
    assert pace.records["p", "m"].per_token == pytest.approx(0.5, rel=0.01)


_SEEN = st.tuples(st.integers(0, 10**7), st.floats(0, 1000), st.floats(0, 1000), st.integers(0, 10**5), st.booleans())
_PLACES = st.sampled_from(["InCluster", "OnPremises", "External"])


@given(
    st.lists(_SEEN, max_size=8), _PLACES, st.sampled_from([None, True, False]), st.integers(0, 10**7),
    st.integers(0, 10**7), st.integers(0, 10**6), st.floats(0, 1e6), st.booleans(),
)  # fmt: skip
def test_deadlines_grow_with_the_prompt_and_are_bounded(  # noqa: PLR0917 - all that they depend on
    seen: list[tuple[int, float, float, int, bool]], place: str, loaded: bool | None, size: int, more: int, tokens: int,
    now: float, missed: bool,
) -> None:  # fmt: skip
    """Whatever was measured: never below what is configured, never further than the bounds, later for longer ones."""
    pace, target = Pace(), candidate(place, loaded=loaded)
    for bytes_, began, wrote, output, cold in seen:
        pace.observed("p", "m", bytes_, began, began + wrote, output, cold)
    if missed:
        pace.missed(target)
    most = (HOSTED if place == "External" else LOCAL).most + (LOAD_LONGEST if loaded is False else 0.0)
    due = pace.first_token_by(target, size, TIMEOUTS, now)
    assert now + FIRST <= due <= now + FIRST + most + 1e-6
    assert pace.first_token_by(target, size + more, TIMEOUTS, now) >= due
    whole = pace.whole_by(target, size, tokens, TIMEOUTS, now, inf)
    assert whole >= due + TIMEOUTS.whole
    assert pace.whole_by(target, size, tokens, TIMEOUTS, now, 100.0) == min(whole, now + 100.0)
