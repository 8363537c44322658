"""An answer that was cut while it reasoned: any target answers, under the reasoning that the client has."""

from __future__ import annotations

import itertools
import json
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.answers import read
from dialects.speakers import cut_after, named, told_of
from dialects.test_joint import AT, INPUT, PIECES, WHOLE, every, join, junks, split, step_for, steps_for, torn
from pointsman.dialects.joint import Joint
from pointsman.dialects.replay import DIVERGED
from pointsman.dialects.resume import Step
from pointsman.exchange import Failure
from pointsman.names import Dialect, Way
from pointsman.sse import Frame, frames

Json = dict[str, Any]
Part = tuple[str, list[str]]  # reason, text or call; its pieces, of a call its name and arguments
AGAIN = Step(Dialect.CHAT, Way.REPLAY, Dialect.CHAT)
STYLES = {Dialect.CHAT: ["reasoning", "reasoning_content"], Dialect.MESSAGES: ["bare", "signed"],
          Dialect.RESPONSES: ["bare", "summary", "reasoning_part", "content_part"]}  # fmt: skip
dialects_and_styles = pytest.mark.parametrize(
    ("dialect", "style"), [(dialect, style) for dialect, styles in STYLES.items() for style in styles]
)
words = st.text("ab é\n漢", min_size=1, max_size=5)
pieces = st.lists(words, min_size=1, max_size=5)
reasons = st.tuples(st.just("reason"), pieces)
calls = st.tuples(st.just("call"), st.sampled_from([["f", "{}"], ["g", '{"at":1}'], ["h", '{"b":[]}']]))
spoken = st.lists(st.one_of(reasons, st.tuples(st.just("text"), pieces), calls), max_size=4)


def tell(dialect: Dialect, parts: list[Part], name: str, style: str) -> list[Frame]:
    """The frames of a whole answer. A call has no name twice, as no strict client knows them apart."""
    parts = [part for i, part in enumerate(parts) if part[0] != "call" or part[1][0] not in _names(parts[:i])]
    teller = {Dialect.CHAT: tell_chat, Dialect.MESSAGES: tell_messages, Dialect.RESPONSES: tell_responses}[dialect]
    return frames(teller(parts, name, style))


def _names(parts: list[Part]) -> set[str]:
    return {said[0] for kind, said in parts if kind == "call"}


def tell_chat(parts: list[Part], name: str, style: str) -> bytes:
    base = {"id": f"chatcmpl-{name}", "created": len(name), "model": name, "object": "chat.completion.chunk"}
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    count = itertools.count()
    for kind, said in parts:
        if kind == "call":
            function = {"name": said[0], "arguments": said[1]}
            call = {"index": next(count), "id": f"call_{said[0]}", "type": "function", "function": function}
            deltas.append({"tool_calls": [call]})
        else:
            deltas += [{style if kind == "reason" else "content": piece} for piece in said]
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    usage = {"prompt_tokens": 9, "completion_tokens": len(deltas), "total_tokens": 9 + len(deltas)}
    chunks.append({**base, "choices": [], "usage": usage})
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def tell_messages(parts: list[Part], name: str, style: str) -> bytes:
    message: Json = {"id": f"msg_{name}", "type": "message", "role": "assistant", "model": name, "content": [],
               "stop_reason": None, "usage": {"input_tokens": 9, "output_tokens": 0}}  # fmt: skip
    events: list[Json] = [{"type": "message_start", "message": message}, {"type": "ping"}]
    seal = {"signature": ""} if style == "signed" else {}
    blocks: dict[str, Json] = {
        "reason": {"type": "thinking", "thinking": "", **seal},
        "text": {"type": "text", "text": ""},
        "call": {"type": "tool_use", "id": "toolu_1", "input": {}},
    }
    for index, (kind, said) in enumerate(parts):
        block = {**blocks[kind], "name": said[0]} if kind == "call" else blocks[kind]
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        deltas: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in said]
        deltas.append({"type": "signature_delta", "signature": name})
        if kind == "text":
            deltas = [{"type": "text_delta", "text": piece} for piece in said]
        if kind == "call":
            deltas = [{"type": "input_json_delta", "partial_json": said[1]}]
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": len(events)}})
    return named([*events, {"type": "message_stop"}])


