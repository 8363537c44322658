"""Whole answers in Messages, read and written."""

from __future__ import annotations

import contextlib
from typing import Any

import anthropic.types
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.messages_speech import REPLIES, VALUES, asked, wholes
from pointsman.dialects import seals
from pointsman.dialects.messages.codec import read_reply, write_reply
from pointsman.exchange import Usage
from pointsman.names import Dialect
from pointsman.neutral import Finish, Foreign, Reasoning, Refusal, Reply, Seal, Text, ToolCall

Json = Any


def written(reply: Reply) -> Json:
    """An answer as the client gets it."""
    return msgspec.json.decode(write_reply(reply, asked(), 1))


def read(**more: Json) -> Reply:
    """A short answer with these members."""
    whole = {"type": "message", "content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn"}
    return read_reply(msgspec.json.encode({**whole, **more}))


@given(wholes())
def test_home_gets_back_what_was_said(whole: Json) -> None:
    """Block for block, with its numbers, signatures and citations."""
    assert written(read_reply(msgspec.json.encode(whole))) == whole


@given(REPLIES)
def test_every_answer_is_a_message_of_the_sdk(reply: Reply) -> None:
    """Strictly checked."""
    message = anthropic.types.Message.model_validate(written(reply), strict=True)
    assert message.id.startswith("msg_")


@given(REPLIES)
def test_what_is_written_reads_the_same(reply: Reply) -> None:
    """Once in Messages' words, nothing changes any more."""
    once = read_reply(write_reply(reply, asked(), 1))
    assert read_reply(write_reply(once, asked(), 1)) == once


@given(st.dictionaries(st.sampled_from(["content", "usage", "stop_reason", "id", "model"]), VALUES) | VALUES)
def test_hostile_answers_are_none_or_read(body: Json) -> None:
    """With one kind of error only."""
    with contextlib.suppress(ValueError):
        read_reply(msgspec.json.encode(body))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"content":"x"}', b'{"content":[1]}', b"[" * 5000])
def test_what_is_no_answer(body: bytes) -> None:
    """The target is at fault."""
    with pytest.raises(ValueError, match=r"no message|content\[0\]"):
        read_reply(body)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 13, "output_tokens": 4}, Usage(13, 4)),
        ({"input_tokens": 1, "cache_read_input_tokens": 12, "output_tokens": 4}, Usage(13, 4, 12)),
        ({"input_tokens": 1, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 3, "output_tokens": 4,
          "output_tokens_details": {"thinking_tokens": 2}}, Usage(6, 4, 2, 3, 2)),
        ({"input_tokens": None, "output_tokens": -4}, None),
        ({"input_tokens": "13"}, None),
        (None, None),
    ],
)  # fmt: skip
def test_cached_tokens_are_input(usage: Json, expected: Usage | None) -> None:
    """Messages tells them apart, everybody else among the input."""
    assert read(usage=usage).usage == expected


def test_cached_tokens_are_told_apart_again() -> None:
    """LiteLLM lost them (#22192)."""
    told = written(Reply(usage=Usage(10, 5, 4, 3, 2)))["usage"]
    assert told == {
        "input_tokens": 3, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 3, "output_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 2},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", Finish.STOP), ("max_tokens", Finish.LENGTH), ("tool_use", Finish.TOOL),
        ("refusal", Finish.FILTER), ("pause_turn", Finish.PAUSE), ("model_context_window_exceeded", Finish.CONTEXT),
        ("later", Finish.STOP), (None, Finish.STOP), (3, Finish.STOP),
    ],
)  # fmt: skip
def test_why_it_ended(reason: Json, finish: Finish) -> None:
    """What nobody here knows is an end like any other."""
    assert read(stop_reason=reason).finish is finish


def test_the_stop_sequence_is_kept() -> None:
    """Both ways."""
    reply = read(stop_reason="stop_sequence", stop_sequence="###")
    assert (reply.finish, reply.stop) == (Finish.STOP, "###")
    assert written(Reply(stop="###"))["stop_reason"] == "stop_sequence"


def test_a_call_is_why_it_ended() -> None:
    """OpenAI ends with "stop" when the tool was named in the request."""
    assert written(Reply(parts=(ToolCall("a", "f"),)))["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    ("name", "ident"),
    [("msg_01", "msg_01"), ("chatcmpl-ab1", "msg_ab1"), ("resp_0f", "msg_0f"), ("", "msg_1"), ("ünï", "msg_n")],
)
def test_identifiers_are_like_anthropics(name: str, ident: str) -> None:
    """The target's own is seen in it."""
    assert written(Reply(id=name))["id"] == ident


def test_calls_have_objects_for_input() -> None:
    """And identifiers that Anthropic takes back, were it asked next."""
    calls = [ToolCall("call_1", "f", '{"a":1}'), ToolCall("f:0", "f"), ToolCall("b", "f", "[1]")]
    content = written(Reply(parts=tuple(calls)))["content"]
    assert [block["input"] for block in content] == [{"a": 1}, {}, {"input": "[1]"}]
    assert [block["id"] for block in content] == ["call_1", "toolu_663a30", "b"]


def test_reasoning_is_thinking() -> None:
    """With its seal packed for its maker, or unsigned."""
    seal = Seal(Dialect.RESPONSES, {"encrypted_content": "enc"}, "openai")
    first, second = written(Reply(parts=(Reasoning("hm"), Reasoning("ha", summary=True, seal=seal))))["content"]
    assert first == {"type": "thinking", "thinking": "hm", "signature": ""}
    assert seals.read(Dialect.MESSAGES, second["signature"]) == seal


def test_what_says_nothing_is_left_out() -> None:
    """Anthropic refuses empty texts when they are sent back; other dialects' traces are nobody's."""
    parts = (Text(""), Text(" \n"), Reasoning(), Refusal("no"), Foreign(Dialect.RESPONSES, "web_search_call", {}))
    message = written(Reply(parts=parts, finish=Finish.FILTER))
    assert message["content"] == [{"type": "text", "text": "no"}]
    assert message["stop_reason"] == "refusal"
    assert written(Reply())["content"] == []
