"""What a request needs of a model: found where it is asked for, and not where a text speaks of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman import dialects
from pointsman.dialects import body as bodies
from pointsman.dialects import chat, messages, needs, responses
from pointsman.exchange import AUDIO, CALLED, FILE, IMAGE, JSON_SCHEMA, PARALLEL_TOOLS, REASONING, TOOLS

SCHEMA = {"type": "json_schema", "name": "n", "schema": {}}
TOOL = [{"type": "function", "name": "f"}]


def read(**fields: Any) -> bodies.Fields:
    return bodies.read_fields(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("dialect", "fields", "bits"),
    [
        (chat, {}, 0), (chat, {"tools": []}, 0), (chat, {"tools": TOOL}, TOOLS),
        (chat, {"tools": TOOL, "parallel_tool_calls": True}, TOOLS | PARALLEL_TOOLS),
        (chat, {"tools": TOOL, "parallel_tool_calls": False}, TOOLS), (chat, {"parallel_tool_calls": True}, 0),
        (chat, {"functions": [{"name": "f"}], "function_call": "auto"}, TOOLS), (chat, {"functions": []}, 0),
        (chat, {"response_format": {"type": "json_schema", "json_schema": {}}}, JSON_SCHEMA),
        (chat, {"response_format": {"type": "json_object"}}, 0), (chat, {"response_format": None}, 0),
        (chat, {"reasoning_effort": "low"}, REASONING), (chat, {"reasoning_effort": "none"}, 0),
        (chat, {"reasoning": {"effort": "high"}}, REASONING), (chat, {"reasoning_effort": None}, 0),
        (responses, {"tools": TOOL, "parallel_tool_calls": True}, TOOLS | PARALLEL_TOOLS),
        (responses, {"text": {"format": SCHEMA}}, JSON_SCHEMA), (responses, {"text": {"format": {"type": "text"}}}, 0),
        (responses, {"text": {"verbosity": "low"}}, 0), (responses, {"reasoning": {"effort": "low"}}, REASONING),
        (responses, {"reasoning": {"effort": None}}, 0), (responses, {"reasoning": None}, 0),
        (messages, {"tools": TOOL}, TOOLS),
        (messages, {"tools": TOOL, "tool_choice": {"type": "auto", "disable_parallel_tool_use": False}},
         TOOLS | PARALLEL_TOOLS),
        (messages, {"tools": TOOL, "tool_choice": {"type": "auto"}}, TOOLS),
        (messages, {"thinking": {"type": "enabled", "budget_tokens": 1024}}, REASONING),
        (messages, {"thinking": {"type": "disabled"}}, 0),
        (messages, {"output_format": SCHEMA}, JSON_SCHEMA),
        (messages, {"output_config": {"format": SCHEMA}}, JSON_SCHEMA),
    ],
)  # fmt: skip
def test_reads_what_is_asked_for(dialect: dialects.Wire, fields: dict[str, Any], bits: int) -> None:
    """Each dialect has its own field for it; what is off is not needed."""
    assert dialect.read_head(json.dumps({"model": "m", **fields}).encode()).needs == bits


@pytest.mark.parametrize(
    ("fields", "bits"),
    [
        ({"messages": [{"role": "user", "content": "hello"}]}, 0), ({"input": "hello"}, 0), ({}, 0),
        ({"messages": [{"content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}]}]}, IMAGE),
        ({"messages": [{"content": [{"type": "input_audio"}, {"type": "file"}]}]}, AUDIO | FILE),
        ({"messages": [{"content": [{"type": "image", "source": {}}, {"type": "document"}]}]}, IMAGE | FILE),
        ({"messages": [{"content": [{"type": "tool_result", "content": [{"type": "image"}]}]}]}, IMAGE | CALLED),
        ({"messages": [{"content": [{"type": "tool_result", "content": "image"}]}]}, CALLED),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}, {"type": "input_file"}]}]}, IMAGE | FILE),
        ({"input": [{"type": "function_call_output", "output": [{"type": "input_image"}]}]}, IMAGE | CALLED),
        ({"input": [{"type": "function_call_output", "output": "input_image"}]}, CALLED),
        ({"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}]}, CALLED),
        ({"messages": [{"role": "assistant", "content": "a", "tool_calls": []}]}, 0),
        ({"messages": [{"role": "assistant", "content": None, "function_call": {"name": "f"}}]}, CALLED),
        ({"messages": [{"role": "assistant", "content": "a", "function_call": None}]}, 0),
        ({"messages": [{"role": "tool", "content": "a", "tool_call_id": "c"}]}, CALLED),
    ],
)  # fmt: skip
def test_finds_media_in_the_turns(fields: dict[str, Any], bits: int) -> None:
    """Also in what a tool gave back."""
    assert needs.media(read(**fields)) == bits


@given(st.sampled_from(['"image_url"', '"type":"image"', '{"type": "input_audio"}', '"file"']), st.booleans())
def test_a_text_that_speaks_of_media_has_none(text: str, parts: bool) -> None:
    """A question on how to send an image is no image."""
    content = [{"type": "text", "text": text}] if parts else text
    for name in ("messages", "input"):
        assert needs.media(read(**{name: [{"role": "user", "content": content}], "tools": [{"name": text}]})) == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([
    "messages", "input", "tools", "reasoning", "reasoning_effort", "thinking", "text", "response_format",
    "output_format", "output_config", "tool_choice", "parallel_tool_calls",
])  # fmt: skip


@given(st.dictionaries(NAMES, JSON))
def test_nothing_is_too_odd_to_be_read(fields: dict[str, Any]) -> None:
    """Whatever stands in a field: bits or none, never an error."""
    given_fields = read(**fields)
    for find in (needs.chat, needs.responses, needs.messages, needs.media):
        assert 0 <= find(given_fields) < 128
