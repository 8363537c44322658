"""OpenRouter is told who may have a request, and no client can loosen that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman import dialects
from pointsman.dialects import chat, messages, openrouter, responses
from pointsman.table import Model, Provider

STRICT = {"allow_fallbacks": False, "data_collection": "deny"}


def provider(region: str = "", **more: Any) -> Provider:
    settings = {"type": "OpenRouter", "base_url": "https://x", "api": ("openai-completions",), "region": region, **more}
    return Provider(name="p", **settings)


def model(**routing: Any) -> Model:
    return Model(id="m", compat={"openRouterRouting": routing})


def sent(
    place: Provider, served: Model, wire: dialects.Wire = chat, **fields: Any
) -> tuple[dict[str, Any], tuple[str, ...]]:
    head = wire.read_head(json.dumps({"model": "asked", **fields}).encode())
    body, dropped = wire.with_model(head.fields, served, place)
    return json.loads(body), dropped


@pytest.mark.parametrize("wire", [chat, responses, messages])
def test_a_region_pins_every_request(wire: dialects.Wire) -> None:
    """No fallbacks of OpenRouter's own, nobody who keeps data, in every dialect."""
    body, dropped = sent(provider("eu"), model(only=["mistral"], zdr=True), wire)
    assert body["provider"] == {**STRICT, "only": ["mistral"], "zdr": True}
    assert dropped == ()


def test_what_is_stated_counts_without_a_region() -> None:
    """The two are assumed where nothing is stated, and hold whatever is stated where a region is promised."""
    loose = model(allow_fallbacks=True, data_collection="allow", order=["a"])
    assert sent(provider(), loose)[0]["provider"] == {
        "allow_fallbacks": True,
        "data_collection": "allow",
        "order": ["a"],
    }
    assert sent(provider("eu"), loose)[0]["provider"] == {**STRICT, "order": ["a"]}
    assert sent(provider(location="OnPremises"), Model(id="m"))[0]["provider"] == STRICT


def test_nothing_promised_nothing_pinned() -> None:
    """Without region and routing, and at other vendors, a client's own field is as it was received."""
    own = {"provider": {"order": ["x"]}, "models": ["y"]}
    for place in (provider(), provider("eu", type="OpenAICompatible")):
        assert sent(place, Model(id="m"), **own) == ({"model": "m", **own}, ())


def test_a_client_may_tighten() -> None:
    """Fewer hosts, zero retention; and its preferences among those that are left."""
    asked = {"only": ["b", "z"], "ignore": ["c"], "zdr": True, "sort": "price", "data_collection": "deny"}
    body, dropped = sent(provider("eu"), model(only=["a", "b"]), provider=asked)
    assert body["provider"] == {**STRICT, "only": ["b"], "ignore": ["c"], "zdr": True, "sort": "price"}
    assert dropped == ("provider",)  # z was asked for in vain


@pytest.mark.parametrize(
    "asked",
    [{"only": ["evil"]}, {"allow_fallbacks": True}, {"data_collection": "allow"}, {"order": ["evil"]}, {"zdr": False}],
)
def test_a_client_cannot_loosen(asked: dict[str, Any]) -> None:
    """What would, is left out and named."""
    body, dropped = sent(provider("eu"), model(only=["a"], zdr=True), provider=asked)
    assert body["provider"] == {**STRICT, "only": ["a"], "zdr": True}
    assert dropped == ("provider",)


def test_other_ways_out_are_closed() -> None:
    """Other models, plugins that search elsewhere, presets with preferences of their own."""
    body, dropped = sent(provider("eu"), model(only=["a"]), **{name: ["x"] for name in openrouter.LOOSE}, temperature=1)
    assert set(body) == {"model", "provider", "temperature"}
    assert dropped == tuple(sorted(openrouter.LOOSE))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["allow", "deny"]),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
KEYS = st.sampled_from(["only", "order", "ignore", "zdr", "allow_fallbacks", "data_collection", "sort", "other"])


@given(JSON | st.dictionaries(KEYS, JSON | st.lists(st.sampled_from(["a", "b", "evil"]))))
def test_whatever_a_client_says_the_pin_holds(asked: Any) -> None:
    """Only hosts that are stated, and both promises."""
    body, _ = sent(provider("eu"), model(only=["a", "b"]), provider=asked)
    pin = body["provider"]
    assert pin["only"]
    assert set(pin["only"]) <= {"a", "b"}
    assert (pin["allow_fallbacks"], pin["data_collection"]) == (False, "deny")
    assert "order" not in pin


@pytest.mark.parametrize("only", [None, [], "a", [1], [""], {}])
def test_an_empty_pin_is_none(only: Any) -> None:
    """What names nobody would allow everybody."""
    assert openrouter.only(model(only=only)) == ()
    assert openrouter.only(Model(id="m", compat={"openRouterRouting": "x"})) == ()
