"""Streams for a Responses client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from dialects.responses_speech import (
    CODEX,
    LAW,
    REQUESTS,
    Json,
    follow,
    judge_stream,
    read,
    sdk_stream,
    streams,
    write,
)
from pointsman.dialects.fold import fold, unfold
from pointsman.dialects.responses.codec import read_reply, write_reply
from pointsman.exchange import Failure, FailureKind
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
    Reply,
    Seal,
    Text,
    ToolCall,
)
from pointsman.sse import frames

ASKED = read({"model": "m", "input": "hi"})


@LAW
@given(streams())
def test_the_specification_takes_every_event(said: tuple[Reply, list[Event]]) -> None:
    """In their order, numbered from 0 on, and one of them ends the stream."""
    events = judge_stream(write(ASKED, said[1]))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    ends = [event["type"] in {"response.completed", "response.incomplete", "response.failed"} for event in events]
    assert ends.index(True) == len(ends) - 1


@LAW
@given(streams())
def test_every_part_opens_grows_and_closes(said: tuple[Reply, list[Event]]) -> None:
    """Items by their number, parts by theirs within; what is done has no more deltas, and amounts to its deltas."""
    open_items: dict[int, Json] = {}
    texts: dict[Any, str] = {}
    for event in judge_stream(write(ASKED, said[1])):
        kind, at = event["type"].removeprefix("response."), event.get("output_index", -1)
        place = (at, event.get("content_index", event.get("summary_index", 0)))
        if kind == "output_item.added":
            assert at not in open_items
            open_items[at] = event["item"]
        elif kind.endswith(".delta"):
            assert open_items[at]["id"] == event["item_id"]
            texts[place] = texts.get(place, "") + event["delta"]
        elif kind.endswith((".done", ".added")) and "item_id" in event:
            assert open_items[at]["id"] == event["item_id"]
            whole = [event[name] for name in ("text", "refusal", "arguments", "input") if name in event]
            assert whole in ([], [texts.get(place, "")])
        elif kind == "output_item.done":
            assert open_items.pop(at)["id"] == event["item"]["id"]
    assert not open_items


@LAW
@given(streams(), REQUESTS)
def test_the_stream_ends_with_the_whole_answer(said: tuple[Reply, list[Event]], request: Json) -> None:
    """The last event has what an answer that is not streamed would be."""
    asked = read(request)
    [*_, last] = [json.loads(frame.data) for frame in frames(write(asked, said[1]))]
    assert last["response"] == json.loads(write_reply(said[0], asked, 7))


@LAW
@given(streams())
def test_openais_sdk_puts_it_together(said: tuple[Reply, list[Event]]) -> None:
    """Its strict stream helper has all of the text, and nothing of the reasoning in it."""
    reply = said[0]
    last = sdk_stream(write(ASKED, said[1]))[-1]
    assert last.response.output_text == "".join(part.text for part in reply.parts if isinstance(part, Text))
    assert last.type == f"response.{last.response.status}"
    calls = [item for item in last.response.output if item.type == "function_call"]
    assert [call.arguments for call in calls] == [
        part.arguments for part in reply.parts if isinstance(part, ToolCall) and not part.free
    ]


@LAW
@given(streams(together=False))
def test_what_was_written_is_read_as_the_same_answer(said: tuple[Reply, list[Event]]) -> None:
    """A stream written and read amounts to the answer written and read."""
    assert fold(follow(write(ASKED, said[1]))) == read_reply(write_reply(said[0], ASKED, 7))


def test_codex_gets_its_custom_tools_calls() -> None:
    """A function's arguments become the input of the tool that it stands for, when they are whole."""
    reply = Reply("x", parts=(ToolCall("c", "apply_patch", '{"input":"*** Begin\\n"}'),), finish=Finish.TOOL)
    events = judge_stream(write(read(CODEX), unfold(reply)))
    assert [event["type"].removeprefix("response.") for event in events[2:-1]] == [
        "output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done",
    ]  # fmt: skip
    assert events[-2]["item"]["input"] == events[3]["delta"] == "*** Begin\n"


def test_calls_at_once_have_their_own_numbers() -> None:
    """LiteLLM #21331: all of them were number 0."""
    first, second = ToolCall("a", "f"), ToolCall("b", "g")
    grown: list[Event] = [Grew(0, "{}"), Grew(1, '{"x"'), Grew(1, ":1}")]
    events: list[Event] = [
        Begun("x"),
        Opened(0, first),
        Opened(1, second),
        *grown,
        Closed(1),
        Closed(0),
        Ended(Finish.TOOL),
    ]
    last = sdk_stream(write(ASKED, events))[-1].response
    assert [(call.call_id, call.name, call.arguments) for call in last.output] == [
        ("a", "f", "{}"),
        ("b", "g", '{"x":1}'),
    ]


def test_a_call_without_arguments_has_empty_ones() -> None:
    """Clients read them as JSON."""
    events: list[Event] = [Begun("x"), Opened(0, ToolCall("a", "f")), Closed(0), Ended(Finish.TOOL)]
    [*_, delta, done, _item, _last] = judge_stream(write(ASKED, events))
    assert delta["delta"] == done["arguments"] == "{}"
    assert done["name"] == "f"


def test_hidden_reasoning_is_an_item_without_words() -> None:
    """Redacted thoughts have a seal and nothing to show."""
    sealed = Closed(0, Seal(Dialect.MESSAGES, {"redacted": "x"}, "claude"))
    events = judge_stream(write(ASKED, [Begun("x"), Opened(0, Reasoning()), sealed, Ended(Finish.STOP)]))
    assert [event["type"] for event in events[2:4]] == ["response.output_item.added", "response.output_item.done"]
    assert events[3]["item"]["summary"] == []
    assert events[3]["item"]["encrypted_content"].startswith("pm1.")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FailureKind.SERVER_ERROR, "server_error"),
        (FailureKind.RATE_LIMITED, "rate_limit_exceeded"),
        (FailureKind.CONTEXT_LENGTH_EXCEEDED, "context_length_exceeded"),
    ],
)
def test_a_target_that_fails(kind: FailureKind, code: str) -> None:
    """The stream ends with it, and with what was whole; nothing comes after it."""
    failed = Broken(Failure(kind, "boom"))
    events: list[Event] = [Begun("x"), Opened(0, Text("")), Grew(0, "a"), failed, Grew(0, "b"), Ended(Finish.STOP)]
    last = judge_stream(write(ASKED, events))[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["error"] == {"code": code, "message": "boom"}
    assert judge_stream(write(ASKED, [failed]))[0]["type"] == "response.created"


def test_a_stranger_s_traces_are_left_out() -> None:
    """A hosted tool's call of another dialect has no place here; one of this dialect has."""
    call = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    for home, items in ((Dialect.MESSAGES, []), (Dialect.RESPONSES, [call])):
        events: list[Event] = [
            Begun("x"),
            Opened(0, Foreign(home, "web_search_call", call)),
            Closed(0),
            Ended(Finish.STOP),
        ]
        assert [json.loads(f.data) for f in frames(write(ASKED, events))][-1]["response"]["output"] == items
