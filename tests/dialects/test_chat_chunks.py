"""Neutral events as streams for chat's clients."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from dialects import chat_speech as speech
from dialects.chat_speech import ASKED, DONE, chunks, hear, read, tell
from pointsman.dialects.chat import codec as chat_codec
from pointsman.dialects.fold import fold, unfold
from pointsman.exchange import Failure, FailureKind, Usage
from pointsman.names import Dialect
from pointsman.neutral import (
    Begun,
    Broken,
    Closed,
    Ended,
    Event,
    Finish,
    Foreign,
    Grew,
    Opened,
    Reasoning,
    Refusal,
    Reply,
    Seal,
    Text,
    ToolCall,
)

_seals = st.none() | st.builds(Seal, st.just(Dialect.MESSAGES), speech.thought, st.just("anna"))
_parts = st.one_of(
    st.builds(Text, speech.words),
    st.builds(Refusal, speech.words),
    st.builds(Reasoning, speech.words, st.booleans(), _seals),
    st.builds(ToolCall, speech.idents, speech.names, st.just("") | speech.arguments),
    st.just(Foreign(Dialect.MESSAGES, "server_tool_use", {})),
)
_replies = st.builds(
    Reply,
    st.sampled_from(["resp_1", "msg_2", "chatcmpl-3", ""]),
    st.just("m"),
    st.just(7),
    st.lists(_parts, max_size=5).map(tuple),
    st.sampled_from(Finish),
    usage=st.none() | st.builds(Usage, st.integers(1, 9), st.integers(1, 9), st.integers(0, 1)),
)
QUIET = read({"model": "m", "messages": [], "stream": True})
USAGE = read({"model": "m", "messages": [], "stream": True, "stream_options": {"include_usage": True}})


_HEADERS = {"content-type": "text/event-stream"}
_sent = [b""]
_CLIENT = httpx2.Client(
    transport=httpx2.MockTransport(lambda _: httpx2.Response(200, headers=_HEADERS, content=_sent[0]))
)
_SDK = openai.OpenAI(api_key="x", http_client=_CLIENT, max_retries=0)


def listen(stream: bytes) -> Any:
    """The answer that the SDK's stream helper puts together."""
    _sent[0] = stream
    with _SDK.chat.completions.stream(model="m", messages=[]) as told:
        for _ in told:
            pass
        return told.current_completion_snapshot  # `get_final_completion` raises at answers that were cut short


def _lines(reply: Reply) -> Any:
    """The message of the whole answer, in the SDK's words."""
    body = msgspec.json.decode(chat_codec.write_reply(reply, USAGE, 7))
    return body, body["choices"][0]["message"]


@settings(deadline=None, max_examples=60)
@given(_replies)
def test_the_sdk_puts_together_what_the_whole_answer_is(reply: Reply) -> None:
    """Grammar: text, refusal, calls, reasoning, usage, reason, identifier."""
    heard = listen(tell(unfold(reply), USAGE))
    body, message = _lines(reply)
    told = heard.choices[0].message
    assert (heard.id, heard.created, heard.model) == (body["id"], body["created"], body["model"])
    assert heard.choices[0].finish_reason == body["choices"][0]["finish_reason"]
    assert (told.content, told.refusal) == (message["content"], message["refusal"] or None)
    assert getattr(told, "reasoning_content", None) == message.get("reasoning_content")
    calls = [(call.id, call.function.name, call.function.arguments) for call in told.tool_calls or ()]
    due = message.get("tool_calls", [])
    assert calls == [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in due]
    assert (heard.usage is None) == (reply.usage is None)


@settings(deadline=None, max_examples=60)
@given(_replies)
def test_every_chunk_is_one_of_the_sdks(reply: Reply) -> None:
    """By its types, under one identifier (LiteLLM #32607), and the stream is closed."""
    run = tell(unfold(reply), USAGE)
    assert run.endswith(DONE)
    found = chunks(run)
    assert len({each["id"] for each in found}) == 1
    for each in found:
        ChatCompletionChunk.model_validate(each)


@settings(deadline=None, max_examples=60)
@given(_replies)
def test_our_reader_understands_our_writer(reply: Reply) -> None:
    """What was said comes back, but for what chat cannot tell: the order, and where one part ends."""
    again = fold(hear(tell(unfold(reply), USAGE)))
    wrote = _lines(reply)[1]
    text = "".join(part.text for part in again.parts if isinstance(part, Text))
    assert text == (wrote["content"] or "")
    calls = [part.id for part in again.parts if isinstance(part, ToolCall)]
    assert calls == [part.id for part in reply.parts if isinstance(part, ToolCall)]


def test_a_stream() -> None:
    """The role, the words, the reason, the end."""
    run = tell([Begun("resp_1", "m", 5), Opened(0, Text("")), Grew(0, 'a"\n'), Closed(0), Ended(Finish.STOP)], QUIET)
    deltas = [each["choices"][0]["delta"] for each in chunks(run)]
    assert deltas == [{"role": "assistant", "content": None}, {"content": 'a"\n'}, {}]
    assert chunks(run)[0]["id"] == "chatcmpl-resp1"
    assert chunks(run)[0]["created"] == 5


