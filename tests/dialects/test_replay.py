"""A cut stream that another target takes up: nothing twice, nothing lost, nothing glued that does not fit."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman import dialects
from pointsman.dialects.replay import DIVERGED, Replay
from pointsman.dialects.told import Told
from pointsman.exchange import Failure
from pointsman.names import Dialect
from pointsman.sse import Frame, frames

Json = dict[str, Any]
texts = st.lists(st.text("abc é\n", min_size=1, max_size=5), min_size=1, max_size=8)


def chat(pieces: list[str], name: str) -> bytes:
    """A chat stream that says these pieces, under ids of its own."""
    base = {"id": f"chatcmpl-{name}", "created": len(name), "model": name, "object": "chat.completion.chunk"}
    deltas: list[Json] = [{"role": "assistant", "content": None}, *({"content": piece} for piece in pieces)]
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def messages(pieces: list[str], name: str) -> bytes:
    events: list[Json] = [
        {"type": "message_start", "message": {"id": f"msg_{name}", "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": p}} for p in pieces),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": len(pieces)}},
        {"type": "message_stop"},
    ]
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events)


def responses(pieces: list[str], name: str) -> bytes:
    whole, item = {"id": f"resp_{name}", "output": []}, {"type": "message", "id": f"msg_{name}"}
    events: list[Json] = [
        {"type": "response.created", "response": whole},
        {"type": "response.in_progress", "response": whole},
        {"type": "response.output_item.added", "item": item},
        {"type": "response.content_part.added", "item_id": item["id"], "part": {"type": "output_text", "text": ""}},
        *({"type": "response.output_text.delta", "item_id": item["id"], "delta": piece} for piece in pieces),
        {"type": "response.output_text.done", "item_id": item["id"], "text": "".join(pieces)},
        {"type": "response.output_item.done", "item": item},
        {"type": "response.completed", "response": {**whole, "output": [item]}},
    ]
    numbered = [{**event, "sequence_number": i} for i, event in enumerate(events)]
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in numbered)


SPEAKERS = {Dialect.CHAT: chat, Dialect.MESSAGES: messages, Dialect.RESPONSES: responses}
both = pytest.mark.parametrize("dialect", list(Dialect))


def resume(dialect: Dialect, sent: list[Frame], again: bytes) -> tuple[bytes, Failure | None]:
    """What a client has in the end that was sent these frames and then what a replay lets through."""
    told = Told(dialects.ALL[dialect])
    for frame in sent:
        told.add(frame.raw)
    replay, got = Replay(dialects.ALL[dialect], told), b"".join(frame.raw for frame in sent)
    for frame in frames(again):
        passed = replay.feed(frame)
        if isinstance(passed, Failure):
            return got, passed
        got += passed
    return got, None


def spoken(dialect: Dialect, stream: bytes) -> str:
    """The text that a client puts together from a stream."""
    wire, text = dialects.ALL[dialect], ""
    for frame in frames(stream):
        if frame.data.startswith(b"{") and (said := wire.said(json.loads(frame.data))):
            text += "".join(piece for _, piece in said.texts)
    return text


def first_output(dialect: Dialect, stream: bytes) -> int:
    """How many frames there are up to the first output, which is where a stream is committed."""
    wire = dialects.ALL[dialect]
    said = [wire.said(json.loads(f.data)) if f.data.startswith(b"{") else None for f in frames(stream)]
    return next(i for i, one in enumerate(said) if one and one.texts) + 1


@both
@settings(deadline=None)
@given(pieces=texts, data=st.data())
def test_the_client_gets_one_unbroken_answer(dialect: Dialect, pieces: list[str], data: st.DataObject) -> None:
    """Wherever the first stream is cut, and however the second one splits the text: the whole text, once."""
    first = SPEAKERS[dialect](pieces, "first")
    all_frames = frames(first)
    begin = first_output(dialect, first)
    ends = 2 if dialect is Dialect.CHAT else 1
    cut = data.draw(st.integers(begin, len(all_frames) - ends - 1 if len(all_frames) - ends > begin else begin))
    letters = "".join(pieces)
    splits = sorted(data.draw(st.sets(st.integers(1, max(1, len(letters) - 1)), max_size=4)))
    edges = [0, *splits, len(letters)]
    again = [letters[a:b] for a, b in itertools.pairwise(edges) if letters[a:b]]
    got, failure = resume(dialect, all_frames[:cut], SPEAKERS[dialect](again, "second"))
    assert failure is None
    assert spoken(dialect, got) == letters
    assert b"second" not in got or dialect is Dialect.CHAT
    if dialect is Dialect.CHAT:
        assert b"chatcmpl-second" not in got


@both
@settings(deadline=None)
@given(pieces=texts, other=texts, data=st.data())
def test_another_answer_is_never_glued(
    dialect: Dialect, pieces: list[str], other: list[str], data: st.DataObject
) -> None:
    """If the second answer does not begin with what was sent, it is refused before anything of it is passed on."""
    first = SPEAKERS[dialect](pieces, "first")
    cut = data.draw(st.integers(begin := first_output(dialect, first), max(begin, len(frames(first)) - 3)))
    sent = frames(first)[:cut]
    told = spoken(dialect, b"".join(frame.raw for frame in sent))
    got, failure = resume(dialect, sent, SPEAKERS[dialect](other, "second"))
    if "".join(other).startswith(told):
        assert spoken(dialect, got) == "".join(other)
    else:
        assert failure is DIVERGED
        assert got == b"".join(frame.raw for frame in sent)


def test_sequence_numbers_go_on() -> None:
    """A Responses client sees them rise by one, whatever the second server counts."""
    sent = frames(responses(["one ", "two"], "first"))[:5]
    got, failure = resume(Dialect.RESPONSES, sent, responses(["one two three"], "second"))
    assert failure is None
    assert [json.loads(f.data)["sequence_number"] for f in frames(got)] == list(range(len(frames(got))))


@pytest.mark.parametrize(
    ("dialect", "event"),
    [
        (Dialect.CHAT, {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0}]}}]}),
        (Dialect.CHAT, {"choices": [{"index": 1, "delta": {"content": "x"}}]}),
        (Dialect.MESSAGES, {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use"}}),
        (Dialect.MESSAGES, {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{"}}),
        (Dialect.RESPONSES, {"type": "response.output_item.added", "item": {"type": "function_call", "id": "fc"}}),
        (Dialect.RESPONSES, {"type": "response.function_call_arguments.delta", "delta": "{"}),
    ],
)
def test_a_call_that_was_sent_cannot_be_taken_up(dialect: Dialect, event: Json) -> None:
    """Half a tool call is not text: it is never put together from two answers."""
    told = Told(dialects.ALL[dialect])
    told.add(b"data: " + json.dumps(event).encode() + b"\n\n")
    told.fold()
    assert told.lost


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_strange_bytes_never_raise(junk: bytes) -> None:
    """What a target streams is a stranger's."""
    told = Told(dialects.ALL[Dialect.CHAT])
    told.add(chat(["a"], "first"))
    replay = Replay(dialects.ALL[Dialect.CHAT], told)
    for frame in frames(junk + b"\n\n"):
        replay.feed(frame)
