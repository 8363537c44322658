"""Which targets, in which order, and why not the others. The fence comes first."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects.services import Service
from pointsman.exchange import (
    AUDIO,
    CALLED,
    FILE,
    IMAGE,
    JSON_SCHEMA,
    PARALLEL_TOOLS,
    REASONING,
    STATE,
    TOOLS,
    BadRequestError,
    Failure,
    FailureKind,
    Head,
)
from pointsman.failover.choose import (
    Need,
    fitting,
    larger,
    minds_media,
    order,
    read_fence,
    survey,
    uncounted,
)
from pointsman.failover.context import Windows
from pointsman.failover.health import Health
from pointsman.names import Dialect, Location
from pointsman.table import Breaker, Context, Fence, Model, Policy, Provider, Route, Target

LOCATIONS = [location.value for location in Location]
REGIONS = ["", "eu", "us"]
CHAT = Need(Dialect.CHAT)


def provider(name: str, **more: object) -> Provider:
    settings = {
        "type": "VLLM",
        "api": ("openai-completions",),
        "models": (Model(id="m"),),
        "location": "OnPremises",
        **more,
    }
    return Provider(name=name, base_url=f"http://{name}", **settings)  # type: ignore[arg-type]


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
        assert candidate.dialect in candidate.provider.api
        assert candidate.translated == ("openai-completions" not in candidate.provider.api)
    assert sorted(names(found.candidates)) == sorted(names(chain.candidates))
    assert len(chain.candidates) + len(chain.passed) == len(providers)
    assert bool(found.candidates) == (found.limit > 0)
    assert found.limit <= len(found.candidates)
    assert chain.fenced_in == (not chain.candidates and any(passed.reason == "fence" for passed in chain.passed))


PINNED = {"openRouterRouting": {"only": ["mistral"]}}
TYPES = st.sampled_from(["VLLM", "Ollama", "LlamaCpp", "OpenRouter", "Anthropic"])
PLACES = st.lists(
    st.tuples(
        st.sampled_from(LOCATIONS), st.sampled_from(REGIONS), TYPES, st.sampled_from([0, 2048, 8192]),
        st.sampled_from([{}, PINNED, {"openRouterRouting": {"only": []}}, {"supportsTools": False}]),
        st.sampled_from([(), ("text",), ("text", "image")]),
    ),
    max_size=6,
).map(
    lambda rows: [
        Provider(
            name=f"p{i}", type=kind, base_url="http://x", location=location, region=region,
            api=tuple(dialect.value for dialect in Dialect),
            models=(Model(id="m", context_window=window, compat=compat, input=taken),),
        )
        for i, (location, region, kind, window, compat, taken) in enumerate(rows)
    ]
)  # fmt: skip
HEADERS = st.sampled_from(["", "local-only", "regions=eu", "locations=External; regions=eu,us", "locations=InCluster"])
HEADS = st.builds(
    Head, st.just("m"), st.booleans(), st.just({}), st.integers(0, 127), st.just(1), st.integers(0, 9000),
    st.integers(0, 60_000),
)  # fmt: skip


@given(
    PLACES, FENCES, HEADERS, st.sampled_from([*Dialect, *Service]), HEADS,
    st.lists(st.tuples(st.integers(0, 5), KINDS, st.integers(0, 9000))), st.lists(st.integers(0, 20_000), max_size=6),
)  # fmt: skip
def test_nothing_outside_the_fence_is_sent_a_byte(  # noqa: PLR0917
    places: list[Provider],
    fence: Fence,
    header: str,
    dialect: Dialect | Service,
    head: Head,
    failures: list[tuple[int, FailureKind, int]],
    counts: list[int],
) -> None:
    """Neither a request, nor a question how many tokens it has: whatever fails, cools, is too small, or was learned."""
    own = read_fence(header) if header else None
    chain = survey(route(places, fence), table(places), Need(dialect, head.needs, own))
    health, windows = Health(), Windows()
    for i, kind, window in failures:
        failure = Failure(kind, window=window)
        health.failed(f"p{i}", "m", failure, Breaker(), 0.0)
        if i < len(chain.candidates):
            windows.failed(chain.candidates[i], head, failure, 0.0)
    tried = order(chain, health, 1.0)
    counted = dict(zip(tried.candidates, counts, strict=False))
    found, _ = fitting(tried, windows, head, counted)
    asked = [uncounted(tried, windows, head), uncounted(tried, windows, head, counted)]
    reached = {*found.candidates, *(one for one in asked if one), *larger(found.candidates, 4096, windows)}
    for candidate in reached:
        place, model = candidate.provider, candidate.model
        for each in (fence, own or Fence()):
            assert allowed(place, each)
            if each.regions and place.type == "OpenRouter":
                assert model.compat == PINNED
                assert candidate.dialect is not Dialect.MESSAGES


@pytest.mark.parametrize(
    ("model", "needs", "reason"),
    [
        ({"compat": {"supportsTools": False}}, TOOLS, "tools"),
        ({"compat": {"supportsTools": False}}, PARALLEL_TOOLS, "parallel-tools"),
        ({"input": ("text",)}, IMAGE, "image"), ({"input": ("text", "image")}, IMAGE, ""),
        ({}, IMAGE | AUDIO | FILE, ""),
        ({"compat": {"requiresStringContent": True}}, IMAGE, "image"),
        ({"input": ("text", "image")}, AUDIO, "audio"), ({"input": ("text", "audio")}, AUDIO, ""),
        ({"input": ("text",)}, FILE, "file"), ({"input": ("text", "image")}, FILE, ""),
        ({"compat": {"supportsJsonSchemaResponseFormat": False}}, JSON_SCHEMA, "json-schema"), ({}, JSON_SCHEMA, ""),
        ({}, REASONING, ""), ({}, TOOLS | PARALLEL_TOOLS, ""), ({"input": ("text",)}, TOOLS, ""),
    ],
)  # fmt: skip
def test_what_a_request_needs_is_never_lost_in_silence(model: dict[str, object], needs: int, reason: str) -> None:
    """A model that is known to lack it is passed over; one of which nothing is said is tried."""
    one = provider("p", models=(Model(id="m", **model),))  # type: ignore[arg-type]
    chain = survey(route([one]), table([one]), Need(Dialect.CHAT, needs))
    assert [passed.reason for passed in chain.passed] == ([reason] if reason else [])
    assert len(chain.candidates) == (not reason)


@pytest.mark.parametrize(
    ("model", "native", "required", "reason"),
    [
        ({"compat": {"supportsTools": False}}, False, "tools", "capability-tools"), ({}, False, "tools", ""),
        ({"compat": {"supportsTools": False}}, False, "parallelTools", "capability-parallelTools"),
        ({"input": ("text",)}, False, "image", "capability-image"), ({}, False, "image", ""),
        ({"compat": {"supportsJsonSchemaResponseFormat": False}}, False, "jsonSchema", "capability-jsonSchema"),
        ({}, False, "reasoning", "capability-reasoning"), ({"reasoning": True}, False, "reasoning", ""),
        ({"compat": {"supportsReasoningEffort": True}}, False, "reasoning", ""), ({}, True, "reasoning", ""),
        ({}, False, "teleportation", ""),
    ],
)  # fmt: skip
def test_a_route_may_require_capabilities(model: dict[str, object], native: bool, required: str, reason: str) -> None:
    """Of all its targets, whatever the request has in it. Only reasoning must be stated."""
    one = provider("p", models=(Model(id="m", **model),), native=native)  # type: ignore[arg-type]
    way = msgspec.structs.replace(route([one]), policy=Policy(required=(required,)))
    chain = survey(way, table([one]), CHAT)
    assert [passed.reason for passed in chain.passed] == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("needs", "reasons", "reads"),
    [(0, [], True), (TOOLS, [], True), (TOOLS | PARALLEL_TOOLS, [], True), (TOOLS | CALLED, ["tools"], False),
     (CALLED, ["tools"], False), (TOOLS | JSON_SCHEMA, ["json-schema"], False)],
)  # fmt: skip
def test_a_route_may_drop_tools(needs: int, reasons: list[str], reads: bool) -> None:
    """A model that takes none is asked without them, unless some were called: then its turns are looked at for that."""
    lacks = {"supportsTools": False, "supportsJsonSchemaResponseFormat": False}
    one = provider("p", models=(Model(id="m", compat=lacks),))
    way = msgspec.structs.replace(route([one]), policy=Policy(drop_tools=True))
    chain = survey(way, table([one]), Need(Dialect.CHAT, needs))
    assert [passed.reason for passed in chain.passed] == reasons
    assert minds_media(chain) is reads
    for needed in (TOOLS, CALLED):
        strict = survey(route([one]), table([one]), Need(Dialect.CHAT, needed))
        assert [passed.reason for passed in strict.passed] == ["tools"]


@pytest.mark.parametrize(("on_fallback", "blocked"), [("Skip", ["a", "c"]), ("Warn", ["a"]), ("Ignore", ["a"])])
def test_small_windows_are_blocked(on_fallback: str, blocked: list[str]) -> None:
    """The primary always, fallbacks as the policy says; what is not known is not small."""
    windows = {"a": 8000, "b": 16_000, "c": 15_999, "d": 0}
    places = [provider(name, models=(Model(id="m", context_window=window),)) for name, window in windows.items()]
    policy = Policy(context=Context(block_below=16_000, on_fallback=on_fallback))
    chain = survey(msgspec.structs.replace(route(places), policy=policy), table(places), CHAT)
    assert [(passed.provider, passed.reason) for passed in chain.passed] == [(n, "context-blocked") for n in blocked]


def test_a_region_holds_at_openrouter_only_if_pinned() -> None:
    """It hands requests on to hosts anywhere. The message says how to mend it."""
    bare = provider("bare", type="OpenRouter", region="eu")
    pinned = provider("pinned", type="OpenRouter", region="eu", models=(Model(id="m", compat=PINNED),))
    chain = survey(route([bare, pinned], Fence(regions=("eu",))), table([bare, pinned]), CHAT)
    assert names(chain.candidates) == ["pinned"]
    assert chain.passed[0].reason == "fence"
    assert "compat.openRouterRouting.only" in chain.passed[0].message
    assert names(survey(route([bare]), table([bare]), CHAT).candidates) == ["bare"]


def test_turns_are_only_read_where_it_matters() -> None:
    """Reading over them costs as much as reading the whole request."""
    plain, told = provider("a"), provider("b", models=(Model(id="m", input=("text",)),))
    cutter = provider("c", type="Ollama")
    assert not minds_media(survey(route([plain]), table([plain]), CHAT))
    assert minds_media(survey(route([plain, told]), table([plain, told]), CHAT))
    assert minds_media(survey(route([cutter]), table([cutter]), CHAT))


def test_reasons_are_told() -> None:
    """Each target that is passed over has its reason, the fence before all others."""
    providers = [
        provider("out", location="External", suspended=True), provider("skipped"), provider("off", suspended=True),
        provider("mute", api=("telepathy",)), provider("keyless", credential="k"),
        provider("toolless", models=(Model(id="m", compat={"supportsTools": False}),)), provider("good"),
    ]  # fmt: skip
    way = route(providers, Fence(locations=("OnPremises",)), {"skipped": "context too small"})
    chain = survey(way, table(providers), Need(Dialect.CHAT, TOOLS), {"keyless"})
    assert {passed.provider: passed.reason for passed in chain.passed} == {
        "out": "fence", "skipped": "skip", "off": "suspended", "mute": "dialect", "keyless": "credential",
        "toolless": "tools",
    }  # fmt: skip
    assert chain.passed[1].message == "context too small"
    assert chain.passed[3].message == "speaks telepathy, which this release does not"
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


@given(st.lists(st.sampled_from(["m", "m:latest", "M", "n"]), min_size=1, max_size=6), st.sampled_from(list(Service)))
def test_what_is_no_dialect_goes_to_the_primarys_very_model_alone(models: list[str], service: Service) -> None:
    """Whatever else is in the chain, and whatever the route asks of models that write."""
    places = [provider(f"p{i}", models=(Model(id=each, context_window=512),)) for i, each in enumerate(models)]
    targets = tuple(Target(provider=p.name, model=p.models[0].id) for p in places)
    policy = Policy(context=Context(block_below=16000), required=("tools", "reasoning"))
    asked = Route(name="r", model_name="r", targets=targets, policy=policy)
    chain = survey(asked, table(places), Need(service))
    assert [candidate.model.id for candidate in chain.candidates] == [each for each in models if each == models[0]]
    assert {passed.reason for passed in chain.passed} <= {"other-model"}
    assert len(chain.candidates) + len(chain.passed) == len(models)


@pytest.mark.parametrize("native", [False, True])
def test_only_the_vendor_keeps_what_it_keeps(native: bool) -> None:
    """Its conversations, stored prompts, and work in the background."""
    one = provider("p", api=("openai-responses",), native=native)
    chain = survey(route([one]), table([one]), Need(Dialect.RESPONSES, STATE))
    assert [passed.reason for passed in chain.passed] == ([] if native else ["state"])


CLOUDS = {
    "listed": Model(id="m", remote=True, loaded=False),
    "by its name": Model(id="m:cloud", loaded=False),
    "not listed": Model(id="m:1b-cloud"),
}


@pytest.mark.parametrize("known", CLOUDS)
def test_a_model_that_is_handed_on_to_a_cloud_is_outside(known: str) -> None:
    """Wherever its server stands, by location and by region; where no fence is, it is no cold model."""
    model = CLOUDS[known]
    models = () if known == "not listed" else (model,)
    place = provider("o", type="Ollama", location="InCluster", region="eu", models=models)
    for fence in (Fence(locations=("InCluster", "OnPremises")), Fence(regions=("eu",))):
        way = msgspec.structs.replace(route([place], fence), targets=(Target(provider="o", model=model.id),))
        chain = survey(way, table([place]), CHAT)
        assert [passed.reason for passed in chain.passed] == ["fence"]
    way = msgspec.structs.replace(way, policy=Policy(fence=Fence(locations=("External",))))
    (candidate,) = survey(way, table([place]), CHAT).candidates
    assert candidate.provider.external(candidate.model)
    assert known == "listed" or not candidate.cold


def test_vercels_pin_holds_in_chat_alone() -> None:
    """It is put into no other request, so that none is sent without it."""
    model = Model(id="m", compat={"vercelGatewayRouting": {"only": ["mistral"]}})
    one = provider("v", type="OpenAICompatible", api=("anthropic-messages", "openai-completions"), models=(model,))
    (candidate,) = survey(route([one]), table([one]), Need(Dialect.MESSAGES)).candidates
    assert candidate.dialect is Dialect.CHAT
    embedding = survey(route([one]), table([one]), Need(Service.EMBEDDINGS))
    assert [passed.reason for passed in embedding.passed] == ["no-service"]
    wordless = msgspec.structs.replace(one, api=("anthropic-messages",))
    assert not survey(route([wordless]), table([wordless]), CHAT).candidates
