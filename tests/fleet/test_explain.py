"""What people are told of a model's name."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fleet.strategies import WORLDS
from fleet.worlds import deployed, down, endpoint, route, up, world
from pointsman.fleet.explain import explain
from pointsman.fleet.render import render
from pointsman.fleet.world import World
from pointsman.names import Mode

FENCED = {"dataPolicy": {"allowedLocations": ["InCluster", "OnPremises"]}}
PROVIDERS = [
    deployed("qwen"),
    endpoint("desk", dataPolicy={"location": "OnPremises"}),
    endpoint("cloud"),
    endpoint("asleep", dataPolicy={"location": "OnPremises"}, suspend=True),
]
ROUTES = [
    route("assistant", "desk/m", "qwen/q", "cloud/c", "asleep/m", "gone/m", policy=FENCED, aliases=["Local"]),
    route("bad", "desk/m", policy={"hedging": {"after": "0s"}}),
]
HOUSE = world(PROVIDERS, ROUTES, probes={"desk": down(), "qwen": up("q")})


def told(model: str, of: World = HOUSE) -> str:
    return explain(of, render(of), model)


def test_the_whole_chain_with_each_targets_standing() -> None:
    """Who is first, who is last because it is down, who is never tried and why."""
    assert told("Local") == (
        "assistant: route assistant, also called Local\n"
        "  1. desk/m: tried last, after all that are not Down: Down (ConnectionRefused)\n"
        "  2. qwen/q: tried first: Up\n"
        "  3. cloud/c: never tried: LocationNotAllowed: provider cloud is External, "
        "the route allows InCluster, OnPremises\n"
        "  4. asleep/m: never tried: Suspended: provider asleep is suspended\n"
        "  5. gone/m: never tried: ProviderNotFound: there is no provider gone, or it is being deleted\n"
        "  fence: locations InCluster, OnPremises\n"
    )
    assert told("assistant") == told("Local")


def test_limits_and_what_a_route_asks_for_are_told() -> None:
    """Small windows with what follows from them, capabilities, and what a provider may be asked to bear."""
    policy = {"context": {}, "requiredCapabilities": ["tools", "image"]}
    desk = endpoint("desk", limits={"maxConcurrentRequests": 8, "tokensPerMinute": 90000})
    probes = {"desk": up("m", windows={"m": 24000}), "cloud": up("c", windows={"c": 8192})}
    of = world([desk, endpoint("cloud", limits={})], [route("r", "desk/m", "cloud/c", policy=policy)], probes=probes)
    assert told("r", of) == (
        "r: route r\n"
        "  1. desk/m: tried first: Up\n"
        "     by each gateway at most 8 requests at a time, 90000 tokens a minute\n"
        "  2. cloud/c: tried when those before it fail: Up\n"
        "  context: cloud/c takes 8192 tokens, under 16000, passed over by policy.context\n"
        "  context: desk/m takes 24000 tokens, under 32000\n"
        "  passed over: targets known to lack image, tools\n"
    )


def test_a_providers_model_is_reached_directly_in_mode_merge_only() -> None:
    """As provider/model, without a fallback."""
    assert "1. qwen/q: tried first: Up" in told("qwen/q")
    replace = world(PROVIDERS, ROUTES, probes={"qwen": up("q")}, mode=Mode.REPLACE)
    assert "nobody answers to this name" in told("qwen/q", replace)


def test_an_unknown_model_gets_close_matches() -> None:
    """A slip of the pen is the usual cause; letters' case too."""
    assert told("asistant").endswith("did you mean: assistant?\n")
    assert "did you mean: Local" in told("lokal")
    assert "there are no routes and no models" in told("x", world())


def test_a_refused_route_says_why_it_does_not_answer() -> None:
    """Rather than that it is unknown."""
    assert told("bad").startswith("route bad is not used: InvalidSpec: spec.policy.hedging.after: 0s ")


def test_a_route_that_refuses_every_request_says_so() -> None:
    """Nothing is left inside the fence."""
    of = world([endpoint("cloud")], [route("r", "cloud/c", policy=FENCED)])
    assert told("r", of).endswith("  no target may be tried: every request is refused\n")


@given(WORLDS, st.one_of(st.sampled_from(["x", "y", "a/m"]), st.text(max_size=5)))
def test_there_is_always_an_answer(of: World, model: str) -> None:
    """For any world and any name."""
    assert told(model, of).endswith("\n")


CLOUDY = endpoint("box", type="Ollama", dataPolicy={"location": "OnPremises", "region": "eu"}, discovery="Static",
                  models=[{"id": "mine"}, {"id": "near"}])  # fmt: skip


def test_a_model_of_ollamas_cloud_is_outside_the_fence() -> None:
    """By its name or by what the server says of it, whatever `discovery` is; without a fence it is told."""
    listed = up("mine:latest", "near", windows={})
    marked = replace(listed, models=tuple(replace(each, remote=each.id == "mine:latest") for each in listed.models))
    routes = [
        route("r", "box/near", "box/mine", "box/m:cloud", policy=FENCED),
        route("eu", "box/mine", policy={"dataPolicy": {"allowedRegions": ["eu"]}}),
        route("free", "box/mine"),
    ]
    house = world([CLOUDY], routes, probes={"box": marked})
    said = told("r", house)
    assert "1. box/near: tried first: Up" in said
    assert "2. box/mine: never tried: LocationNotAllowed: mine of provider box, which hands it on to Ollama's" in said
    assert "3. box/m:cloud: never tried: LocationNotAllowed" in said
    assert "RegionNotAllowed: mine of provider box" in told("eu", house)
    assert "Up, handed on to Ollama's cloud: External" in told("free", house)
    assert "handed on to Ollama's cloud: External" in told("box/mine", house)
    (box,) = render(house).providers
    assert {model.id: model.remote for model in box.models} == {"mine": True, "near": False}
