"""Streams of chat servers into neutral events."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects import chat_speech as speech
from dialects.chat_speech import DONE, STOP, chunk, delta, frame, hear
from pointsman.dialects.chat import codec as chat_codec
from pointsman.dialects.fold import fold
from pointsman.exchange import FailureKind, Usage
from pointsman.names import Dialect
from pointsman.neutral import (
    Begun,
    Broken,
    Closed,
    Ended,
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


def parts(*run: bytes) -> tuple[Any, ...]:
    """The parts of the answer that a stream amounts to."""
    return fold(hear(*run)).parts


def call(index: int | None = 0, ident: str | None = None, name: str | None = None, arguments: Any = None) -> bytes:
    """A frame with a piece of a call."""
    return delta(tool_calls=[{"index": index, "id": ident, "function": {"name": name, "arguments": arguments}}])


def _torn(text: str | None, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)] if text else []


def _streamed(body: Any, size: int) -> bytes:
    """The stream of a server that would have given this answer."""
    choice, usage = body["choices"][0], body.get("usage")
    message = choice["message"]
    run = delta(role="assistant", content="")
    for name in ("reasoning_content", "content", "refusal"):
        run += b"".join(delta(**{name: piece}) for piece in _torn(message.get(name), size))
    for i, each in enumerate(message.get("tool_calls", ())):
        kind, field = ("custom", "input") if each["type"] == "custom" else ("function", "arguments")
        first = {"index": i, "id": each["id"], "type": each["type"], kind: {"name": each[kind]["name"], field: ""}}
        run += delta(tool_calls=[first])
        run += b"".join(
            delta(tool_calls=[{"index": i, kind: {field: piece}}]) for piece in _torn(each[kind][field], size)
        )
    run += chunk(delta={}, finish_reason=choice["finish_reason"])
    told = {"id": body["id"], "choices": [], "usage": usage}
    return run + (b"data: " + msgspec.json.encode(told) + b"\n\n" if usage else b"") + DONE


def _bare(reply: Reply) -> Reply:
    """Without what only whole answers say beyond the neutral form."""
    bare = tuple(
        msgspec.structs.replace(part, rest={}) if not isinstance(part, Foreign) else part for part in reply.parts
    )
    return msgspec.structs.replace(reply, parts=bare, rest={})


@settings(deadline=None)
@given(speech.replies, st.integers(1, 5))
def test_fold(body: Any, size: int) -> None:
    """A stream amounts to what the whole answer does, wherever it is torn."""
    whole = chat_codec.read_reply(msgspec.json.encode(body))
    assert fold(hear(_streamed(body, size))) == _bare(whole)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=20).map(frame) | st.dictionaries(st.sampled_from([
    "choices", "error", "usage", "id", "created",
]), speech.values | st.lists(st.fixed_dictionaries({"delta": st.dictionaries(st.sampled_from([
    "content", "tool_calls", "reasoning", "reasoning_details", "refusal", "function_call", "images",
]), speech.values)}, optional={"index": speech.values, "finish_reason": speech.values})))
.map(lambda event: frame(msgspec.json.encode(event))) | st.just(frame(b"[DONE]"))))  # fmt: skip
def test_whatever_a_server_sends_only_a_stream_error_comes_of_it(run: list[Any]) -> None:
    """And what was told before it is a stream that fits together."""
    reader, events = chat_codec.StreamReader(), []
    try:
        for each in run:
            events += reader.feed(each)
    except StreamError:
        return
    if events and isinstance(events[-1], Ended):
        fold(events)


@pytest.mark.parametrize("data", [b"{", b"[]", b'"x"', b"\xff", b'{"choices":{}}', b"[" * 99999])
def test_no_chunk(data: bytes) -> None:
    """It is said so."""
    with pytest.raises(StreamError, match="no chat chunk"):
        chat_codec.StreamReader().feed(frame(data))


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (DONE, "before its choice has ended"),
        (delta(content="a") + DONE, "before its choice has ended"),
        (STOP + delta(content="a"), "after the end"),
        (call(0, "a", None, "{}") + STOP, "without a name"),
        (delta(tool_calls=[7]), "no piece of a tool call"),
        (delta(tool_calls=[{"function": "f"}]), "no function of a tool call"),
        (delta(content={"type": "odd"}), "content that is no text"),
    ],
)
def test_what_has_no_place(run: bytes, why: str) -> None:
    """The stream is not believed."""
    with pytest.raises(StreamError, match=why):
        hear(run)


def test_events() -> None:
    """Each piece is told as it comes."""
    assert hear(delta(role="assistant", content=""), delta(content="a"), delta(content="b"), STOP) == [
        Begun("chatcmpl-a1", "m", 7),
        Opened(0, Text("")),
        Grew(0, "a"),
        Grew(0, "b"),
        Closed(0),
        Ended(Finish.STOP),
    ]


def test_ollama_speaks_in_its_first_chunk() -> None:
    """And says the role in every one."""
    run = delta(role="assistant", content="a") + delta(role="assistant", content="b")
    assert parts(run, chunk(delta={"role": "assistant", "content": ""}, finish_reason="stop"), DONE) == (Text("ab"),)


def test_the_last_chunk_may_have_words() -> None:
    """As vLLM's has."""
    assert parts(chunk(delta={"content": "a"}, finish_reason="length"), DONE) == (Text("a"),)


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_goes_by_two_names(name: str) -> None:
    """LiteLLM #20246: a server that has renamed it is understood."""
    thought, text = parts(delta(**{name: "H"}), delta(**{name: "m"}), delta(content="so"), STOP)
    assert (thought.text, text) == ("Hm", Text("so"))