def test_nothing_is_said_before_the_target_has_begun() -> None:
    """An answer that does not say when or by whom is given both."""
    first = chunks(tell([Opened(0, Text("a")), Ended(Finish.STOP)], QUIET))
    assert [each["choices"][0]["delta"].get("content") for each in first] == [None, "a", None]
    assert (first[0]["id"], first[0]["created"], first[0]["model"]) == ("chatcmpl-7", 7, "m")


def test_the_usage_is_for_those_who_ask() -> None:
    """Others would not expect a chunk without choices."""
    events: list[Event] = [Begun("a", usage=Usage(7)), Ended(Finish.STOP, usage=Usage(5, 1))]
    assert chunks(tell(events, QUIET))[-1]["choices"]
    assert chunks(tell(events, USAGE))[-1]["usage"] == {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
    later: list[Event] = [*events[:-1], Ended(Finish.STOP, usage=Usage(5, 2))]
    assert chunks(tell(later, USAGE))[-1]["usage"]["completion_tokens"] == 2


def test_each_call_has_a_number_of_its_own() -> None:
    """LiteLLM #21331: and its name in its first piece alone."""
    events: list[Event] = [
        Begun("a"),
        Opened(0, Text("")),
        Opened(1, ToolCall("x", "f")),
        Opened(2, ToolCall("y", "g")),
        Grew(2, "{}"),
        Grew(1, "{"),
        Grew(1, "}"),
        Closed(1),
        Closed(2),
        Ended(Finish.TOOL),
    ]
    pieces = [call for each in chunks(tell(events)) for call in each["choices"][0]["delta"].get("tool_calls", ())]
    assert [(call["index"], call.get("id"), call["function"]["arguments"]) for call in pieces] == [
        (0, "x", ""),
        (1, "y", ""),
        (1, None, "{}"),
        (0, None, "{"),
        (0, None, "}"),
    ]


def test_no_arguments_are_an_empty_object() -> None:
    """Clients parse them."""
    heard = listen(tell(unfold(Reply(parts=(ToolCall("", "f"),), finish=Finish.TOOL))))
    (call,) = heard.choices[0].message.tool_calls
    assert (call.id, call.function.arguments) == ("call__0", "{}")


def test_a_seal_goes_to_the_client_to_be_brought_back() -> None:
    """With the words that it signs, as a whole answer has it."""
    reply = Reply("a", parts=(Reasoning("Hm", seal=Seal(Dialect.MESSAGES, "sig", "anna")), Reasoning("so"), Text("c")))
    details = [
        entry
        for each in chunks(tell(unfold(reply)))
        for entry in each["choices"][0]["delta"].get("reasoning_details", ())
    ]
    assert details == _lines(reply)[1]["reasoning_details"]


def test_redacted_thoughts_may_be_sealed_from_the_start() -> None:
    """A seal alone, told when the part opens."""
    seal = Seal(Dialect.MESSAGES, "sig", "anna")
    events: list[Event] = [Begun("a"), Opened(0, Reasoning(seal=seal)), Closed(0), Ended(Finish.STOP)]
    (entry,) = chunks(tell(events))[1]["choices"][0]["delta"]["reasoning_details"]
    assert entry["type"] == "reasoning.encrypted"


def test_a_custom_tool_is_called_as_one() -> None:
    """Its target was told of a function in its place, so its arguments are kept until they are whole."""
    asked = read({"model": "m", "messages": [], "tools": [{"type": "custom", "custom": {"name": "patch"}}]})
    call = ToolCall("c", "patch", '{"input":"*** Begin"}')
    pieces = [
        call
        for each in chunks(tell(unfold(Reply(parts=(call,))), asked))
        for call in each["choices"][0]["delta"].get("tool_calls", ())
    ]
    assert pieces == [
        {"index": 0, "id": "c", "type": "custom", "custom": {"name": "patch", "input": ""}},
        {"index": 0, "custom": {"input": "*** Begin"}},
    ]


def test_pictures_of_chats_own_are_passed_on() -> None:
    """What other dialects' vendors did themselves is not."""
    parts = (Foreign(Dialect.CHAT, "images", [1]), Foreign(Dialect.MESSAGES, "images", [2]))
    deltas = [each["choices"][0]["delta"] for each in chunks(tell(unfold(Reply(parts=parts))))]
    assert deltas[1:] == [{"images": [1]}, {}]


def test_a_target_that_breaks_is_an_error_to_the_sdk() -> None:
    """And the stream is not closed as if it were whole."""
    failure = Failure(FailureKind.SERVER_ERROR, "overloaded", 529)
    run = tell([Begun("a"), Opened(0, Text("")), Grew(0, "a"), Broken(failure)])
    assert not run.endswith(DONE)
    with pytest.raises(openai.APIError, match="overloaded"):
        listen(run)


def test_the_writer_asks_nothing_of_the_request_but_its_wishes() -> None:
    """A client of another dialect is none of chat's: its usage is always told."""
    assert ASKED.usage
