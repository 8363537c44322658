"""How many replicas: what the spec says, what demand says, and that neither makes an engine come and go."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.worlds import deployed
from pointsman.api.provider import ModelProviderSpec
from pointsman.fleet.scale import Scale, decide, ready_for, refusals, sleeping, table_reason
from pointsman.fleet.world import Demand

HOUR = 3600.0
NOW = "2026-11-21T10:00:00Z"


def spec(**deploy: Any) -> ModelProviderSpec:
    """`suspend=` is the provider's own; `idle` and `least` are of its scaling."""
    suspend, idle, least = (
        deploy.pop(key, default) for key, default in (("suspend", False), ("idle", None), ("least", 0))
    )
    scaling = {"minReplicas": least} | ({"idle": idle} if idle else {})
    found = deployed("qwen", scaling=scaling, **deploy).spec
    assert found
    return found.model_copy(update={"suspend": suspend})


def plain(**deploy: Any) -> ModelProviderSpec:
    found = deployed("qwen", **deploy).spec
    assert found
    return found


def wanted(idle: float, in_flight: int = 0) -> Demand:
    return Demand(idle, wanted=True, in_flight=in_flight)


def quiet(idle: float, in_flight: int = 0) -> Demand:
    return Demand(idle, wanted=False, in_flight=in_flight)


def test_without_scaling_it_is_what_the_spec_says() -> None:
    """Whatever runs, and whoever asks."""
    for live in (None, 0, 5):
        for demand in (None, wanted(0), quiet(HOUR)):
            assert decide(plain(replicas=3), live, demand) == Scale(3)


def test_suspended_is_none() -> None:
    """Also while it answers: who suspends means it."""
    assert decide(spec(suspend=True), 1, wanted(0, in_flight=3)).replicas == 0
    assert not decide(spec(suspend=True), 1, None).idle_on_purpose


def test_none_in_the_spec_stays_none() -> None:
    """An order by `kubectl scale --replicas=0` is not overruled by demand."""
    assert decide(spec(replicas=0), 0, wanted(0)) == Scale(0)
    assert decide(spec(replicas=0, least=1), 1, wanted(0)) == Scale(0)


def test_it_is_made_with_all_its_replicas() -> None:
    """Whoever makes a provider wants to see it run."""
    assert decide(spec(replicas=2), None, None).replicas == 2
    assert decide(spec(replicas=2), None, quiet(24 * HOUR)).replicas == 2


def test_it_goes_when_nobody_has_asked_for_long_enough() -> None:
    """After 15 minutes unless said otherwise, and down to minReplicas; the message says why."""
    assert decide(spec(), 1, wanted(899)) == Scale(1, again=1.0)
    assert decide(spec(), 1, wanted(900)).replicas == 0
    assert decide(spec(idle="1h"), 1, quiet(900)) == Scale(1, again=2700.0)
    least = decide(spec(replicas=3, least=1, idle="2m"), 3, quiet(120))
    assert (least.replicas, least.idle_on_purpose, least.again) == (1, True, None)
    assert least.message == "no request for 2m: scaled to 1, and up again with the next request"


def test_a_request_wakes_it() -> None:
    """Up to all of `replicas`, until the idle time is over."""
    assert decide(spec(replicas=2), 0, wanted(3)) == Scale(2, again=897.0)
    assert decide(spec(replicas=3, least=1), 1, wanted(3)).replicas == 3


def test_silence_and_old_requests_wake_nothing() -> None:
    """Also where a gateway has just begun, and so is quiet for a short time only."""
    for demand in (quiet(1), quiet(HOUR), wanted(900), None):
        assert decide(spec(), 0, demand).replicas == 0


def test_what_is_not_known_changes_nothing() -> None:
    """Neither down nor up, and it is looked again; but what is up follows the spec."""
    assert decide(spec(), 1, None) == Scale(1, again=60.0)
    assert decide(spec(), 0, None).replicas == 0
    assert decide(spec(replicas=4), 2, None).replicas == 4


def test_the_idle_time_begins_when_it_is_ready() -> None:
    """Loading may take longer than that: it must not go while somebody waits for it, nor right after."""
    assert decide(spec(idle="1m"), 1, quiet(HOUR), ready_for=0.0) == Scale(1, again=60.0)
    assert decide(spec(idle="1m"), 1, quiet(HOUR), ready_for=20.0) == Scale(1, again=40.0)
    assert decide(spec(idle="1m"), 1, quiet(HOUR), ready_for=60.0).replicas == 0


def test_since_when_it_is_ready() -> None:
    """By its status, so that a new operator knows too."""
    since = {"type": "WorkloadReady", "status": "True", "lastTransitionTime": "2026-11-21T09:58:30Z"}
    assert ready_for({"conditions": [since]}, NOW) == 90.0
    assert ready_for({"conditions": [since | {"status": "False"}]}, NOW) == 0.0
    assert ready_for({}, NOW) == 0.0
    assert ready_for({"conditions": [since]}, "2026-11-21T09:00:00Z") == 0.0, "clocks may differ"


