"""Streams of a Responses target."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dialects import speakers
from dialects.responses_speech import (
    LAW,
    REPLIES,
    Json,
    bare,
    follow,
    read,
    told,
    write,
)
from pointsman.dialects.fold import fold, unfold
from pointsman.dialects.responses.codec import StreamReader, read_reply, write_reply
from pointsman.exchange import FailureKind, Usage
from pointsman.names import Dialect
from pointsman.neutral import (
    Broken,
    Ended,
    Finish,
    Foreign,
    Reasoning,
    Refusal,
    Reply,
    Seal,
    StreamError,
    Text,
    ToolCall,
)
from pointsman.sse import Frame, frames

ASKED = read({"model": "m", "input": "hi"})


def item_of(kind: str, **members: Any) -> Json:
    return {"type": kind, "id": f"{kind}_1", **members}


@LAW
@given(REPLIES, st.data())
def test_a_server_may_leave_out_what_it_likes(reply: Reply, data: st.DataObject) -> None:
    """Numbers, identifiers in deltas, `done` events of parts, all deltas: the answer is the same."""
    said = [json.loads(frame.data) for frame in frames(write(ASKED, unfold(reply)))]
    loose = data.draw(st.sets(st.sampled_from(["numbers", "parts", "texts", "deltas", "items"])))
    if "numbers" in loose:
        loose = {"numbers"}  # then nothing else would tell where a part ends
    if loose >= {"deltas", "texts", "parts"}:
        loose -= {"items"}  # then nothing is streamed but the names of calls
    assume("items" not in loose or all(getattr(part, "text", "x") for part in reply.parts))  # hidden ones have no more
    left = []
    for event in said:
        kind = event["type"].removeprefix("response.")
        gone = {
            "parts": kind.startswith(("content_part", "reasoning_summary_part")),
            "texts": kind.endswith(("text.done", "refusal.done", "arguments.done", "input.done")),
            "deltas": kind.endswith(".delta"),
            "items": kind == "output_item.done",
        }
        if not any(gone.get(name) for name in loose):
            kept = [name for name in event if "numbers" not in loose or not name.endswith(("_index", "_number"))]
            left.append({name: event[name] for name in kept})
    got, whole = fold(follow(told(*left))), read_reply(write_reply(reply, ASKED, 7))
    assert bare(got).parts == bare(whole).parts
    assert (got.usage, got.finish) == (whole.usage, whole.finish)


def event(kind: str, **members: Any) -> Json:
    return {"type": f"response.{kind}", **members}


THOUGHT: Json = {"id": "rs_1", "type": "reasoning", "summary": [], "content": [], "encrypted_content": ""}
SAID: Json = {"id": "msg_F", "type": "message", "role": "assistant", "content": []}
WORDS: Json = {"type": "output_text", "annotations": [], "logprobs": [], "text": "Hello from"}
FIRST: Json = {"type": "function_call", "arguments": "", "call_id": "fc_1", "name": "f", "status": "in_progress"}
SECOND: Json = {**FIRST, "call_id": "fc_2", "name": "g"}
USED: Json = {"input_tokens": 13, "output_tokens": 4, "total_tokens": 17, "input_tokens_details": {"cached_tokens": 12}}
LLAMA = told(
    event("created", response={"id": "resp_N", "object": "response", "status": "in_progress"}),
    event("output_item.added", item=THOUGHT),
    event("reasoning_text.delta", delta="Hm", item_id="rs_1"),
    event("output_item.done", item={**THOUGHT, "content": [{"text": "Hm", "type": "reasoning_text"}]}),
    event("output_item.added", item=SAID),
    event("content_part.added", item_id="msg_F", part={"type": "output_text", "text": ""}),
    event("output_text.delta", item_id="msg_F", delta="Hello"),
    event("output_text.delta", item_id="msg_F", delta=" from"),
    event("output_text.done", item_id="msg_F", text="Hello from"),
    event("content_part.done", item_id="msg_F", part=WORDS),
    event("output_item.done", item={**SAID, "content": [WORDS], "status": "completed"}),
    event("output_item.added", item=FIRST),
    event("function_call_arguments.delta", delta='{"a"', item_id="fc_1"),
    event("output_item.added", item=SECOND),
    event("function_call_arguments.delta", delta="{}", item_id="fc_2"),
    event("function_call_arguments.delta", delta=":1}", item_id="fc_1"),
    event("completed", response={"id": "resp_N", "status": "completed", "model": "tiny", "output": [], "usage": USED}),
)


def test_llama_cpp() -> None:
    """No numbers, calls by their call's identifier, nothing at their end."""
    assert bare(fold(follow(LLAMA))) == Reply(
        "resp_N",
        parts=(Reasoning("Hm"), Text("Hello from"), ToolCall("fc_1", "f", '{"a":1}'), ToolCall("fc_2", "g", "{}")),
        finish=Finish.TOOL,
        usage=Usage(13, 4, 12),
    )


