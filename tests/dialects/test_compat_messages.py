"""`compat` in Messages, and the hints to a prompt cache that only Anthropic itself is sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.fitting import SCHEMA, Json, fitted
from pointsman.dialects import messages
from pointsman.table import Provider

ANTHROPIC = Provider(name="a", type="Anthropic", base_url="http://x", api=("anthropic-messages",), native=True)
HINT = {"type": "ephemeral"}
HINTED: Json = {
    "cache_control": HINT,
    "system": [{"type": "text", "text": "be brief", "cache_control": HINT}],
    "tools": [{"name": "look", "input_schema": SCHEMA, "cache_control": HINT}],
    "messages": [
        {"role": "user", "content": "a text that speaks of cache_control"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "hi", "cache_control": HINT},
                {
                    "type": "tool_result",
                    "tool_use_id": "t",
                    "content": [{"type": "text", "text": "x", "cache_control": HINT}],
                },
            ],
        },
    ],
}
BARE: Json = {
    "system": [{"type": "text", "text": "be brief"}],
    "tools": [{"name": "look", "input_schema": SCHEMA}],
    "messages": [
        HINTED["messages"][0],
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "hi"},
                {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "x"}]},
            ],
        },
    ],
}


def test_hints_to_a_prompt_cache_go_to_anthropic_alone() -> None:
    """Wherever they stand; named. A server that hands on to Anthropic is stated to follow them."""
    assert fitted(messages, {}, HINTED) == (BARE, ("cache_control",))
    assert fitted(messages, {}, HINTED, ANTHROPIC) == (HINTED, ())
    assert fitted(messages, {"cacheControlFormat": "anthropic"}, HINTED) == (HINTED, ())


@pytest.mark.parametrize("place", ["system", "tools", "messages"])
def test_each_place_alone(place: str) -> None:
    """Looked for in each."""
    assert fitted(messages, {}, {place: HINTED[place]}) == ({place: BARE[place]}, ("cache_control",))
    assert fitted(messages, {}, {place: BARE[place]}) == ({place: BARE[place]}, ())


@given(st.text(alphabet='_"ace\\', max_size=60), st.booleans())
def test_no_hint_is_missed(words: str, hinted: bool) -> None:
    """However many lines stand before it."""
    block: Json = {"type": "text", "text": words} | ({"cache_control": HINT} if hinted else {})
    sent, dropped = fitted(messages, {}, {"messages": [{"role": "user", "content": [block]}]})
    assert sent == {"messages": [{"role": "user", "content": [{"type": "text", "text": words}]}]}
    assert dropped == (("cache_control",) if hinted else ())


def test_caches_for_the_usual_time() -> None:
    """`supportsLongCacheRetention: false`: only the hour goes, and is named."""
    hour = [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": HINT | {"ttl": "1h"}}]}]
    usual = [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": HINT}]}]
    sent = fitted(messages, {"supportsLongCacheRetention": False}, {"messages": hour}, ANTHROPIC)
    assert sent == ({"messages": usual}, ("cache_control.ttl",))
    assert fitted(messages, {"supportsLongCacheRetention": True}, {"messages": hour}, ANTHROPIC)[0] == {
        "messages": hour
    }


def test_tools_take_their_input_as_ever() -> None:
    """`supportsEagerToolInputStreaming: false`: only when it comes changes, nothing is named."""
    tool = {"name": "look", "input_schema": SCHEMA}
    asked = {"tools": [tool | {"eager_input_streaming": True}]}
    assert fitted(messages, {"supportsEagerToolInputStreaming": False}, asked) == ({"tools": [tool]}, ())
    assert fitted(messages, {}, asked) == (asked, ())


def test_tools_are_not_strict() -> None:
    """`supportsStrictMode: false`."""
    tool = {"name": "look", "input_schema": SCHEMA}
    sent = fitted(messages, {"supportsStrictMode": False}, {"tools": [tool | {"strict": True}]})
    assert sent == ({"tools": [tool]}, ("tools.strict",))


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ({"type": "auto"}, "auto"), ({"type": "any"}, "required"), ({"type": "none"}, "none"),
        ({"type": "tool", "name": "look"}, {"type": "function", "function": {"name": "look"}}),
        ({"type": "later"}, {"type": "later"}), ("auto", "auto"),
    ],
)  # fmt: skip
def test_tools_of_openais_in_messages(choice: Any, sent: Any) -> None:
    """`requiresOpenAiAnthropicToolPayload`: definitions and choice; tools that the vendor runs have no schema."""
    hosted = {"type": "web_search_20250305", "name": "web_search"}
    asked = {"tools": [{"name": "look", "description": "d", "input_schema": SCHEMA}, hosted], "tool_choice": choice}
    function = {"name": "look", "description": "d", "parameters": SCHEMA}
    assert fitted(messages, {"requiresOpenAiAnthropicToolPayload": True}, asked) == (
        {"tools": [{"type": "function", "function": function}, hosted], "tool_choice": sent},
        (),
    )


def test_one_call_at_a_time_is_not_said_in_openais_choice() -> None:
    """What the choice cannot say is named, where it asked for something."""
    compat = {"requiresOpenAiAnthropicToolPayload": True}
    for alone, lost in ((True, ("tool_choice.disable_parallel_tool_use",)), (False, ())):
        asked = {"tool_choice": {"type": "any", "disable_parallel_tool_use": alone}}
        assert fitted(messages, compat, asked) == ({"tool_choice": "required"}, lost)


def test_what_is_said_of_a_tool_is_cleaned_before_it_changes_its_shape() -> None:
    """Both keys together."""
    asked = {"tools": [{"name": "look", "input_schema": SCHEMA | {"additionalProperties": False}}]}
    both = {"requiresOpenAiAnthropicToolPayload": True, "toolSchemaProfile": "gemini"}
    assert fitted(messages, both, asked)[0]["tools"][0]["function"]["parameters"] == SCHEMA
