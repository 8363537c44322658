"""Whole answers of chat completions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from dialects import chat_speech as speech
from dialects.chat_speech import ASKED, abroad, read
from pointsman.dialects.chat import codec as chat_codec
from pointsman.exchange import Usage
from pointsman.names import Dialect
from pointsman.neutral import Finish, Foreign, Reasoning, Refusal, Reply, Request, Seal, Text, ToolCall

_ANSWERED = Reply("chatcmpl-a1", "m", 7, (Text("hi"),))


def reply(message: dict[str, Any], **choice: Any) -> Reply:
    """An answer with this message."""
    body = {"id": "chatcmpl-a1", "choices": [{"message": {"role": "assistant", **message}, **choice}]}
    return chat_codec.read_reply(msgspec.json.encode(body))


def write(answer: Reply, request: Request = ASKED) -> Any:
    """The body for a client."""
    return msgspec.json.decode(chat_codec.write_reply(answer, request, 7))


def said(*parts: Any, **more: Any) -> Any:
    """The message of an answer of these parts."""
    return write(Reply("resp_1", "m", parts=parts, **more))["choices"][0]["message"]


@settings(deadline=None)
@given(speech.replies)
def test_home(body: Any) -> None:
    """What a server wrote is written back as it was."""
    assert write(chat_codec.read_reply(msgspec.json.encode(body))) == body


@settings(deadline=None)
@given(speech.replies)
def test_the_sdk_takes_it(body: Any) -> None:
    """By its types, strictly."""
    written = chat_codec.write_reply(chat_codec.read_reply(msgspec.json.encode(body)), abroad(), 7)
    ChatCompletion.model_validate_json(written)


@settings(deadline=None)
@given(st.binary() | speech.values.map(msgspec.json.encode) | st.fixed_dictionaries({"choices": st.lists(
    st.fixed_dictionaries({"message": speech.values | st.dictionaries(st.sampled_from([
        "content", "tool_calls", "reasoning_details", "function_call", "refusal", "pointsman.shape",
    ]), speech.values)}),
)}).map(msgspec.json.encode))  # fmt: skip
def test_anything_else_is_no_answer(body: bytes) -> None:
    """ValueError, or an answer that can be written."""
    try:
        found = chat_codec.read_reply(body)
    except ValueError:
        return
    chat_codec.write_reply(found, ASKED, 7)


@pytest.mark.parametrize("body", [b"", b"[" * 99999, b"{}", b'{"choices":[]}', b'{"choices":[{"message":7}]}', b"\xff"])
def test_no_answer(body: bytes) -> None:
    """It is said so."""
    with pytest.raises(ValueError, match="no chat completion"):
        chat_codec.read_reply(body)


def test_an_answer() -> None:
    """Reasoning, text and calls, in that order."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    found = reply({"content": "b", "tool_calls": [call], "reasoning": "a"}, finish_reason="tool_calls")
    assert [type(part) for part in found.parts] == [Reasoning, Text, ToolCall]
    assert found.finish is Finish.TOOL


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("<think>\nHm\n</think>\n\nSo", (Reasoning("Hm"), Text("So"))),
        ("<think>\n\n</think>\n\nSo", (Text("So"),)),
        ("<think>cut", (Reasoning("cut"),)),
        ("So <think>", (Text("So <think>"),)),
        ("", ()),
    ],
)
def test_thoughts_at_the_head_of_the_text_are_reasoning(content: str, parts: tuple[Any, ...]) -> None:
    """Of servers that have no parser for their model's."""
    assert reply({"content": content}).parts == parts


def test_where_reasoning_is_told_apart_the_text_is_left_alone() -> None:
    """The tag is then the model's own word."""
    found = reply({"content": "<think>a</think>", "reasoning_content": "Hm"})
    assert found.parts == (Reasoning("Hm"), Text("<think>a</think>"))


