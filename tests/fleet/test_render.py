"""The routing table: what gets into it, and that nothing but the world decides its bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from fleet.strategies import WORLDS
from fleet.worlds import deployed, down, endpoint, provider, route, running, up, world
from pointsman import table
from pointsman.fleet import render as rendering
from pointsman.fleet.acceptance import provider_refusal
from pointsman.fleet.chain import links
from pointsman.fleet.render import RenderError, credentials, render
from pointsman.fleet.world import World, read_provider
from pointsman.served import ServedModel


def test_a_deployed_provider_is_reached_by_its_service_and_its_replicas() -> None:
    """In the cluster unless said otherwise, with the key that was made for it, its addresses sorted."""
    seen = world([deployed("qwen")], workloads={"qwen": running(2, addresses=("10.1.0.9:8000", "10.1.0.1:8000"))})
    (qwen,) = render(seen).providers
    assert qwen.base_url == "http://qwen.ai.svc:8000"
    assert qwen.addresses == ("10.1.0.1:8000", "10.1.0.9:8000")
    assert (qwen.location, qwen.auth, qwen.credential) == ("InCluster", "Bearer", "qwen")


def test_an_endpoint_is_external_unless_said_otherwise_even_on_loopback() -> None:
    """Nothing is guessed about where data goes."""
    near = endpoint("near", "http://127.0.0.1:1234/v1")
    told = endpoint("told", "http://127.0.0.1:1234/v1", dataPolicy={"location": "OnPremises", "region": "eu"})
    by_name = {each.name: each for each in render(world([near, told])).providers}
    assert by_name["near"].location == "External"
    assert (by_name["told"].location, by_name["told"].region) == ("OnPremises", "eu")


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://h/v1", "http://h"),
        ("http://h/v1/", "http://h"),
        ("http://h//", "http://h"),
        ("http://h/api/v1//", "http://h/api"),
        ("http://h/v1/v1", "http://h"),
        ("http://h:1/v12", "http://h:1/v12"),
        ("http://v1", "http://v1"),
        ("http://v1/v1", "http://v1"),
    ],
)
def test_base_urls_end_without_slash_and_v1(url: str, base: str) -> None:
    """A dialect's path begins with /v1, and /v1/v1 answers 404 everywhere."""
    assert render(world([endpoint("p", url)])).providers[0].base_url == base


def test_credentials_are_named_in_the_table_and_never_in_it() -> None:
    """The table names the file, `credentials` holds the key, bare of the newline that files end in."""
    seen = world([endpoint("p", secret="s"), endpoint("q")], secrets={("s", "token"): "sk-1\n"})
    first, second = render(seen).providers
    assert (first.auth, first.credential) == ("Bearer", "p")
    assert (second.auth, second.credential) == ("None", "")
    assert credentials(seen) == {"p": "sk-1"}
    assert b"sk-1" not in table.dump(render(seen))


def test_a_vendor_is_native_only_at_its_own_host() -> None:
    """A proxy that speaks Anthropic is not Anthropic: it gets clean requests."""
    spec: dict[str, Any] = {"type": "Anthropic", "endpoint": {"baseUrl": "https://api.anthropic.com"}}
    other = spec | {"endpoint": {"baseUrl": "https://proxy.local"}}
    by_name = {each.name: each for each in render(world([provider("own", spec), provider("proxy", other)])).providers}
    assert by_name["own"].native
    assert not by_name["proxy"].native
    assert by_name["own"].api == ("anthropic-messages",)