def test_reasoning_that_both_names_say_is_told_once() -> None:
    """Some servers say both for the sake of all clients."""
    (thought,) = parts(delta(reasoning="Hm", reasoning_content="Hm"), STOP)
    assert thought.text == "Hm"


def test_text_ends_reasoning_and_reasoning_text() -> None:
    """What is thought between words is a part of its own."""
    found = parts(
        delta(reasoning_content="a"), delta(content="b"), delta(reasoning_content="c"), delta(content="d"), STOP
    )
    assert found == (Reasoning("a"), Text("b"), Reasoning("c"), Text("d"))


def test_thoughts_at_the_head_of_the_text_are_reasoning() -> None:
    """The tag may be torn anywhere."""
    run = [delta(content=piece) for piece in "\n<think>Hm</think>\n\nSo"]
    assert parts(*run, STOP) == (Reasoning("Hm"), Text("So"))
    assert parts(delta(content="<thi"), STOP) == (Text("<thi"),)


def test_thoughts_that_a_call_ends_are_told_before_it() -> None:
    """OpenClaw #87687: calls are not lost where reasoning comes first."""
    found = parts(delta(content="<think>Hm "), call(0, "a", "f", "{}"), STOP)
    assert found == (Reasoning("Hm"), ToolCall("a", "f", "{}"))


def test_parallel_calls() -> None:
    """Pieces may come one by one or mixed; each call has an index."""
    run = [call(0, "a", "f", ""), call(0, None, None, '{"x":'), call(1, "b", "g", '{"y":'), call(0, None, None, "1}")]
    found = fold(hear(*run, call(1, None, None, "2}"), chunk(delta={}, finish_reason="tool_calls"), DONE))
    assert found.parts == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", '{"y":2}'))
    assert found.finish is Finish.TOOL


def test_calls_that_all_have_the_index_0_are_told_apart_by_their_ids() -> None:
    """LiteLLM #21331."""
    run = [call(0, "a", "f", "{}"), call(0, "b", "g", '{"x":'), call(0, "b", "g", "1}")]
    assert parts(*run, STOP) == (ToolCall("a", "f", "{}"), ToolCall("b", "g", '{"x":1}'))


def test_a_name_that_is_empty_after_the_first_piece_is_no_name() -> None:
    """lmstudio-bug-tracker #649."""
    assert parts(call(0, "a", "f", ""), call(0, "", "", "{}"), STOP) == (ToolCall("a", "f", "{}"),)