def test_what_the_status_and_the_table_say() -> None:
    """Asleep is not broken: demand starts it. What was scaled to zero by hand is none of that."""
    assert sleeping(spec(), 0)
    assert table_reason(spec(), 0, 0) == "ScaledToZero"
    assert table_reason(spec(), 1, 0) == "Waking"
    assert not table_reason(spec(), 1, 1)
    for other in (plain(replicas=0), spec(replicas=0), spec(least=1), spec(suspend=True)):
        assert not sleeping(other, 0)
        assert not table_reason(other, 0, 0)
    assert not sleeping(spec(), 1)
    assert not sleeping(spec(), None)


@pytest.mark.parametrize(
    ("deploy", "said"),
    [
        ({"least": 2}, "spec.deploy.scaling.minReplicas: 2 is more than spec.deploy.replicas (1)"),
        ({"idle": "59s"}, "spec.deploy.scaling.idle: 59s is less than 1m"),
        ({"idle": "500ms"}, "spec.deploy.scaling.idle: 500ms is less than 1m"),
    ],
)
def test_what_cannot_be_meant_is_refused(deploy: dict[str, Any], said: str) -> None:
    """With the place and the remedy."""
    found = spec(**deploy).deploy
    assert found
    (refusal,) = refusals(found)
    assert refusal.startswith(said)
    assert refusal.rpartition(": ")[2]


def test_what_is_sound_is_not_refused() -> None:
    """Scaled to zero by hand beside minReplicas is no mistake."""
    for sound in (plain(), spec(), spec(replicas=2, least=2), spec(idle="1m"), spec(replicas=0, least=1)):
        assert sound.deploy
        assert not list(refusals(sound.deploy))


IDLES = st.floats(0, 1e6, allow_nan=False)
REPLICAS = st.integers(0, 8)


@st.composite
def specs(draw: st.DrawFn) -> ModelProviderSpec:
    replicas = draw(REPLICAS)
    minutes = draw(st.integers(1, 60))
    return spec(replicas=replicas, least=draw(st.integers(0, replicas)), idle=f"{minutes}m")


@st.composite
def demands(draw: st.DrawFn) -> Demand | None:
    known = Demand(draw(IDLES), draw(st.booleans()), draw(st.integers(0, 3)))
    return draw(st.sampled_from([known, None]))


LIVE = st.none() | REPLICAS


@given(specs(), LIVE, demands(), IDLES | st.just(inf))
def test_it_is_always_one_of_two(
    found: ModelProviderSpec, live: int | None, demand: Demand | None, ready: float
) -> None:
    """All of the replicas or the least: nothing in between, and it says when it is to be asked again."""
    scale, deploy = decide(found, live, demand, ready), found.deploy
    assert deploy
    assert deploy.scaling
    assert scale.replicas in {deploy.replicas, deploy.scaling.min_replicas}
    assert scale.idle_on_purpose == bool(scale.message)
    assert scale.again is None or 0 < scale.again <= 3600


@given(specs(), REPLICAS, demands(), IDLES)
def test_a_live_request_never_loses_its_engine(
    found: ModelProviderSpec, live: int, demand: Demand | None, ready: float
) -> None:
    """While one is under way, or nobody knows, no replica goes but by the spec."""
    assert found.deploy
    if demand is None or demand.in_flight:
        assert decide(found, live, demand, ready).replicas >= min(live, found.deploy.replicas)


@given(specs(), LIVE, demands(), IDLES)
def test_nothing_flaps(found: ModelProviderSpec, live: int | None, demand: Demand | None, ready: float) -> None:
    """What was decided is decided again for the same demand; what has just been started is not ready yet."""
    first = decide(found, live, demand, ready).replicas
    started = live is None or first > live
    assert decide(found, first, demand, 0.0 if started else ready).replicas == first


@given(specs(), LIVE, demands(), IDLES, IDLES)
def test_more_silence_never_means_more_replicas(
    found: ModelProviderSpec, live: int | None, demand: Demand | None, ready: float, more: float
) -> None:
    """As time goes by without a request, it only goes down."""
    if demand is not None:
        later = Demand(demand.idle + more, demand.wanted, demand.in_flight)
        assert decide(found, live, later, ready + more).replicas <= decide(found, live, demand, ready).replicas


@given(specs(), IDLES)
def test_the_time_to_look_again_is_the_time_it_goes(found: ModelProviderSpec, idle: float) -> None:
    """Neither before it nor long after."""
    scale = decide(found, 8, wanted(idle))
    if scale.again is not None:
        assert decide(found, 8, wanted(idle + scale.again + 1e-6)).idle_on_purpose
        assert not decide(found, 8, wanted(idle + scale.again * 0.999)).idle_on_purpose