def test_litellm() -> None:
    """No `event:` lines, a `[DONE]`, and other identifiers in deltas than in items."""
    item = item_of("message", role="assistant", content=[])
    events: list[Json] = [
        {"type": "response.created", "response": {"id": "resp_1", "model": "m", "created_at": 1}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": "msg_2", "delta": "a"},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": "msg_3", "delta": "b"},
        {"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "output": [
            item_of("message", role="assistant", content=[{"type": "output_text", "text": "ab"}])]}},
    ]  # fmt: skip
    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    assert bare(fold(follow(stream))) == Reply("resp_1", "m", 1, (Text("ab"),))


def test_vllm_says_completed_of_an_answer_that_was_cut() -> None:
    """Its details tell."""
    stream = told(
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "response.output_text.delta", "item_id": "x", "content_index": 0, "output_index": 0, "delta": "a"},
        {"type": "response.completed", "response": {"status": "incomplete",
         "incomplete_details": {"reason": "max_output_tokens"}, "usage": {"input_tokens": 2, "output_tokens": 1}}},
    )  # fmt: skip
    assert bare(fold(follow(stream))) == Reply("resp_1", parts=(Text("a"),), finish=Finish.LENGTH, usage=Usage(2, 1))


def test_nothing_streamed_but_the_end() -> None:
    """The answer that ends the stream is taken."""
    output = [
        item_of("reasoning", summary=[{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]),
        item_of("message", content=[{"type": "output_text", "text": "so"}, {"type": "refusal", "refusal": "no"}]),
        item_of("function_call", call_id="c", name="f", arguments={"a": 1}),
        item_of("web_search_call"),
    ]
    stream = told({"type": "response.completed", "response": {"id": "r", "output": output, "model": "m"}})
    assert bare(fold(follow(stream))) == Reply(
        "r", "m", 0,
        (Reasoning("a\n\nb", summary=True), Text("so"), Refusal("no"), ToolCall("c", "f", '{"a":1}'),
         Foreign(Dialect.RESPONSES, "web_search_call", output[3])),
        Finish.TOOL,
    )  # fmt: skip


def test_parts_of_a_summary_are_apart() -> None:
    """With an empty line between them, as in a whole answer; and its seal comes with its end."""
    parts = [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]
    item = item_of("reasoning", summary=parts, encrypted_content="gAAAA")
    deltas = [
        event("reasoning_summary_text.delta", item_id=item["id"], summary_index=i, delta=part["text"])
        for i, part in enumerate(parts)
    ]
    added = event("output_item.added", output_index=0, item={**item, "summary": []})
    done = event("output_item.done", output_index=0, item=item)
    end = event("completed", response={"output": [item]})
    reply = fold(follow(told(added, *deltas, done, end)))
    seal = Seal(Dialect.RESPONSES, {"id": item["id"], "encrypted_content": "gAAAA", "summary": parts})
    assert bare(reply).parts == (Reasoning("a\n\nb", summary=True, seal=seal),)
    assert reply.parts == read_reply(json.dumps(end["response"]).encode()).parts


def test_annotations_stay_at_home() -> None:
    """They are noted as what this dialect alone knows."""
    note = {"type": "url_citation", "url": "https://x", "title": "t", "start_index": 0, "end_index": 1}
    part = {"type": "output_text", "text": "a", "annotations": [note]}
    item = item_of("message", role="assistant", content=[part])
    stream = told(
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.output_text.delta", "item_id": item["id"], "content_index": 0, "delta": "a"},
        {"type": "response.content_part.done", "item_id": item["id"], "content_index": 0, "part": part},
        {"type": "response.completed", "response": {"output": [item]}},
    )
    reply = fold(follow(stream))
    assert reply.parts[0].rest["responses"]["part"]["annotations"] == [note]  # type: ignore[union-attr]
    assert reply == read_reply(json.dumps({"output": [item]}).encode())


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "error", "code": "server_error", "message": "x"}, FailureKind.SERVER_ERROR),
        ({"type": "error", "error": {"type": "rate_limit_error", "message": "x"}}, FailureKind.RATE_LIMITED),
        ({"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded"}}}, FailureKind.RATE_LIMITED),
        ({"type": "response.completed", "response": {"status": "failed", "error": {"code": "server_error"}}},
         FailureKind.SERVER_ERROR),
        ({"type": "response.incomplete", "response": {"incomplete_details": {"reason": "abort"}}}, FailureKind.TIMEOUT),
    ],
)  # fmt: skip
def test_a_target_that_says_that_it_failed(event: Json, kind: FailureKind) -> None:
    """In any of the ways in which servers do."""
    [*_, last] = follow(told(event))
    assert isinstance(last, Broken)
    assert last.failure.kind is kind


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b'"x"', b'{"item":' + b"[" * 9000 + b"]" * 9000 + b"}"])
def test_what_is_no_event(data: bytes) -> None:
    """It is said so, and nothing else is raised."""
    with pytest.raises(StreamError):
        StreamReader().feed(Frame(b"", b"", data))


