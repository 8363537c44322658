"""`compat` in all dialects: which keys there are, and the rules that hold in each."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.fitting import PLACE, VENDOR, Json, fitted
from pointsman import dialects
from pointsman.dialects import chat, compat_keys, responses
from pointsman.dialects.chat import compat as compat_chat
from pointsman.dialects.messages import compat as compat_messages
from pointsman.dialects.responses import compat as compat_responses
from pointsman.table import Model, Provider

LMSTUDIO = Provider(name="l", type="LMStudio", base_url="http://x", api=("openai-completions",))
WORKING = {
    "supportsStore", "supportsPromptCacheKey", "supportsLongCacheRetention", "supportsReasoningEffort",
    "supportedReasoningEfforts", "reasoningEffortMap", "thinkingFormat", "cacheControlFormat", "openRouterRouting",
}  # fmt: skip
"""Keys that are read elsewhere than in a rule of a dialect."""
PASSING = {"supportsJsonSchemaResponseFormat"}
"""Keys by which targets are passed over."""


def test_every_key_of_openclaw_is_followed_passed_on_or_refused() -> None:
    """None is silently ignored."""
    ruled = {key for module in (compat_chat, compat_responses, compat_messages) for key, _ in module._RULES}
    followed = ruled | WORKING | PASSING
    assert followed | compat_keys.CLIENT == set(compat_keys.ALL)
    assert not followed & compat_keys.CLIENT
    assert not compat_keys.REFUSED.keys() & set(compat_keys.ALL)
    assert len(compat_keys.ALL) + len(compat_keys.REFUSED) == 35


@pytest.mark.parametrize(
    ("key", "sound", "unsound"),
    [
        ("supportsStore", [True, False], ["yes", 1, None]),
        ("maxTokensField", ["max_tokens"], ["max_output_tokens", "", 1]),
        ("thinkingFormat", ["qwen", "zai"], ["Qwen", None, []]),
        ("toolSchemaProfile", ["llamacpp", "gemini"], ["xai"]),
        ("supportedReasoningEfforts", [["low"], []], ["low", [1], [""]]),
        ("reasoningEffortMap", [{"off": "low"}, {}], [{"off": 1}, ["low"], "low"]),
        ("openRouterRouting", [{}, {"zdr": True}, {"only": ["a"]}], [{"only": []}, "a", {"only": [""]}]),
        ("openRouterRouting",
         [{"zdr": True, "order": ["a"], "sort": {"by": "price", "partition": None}, "max_price": {"prompt": "0.5"}},
          {"data_collection": "deny", "ignore": [], "quantizations": ["fp8"], "sort": "latency",
           "preferred_min_throughput": {"p50": 20}, "preferred_max_latency": 1.5, "allow_fallbacks": False,
           "require_parameters": True, "enforce_distillable_text": True, "max_price": {"completion": 2}}],
         [{"zrd": True}, {"zdr": "yes"}, {"data_collection": "maybe"}, {"allow_fallbacks": 0}, {"order": []},
          {"ignore": "a"}, {"sort": 1}, {"sort": {"on": "price"}}, {"max_price": 1}, {"max_price": {"prompt": "-1"}},
          {"preferred_max_latency": "1"}, {"preferred_max_latency": {"p1": 1}}, {"max_price": {"prompt": True}}]),
        ("vercelGatewayRouting", [{"only": ["a"], "order": ["a"]}], [{}, {"order": []}, {"zdr": True}, []]),
        ("unheard-of", [1, "x"], []),
    ],
)  # fmt: skip
def test_what_a_key_may_say(key: str, sound: list[Any], unsound: list[Any]) -> None:
    """A wrong value is told what it must be."""
    assert [compat_keys.fault(key, value) for value in sound] == [""] * len(sound)
    assert all(compat_keys.fault(key, value) for value in unsound)


@pytest.mark.parametrize("wire", dialects.ALL.values())
def test_a_model_that_states_nothing_costs_nothing(wire: dialects.Wire) -> None:
    """Every value goes on as it came, byte for byte, white space and large numbers and all."""
    body = (
        b'{"model":"a","messages":[ {"role" : "user", "n":1e400} ],"input":[ 12345678901234567890123 ],"temperature":0}'
    )
    sent, dropped = wire.with_model(wire.read_head(body).fields, Model(id="b"), PLACE)
    assert sent == body.replace(b'"a"', b'"b"', 1)
    assert dropped == ()


@pytest.mark.parametrize("wire", dialects.ALL.values())
@pytest.mark.parametrize("place", [PLACE, VENDOR])
def test_no_temperature(wire: dialects.Wire, place: Provider) -> None:
    """`supportsTemperature: false` leaves it out and names it, also where it is 0; a vendor's model may have none."""
    assert fitted(wire, {"supportsTemperature": False}, {"temperature": 0, "top_p": 1}, place) == (
        {"top_p": 1},
        ("temperature",),
    )
    assert fitted(wire, {"supportsTemperature": True}, {"temperature": 0}, place) == ({"temperature": 0}, ())


