"""Which targets, in which order, and why not the others. The fence comes first."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.exchange import BadRequestError, Failure, FailureKind
from pointsman.failover.choose import Need, order, read_fence, survey
from pointsman.failover.health import Health
from pointsman.names import Dialect, Location
from pointsman.table import Breaker, Fence, Model, Policy, Provider, Route, Target

LOCATIONS = [location.value for location in Location]
REGIONS = ["", "eu", "us"]
CHAT = Need(Dialect.CHAT)


def provider(name: str, **more: object) -> Provider:
    settings = {"api": ("openai-completions",), "models": (Model(id="m"),), "location": "OnPremises", **more}
    return Provider(name=name, type="VLLM", base_url=f"http://{name}", **settings)  # type: ignore[arg-type]


def route(providers: Sequence[Provider], fence: Fence = Fence(), skips: dict[str, str] | None = None) -> Route:  # noqa: B008
    targets = tuple(Target(provider=p.name, model="m", skip=(skips or {}).get(p.name, "")) for p in providers)
    return Route(name="r", model_name="r", targets=targets, policy=Policy(fence=fence))


def table(providers: Sequence[Provider]) -> dict[str, Provider]:
    return {p.name: p for p in providers}


def names(candidates: Sequence[object]) -> list[str]:
    return [candidate.provider.name for candidate in candidates]  # type: ignore[attr-defined]


PROVIDERS = st.lists(
    st.tuples(
        st.sampled_from(LOCATIONS), st.sampled_from(REGIONS), st.booleans(), st.sampled_from(["Up", "Down", "Unknown"]),
        st.booleans(),
    ),
    max_size=6,
).map(
    lambda rows: [
        provider(f"p{i}", location=location, region=region, suspended=suspended, state=state,
                 api=("openai-completions",) if speaks else ("anthropic-messages",))
        for i, (location, region, suspended, state, speaks) in enumerate(rows)
    ]
)  # fmt: skip
FENCES = st.builds(
    Fence,
    locations=st.lists(st.sampled_from(LOCATIONS), unique=True).map(tuple),
    regions=st.lists(st.sampled_from(["eu", "us"]), unique=True).map(tuple),
)
KINDS = st.sampled_from([kind for kind in FailureKind if kind != FailureKind.BAD_REQUEST])


def allowed(p: Provider, fence: Fence) -> bool:
    """The fence, said in other words than in the code."""
    place = not fence.locations or p.location in set(fence.locations)
    at_home = p.location == "InCluster" and p.region == ""
    return place and (at_home or not fence.regions or p.region in set(fence.regions))


@given(PROVIDERS, FENCES, st.none() | FENCES, st.lists(st.tuples(st.integers(0, 5), KINDS)), st.floats(0, 1000))
def test_nothing_outside_the_fence_is_ever_in_the_order(
    providers: list[Provider], fence: Fence, own: Fence | None, failures: list[tuple[int, FailureKind]], now: float
) -> None:
    """Whatever fails or cools, the order is a permutation of what both fences and the request allow."""
    health = Health()
    for i, kind in failures:
        health.failed(f"p{i}", "m", Failure(kind), Breaker(), 0.0)
    chain = survey(route(providers, fence), table(providers), Need(Dialect.CHAT, fence=own))
    found = order(chain, health, now)
    for candidate in found.candidates:
        assert allowed(candidate.provider, fence)
        assert own is None or allowed(candidate.provider, own)
        assert not candidate.provider.suspended
        assert "openai-completions" in candidate.provider.api
    assert sorted(names(found.candidates)) == sorted(names(chain.candidates))
    assert len(chain.candidates) + len(chain.passed) == len(providers)
    assert bool(found.candidates) == (found.limit > 0)
    assert found.limit <= len(found.candidates)
    assert chain.fenced_in == (not chain.candidates and any(passed.reason == "fence" for passed in chain.passed))


def test_reasons_are_told() -> None:
    """Each target that is passed over has its reason, the fence before all others."""
    providers = [
        provider("out", location="External", suspended=True), provider("skipped"), provider("off", suspended=True),
        provider("mute", api=("anthropic-messages",)), provider("keyless", credential="k"),
        provider("toolless", models=(Model(id="m", compat={"supportsTools": False}),)), provider("good"),
    ]  # fmt: skip
    way = route(providers, Fence(locations=("OnPremises",)), {"skipped": "context too small"})
    chain = survey(way, table(providers), Need(Dialect.CHAT, tools=True), {"keyless"})
    assert {passed.provider: passed.reason for passed in chain.passed} == {
        "out": "fence", "skipped": "skip", "off": "suspended", "mute": "dialect", "keyless": "credential",
        "toolless": "tools",
    }  # fmt: skip
    assert chain.passed[1].message == "context too small"
    assert chain.passed[3].message == "speaks anthropic-messages, not openai-completions"
    assert names(chain.candidates) == ["good"]


def test_an_unknown_region_is_outside() -> None:
    """A fence of regions keeps out what does not say where it is, but for the cluster's own servers."""
    providers = [provider("a"), provider("b", region="eu"), provider("c", location="InCluster")]
    chain = survey(route(providers, Fence(regions=("eu",))), table(providers), CHAT)
    assert names(chain.candidates) == ["b", "c"]


def test_down_goes_last_and_is_still_tried() -> None:
    """A probe may be wrong."""
    providers = [provider("down", state="Down"), provider("unknown"), provider("up", state="Up")]
    found = order(survey(route(providers), table(providers), CHAT), Health(), 0.0)
    assert (names(found.candidates), found.limit) == (["unknown", "up", "down"], 3)


def test_of_what_cools_only_the_least_bad_is_a_last_resort() -> None:
    """Those that will be well again by themselves come before those that will not; the soonest first."""
    providers = [provider(name) for name in ("key", "late", "soon", "well")]
    health = Health()
    health.failed("key", "m", Failure(FailureKind.AUTHENTICATION), Breaker(), 0.0)
    health.failed("late", "m", Failure(FailureKind.SERVER_ERROR, retry_after=60), Breaker(), 0.0)
    health.failed("soon", "m", Failure(FailureKind.TIMEOUT), Breaker(), 0.0)
    found = order(survey(route(providers), table(providers), CHAT), health, 1.0)
    assert (names(found.candidates), found.limit) == (["well", "soon", "late", "key"], 2)
    assert [(passed.provider, passed.reason) for passed in found.cooling] == [
        ("soon", "cooling-Timeout"), ("late", "cooling-ServerError"), ("key", "cooling-Authentication"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "fence"),
    [
        ("local-only", Fence(locations=("InCluster", "OnPremises"))),
        ("locations=OnPremises", Fence(locations=("OnPremises",))),
        ("regions=eu, us ; locations=External", Fence(locations=("External",), regions=("eu", "us"))),
    ],
)
def test_reads_the_requests_own_fence(header: str, fence: Fence) -> None:
    """Locations and regions."""
    assert read_fence(header) == fence


@pytest.mark.parametrize(
    "header", ["", ";", "anywhere", "locations=", "locations=,", "location=OnPremises", "regions=eu=us"]
)
def test_a_fence_that_cannot_be_read_is_refused(header: str) -> None:
    """A policy that was meant to hold must not silently not hold."""
    with pytest.raises(BadRequestError, match="x-pointsman-data-policy"):
        read_fence(header)