def tell_responses(parts: list[Part], name: str, style: str) -> bytes:
    whole: Json = {"id": f"resp_{name}", "object": "response", "model": name, "created_at": 1, "status": "in_progress"}
    events: list[Json] = [{"type": "response.created", "response": whole}]
    events.append({"type": "response.in_progress", "response": whole})
    output: list[Json] = []
    tellers = {"reason": _reasoning, "text": _message, "call": _call}
    for index, (kind, said) in enumerate(parts):
        told, item = tellers[kind](said, f"{name}_{index}", style)
        if kind == "reason":
            item["encrypted_content"] = name
        done = {"type": "response.output_item.done", "item": item}
        events += [{**event, "output_index": index} for event in [*told, done]]
        output.append(item)
    usage = {"input_tokens": 9, "output_tokens": len(events), "total_tokens": 9 + len(events)}
    answer = {**whole, "status": "completed", "output": output, "usage": usage}
    events.append({"type": "response.completed", "response": answer})
    return named([{**event, "sequence_number": i} for i, event in enumerate(events)])


def _reasoning(said: list[str], name: str, style: str) -> tuple[list[Json], Json]:
    """Two parts of a summary, or one of reasoning itself."""
    item: Json = {"type": "reasoning", "id": f"rs_{name}", "summary": []}
    told: list[Json] = [{"type": "response.output_item.added", "item": {**item, "encrypted_content": name}}]
    summary = style == "summary"
    kind = "response.reasoning_summary_text" if summary else "response.reasoning_text"
    part = {"summary": "response.reasoning_summary_part", "bare": ""}.get(style, f"response.{style}")
    typed = {"type": "summary_text" if summary else "reasoning_text"}
    halves = [half for half in (said[:2], said[2:]) if half] if summary else [said]
    for number, half in enumerate(halves):
        text = "".join(half)
        place = {"item_id": item["id"], "summary_index" if summary else "content_index": number}
        told += [{"type": f"{part}.added", **place, "part": {**typed, "text": ""}}] if part else []
        told += [{"type": f"{kind}.delta", **place, "delta": piece} for piece in half]
        told.append({"type": f"{kind}.done", **place, "text": text})
        told += [{"type": f"{part}.done", **place, "part": {**typed, "text": text}}] if part else []
    return told, {**item, "summary" if summary else "content": [{**typed, "text": "".join(half)} for half in halves]}


