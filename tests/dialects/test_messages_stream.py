"""Streamed answers in Messages, read and written."""

from __future__ import annotations

import contextlib
from typing import Any

import anthropic
import httpx2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dialects.messages_speech import HOSTILE_EVENTS, REPLIES, asked, stream_of, streams, wholes
from pointsman.dialects import seals
from pointsman.dialects.fold import fold, unfold
from pointsman.dialects.messages.codec import StreamReader, StreamWriter, read_reply, write_reply
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
    StreamError,
    Text,
    ToolCall,
)
from pointsman.sse import Frame, frames

Json = Any
ASK: Json = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


def read(stream: list[Frame]) -> list[Event]:
    """All events of a stream."""
    reader = StreamReader()
    return [event for frame in stream for event in reader.feed(frame)]


def heard(*events: Json, usage: Json = None) -> list[Event]:
    """What the events amount to between a message's start and its end."""
    begun = {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": usage}}
    ended = [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}]
    return read(frames(stream_of([begun, *events, *ended])))


def write(events: list[Event]) -> bytes:
    """The stream of events."""
    writer = StreamWriter(asked(), 1)
    return b"".join(map(writer.feed, events))


def accumulated(stream: bytes) -> Json:
    """What the SDK makes of a stream."""
    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=stream))
    with httpx2.Client(transport=transport) as http:
        client = anthropic.Anthropic(api_key="x", http_client=http)
        with client.messages.stream(**ASK) as told:
            return told.get_final_message().to_dict(exclude_none=True)


def start(index: int, **block: Json) -> Json:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **more: Json) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": more}


def stop(index: int) -> Json:
    return {"type": "content_block_stop", "index": index}


# Reading


@given(st.data())
def test_a_stream_is_the_whole_answer(data: st.DataObject) -> None:
    """However it is torn."""
    whole = data.draw(wholes())
    expected = read_reply(msgspec.json.encode(whole))
    assert fold(read(data.draw(streams(whole)))) == replace(expected, rest={})


@given(st.lists(HOSTILE_EVENTS, max_size=8))
def test_hostile_streams_are_errors_or_read(events: list[Json]) -> None:
    """With one kind of error only; what is read can be written."""
    reader, writer = StreamReader(), StreamWriter(asked(), 1)
    with contextlib.suppress(StreamError):
        for event in events:
            for found in reader.feed(Frame(b"", b"", msgspec.json.encode(event))):
                writer.feed(found)


@pytest.mark.parametrize("data", [b"{", b"[]", b"1", b"\xff", b'{"a":', b'{"type":"content_block_delta","delta":3}'])
def test_what_is_no_event(data: bytes) -> None:
    """The target is at fault."""
    with pytest.raises(StreamError, match="no Messages event"):
        StreamReader().feed(Frame(b"", b"", data))


@pytest.mark.parametrize("data", [b"", b"[DONE]", b'{"type":"ping"}', b'{"type":"later","index":"x","delta":[]}'])
def test_pings_comments_and_what_comes_later_say_nothing(data: bytes) -> None:
    """They may stand anywhere."""
    assert StreamReader().feed(Frame(b"", b"", data)) == []


def test_an_event_may_be_named_by_its_frame_alone() -> None:
    """Some servers leave the type out of the data."""
    [begun] = StreamReader().feed(Frame(b"", b"message_start", b'{"message":{"id":"x","model":"m"}}'))
    assert begun == Begun("x", "m")


def test_nothing_follows_the_end() -> None:
    """It would be lost."""
    with pytest.raises(StreamError, match="after the message's end"):
        read([*frames(stream_of([{"type": "message_stop"}])), *frames(stream_of([stop(0)]))])


def test_a_piece_of_no_call() -> None:
    """It has no name to be called by."""
    with pytest.raises(StreamError, match="not begun"):
        heard(delta(0, type="input_json_delta", partial_json="{"))
    with pytest.raises(StreamError, match="that is none"):
        heard(start(0, type="text", text=""), delta(0, type="input_json_delta", partial_json="{"))