def test_an_event_out_of_place() -> None:
    """After the end, or of a part that is done."""
    with pytest.raises(StreamError, match="after the end"):
        follow(told({"type": "response.completed", "response": {}}, {"type": "response.completed", "response": {}}))
    place = {"item_id": "x", "content_index": 0}
    delta = {"type": "response.output_text.delta", **place, "delta": "a"}
    done = {"type": "response.content_part.done", **place, "part": {"type": "output_text", "text": "a"}}
    with pytest.raises(StreamError, match="after its end"):
        follow(told(delta, done, delta))


def test_comments_and_unknown_events_mean_nothing() -> None:
    """Servers keep connections alive, and will say more than we know."""
    assert follow(b": ping\n\n" + told({"type": "response.later"}, {"type": "keepalive", "delta": 1})) == []


_TYPES = ["created", "output_item.added", "output_item.done", "content_part.done", "output_text.delta", "completed",
          "output_text.done", "reasoning_text.delta", "reasoning_summary_text.delta", "function_call_arguments.delta",
          "function_call_arguments.done", "refusal.delta", "incomplete"]  # fmt: skip
_MEMBERS = ["type", "id", "content", "text", "summary", "name", "output"]
_JUNK: Any = st.recursive(
    st.none() | st.integers(-1, 2) | st.sampled_from(["a", "message", "reasoning", "function_call", "later", ""]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "id", "content", "text", "summary", "name", "output"]), inner, max_size=5
        )
    ),
    max_leaves=8,
)
_NAMES = ["item", "item_id", "output_index", "content_index", "delta", "text", "part", "response", "arguments", "error"]


@LAW
@given(st.lists(st.builds(
    lambda kind, junk: {**junk, "type": f"response.{kind}"},
    st.sampled_from(_TYPES), st.dictionaries(st.sampled_from(_NAMES), _JUNK)
), max_size=6))  # fmt: skip
def test_hostile_streams_keep_to_the_grammar(events: list[Json]) -> None:
    """Whatever comes, the events are those of an answer, or it is said that they are not."""
    reader, got = StreamReader(), []
    try:
        for frame in frames(told(*events)):
            got += reader.feed(frame)
    except StreamError:
        return
    if got and isinstance(got[-1], Ended):
        assert fold(got).finish in Finish


def test_our_own_stand_in() -> None:
    """The stream that all tests of the gateway use."""
    stream = speakers.speak(Dialect.RESPONSES, ["one ", "two"], "x", thought=["Hm"], call=True)
    assert bare(fold(follow(stream))) == Reply(
        "resp_x",
        "x",
        1,
        (Reasoning("Hm"), Text("one two"), ToolCall("call_1", *speakers.CALL)),
        Finish.TOOL,
        usage=Usage(speakers.PROMPT, 3),
    )