@pytest.mark.parametrize("wire", dialects.ALL.values())
def test_no_tools(wire: dialects.Wire) -> None:
    """`supportsTools: false`: where a route lets such a request come here, the schemas go, and are named."""
    asked = {"tools": [{"name": "a"}], "tool_choice": "auto", "parallel_tool_calls": True, "stop": ["x"]}
    sent, dropped = fitted(wire, {"supportsTools": False}, asked)
    assert sent == {"stop": ["x"]}
    assert dropped == ("parallel_tool_calls", "tool_choice", "tools")
    old = {"functions": [{"name": "a"}], "function_call": "auto"}
    assert fitted(wire, {"supportsTools": False}, old) == ({}, ("function_call", "functions"))


@pytest.mark.parametrize("wire", [chat, responses])
@pytest.mark.parametrize(
    ("key", "name"),
    [("supportsStore", "store"), ("supportsPromptCacheKey", "prompt_cache_key"),
     ("supportsLongCacheRetention", "prompt_cache_retention")],
)  # fmt: skip
def test_fields_that_only_vendors_are_believed_to_take(wire: dialects.Wire, key: str, name: str) -> None:
    """Left out elsewhere unless the server is stated to take them; kept by the vendor unless its model does not."""
    asked: Json = {name: True}
    assert fitted(wire, {}, asked) == ({}, (name,))
    assert fitted(wire, {key: True}, asked) == (asked, ())
    assert fitted(wire, {key: False}, asked) == ({}, (name,))
    assert fitted(wire, {}, asked, VENDOR) == (asked, ())
    assert fitted(wire, {key: False}, asked, VENDOR) == ({}, (name,))


@pytest.mark.parametrize("wire", [chat, responses])
def test_lm_studio_is_told_how_long_to_keep_a_model(wire: dialects.Wire) -> None:
    """As its `ttl`, in whole seconds; what the client says itself counts, and no other server is told."""

    def kept(seconds: float, asked: Json, kind: str = "LMStudio") -> Json:
        place = Provider(name="l", type=kind, base_url="http://x", api=(), keep_alive=seconds)
        return fitted(wire, {}, asked, place)[0]

    assert kept(90.0, {}) == {"ttl": 90}
    assert kept(0.5, {}) == {"ttl": 1}
    assert kept(-1.0, {}) == kept(1e9, {}) == {"ttl": 24 * 86400}
    assert kept(90.0, {"ttl": 5}) == {"ttl": 5}
    assert kept(0.0, {}) == kept(90.0, {}, "Ollama") == {}