def test_an_error_in_the_stream() -> None:
    """LiteLLM told its clients of success (#24004)."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert read(frames(stream_of([error]))) == [Broken(Failure(FailureKind.SERVER_ERROR, "Overloaded"))]
    [broken] = StreamReader().feed(Frame(b"", b"", b'{"type":"error","error":"gone","index":"x"}'))
    assert isinstance(broken, Broken)


@pytest.mark.parametrize(
    ("first", "last", "begun", "ended"),
    [
        ({"input_tokens": 13, "output_tokens": 0}, {"input_tokens": 13, "output_tokens": 4}, Usage(13), Usage(13, 4)),
        ({"cache_read_input_tokens": 12, "input_tokens": 1}, {"output_tokens": 4}, Usage(13, 0, 12), Usage(13, 4, 12)),
        ({"input_tokens": 3}, {"input_tokens": 13, "output_tokens": 4}, Usage(3), Usage(13, 4)),
        (None, {"output_tokens": 4}, None, Usage(0, 4)),
    ],
    ids=["vllm", "llama-server", "ollama", "untold"],
)
def test_usage_is_told_at_both_ends(first: Json, last: Json, begun: Usage | None, ended: Usage) -> None:
    """What comes last counts: Ollama's first is an estimate."""
    end = {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": last}
    events = heard(end, usage=first)
    assert events[0] == Begun("msg_1", "m", usage=begun)
    assert events[-1] == Ended(Finish.STOP, usage=ended)


def test_a_call_may_come_whole_in_its_start() -> None:
    """Or with no arguments at all."""
    events = heard(start(0, type="tool_use", id="a", name="f", input={"b": 1}), stop(0),
                   start(1, type="tool_use", id="b", name="f"))  # fmt: skip
    assert fold(events).parts == (ToolCall("a", "f", '{"b":1}'), ToolCall("b", "f", "{}"))


def test_thoughts_in_a_text_are_thoughts() -> None:
    """LiteLLM opened a text for them, and began the message twice; SDKs dropped it all (#32357, #31560)."""
    again = {"type": "message_start", "message": {"id": "msg_2"}}
    events = heard(
        start(0, type="text", text=""), again, delta(0, type="thinking_delta", thinking="hm"),
        delta(0, type="text_delta", text="so"), delta(0, type="text_delta", text="!"), stop(0),
    )  # fmt: skip
    assert fold(events).parts == (Reasoning("hm"), Text("so!"))


def test_a_block_that_is_not_closed_is_at_the_end() -> None:
    """Or when another takes its number."""
    events = heard(start(0, type="text", text="a"), start(0, type="text", text="b"))
    assert fold(events).parts == (Text("a"), Text("b"))


def test_a_text_may_begin_unannounced() -> None:
    """It can be nothing else."""
    assert fold(heard(delta(0, type="text_delta", text="a"))).parts == (Text("a"),)


def test_a_hosted_tools_call_is_foreign_and_whole() -> None:
    """Nobody else has such a thing."""
    block = {"type": "server_tool_use", "id": "a", "name": "web_search", "input": {}}
    events = heard(start(0, **block), delta(0, type="input_json_delta", partial_json='{"query":"x"}'), stop(0))
    assert fold(events).parts == (Foreign(Dialect.MESSAGES, "server_tool_use", {**block, "input": {"query": "x"}}),)


# Writing


@st.composite
def interleaved(draw: st.DrawFn, reply: Reply) -> list[Event]:
    """A stream of the answer whose parts grow at the same time."""
    waiting = unfold(reply)
    begun, ended = waiting.pop(0), waiting.pop()
    parts = [[event for event in waiting if getattr(event, "index", -1) == i] for i in range(len(reply.parts))]
    events, opened = [begun], 0
    while any(parts):
        open_to = min(opened, len(parts) - 1)
        choices = [i for i in range(open_to + 1) if parts[i]]
        index = draw(st.sampled_from(choices)) if choices else opened
        events.append(parts[index].pop(0))
        opened = max(opened, index + 1)
    return [*events, ended]


@given(st.data())
def test_the_sdk_reads_the_same_as_of_the_whole(data: st.DataObject) -> None:
    """Whatever order the parts come in: blocks are strictly one after the other."""
    reply = data.draw(REPLIES)
    whole = anthropic.types.Message.model_validate_json(write_reply(reply, asked(), 1)).to_dict(exclude_none=True)
    assert accumulated(write(data.draw(interleaved(reply)))) == whole


@given(st.data())
def test_what_is_written_is_read_again(data: st.DataObject) -> None:
    """By the reader beside it."""
    reply = data.draw(REPLIES)
    stream = frames(write(data.draw(interleaved(reply))))
    assert fold(read(stream)) == replace(read_reply(write_reply(reply, asked(), 1)), rest={})


@given(REPLIES)
def test_every_block_is_closed_before_the_next(reply: Reply) -> None:
    """Numbered in order, and nothing grows outside of its own."""
    current, count = -1, 0
    for frame in frames(write(unfold(reply))):
        event = msgspec.json.decode(frame.data)
        assert frame.event.decode() == event["type"]
        if event["type"] == "content_block_start":
            assert (current, event["index"]) == (-1, count)
            current, count = count, count + 1
        elif event["type"].startswith("content_block"):
            assert event["index"] == current
            current = -1 if event["type"] == "content_block_stop" else current
    assert current == -1


@given(wholes())
def test_home_streams_as_it_came(whole: Json) -> None:
    """Citations, signatures, hosted tools and all."""
    reply = read_reply(msgspec.json.encode(whole))
    events = unfold(reply)
    kept = [
        replace(event, rest=getattr(reply.parts[event.index], "rest", {})) if isinstance(event, Closed) else event
        for event in events
    ]
    assert fold(read(frames(write(kept)))) == replace(reply, rest={})


def test_parallel_calls_are_blocks_of_their_own() -> None:
    """LiteLLM gave all of them the number 0 (#21331)."""
    events: list[Event] = [
        Begun("x", "m"), Opened(0, ToolCall("a", "f")), Opened(1, ToolCall("b", "g")), Grew(1, '{"y":'),
        Grew(0, '{"x":1}'), Grew(1, "2}"), Closed(1), Closed(0), Ended(Finish.TOOL),
    ]  # fmt: skip
    content = accumulated(write(events))["content"]
    assert [(block["id"], block["input"]) for block in content] == [("a", {"x": 1}), ("b", {"y": 2})]


def test_the_prompts_tokens_are_told_first() -> None:
    """Claude Code reads its context from there (sglang #20678); what comes at the end says it again."""
    begun, *_, delta, _ = frames(write([Begun(usage=Usage(10, 0, 4)), Ended(Finish.STOP, usage=Usage(10, 7, 4))]))
    first = msgspec.json.decode(begun.data)["message"]["usage"]
    assert (first["input_tokens"], first["cache_read_input_tokens"]) == (6, 4)
    assert msgspec.json.decode(delta.data)["usage"]["output_tokens"] == 7


def test_an_end_that_does_not_tell_the_prompt_leaves_what_was_told() -> None:
    """The SDK would overwrite it with nothing."""
    told = accumulated(write([Begun(usage=Usage(10)), Ended(Finish.STOP, usage=Usage(0, 7))]))["usage"]
    assert (told["input_tokens"], told["output_tokens"]) == (10, 7)


def test_a_seal_goes_out_as_a_signature() -> None:
    """Before its block is closed; a thought that is a seal alone is a block all the same."""
    seal = Seal(Dialect.RESPONSES, {"encrypted_content": "enc"}, "openai")
    events: list[Event] = [Begun(), Opened(0, Reasoning(summary=True)), Closed(0, seal), Ended(Finish.STOP)]
    [block] = accumulated(write(events))["content"]
    assert block["thinking"] == ""
    assert seals.read(Dialect.MESSAGES, block["signature"]) == seal


def test_a_refusal_is_text() -> None:
    """And why the answer ended."""
    events: list[Event] = [Begun(), Opened(0, Refusal("")), Grew(0, "no"), Closed(0), Ended(Finish.FILTER)]
    message = accumulated(write(events))
    assert message["content"] == [{"type": "text", "text": "no"}]
    assert message["stop_reason"] == "refusal"


def test_an_answer_without_parts() -> None:
    """Is one."""
    assert accumulated(write([Begun("x", "m"), Ended(Finish.LENGTH)]))["content"] == []


def test_words_are_written_as_they_come() -> None:
    """Each is a frame at once."""
    writer = StreamWriter(asked(), 1)
    for event in (Begun(), Opened(0, Text(""))):
        writer.feed(event)
    assert writer.feed(Grew(0, "  ")) == b""
    assert writer.feed(Grew(0, "a")).count(b"event: ") == 2
    assert b'"text":"b\\n"' in writer.feed(Grew(0, "b\n"))


def test_a_failure_is_the_dialects_own_event() -> None:
    """On which SDKs raise."""
    stream = write([Begun(), Broken(Failure(FailureKind.SERVER_ERROR, "gone", 503))])
    with pytest.raises(anthropic.APIStatusError, match="gone"):
        accumulated(stream)