def test_stated_fields_win_one_by_one_over_discovered_ones() -> None:
    """What the object does not say is taken from the server."""
    p = endpoint("p", models=[{"id": "m", "contextWindow": 4096, "cost": {"input": 1}}, {"id": "stated"}])
    probed = up("m", "n", windows={"m": 9, "n": 8})
    named = replace(probed, models=(replace(probed.models[0], name="M", input=("text", "image")), probed.models[1]))
    m, n, stated = render(world([p], probes={"p": named})).providers[0].models
    assert (m.id, m.name, m.context_window, m.input) == ("m", "M", 4096, ("text", "image"))
    assert m.cost == {"input": 1.0, "output": 0.0, "cacheRead": 0.0, "cacheWrite": 0.0}
    assert (n.id, n.context_window) == ("n", 8)
    assert stated.id == "stated"


def test_a_model_that_takes_no_tools_says_so_unless_the_object_says_otherwise() -> None:
    """As OpenClaw writes it; only a plain no is taken, and what is stated of something else changes nothing of it."""
    told = {"a": None, "b": True, "c": False, "d": False, "e": False}
    served = tuple(ServedModel(id=name, tools=tools) for name, tools in told.items())
    stated = [{"id": "d", "compat": {"requiresStringContent": True}}, {"id": "e", "compat": {"supportsTools": True}}]
    seen = world([endpoint("p", models=stated)], probes={"p": replace(up(), models=served)})
    assert [model.compat for model in render(seen).providers[0].models] == [
        {},
        {},
        {"supportsTools": False},
        {"requiresStringContent": True, "supportsTools": False},
        {"supportsTools": True},
    ]


def test_whether_a_model_is_loaded_is_told_where_the_server_tells() -> None:
    """Cold models are waited for longer; of a server that does not tell nothing stands in the table."""
    served = tuple(ServedModel(id=name, loaded=loaded) for name, loaded in zip("abc", (True, False, None), strict=True))
    rendered = render(world([endpoint("p")], probes={"p": replace(up(), models=served)}))
    assert [model.loaded for model in rendered.providers[0].models] == [True, False, None]
    assert b'"id": "c"\n' in table.dump(rendered)
    assert rendered.providers[0].models[0].input == ()


def test_limits_are_rendered_where_there_are_any() -> None:
    """What is not stated is no limit."""
    stated = endpoint("a", limits={"maxConcurrentRequests": 8, "requestsPerMinute": 60, "tokensPerMinute": 90000})
    first, second, third = render(world([stated, endpoint("b", limits={}), endpoint("c")])).providers
    assert first.limits == table.Limits(concurrent=8, requests_per_minute=60, tokens_per_minute=90000)
    assert (second.limits, third.limits) == (None, None)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (None, table.Context()),
        ({}, table.Context(warn_below=32000, block_below=16000, on_fallback="Skip")),
        ({"blockBelow": 0, "onFallback": "Warn"}, table.Context(warn_below=32000, on_fallback="Warn")),
        ({"warnBelow": 9, "blockBelow": 8}, table.Context(warn_below=9, block_below=8)),
    ],
)
def test_a_context_policy_has_its_defaults_and_none_blocks_nothing(stated: Any, expected: table.Context) -> None:
    """Who writes `context: {}` wants windows that agents can work with."""
    policy = {} if stated is None else {"context": stated}
    (rendered,) = render(world([endpoint("p")], [route("r", "p/m", policy=policy)])).routes
    assert rendered.policy.context == expected


def test_what_a_route_asks_for_is_rendered() -> None:
    """Capabilities sorted, durations in seconds."""
    policy = {
        "requiredCapabilities": ["tools", "image"],
        "returnToPrimary": {"afterHealthy": "1m30s"},
        "hedging": {"after": "1500ms"},
        "circuitBreaker": {"halfOpenRequests": 3},
        "timeouts": {"whole": "2m"},
    }
    (rendered,) = render(world([endpoint("p")], [route("r", "p/m", policy=policy)])).routes
    of = rendered.policy
    assert (of.required, of.return_after, of.hedge_after) == (("image", "tools"), 90.0, 1.5)
    assert (of.breaker.half_open, of.timeouts.whole, of.timeouts.connect) == (3, 120.0, 2.0)
    (bare,) = render(world([endpoint("p")], [route("r", "p/m", policy={"returnToPrimary": {}})])).routes
    assert bare.policy == table.Policy()


