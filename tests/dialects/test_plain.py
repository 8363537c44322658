"""Requests that are nothing but text, as chat requests; anything else is left alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects import body as bodies
from pointsman.dialects import plain
from pointsman.names import Dialect

Json = dict[str, Any]
HI = {"role": "user", "content": "hi"}


def written(dialect: Dialect, asked: Json) -> Json:
    fields = plain.as_chat(dialect, bodies.read_fields(json.dumps(asked).encode()))
    return {name: json.loads(bytes(raw)) for name, raw in fields.items()}


def test_responses() -> None:
    """Instructions come first, items of text become turns, the bound has chat's name."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    asked = {"model": "m", "input": [item], "instructions": "Be brief.", "max_output_tokens": 9, "store": False}
    assert written(Dialect.RESPONSES, {**asked, "text": {"format": {"type": "text"}}, "top_p": 0.5}) == {
        "model": "m",
        "max_tokens": 9,
        "top_p": 0.5,
        "messages": [{"role": "system", "content": "Be brief."}, HI],
        "stream_options": {"include_usage": True},
    }


def test_messages() -> None:
    """The system's blocks come first, joined; stop sequences have chat's name."""
    cached = {"type": "text", "text": "brief.", "cache_control": {"type": "ephemeral"}}
    blocks = [{"type": "text", "text": "Be "}, cached]
    two = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    asked = {"model": "m", "system": blocks, "messages": [HI, {"role": "assistant", "content": "Yes?"},
             {"role": "user", "content": two}], "stop_sequences": ["x"], "max_tokens": 9}  # fmt: skip
    assert written(Dialect.MESSAGES, {**asked, "thinking": {"type": "disabled"}}) == {
        "model": "m",
        "max_tokens": 9,
        "stop": ["x"],
        "messages": [{"role": "system", "content": "Be brief."}, HI, {"role": "assistant", "content": "Yes?"},
                     {"role": "user", "content": two}],
        "stream_options": {"include_usage": True},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("dialect", "extra"),
    [
        (Dialect.RESPONSES, {"tools": [{"type": "function"}]}),
        (Dialect.RESPONSES, {"reasoning": {"effort": "high"}}),
        (Dialect.RESPONSES, {"text": {"verbosity": "low"}}),
        (Dialect.RESPONSES, {"input": [{"type": "function_call_output", "call_id": "c", "output": ""}]}),
        (Dialect.RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}),
        (Dialect.RESPONSES, {"input": None}),
        (Dialect.MESSAGES, {"tools": [{"name": "f"}]}),
        (Dialect.MESSAGES, {"thinking": {"type": "enabled"}}),
        (Dialect.MESSAGES, {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}),
        (Dialect.MESSAGES, {"messages": [{"role": "tool", "content": "x"}]}),
        (Dialect.MESSAGES, {"messages": 1}),
        (Dialect.MESSAGES, {"top_secret": True}),
    ],
)
def test_more_than_text_is_left_alone(dialect: Dialect, extra: Json) -> None:
    """Nothing is lost without a word."""
    base = {"input": "hi"} if dialect is Dialect.RESPONSES else {"messages": [HI]}
    assert plain.can(dialect, bodies.read_fields(json.dumps(base).encode()))
    assert not plain.can(dialect, bodies.read_fields(json.dumps({**base, **extra}).encode()))


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "type", "content", "text"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.sampled_from([Dialect.RESPONSES, Dialect.MESSAGES]), junk, junk)
def test_a_strange_request_never_raises(dialect: Dialect, turns: object, system: object) -> None:
    """What a client sends is a stranger's, and may still be right for its target."""
    asked = {"input": turns, "messages": turns, "system": system, "instructions": system}
    if dialect is Dialect.RESPONSES:
        asked = {"input": turns, "instructions": system}
    plain.can(dialect, bodies.read_fields(json.dumps(asked).encode()))
