"""Answers of any dialect are read for what the doctor wants to know, and strangers' bytes raise nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.fleet.replies import Reply, stream, whole
from pointsman.names import Dialect
from pointsman.served import Answer

Json = dict[str, Any]
WHOLE: dict[Dialect, Json] = {
    Dialect.CHAT: {
        "model": "m",
        "choices": [{"message": {"content": "hi", "reasoning_content": "hm", "tool_calls": [{}]}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    },
    Dialect.RESPONSES: {
        "object": "response",
        "model": "m",
        "output": [
            {"type": "reasoning", "summary": []},
            {"type": "message", "content": [{"type": "output_text", "text": "hi"}]},
            {"type": "function_call", "name": "f"},
        ],
        "usage": {"input_tokens": 3, "output_tokens": 2},
    },
    Dialect.MESSAGES: {
        "type": "message",
        "model": "m",
        "content": [{"type": "thinking"}, {"type": "text", "text": "hi"}, {"type": "tool_use"}],
        "usage": {"input_tokens": 3, "output_tokens": 2},
    },
}
EVENTS: dict[Dialect, list[Json]] = {
    Dialect.CHAT: [
        {"choices": [{"delta": {"reasoning_content": "hm"}}]},
        {"choices": [{"delta": {"content": "hi"}}]},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
    ],
    Dialect.RESPONSES: [
        {"type": "response.created", "sequence_number": 0},
        {"type": "response.reasoning_text.delta", "delta": "hm", "sequence_number": 1},
        {"type": "response.output_text.delta", "delta": "hi", "sequence_number": 2},
        {
            "type": "response.completed",
            "sequence_number": 3,
            "response": {"usage": {"input_tokens": 3, "output_tokens": 2}},
        },
    ],
    Dialect.MESSAGES: [
        {"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1}}},
        {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hi"}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ],
}


def answer(body: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(body).encode())


def events(dialect: Dialect, given: list[Json]) -> Answer:
    end = b"data: [DONE]\n\n" if dialect is Dialect.CHAT else b""
    return Answer(200, b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in given) + end)


@pytest.mark.parametrize("dialect", Dialect)
def test_a_whole_answer_is_read(dialect: Dialect) -> None:
    """Text, tokens, calls, and reasoning that is apart."""
    assert whole(dialect, answer(WHOLE[dialect])) == Reply("hi", "m", 3, 2, called=True, apart=True)


@pytest.mark.parametrize("dialect", Dialect)
def test_an_answer_of_another_dialect_is_none(dialect: Dialect) -> None:
    """Nor is one with an error in it, or with another status."""
    assert [other for other, body in WHOLE.items() if whole(dialect, answer(body))] == [dialect]
    assert whole(dialect, answer(WHOLE[dialect] | {"error": {"message": "no"}})) is None
    assert whole(dialect, answer(WHOLE[dialect], 500)) is None


@pytest.mark.parametrize("dialect", Dialect)
def test_a_stream_is_read(dialect: Dialect) -> None:
    """The same of its events, its end and its numbers."""
    found = stream(dialect, events(dialect, EVENTS[dialect]))
    assert found is not None
    assert found.reply == Reply("hi", "", 3, 2, apart=True)
    assert (found.ended, found.fault) == (True, "")
    assert found.numbers == ((0, 1, 2, 3) if dialect is Dialect.RESPONSES else ())


@pytest.mark.parametrize("dialect", Dialect)
def test_a_stream_that_breaks_off(dialect: Dialect) -> None:
    """Its text is there, its end is not; an error among the events is told."""
    cut = Answer(200, events(dialect, [*EVENTS[dialect][:-1], {"error": {"message": "boom"}}]).body)
    found = stream(dialect, Answer(200, cut.body.replace(b"data: [DONE]\n\n", b"")))
    assert found is not None
    assert (found.ended, found.fault, found.reply.said) == (False, "boom", "hi")


@pytest.mark.parametrize("dialect", Dialect)
def test_a_whole_answer_is_no_stream(dialect: Dialect) -> None:
    """Nor is an empty body, nor a stream of another dialect."""
    assert stream(dialect, answer(WHOLE[dialect])) is None
    assert stream(dialect, Answer(200)) is None
    assert [other for other in Dialect if stream(dialect, events(other, EVENTS[other]))] == [dialect]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "message", "content", "output", "usage", "type", "error", "response", "text"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(Dialect), VALUES)
def test_any_json_is_read_without_raising(dialect: Dialect, value: Any) -> None:
    """As an answer and as an event among good ones."""
    read = whole(dialect, answer(value))
    assert read is None or isinstance(read.said, str)
    given = [EVENTS[dialect][0], value] if isinstance(value, dict) else EVENTS[dialect][:1]
    assert stream(dialect, events(dialect, given)) is not None


@given(st.sampled_from(Dialect), st.binary(max_size=300))
def test_any_bytes_are_read_without_raising(dialect: Dialect, body: bytes) -> None:
    """Neither JSON nor events have to come."""
    assert whole(dialect, Answer(200, body)) is None or body.startswith(b"{")
    assert stream(dialect, Answer(200, body)) is None or b"data:" in body