def test_static_discovery_knows_only_stated_models() -> None:
    """For servers whose list is wrong or too long."""
    p = endpoint("p", discovery="Static", models=[{"id": "m"}])
    assert [model.id for model in render(world([p], probes={"p": up("m", "n")})).providers[0].models] == ["m"]


def test_a_deployed_provider_has_its_served_names_before_any_probe() -> None:
    """The operator itself starts the server under them."""
    q = deployed("q", model={"source": "hf://o/m", "servedNames": ["fast", "slow"]})
    assert [model.id for model in render(world([q])).providers[0].models] == ["fast", "slow"]


@pytest.mark.parametrize(
    ("p", "fields", "skip"),
    [
        (endpoint("p"), {}, ""),
        (endpoint("p", suspend=True), {}, "Suspended"),
        (endpoint("p", secret="s"), {}, "SecretNotFound"),
        (endpoint("p", secret="s"), {"secrets": {("s", "other"): "x"}}, "SecretKeyNotFound"),
        (endpoint("p", secret="s"), {"secrets": {("s", "token"): "a\nb"}}, "SecretInvalid"),
        (endpoint("p"), {"probes": {"p": up("n")}}, "ModelNotFound"),
        (endpoint("p", models=[{"id": "m"}]), {"probes": {"p": up("n")}}, ""),
        (endpoint("p", discovery="Static"), {}, "ModelNotFound"),
        (endpoint("p"), {"probes": {"p": down()}}, ""),
    ],
)
def test_a_target_bears_the_reason_why_it_must_not_be_tried(p: Any, fields: dict[str, Any], skip: str) -> None:
    """Decided once, when rendering; a provider that is merely down is the gateway's to judge."""
    (target,) = render(world([p], [route("r", "p/m")], **fields)).routes[0].targets
    assert target.skip == skip


def test_how_long_models_stay_loaded() -> None:
    """Seconds; -1 is for good, as Ollama says it; 0: nothing is asked for."""
    stated = {"a": {"keepLoaded": "1h30m"}, "b": {"keepLoaded": "Forever"}, "c": {}}
    ollama = {"type": "Ollama", "endpoint": {"baseUrl": "http://h"}}
    places = [provider(name, ollama | more) for name, more in stated.items()]
    assert [each.keep_alive for each in render(world(places)).providers] == [5400.0, -1.0, 0.0]


def test_targets_of_providers_that_are_not_in_the_table_are_dropped() -> None:
    """Missing, refused, being deleted: the table could not be loaded with them; the status names them."""
    refused = endpoint("refused", models=[{"id": "m", "compat": {"other": 1}}])
    leaving = provider("leaving", {"type": "VLLM", "endpoint": {"baseUrl": "http://h"}}, deletionTimestamp="now")
    seen = world([refused, leaving, endpoint("p")], [route("r", "gone/m", "refused/m", "leaving/m", "p/m")])
    (rendered,) = render(seen).routes
    assert [target.provider for target in rendered.targets] == ["p"]
    spec = seen.routes["r"].spec
    assert spec
    assert [link.skip for link in links(seen, spec)] == [
        "ProviderNotFound",
        "ProviderNotAccepted",
        "ProviderNotFound",
        "",
    ]


def test_the_older_route_holds_a_name_and_the_loser_is_not_rendered() -> None:
    """By age, then by name; a loser holds none of its other names, a deleted one frees its name."""
    old = route("old", "p/m", modelName="x")
    young = route("young", "p/m", modelName="y", aliases=["x"], created="2026-02-01T00:00:00Z")
    late = route("late", "p/m", modelName="y", created="2026-03-01T00:00:00Z")
    assert [each.name for each in render(world([endpoint("p")], [old, young, late])).routes] == ["late", "old"]
    gone = replace(old, meta=replace(old.meta, deleting=True))
    assert [each.name for each in render(world([endpoint("p")], [gone, young, late])).routes] == ["young"]