def _message(said: list[str], name: str, _style: str) -> tuple[list[Json], Json]:
    item: Json = {"type": "message", "id": f"msg_{name}", "role": "assistant", "status": "in_progress", "content": []}
    place, part = {"item_id": item["id"], "content_index": 0}, {"type": "output_text", "text": "", "annotations": []}
    full = {**part, "text": "".join(said)}
    told = [
        {"type": "response.output_item.added", "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []} for piece in said),
        {"type": "response.output_text.done", **place, "text": full["text"], "logprobs": []},
        {"type": "response.content_part.done", **place, "part": full},
    ]
    return told, {**item, "status": "completed", "content": [full]}


def _call(said: list[str], name: str, _style: str) -> tuple[list[Json], Json]:
    item = {"type": "function_call", "id": f"fc_{name}", "call_id": f"call_{name}", "name": said[0], "arguments": ""}
    place = {"item_id": item["id"]}
    told: list[Json] = [
        {"type": "response.output_item.added", "item": item},
        {"type": "response.function_call_arguments.delta", **place, "delta": said[1]},
        {"type": "response.function_call_arguments.done", **place, "arguments": said[1], "name": said[0]},
    ]
    return told, {**item, "arguments": said[1]}


def cuts(dialect: Dialect, stream: list[Frame]) -> range:
    """How many frames may have been sent so that some reasoning was, and nothing else of the answer."""
    texts = [bool(told_of_all(dialect, stream[: n + 1])) for n in range(len(stream))]
    first = texts.index(True) + 1
    last = next(
        (n for n in range(first, len(stream)) if not _reasoning_alone(dialect, stream[: n + 1])), len(stream) - 1
    )
    return range(first, last + 1)


def told_of_all(dialect: Dialect, sent: list[Frame]) -> dict[str, list[str]]:
    told = told_of(dialect, sent)
    told.fold()
    return told.texts


def _reasoning_alone(dialect: Dialect, sent: list[Frame]) -> bool:
    told = told_of(dialect, sent)
    told.fold()
    ended = {"finish", "message_delta 0", "response.completed", "response.output_text.done"} & set(told.marks)
    return not told.lost and not ended and all("reason" in name or "thinking" in name for name in told.texts)


@dialects_and_styles
@settings(deadline=None, max_examples=40)
@given(first=st.lists(reasons, min_size=1, max_size=2), said=pieces, second=spoken, data=st.data())
def test_the_second_answers(
    dialect: Dialect, style: str, *, first: list[Part], said: list[str], second: list[Part], data: st.DataObject
) -> None:
    """Wherever it was cut, and whatever the second thinks: its text and calls, under the reasoning that was told."""
    whole = tell(dialect, [*first, ("text", said)], "first", style)
    sent = whole[: data.draw(st.sampled_from(cuts(dialect, whole)))]
    again = tell(dialect, second, "second", data.draw(st.sampled_from(STYLES[dialect])))
    own, stream = read(dialect, b"".join(f.raw for f in again)), torn(data, b"".join(f.raw for f in again))
    got = join(dialect, sent, AGAIN, stream)
    assert isinstance(got, bytes)
    answer = read(dialect, got)
    assert (answer.text, answer.calls, answer.stop) == (own.text, own.calls, own.stop)
    told = "".join("".join(text) for text in told_of_all(dialect, sent).values())
    assert answer.thought in {told, own.thought}
    assert answer.thought.startswith(told)
    if not own.thought.startswith(told):
        assert "second" not in answer.seals
    assert answer.usage == own.usage


@dialects_and_styles
@settings(deadline=None, max_examples=40)
@given(thought=pieces, more=pieces, said=pieces, data=st.data())
def test_a_second_that_thinks_alike_goes_on(
    dialect: Dialect, style: str, *, thought: list[str], more: list[str], said: list[str], data: st.DataObject
) -> None:
    """Its reasoning is the client's, to its end."""
    if style == "summary":
        thought, more = thought[:1], []  # where its parts end is told too
    whole = tell(dialect, [("reason", thought)], "first", style)
    told, sent = "", []
    for frame in whole:
        sent.append(frame)
        told = "".join("".join(text) for text in told_of_all(dialect, sent).values())
        if told == "".join(thought):
            break
    again = [*split(data, told), *more] if style != "summary" else thought
    second = tell(dialect, [("reason", again), ("text", said)], "second", style)
    got = join(dialect, sent, AGAIN, torn(data, b"".join(frame.raw for frame in second)))
    assert isinstance(got, bytes)
    answer = read(dialect, got)
    assert (answer.thought, answer.text) == (told + "".join(more), "".join(said))
    if dialect is Dialect.RESPONSES:
        assert "second" not in answer.seals


@dialects_and_styles
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_third_takes_up_what_the_second_began(dialect: Dialect, style: str, data: st.DataObject) -> None:
    """What came out of two streams breaks off in turn, in the text or before it."""
    first = tell(dialect, [("reason", ["Hm", "m"]), ("text", PIECES)], "first", style)
    sent = first[: data.draw(st.sampled_from(cuts(dialect, first)))]
    joint = Joint(dialect, told_of(dialect, sent), AGAIN)
    second = tell(dialect, [("reason", ["Well"]), ("text", PIECES)], "second", style)
    for frame in second[: data.draw(st.integers(0, len(second) - 7))]:
        passed = joint.feed(frame)
        assert isinstance(passed, bytes)
        sent = [*sent, *frames(passed)]
    step = step_for(dialect, Way.PREFILL, sent)
    rest = [WHOLE[len(step.prefix) :]] if step.prefix else PIECES
    third = tell(dialect, [("reason", ["So"]), ("text", rest)], "third", style)
    got = join(dialect, sent, step, third)
    if isinstance(got, Failure):
        # Too little text to go on from: the replay that is left must think alike.
        assert not step.prefix
        assert not _reasoning_alone(dialect, sent)
        return
    answer = read(dialect, got)
    assert answer.text == WHOLE
    assert answer.thought in {"Hm", "Hmm"}


@every
def test_an_answer_without_its_end_is_refused(dialect: Dialect) -> None:
    """Nobody knows whether it is whole; what only formally ends it is made up for."""
    first = tell(dialect, [("reason", ["Hm"])], "first", STYLES[dialect][0])
    sent = first[: cuts(dialect, first)[0]]
    second = tell(dialect, [("reason", ["So"]), ("text", PIECES)], "second", STYLES[dialect][0])
    at = next(i for i, frame in enumerate(second) if b'"stop"' in frame.data or b'"end_turn"' in frame.data or
              frame.event == b"response.completed")  # fmt: skip
    joint = Joint(dialect, told_of(dialect, sent), AGAIN)
    assert DIVERGED not in [joint.feed(frame) for frame in second[:at]]
    assert joint.caught_up
    assert joint.close() is DIVERGED
    if dialect is not Dialect.RESPONSES:
        got = join(dialect, sent, AGAIN, second[:-1])
        assert isinstance(got, bytes)
        assert read(dialect, got).text == WHOLE


@every
def test_text_that_was_told_is_not_passed_over(dialect: Dialect) -> None:
    """Whatever the second thinks: one other word of the answer, or fewer words, and it will not do."""
    style = STYLES[dialect][0]
    first = tell(dialect, [("reason", ["Hm"]), ("text", ["One", " two", "!"])], "first", style)
    sent = first[: next(i for i in range(len(first)) if "two" in str(told_of_all(dialect, first[:i])))]
    for said in (["One", " three"], ["One"], ["Two"]):
        second = tell(dialect, [("reason", ["So"]), ("text", said)], "second", style)
        assert join(dialect, sent, AGAIN, second) is DIVERGED


@dialects_and_styles
@settings(deadline=None, max_examples=40)
@given(thought=st.lists(reasons, max_size=1), mine=st.lists(reasons, max_size=2), data=st.data())
def test_text_is_gone_on_with_by_one_that_thinks_first(
    dialect: Dialect, style: str, thought: list[Part], mine: list[Part], data: st.DataObject
) -> None:
    """What it thinks was never shown and is left out, with its seal; every word of the text comes once, then a call."""
    first = tell(dialect, [*thought, ("text", [*PIECES, "!"])], "first", style)
    count = len(thought[0][1]) if thought else 0
    at = data.draw(st.integers(1, len(PIECES)))
    sent = cut_after(dialect, b"".join(frame.raw for frame in first), count + at)
    own: list[Part] = [*mine, ("text", split(data, WHOLE)), ("call", ["f", "{}"])]
    second = tell(dialect, own, "second", data.draw(st.sampled_from(STYLES[dialect])))
    stream = b"".join(frame.raw for frame in second)
    got = join(dialect, sent, AGAIN, torn(data, stream))
    assert isinstance(got, bytes)
    answer, alone = read(dialect, got), read(dialect, stream)
    assert (answer.text, answer.calls, answer.stop, answer.usage) == (WHOLE, {"f": "{}"}, alone.stop, alone.usage)
    assert answer.thought == "".join("".join(said) for _, said in thought)
    if mine != thought:
        assert "second" not in answer.seals


@every
@pytest.mark.parametrize("way", [Way.PREFILL, Way.TRY, Way.FLAGS])
@pytest.mark.parametrize("thought", [[], [("reason", ["Hm"])]], ids=["silent", "thought"])
def test_one_that_goes_on_may_think_first(dialect: Dialect, way: Way, thought: list[Part]) -> None:
    """Its thoughts are left out."""
    first = tell(dialect, [*thought, ("text", PIECES)], "first", STYLES[dialect][0])
    sent = cut_after(dialect, b"".join(frame.raw for frame in first), len(thought) + AT)
    step = step_for(dialect, way, sent)
    assert step.prefix
    again: list[Part] = [("reason", ["So"]), ("text", [WHOLE[len(step.prefix) :]])]
    got = join(dialect, sent, step, tell(step.dialect, again, "second", STYLES[step.dialect][0]))
    assert isinstance(got, bytes)
    answer = read(dialect, got)
    assert (answer.text, answer.thought) == (WHOLE, "Hm" if thought else "")
    assert "second" not in answer.seals


def test_log_probabilities_are_not_left_out() -> None:
    """The client has those of each token so far: who thinks otherwise cannot go on."""
    first = tell(Dialect.CHAT, [("text", PIECES)], "first", "reasoning")
    second = b"".join(f.raw for f in tell(Dialect.CHAT, [("reason", ["So"]), ("text", PIECES)], "second", "reasoning"))
    second = second.replace(b'"finish_reason"', b'"logprobs": {"content": [{}]}, "finish_reason"')
    assert join(Dialect.CHAT, first[:3], AGAIN, frames(second)) is DIVERGED


@pytest.mark.parametrize("dialect", [Dialect.MESSAGES, Dialect.RESPONSES])
def test_more_reasoning_is_not_glued_to_an_open_text(dialect: Dialect) -> None:
    """The first was about to say its text, the second thinks on after the same thought."""
    first = tell(dialect, [("reason", ["Hm"]), ("text", ["One"])], "first", STYLES[dialect][0])
    second = tell(dialect, [("reason", ["Hm"]), ("reason", ["So"]), ("text", ["Two"])], "first", STYLES[dialect][0])
    got = join(dialect, first[: cuts(dialect, first)[-1]], AGAIN, second)
    assert isinstance(got, bytes)
    answer = read(dialect, got)
    assert (answer.thought, answer.text) == ("Hm", "Two")


def test_reasoning_is_closed_where_it_stopped() -> None:
    """Responses: every part that is open ends, and the item says that it is not whole, without what was sealed."""
    first = tell(Dialect.RESPONSES, [("reason", ["a", "b", "c", "d"])], "first", "summary")
    at = next(i for i, frame in enumerate(first) if b'"delta":"c"' in frame.data.replace(b" ", b""))
    got = join(Dialect.RESPONSES, first[: at + 1], AGAIN, tell(Dialect.RESPONSES, [("text", ["x"])], "second", "bare"))
    assert isinstance(got, bytes)
    events = [json.loads(frame.data) for frame in frames(got)][at + 1 :]
    assert [event["type"].removeprefix("response.") for event in events[:4]] == [
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done", "output_item.added",
    ]  # fmt: skip
    item = {"type": "reasoning", "id": "rs_first_0", "status": "incomplete",
            "summary": [{"type": "summary_text", "text": "ab"}, {"type": "summary_text", "text": "c"}]}  # fmt: skip
    assert events[2]["item"] == item
    assert events[-1]["response"]["output"][0] == item
    assert events[-1]["response"]["id"] == "resp_first"


@pytest.mark.parametrize("style", STYLES[Dialect.MESSAGES])
def test_thinking_ends_with_an_empty_signature_where_it_has_none(style: str) -> None:
    """Messages: a block that began with the field has it already."""
    first = tell(Dialect.MESSAGES, [("reason", ["Hm"])], "first", style)
    sent = first[: cuts(Dialect.MESSAGES, first)[0]]
    got = join(Dialect.MESSAGES, sent, AGAIN, tell(Dialect.MESSAGES, [("text", ["x"])], "second", style))
    assert isinstance(got, bytes)
    assert got.count(b'"signature_delta"') == (style == "bare")
    assert read(Dialect.MESSAGES, got).text == "x"


@every
def test_the_way_is_the_same_request(dialect: Dialect) -> None:
    """Whatever the target could do: one request, which may end either way."""
    first = tell(dialect, [("reason", ["Hm"])], "first", STYLES[dialect][0])
    sent = first[: cuts(dialect, first)[0]]
    for way in Way:
        assert [one.way for one in steps_for(way, dialect, told_of(dialect, sent))] == [Way.REPLAY]


KINDS = ["content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop",
         "response.output_item.added", "response.output_item.done", "response.output_text.delta",
         "response.content_part.added", "response.completed", ""]  # fmt: skip


@dialects_and_styles
@settings(deadline=None, max_examples=40)
@given(junk=st.lists(st.tuples(junks, st.sampled_from(KINDS)), max_size=4), data=st.data())
def test_strange_events_never_raise(dialect: Dialect, style: str, junk: list[Any], data: st.DataObject) -> None:
    """What either target streams is a stranger's."""
    strange = [
        {**(one if isinstance(one, dict) else {"choices": one, "item": one}), "type": kind} for one, kind in junk
    ]
    first = tell(dialect, [("reason", ["Hm"])], "first", style)
    sent = first[: data.draw(st.sampled_from(cuts(dialect, first)))]
    sent += frames(named(strange)) if data.draw(st.booleans()) else []
    joint = Joint(dialect, told_of(dialect, sent), AGAIN)
    for frame in [*tell(dialect, [("reason", ["So"])], "second", style)[:-2], *frames(named(strange))]:
        joint.feed(frame)
    joint.close()


@pytest.mark.parametrize(("dialect", "style"), [(d, s) for d in INPUT | STYLES for s in STYLES[d]])
def test_the_sdks_read_it(dialect: Dialect, style: str) -> None:
    """Reasoning, text and a call, put together by the official clients."""
    first = tell(dialect, [("reason", ["H", "m", "m"])], "first", style)
    sent = first[: cuts(dialect, first)[1]]
    second = tell(dialect, [("reason", ["So"]), ("text", PIECES), ("call", ["f", "{}"])], "second", style)
    stream = join(dialect, sent, AGAIN, second)
    assert isinstance(stream, bytes)
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)
    )
    client, turns = httpx2.Client(transport=transport), [{"role": "user", "content": "hi"}]
    if dialect is Dialect.MESSAGES:
        with anthropic.Anthropic(api_key="x", http_client=client).messages.stream(
            model="m",
            max_tokens=9,
            messages=turns,  # type: ignore[arg-type]
        ) as messages:
            message = messages.get_final_message()
        assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
        assert [block.text for block in message.content if block.type == "text"] == [WHOLE]
        return
    asked = openai.OpenAI(api_key="x", http_client=client)
    if dialect is Dialect.CHAT:
        with asked.chat.completions.stream(model="m", messages=turns) as chunks:  # type: ignore[arg-type]
            assert chunks.get_final_completion().choices[0].message.content == WHOLE
        return
    with asked.responses.stream(model="m", input="hi") as events:
        whole = events.get_final_response()
    assert [item.type for item in whole.output] == ["reasoning", "message", "function_call"]
    assert whole.output_text == WHOLE
