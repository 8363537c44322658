"""Tool calls in streams: held until they are whole, and judged then."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects import chat, messages, responses
from pointsman.exchange import Failure, Head, Signal
from pointsman.sse import Splitter, frames

if TYPE_CHECKING:
    from pointsman.dialects import Wire

HEAD = Head("m", stream=True, fields={})
MARK = "CALL"  # in every frame of a call, and in no other
WIRES = [chat, responses, messages]


def delta(**said: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": said, "finish_reason": None}]}


def finish(reason: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}


def call(arguments: str, name: str = MARK, index: int = 0, **more: Any) -> dict[str, Any]:
    return delta(
        tool_calls=[
            {"index": index, "id": f"{MARK}{index}", "function": {"name": name, "arguments": arguments}, **more}
        ]
    )


def item(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.output_item.{kind}", "item": {"type": "function_call", "id": MARK, **fields}}


def block(**fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": MARK, **fields}}


def partial(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": text}}


def stop(reason: str) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}}


ARGUMENTS = {"type": "response.function_call_arguments.delta", "item_id": MARK, "delta": '{"a":'}
COMPLETED = {"type": "response.completed", "response": {"output": []}}
MESSAGE_STOP = {"type": "message_stop"}


def written(event: Any) -> bytes:
    data = event if isinstance(event, str) else json.dumps(event, separators=(",", ":"))
    name = f"event: {event['type']}\n" if isinstance(event, dict) and "type" in event else ""
    return f"{name}data: {data}\n\n".encode()


def meanings(wire: Wire, *events: Any) -> list[Signal | Failure]:
    scanner = wire.Scanner(HEAD)
    return [scanner.feed(frame) for event in events for frame in frames(written(event))]


TEXTS: dict[Any, list[Any]] = {
    chat: [delta(content='say "tool_calls"'), delta(content="x", tool_calls=[]), delta(reasoning="h", tool_calls=None),
           delta(role="assistant", content="")],
    responses: [{"type": "response.output_text.delta", "delta": "a function_call"},
                {"type": "response.reasoning_text.delta", "delta": "h"},
                {"type": "response.output_item.added", "item": {"type": "message"}}],
    messages: [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '"tool_use"'}},
               {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
               {"type": "ping"}],
}  # fmt: skip
CALLS: dict[Any, list[Any]] = {
    chat: [call("{}"), call("{}", index=1), delta(content="x", tool_calls=[{"index": 2, "id": MARK, "function": {"name": "w"}}]),
           delta(function_call={"name": MARK, "arguments": "{}"})],
    responses: [item("added", name="w"), item("done", name="w", arguments="{}"), {**ARGUMENTS, "delta": " "},
                {"type": "response.web_search_call.searching", "item_id": MARK},
                {"type": "response.output_item.added", "item": {"type": "custom_tool_call", "id": MARK, "name": "w"}}],
    messages: [block(name="w"), partial(f"{MARK}"), {**block(name="w"), "index": 2},
               {"type": "content_block_start", "index": 3, "content_block": {"type": "server_tool_use", "name": MARK}}],
}  # fmt: skip
ENDS: dict[Any, list[Any]] = {
    chat: [finish("tool_calls"), "[DONE]"],
    responses: [COMPLETED],
    messages: [stop("tool_use"), MESSAGE_STOP],
}


def passed_on(wire: Wire, chunks: list[bytes]) -> bytes:
    """What a reader passes on before the terminal: nothing any more from the first CALL on."""
    scanner, splitter = wire.Scanner(HEAD), Splitter()
    passed, spoke = b"", False
    for chunk in chunks:
        run = splitter.take(chunk)
        if spoke and scanner.quiet(run):
            passed += run
            continue
        for frame in frames(run):
            signal = scanner.feed(frame)
            if signal in {Signal.CALL, Signal.TERMINAL} or isinstance(signal, Failure):
                return passed
            spoke = spoke or signal is Signal.OUTPUT
            passed += frame.raw
    return passed


@pytest.mark.parametrize("wire", WIRES)
@given(data=st.data())
def test_no_byte_of_a_call_leaves_before_the_end(wire: Wire, data: st.DataObject) -> None:
    """However the stream is torn, and whatever comes in which order."""
    events = data.draw(st.lists(st.sampled_from(TEXTS[wire] + CALLS[wire]), max_size=8)) + ENDS[wire]
    stream = b"".join(map(written, events))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=12)) | {0, len(stream)})
    passed = passed_on(wire, [stream[start:stop] for start, stop in pairwise(cuts)])
    first = next((place for place, event in enumerate(events) if event in CALLS[wire]), None)
    if first is not None:
        assert b"".join(map(written, events[:first])) == passed
    assert MARK.encode() not in passed


@pytest.mark.parametrize("wire", WIRES)
def test_all_from_a_call_on_is_a_call(wire: Wire) -> None:
    """Text beside a call, or behind it, is held with it; what only talks of calls, or has none of them, is not."""
    assert Signal.CALL not in meanings(wire, *TEXTS[wire])
    for event in CALLS[wire]:
        assert meanings(wire, event, *TEXTS[wire]) == [Signal.CALL] * (1 + len(TEXTS[wire])), event


@pytest.mark.parametrize(
    ("wire", "events"),
    [
        (chat, [call('{"a":'), delta(tool_calls=[{"index": 0, "function": {"arguments": "1}"}}]), finish("tool_calls"), "[DONE]"]),
        (chat, [call(""), finish("stop"), "[DONE]"]),
        (chat, [call("{}"), call("{}", id="other"), finish("tool_calls"), "[DONE]"]),  # two calls of one index
        (chat, [delta(tool_calls=[{"index": 0, "custom": {"name": "w", "input": "no JSON"}}]), finish("stop"), "[DONE]"]),
        (chat, [delta(tool_calls=[{"function": {"name": "w", "arguments": {"a": 1}}}]), "[DONE]"]),
        (chat, [call('{"a":'), finish("length"), "[DONE]"]),  # says that it was cut
        (responses, [item("added", name="w"), ARGUMENTS, {**ARGUMENTS, "delta": "1}"}, COMPLETED]),
        (responses, [item("added"), ARGUMENTS, item("done", name="w", arguments='{"a":1}'), COMPLETED]),
        (responses, [item("added", name="w", type="custom_tool_call"), COMPLETED]),
        (responses, [item("added", name="w"), ARGUMENTS, {"type": "response.incomplete", "response": {"incomplete_details": {"reason": "max_output_tokens"}}}]),
        (messages, [block(name="w"), partial('{"a":'), partial("1}"), stop("tool_use"), MESSAGE_STOP]),
        (messages, [block(name="w"), partial(""), stop("tool_use"), MESSAGE_STOP]),
        (messages, [block(name="w"), partial('{"a":'), stop("max_tokens"), MESSAGE_STOP]),
    ],
)  # fmt: skip
def test_whole_calls_are_answers(wire: Wire, events: list[Any]) -> None:
    """Pieces are put together for each call; none at all are {}; a limit may cut the last call."""
    assert meanings(wire, *events)[-1] is Signal.TERMINAL


@pytest.mark.parametrize(
    ("wire", "events", "said"),
    [
        (chat, [call('{"a":'), finish("tool_calls")], "not JSON"),
        (chat, [call('{"a":'), "[DONE]"], "not JSON"),
        (chat, [call('{"a":'), call("{}", index=1), finish("length")], "not JSON"),  # it is the last that was cut
        (chat, [call("{}", name=""), finish("stop")], "without a name"),
        (chat, [delta(tool_calls=["x"])], "cannot be read"),
        (chat, [delta(content="I call"), finish("tool_calls")], "without one"),
        (responses, [item("added", name="w"), ARGUMENTS, COMPLETED], "not JSON"),
        (responses, [item("done", name="w", arguments="[" * 100_000), COMPLETED], "not JSON"),
        (responses, [item("added"), COMPLETED], "without a name"),
        (responses, [{"type": "response.completed", "response": {"output": [{"type": "function_call", "name": "w", "arguments": "{"}]}}], "not JSON"),
        (messages, [block(name="w"), partial("{"), stop("tool_use")], "not JSON"),
        (messages, [block(name="w"), partial("{"), MESSAGE_STOP], "not JSON"),
        (messages, [block(), stop("tool_use")], "without a name"),
        (messages, [*TEXTS[messages], stop("tool_use")], "without one"),
    ],
)  # fmt: skip
def test_broken_calls_are_no_answers(wire: Wire, events: list[Any], said: str) -> None:
    """Arguments that are not JSON, no name, or a call that is spoken of and not made."""
    found = meanings(wire, *events)[-1]
    assert isinstance(found, Failure)
    assert found.kind == "InvalidResponse"
    assert said in found.message


@pytest.mark.parametrize(
    ("wire", "answer"),
    [
        (chat, {"choices": [{"message": {"tool_calls": [{"function": {"name": "w", "arguments": "{"}}]}, "finish_reason": "tool_calls"}]}),
        (chat, {"choices": [{"message": {"content": "x"}, "finish_reason": "tool_calls"}]}),
        (responses, {"output": [{"type": "function_call", "name": "w", "arguments": "{"}]}),
        (responses, {"output": [3]}),
        (messages, {"content": [{"type": "tool_use", "input": {}}], "stop_reason": "tool_use"}),
        (messages, {"content": [{"type": "text", "text": "x"}], "stop_reason": "tool_use"}),
    ],
)  # fmt: skip
def test_whole_answers_are_held_to_the_same(wire: Wire, answer: Any) -> None:
    """What is no answer in a stream is none in one piece."""
    failure = wire.whole_ok(200, json.dumps(answer).encode())
    assert failure is not None
    assert failure.kind == "InvalidResponse"


def test_endless_calls_are_refused() -> None:
    """What is kept of calls to judge them is bounded."""
    pieces = [call("x" * (1 << 20))] * 9
    found = meanings(chat, *pieces, finish("tool_calls"))[-1]
    assert isinstance(found, Failure)
    assert "more than" in found.message