def test_a_policy_is_mapped_and_what_it_leaves_out_is_the_default() -> None:
    """Durations become seconds; sets are sorted; an explicit empty `on` means never."""
    policy = {
        "failover": {"on": []},
        "timeouts": {"connect": "500ms", "total": "1m30s"},
        "circuitBreaker": {"openDuration": "9s"},
        "dataPolicy": {"allowedLocations": ["OnPremises", "InCluster"]},
    }
    mapped = render(world([endpoint("p")], [route("r", "p/m", policy=policy)])).routes[0].policy
    assert mapped.timeouts == table.Timeouts(connect=0.5, total=90.0)
    assert mapped.breaker == table.Breaker(consecutive_failures=1, open_seconds=9.0)
    assert mapped.fence == table.Fence(locations=("InCluster", "OnPremises"))
    assert mapped.failover_on == ()
    assert render(world([endpoint("p")], [route("r", "p/m")])).routes[0].policy == table.Policy()


@pytest.mark.parametrize(
    ("data_policy", "fence", "skip"),
    [
        ({"location": "OnPremises"}, {"allowedLocations": ["InCluster"]}, "LocationNotAllowed"),
        ({"location": "External"}, {"allowedRegions": ["eu"]}, "RegionNotAllowed"),
        ({"location": "External", "region": "us"}, {"allowedRegions": ["eu"]}, "RegionNotAllowed"),
        ({"location": "External", "region": "eu"}, {"allowedRegions": ["eu"]}, ""),
        ({"location": "InCluster"}, {"allowedRegions": ["eu"]}, ""),
        ({"location": "InCluster", "region": "us"}, {"allowedRegions": ["eu"]}, "RegionNotAllowed"),
    ],
)
def test_the_fence_keeps_out_what_is_not_known_to_be_inside(
    data_policy: dict[str, str], fence: dict[str, list[str]], skip: str
) -> None:
    """An unknown region is outside, but for the cluster's own servers, which stand where the gateway stands."""
    seen = world([endpoint("p", dataPolicy=data_policy)], [route("r", "p/m", policy={"dataPolicy": fence})])
    assert render(seen).routes[0].targets[0].skip == skip


def test_state_follows_the_probe_and_an_idle_workload_is_down_at_once() -> None:
    """The cluster knows before any probe that a server without a replica does not answer."""
    seen = world([deployed("q")], probes={"q": up("m")}, workloads={"q": running(0, reason="InsufficientGPU")})
    (q,) = render(seen).providers
    assert (q.state, q.reason) == ("Down", "InsufficientGPU")
    (q,) = render(replace(seen, workloads={"q": running(1)})).providers
    assert (q.state, q.reason) == ("Up", "")