def test_calls_may_have_no_index_and_an_object_for_arguments() -> None:
    """Some servers tell all calls at once, whole."""
    whole = [{"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}, {"function": {"name": "g"}}]
    assert parts(delta(tool_calls=whole), STOP) == (ToolCall("a", "f", '{"x":1}'), ToolCall("call_a1_1", "g"))


def test_a_name_may_come_after_the_first_arguments() -> None:
    """They wait for it."""
    assert parts(call(0, "a", None, "{"), call(0, None, "f", "}"), STOP) == (ToolCall("a", "f", "{}"),)


def test_a_legacy_call_is_a_call() -> None:
    """Some servers answer so whatever they were asked."""
    run = [delta(function_call={"name": "f", "arguments": "{"}), delta(function_call={"arguments": "}"})]
    assert parts(*run, chunk(delta={}, finish_reason="function_call"), DONE) == (ToolCall("call_a1_0", "f", "{}"),)


def test_a_refusal_is_told_apart() -> None:
    """From text."""
    assert parts(delta(refusal="n"), delta(refusal="o"), STOP) == (Refusal("no"),)


def test_pictures_that_a_model_made_are_chats_alone() -> None:
    """OpenRouter's field."""
    assert parts(delta(images=[1]), STOP) == (Foreign(Dialect.CHAT, "images", [1]),)


def test_a_seal_is_put_together_from_its_pieces() -> None:
    """OpenRouter's reasoning_details: the words, then the signature."""
    text = {"type": "reasoning.text", "index": 0}
    run = [
        delta(reasoning="H", reasoning_details=[{**text, "text": "H"}]),
        delta(reasoning="m", reasoning_details=[{**text, "text": "m"}]),
        delta(content="", reasoning_details=[{**text, "signature": "sig"}]),
        delta(content="so"),
    ]
    thought, _ = parts(*run, STOP)
    assert thought.seal == Seal(Dialect.CHAT, [{**text, "text": "Hm", "signature": "sig"}])


def test_a_seal_without_words_is_a_part_of_its_own() -> None:
    """Before the text, or after the calls, where Gemini's come."""
    cipher = [{"type": "reasoning.encrypted", "data": "x"}]
    seal = Seal(Dialect.CHAT, cipher)
    found = parts(delta(reasoning_details=cipher), delta(content="so"), STOP)
    assert [getattr(part, "seal", None) for part in found] == [seal, None]
    found = parts(call(0, "a", "f", "{}"), delta(reasoning_details=cipher), STOP)
    assert [getattr(part, "seal", None) for part in found] == [None, seal]


@pytest.mark.parametrize("usage", [{"prompt_tokens": 5, "completion_tokens": 2}, None])
def test_the_usage_may_stand_in_any_chunk(usage: Any) -> None:
    """The last that says something counts."""
    event = {
        "choices": [{"index": 0, "delta": {"content": "a"}}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1},
    }
    last = {"choices": [], "usage": usage}
    run = [b"data: " + msgspec.json.encode(each) + b"\n\n" for each in (event, last)]
    found = fold(hear(run[0], chunk(delta={}, finish_reason="stop"), run[1], DONE))
    assert found.usage == Usage(5, 2 if usage else 1)


def test_only_the_first_choice_is_read() -> None:
    """More are refused where a request is translated."""
    event = {"choices": [{"index": 1, "delta": {"content": "b"}}, {"index": 0, "delta": {"content": "a"}}]}
    assert parts(b"data: " + msgspec.json.encode(event) + b"\n\n", STOP) == (Text("a"),)


@pytest.mark.parametrize(
    "run",
    [
        b'data: {"error":{"message":"overloaded","code":503}}\n\n',
        chunk(delta={}, error={"message": "overloaded", "code": 503}),
        chunk(delta={}, finish_reason="error"),
    ],
)
def test_an_error_breaks_the_stream(run: bytes) -> None:
    """In a chunk of its own, in a choice as OpenRouter has it, or as a reason."""
    *_, last = hear(delta(content="a"), run)
    assert isinstance(last, Broken)
    assert last.failure.kind is FailureKind.SERVER_ERROR


def test_comments_and_chunks_without_choices_are_nothing() -> None:
    """Keep-alives; Azure's first chunk, which has no id either."""
    assert hear(b": ping\n\n", b'data: {"id":"","choices":[],"prompt_filter_results":[]}\n\n') == []