@pytest.mark.parametrize(
    ("reason", "called", "finish"),
    [
        ("stop", False, Finish.STOP),
        ("stop", True, Finish.TOOL),
        ("tool_calls", True, Finish.TOOL),
        ("tool_calls", False, Finish.STOP),
        ("length", True, Finish.LENGTH),
        ("content_filter", False, Finish.FILTER),
        (None, False, Finish.STOP),
        ("eos", True, Finish.TOOL),
    ],
)
def test_why_it_ended(reason: str | None, called: bool, finish: Finish) -> None:
    """Some servers say `stop` of answers that end with calls: the calls decide."""
    calls = [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]
    assert reply({"content": "a", "tool_calls": calls if called else None}, finish_reason=reason).finish is finish


def test_a_stop_sequence_is_named() -> None:
    """Which it was, vLLM says."""
    assert reply({"content": "a"}, finish_reason="stop", stop_reason="END").stop == "END"


def test_a_legacy_call_is_a_call() -> None:
    """Some servers answer so whatever they were asked."""
    found = reply({"content": None, "function_call": {"name": "f", "arguments": "{}"}})
    assert found.parts == (ToolCall("call_a1_0", "f", "{}"),)


def test_what_every_answer_has() -> None:
    """Of a target that speaks another dialect."""
    body = write(Reply("resp_1-a", "", parts=(Text("hi"),), usage=Usage(5, 2, cached=3, reasoning=1)))
    assert body["id"] == "chatcmpl-resp1a"
    assert (body["created"], body["model"]) == (7, "m")
    assert body["choices"][0]["message"] == {"role": "assistant", "content": "hi", "refusal": None}
    assert body["usage"] == {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }


def test_an_answer_without_an_identifier_is_given_one() -> None:
    """Clients key by it."""
    assert write(Reply())["id"] == "chatcmpl-7"


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (Finish.STOP, "stop"),
        (Finish.LENGTH, "length"),
        (Finish.CONTEXT, "length"),
        (Finish.TOOL, "tool_calls"),
        (Finish.FILTER, "content_filter"),
        (Finish.PAUSE, "stop"),
    ],
)
def test_reasons_in_chats_words(finish: Finish, reason: str) -> None:
    """Each has one."""
    assert write(msgspec.structs.replace(_ANSWERED, finish=finish))["choices"][0]["finish_reason"] == reason


def test_parts_in_chats_words() -> None:
    """Reasoning apart from the text; what other dialects' vendors did themselves is left out."""
    foreign = Foreign(Dialect.MESSAGES, "server_tool_use", {})
    found = said(Reasoning("a"), foreign, Reasoning("b"), Text("c"), ToolCall("", "f"), Text("d"))
    assert found == {
        "role": "assistant",
        "content": "c\n\nd",
        "refusal": None,
        "reasoning_content": "a\n\nb",
        "tool_calls": [{"id": "call_resp1_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    assert said(Refusal("no"))["refusal"] == "no"
    assert said()["content"] is None


def test_a_seal_goes_to_the_client_to_be_brought_back() -> None:
    """With the words that it signs."""
    found = said(Reasoning("Hm", seal=Seal(Dialect.MESSAGES, "sig", "anna")), Text("so"))
    again = read({"model": "m", "messages": [found]}).turns[0].parts
    assert again == (Reasoning("Hm", seal=Seal(Dialect.MESSAGES, "sig", "anna")), Text("so"))


def test_a_custom_tool_is_called_as_one() -> None:
    """Its target was told of a function in its place."""
    asked = read({"model": "m", "messages": [], "tools": [{"type": "custom", "custom": {"name": "patch"}}]})
    answer = Reply(parts=(ToolCall("c", "patch", '{"input":"*** Begin"}'), ToolCall("d", "f", '{"input":"x"}')))
    first, second = write(answer, asked)["choices"][0]["message"]["tool_calls"]
    assert first == {"id": "c", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
    assert second["function"]["arguments"] == '{"input":"x"}'