def test_models_that_nobody_named_make_room_before_the_table_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with thirty thousand models must not take the routes down; what cannot fit is an error that says so."""
    probed = up(*(f"model-{i}" for i in range(30_000)))
    p = endpoint("p", models=[{"id": "stated"}])
    seen = world([p], [route("r", "p/model-7")], probes={"p": probed})
    small = render(seen)
    assert [model.id for model in small.providers[0].models] == ["model-7", "stated"]
    assert len(table.dump(small)) < rendering.SIZE_LIMIT
    monkeypatch.setattr(rendering, "SIZE_LIMIT", 300)
    with pytest.raises(RenderError, match="spread providers"):
        render(seen)


def test_hostile_model_ids_do_not_reach_the_table() -> None:
    """White space, control characters, endless names and numbers out of range: left out or bounded."""
    served = tuple(ServedModel(id=each) for each in ("ok", "", "a b", "a\n", "x" * 300, "\ud800"))
    odd = ServedModel(id="odd", name="\x00n\ud800" * 300, context_window=-5, max_tokens=10**30)
    seen = world([endpoint("p")], probes={"p": up(models=(*served, odd))})
    odd_one, ok = render(seen).providers[0].models
    assert (ok.id, odd_one.id) == ("ok", "odd")
    assert (odd_one.context_window, odd_one.max_tokens, len(odd_one.name)) == (0, 0, 256)
    table.dump(render(seen))


def _shuffled(seen: World) -> World:
    turned = {
        name: dict(reversed(list(getattr(seen, name).items())))
        for name in ("providers", "routes", "secrets", "probes", "workloads")
    }
    return replace(seen, **turned)


@given(WORLDS)
def test_the_same_world_gives_the_same_bytes_in_whatever_order(seen: World) -> None:
    """Total order: insertion order of the dicts means nothing."""
    assert table.dump(render(seen)) == table.dump(render(_shuffled(seen)))


@given(WORLDS)
def test_what_is_rendered_can_be_loaded(seen: World) -> None:
    """Sealed, and equal after a round trip."""
    rendered = render(seen)
    assert table.load(table.dump(rendered)) == rendered
    assert len(table.dump(rendered)) <= rendering.SIZE_LIMIT


@given(WORLDS)
def test_only_accepted_objects_that_stay_are_in_the_table(seen: World) -> None:
    """Nothing of a refused or leaving provider, no two routes with one name, nothing outside without a skip."""
    rendered = render(seen)
    for each in rendered.providers:
        source = seen.providers[each.name]
        assert provider_refusal(source) is None
        assert not source.meta.deleting
        assert not each.base_url.endswith(("/", "/v1"))
    claimed = [name for each in rendered.routes for name in (each.model_name, *each.aliases)]
    assert len(claimed) == len(set(claimed))
    assert credentials(seen).keys() <= {each.credential for each in rendered.providers}


@given(WORLDS)
def test_the_fence_is_never_widened(seen: World) -> None:
    """Rendered fences are the stated ones, and a target outside is marked."""
    rendered = render(seen)
    providers = {each.name: each for each in rendered.providers}
    for each in rendered.routes:
        spec = seen.routes[each.name].spec
        assert spec
        stated = spec.policy.data_policy if spec.policy else None
        assert set(each.policy.fence.locations) == set((stated and stated.allowed_locations) or ())
        assert set(each.policy.fence.regions) == set((stated and stated.allowed_regions) or ())
        for target in each.targets:
            if stated and stated.allowed_locations is not None and not target.skip:
                assert providers[target.provider].location in stated.allowed_locations


def test_an_unreadable_provider_does_not_stop_the_others() -> None:
    """One bad object is one condition, not an outage."""
    bad = read_provider({"metadata": {"namespace": "ai", "name": "bad"}, "spec": {"type": "Nonsense"}})
    assert [each.name for each in render(world([bad, endpoint("p")])).providers] == ["p"]


@pytest.mark.parametrize(
    ("url", "own"),
    [("https://eu.api.openai.com/v1", True), ("https://us.api.openai.com", True), ("https://xapi.openai.com", False),
     ("https://api.openai.com.evil.example", False)],
)  # fmt: skip
def test_a_vendors_hosts_for_regions_are_its_own(url: str, own: bool) -> None:
    """eu.api.openai.com is OpenAI itself."""
    (found,) = render(world([endpoint("o", url, type="OpenAI")])).providers
    assert found.native is own


def test_a_route_names_those_that_are_not_accepted() -> None:
    """They are no targets; the gateway says why there is none."""
    bad = endpoint("bad", models=[{"id": "m", "compat": {"openRouterRouting": {"zrd": True}}}])
    (way,) = render(world([bad], [route("r", "bad/m", "gone/m")])).routes
    assert way.targets == ()
    assert [(each.provider, each.skip) for each in way.missing] == [
        ("bad", "ProviderNotAccepted"), ("gone", "ProviderNotFound")
    ]  # fmt: skip