@pytest.mark.parametrize(
    ("kind", "compat", "store", "sent"),
    [
        ("LMStudio", {}, False, True), ("LMStudio", {}, True, True), ("LiteLLM", {}, False, True),
        ("OpenAICompatible", {}, False, True), ("OpenAICompatible", {}, True, False),
        ("OpenAICompatible", {"supportsStore": True}, True, True),
        ("LMStudio", {"supportsStore": False}, True, False), ("LMStudio", {"supportsStore": False}, False, False),
    ],
)  # fmt: skip
def test_a_client_that_wants_nothing_kept_is_heard(kind: str, compat: Json, store: bool, sent: bool) -> None:
    """In Responses silence means that the answer is kept: `store: false` goes on, also to what hands on to a vendor.

    That it is kept is asked of those that keep answers: LM Studio does, and whoever is stated to.
    """
    place = Provider(name="l", type=kind, base_url="http://x", api=())
    asked = {"store": store}
    assert fitted(responses, compat, asked, place) == (asked if sent else {}, () if sent or not store else ("store",))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6)
    | st.sampled_from(["user", "assistant", "tool", "developer", "c1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["role", "content", "type", "text", "function", "name", "parameters", "properties", "pattern",
                         "tool_calls", "tool_call_id", "id", "effort", "reasoning", "cache_control", "gateway"]),
        inner, max_size=3,
    ),
    max_leaves=12,
)  # fmt: skip
FIELDS = st.dictionaries(
    st.sampled_from(["messages", "input", "instructions", "tools", "tool_choice", "reasoning", "reasoning_effort",
                     "thinking", "chat_template_kwargs", "providerOptions", "max_tokens", "stream_options", "system"]),
    VALUES, max_size=5,
)  # fmt: skip
FLAGS = st.dictionaries(st.sampled_from(compat_keys.FLAGS), st.booleans())
OTHERS = st.fixed_dictionaries(
    {},
    optional={
        **{key: st.sampled_from(words) for key, words in compat_keys.WORDS.items()},
        "supportedReasoningEfforts": st.just(["low", "max"]),
        "reasoningEffortMap": st.just({"off": "low"}),
        "unsupportedToolSchemaKeywords": st.just(["pattern"]),
        "vercelGatewayRouting": st.just({"only": ["a"]}),
    },
)


@given(FIELDS, FLAGS, OTHERS, st.sampled_from(list(dialects.ALL.values())), st.booleans())
def test_whatever_a_client_sends_is_shaped_or_left_alone(
    fields: Json, flags: Json, others: Json, wire: dialects.Wire, reasoning: bool
) -> None:
    """No shape of a request is an error here: the target will say what is wrong with it. Names are not told twice."""
    sent, dropped = fitted(wire, {**flags, **others}, fields, reasoning=reasoning)
    assert len(set(dropped)) == len(dropped)
    again = json.dumps(sent)
    assert json.loads(again) == sent


@given(FIELDS, FLAGS, OTHERS, st.sampled_from(list(dialects.ALL.values())))
def test_what_is_shaped_once_stays_as_it_is(fields: Json, flags: Json, others: Json, wire: dialects.Wire) -> None:
    """Shaping a shaped request changes nothing: what resumes an answer is shaped like the request before it."""
    stated = {**flags, **others}
    # A thought that has become text, and tools that have become OpenAI's, are told anew from what is left.
    once, _ = fitted(wire, stated, fields, reasoning=True)
    assert fitted(wire, stated, once, reasoning=True)[0] == once


@given(FIELDS, FLAGS, OTHERS, st.sampled_from(list(dialects.ALL.values())))
def test_translated_requests_are_shaped_alike(fields: Json, flags: Json, others: Json, wire: dialects.Wire) -> None:
    """Whether a value comes as it was received or as a translation made it."""
    model = Model(id="m", compat={**flags, **others}, reasoning=True)
    asked = {"model": "asked", **fields}
    received = wire.read_head(json.dumps(asked).encode()).fields
    made: Any = json.loads(json.dumps(asked))
    there, here = wire.with_model(received, model, PLACE), wire.with_model(made, model, PLACE)
    assert (json.loads(there[0]), there[1]) == (json.loads(here[0]), here[1])


def test_a_misspelt_preference_is_told_what_was_meant() -> None:
    """OpenRouter would pass it over, and the promise with it."""
    assert compat_keys.fault("openRouterRouting", {"zrd": True}) == "has no 'zrd': did you mean zdr?"
