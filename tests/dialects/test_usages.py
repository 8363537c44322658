"""What answers say that they cost, and what requests say that they may."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects import chat, messages, responses
from pointsman.exchange import Head, Usage
from pointsman.sse import frames

if TYPE_CHECKING:
    from pointsman.dialects import Wire

OPENAI = {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 60}}
RESPONSE = {"input_tokens": 100, "output_tokens": 7, "input_tokens_details": {"cached_tokens": 60}}
ANTHROPIC = {"input_tokens": 30, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 10, "output_tokens": 7}
ALL = Usage(100, 7, 60)


def heard(wire: Wire, *events: Any) -> Usage | None:
    scanner = wire.Scanner(Head("m", stream=True, fields={}))
    for event in events:
        raw = b"data: " + json.dumps(event).encode() + b"\n\n"
        assert not scanner.quiet(raw)
        scanner.feed(frames(raw)[0])
    return scanner.usage


def test_streams_say_what_they_cost() -> None:
    """A last chunk of chat; both ends of a response; the start of a message, and the rest at its end."""
    assert heard(chat, {"choices": [], "usage": OPENAI}) == ALL
    assert heard(responses, {"type": "response.completed", "response": {"output": [{}], "usage": RESPONSE}}) == ALL
    incomplete = {"usage": RESPONSE, "incomplete_details": {"reason": "max_output_tokens"}}
    assert heard(responses, {"type": "response.incomplete", "response": incomplete}) == ALL
    start = {"type": "message_start", "message": {"usage": {**ANTHROPIC, "output_tokens": 1}}}
    assert heard(messages, start) == Usage(100, 1, 60)
    assert heard(messages, start, {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 7}}) == ALL


def test_a_later_count_is_the_better_one() -> None:
    """SGLang starts with 0 tokens, Ollama with an estimate; both say it right at the end."""
    for estimate in (0, 12):
        start = {"type": "message_start", "message": {"usage": {"input_tokens": estimate, "output_tokens": 0}}}
        assert heard(messages, start, {"type": "message_delta", "usage": ANTHROPIC}) == ALL


@pytest.mark.parametrize(("wire", "usage"), [(chat, OPENAI), (responses, RESPONSE), (messages, ANTHROPIC)])
def test_whole_answers_say_what_they_cost(wire: Wire, usage: dict[str, Any]) -> None:
    """All of the prompt counts as input, whether the server counts what it had cached or not."""
    assert wire.read_usage(json.dumps({"id": "x", "usage": usage}).encode()) == ALL


ODD = [b"", b"[]", b"{}", b'{"usage":null}', b'{"usage":[]}', b'{"usage":{"prompt_tokens":"many"}}', b"[" * 100_000,
       b'{"usage":{"prompt_tokens":0}}', b'{"usage":']  # fmt: skip


@pytest.mark.parametrize("wire", [chat, responses, messages])
def test_no_usage_is_too_odd(wire: Wire) -> None:
    """What cannot be read is as good as not said, and no reason to give up an answer."""
    assert [wire.read_usage(body) for body in ODD] == [None] * len(ODD)
    assert heard(chat, {"choices": [{"delta": {"content": "x"}}], "usage": "odd"}) is None


@given(st.dictionaries(st.sampled_from([*OPENAI, *ANTHROPIC]), st.none() | st.integers() | st.text()))
def test_counts_are_never_below_nothing(usage: dict[str, Any]) -> None:
    """Whatever a server says, budgets are not paid back by it."""
    found = chat.read_usage(json.dumps({"usage": usage}).encode())
    assert found is None or min(found.input, found.output, found.cached) >= 0


@pytest.mark.parametrize(
    ("wire", "fields", "limit"),
    [
        (chat, {"max_tokens": 5}, 5),
        (chat, {"max_tokens": 5, "max_completion_tokens": 9}, 9),
        (chat, {"max_tokens": 5, "max_completion_tokens": None}, 5),
        (chat, {}, 0),
        (chat, {"max_tokens": "many"}, 0),
        (chat, {"max_tokens": -1}, 0),
        (responses, {"max_output_tokens": 16}, 16),
        (messages, {"max_tokens": 1024}, 1024),
    ],
)
def test_requests_say_how_long_an_answer_may_be(wire: Wire, fields: dict[str, Any], limit: int) -> None:
    """The newer of chat's two names counts; what is no number is for the target to refuse."""
    assert wire.read_head(json.dumps({"model": "m", **fields}).encode()).max_tokens == limit
