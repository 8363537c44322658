"""How a target is asked to take up an answer that broke off: what it is told, in which order, and when not at all."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec import structs

from dialects.speakers import CALL, cut_after, speak, told_of
from pointsman import dialects
from pointsman.dialects import resume
from pointsman.dialects.resume import Step, body
from pointsman.dialects.told import Told
from pointsman.dialects.translation import Translation
from pointsman.exchange import Head
from pointsman.failover.choose import Candidate
from pointsman.names import Dialect, Way
from pointsman.sse import frames
from pointsman.table import Model, Provider

Json = dict[str, Any]
every = pytest.mark.parametrize("dialect", list(Dialect))
HI = {"role": "user", "content": "hi"}
PLAIN: dict[Dialect, Json] = {
    Dialect.CHAT: {"messages": [HI], "max_tokens": 100, "temperature": 0.5},
    Dialect.RESPONSES: {"input": "hi", "instructions": "Be brief.", "max_output_tokens": 100, "temperature": 0.5},
    Dialect.MESSAGES: {"messages": [HI], "system": "Be brief.", "max_tokens": 100, "temperature": 0.5},
}
PIECES = ["It ", "was ", "the ", "best ", "of ", "times, ", "it ", "was ", "the ", "worst ", "of ", "times, ", "it "]
TEXT = "".join(PIECES).rstrip()
EVERY_API = tuple(Dialect)
PLACE = Provider("p", "VLLM", "http://127.0.0.1", EVERY_API)


def target(dialect: Dialect, api: tuple[str, ...] = EVERY_API, **model: Any) -> Candidate:
    return Candidate(structs.replace(PLACE, api=api), Model("served", **model), dialect=dialect)


def steps(way: Way, dialect: Dialect, api: tuple[str, ...], told: Told, head: Head) -> tuple[Step, ...]:
    return resume.steps(way, Translation(dialect, head.fields), told, head, target(dialect, api))


def head_of(dialect: Dialect, **extra: Any) -> Head:
    asked = {"model": "asked", "stream": True, **PLAIN[dialect], **extra}
    return dialects.ALL[dialect].read_head(json.dumps(asked).encode())


def told(dialect: Dialect, pieces: int = len(PIECES), **more: Any) -> Told:
    return told_of(dialect, cut_after(dialect, speak(dialect, [*PIECES, "."], "first", **more), pieces))


def ways(dialect: Dialect, way: Way, head: Head | None = None, api: tuple[str, ...] = EVERY_API) -> list[Way]:
    return [step.way for step in steps(way, dialect, api, told(dialect), head or head_of(dialect))]


def sent(step: Step, head: Head) -> Json:
    asked = json.loads(body(step, head, target(step.spoken)))
    assert asked["model"] == "served"
    assert asked["stream"] is True
    return asked


@every
def test_a_replay_comes_last(dialect: Dialect) -> None:
    """After the way that the server has; alone where it has none."""
    for way in (Way.FLAGS, Way.PREFILL, Way.TRY):
        assert ways(dialect, way) == [way, Way.REPLAY]
    assert ways(dialect, Way.REPLAY) == [Way.REPLAY]


@every
def test_a_replay_is_the_same_request(dialect: Dialect) -> None:
    """Nothing is added to it."""
    step = steps(Way.REPLAY, dialect, EVERY_API, told(dialect), head_of(dialect))[0]
    assert (step.dialect, step.prefix, step.promised) == (dialect, "", False)
    assert sent(step, head_of(dialect)) == {"model": "served", "stream": True, **PLAIN[dialect]}


@every
def test_flags_are_for_chat(dialect: Dialect) -> None:
    """Whatever the client speaks: chat, with the system's words, the user's, and what was said."""
    step = steps(Way.FLAGS, dialect, EVERY_API, told(dialect), head_of(dialect))[0]
    assert (step.dialect, step.prefix, step.promised) == (Dialect.CHAT, TEXT, True)
    asked = sent(step, head_of(dialect))
    system = [] if dialect is Dialect.CHAT else [{"role": "system", "content": "Be brief."}]
    assert asked["messages"] == [*system, HI, {"role": "assistant", "content": TEXT}]
    assert (asked["continue_final_message"], asked["add_generation_prompt"]) == (True, False)
    assert (asked["max_tokens"], asked["temperature"]) == (100 - len(PIECES), 0.5)
    if dialect is not Dialect.CHAT:
        assert asked["stream_options"] == {"include_usage": True}
        assert {"input", "instructions", "system", "max_output_tokens"}.isdisjoint(asked)


@every
def test_a_prefix_is_the_last_turn(dialect: Dialect) -> None:
    """In the client's dialect, without white space at its end, which Anthropic refuses."""
    step = steps(Way.PREFILL, dialect, EVERY_API, told(dialect), head_of(dialect))[0]
    asked = sent(step, head_of(dialect))
    turns = asked["input" if dialect is Dialect.RESPONSES else "messages"]
    assert turns[0] == HI
    assert turns[-1]["role"] == "assistant"
    content = turns[-1]["content"]
    assert (content if isinstance(content, str) else content[0]["text"]) == TEXT
    assert (step.dialect, step.promised) == (dialect, True)


@every
def test_where_nothing_is_promised_some_words_are_kept_back(dialect: Dialect) -> None:
    """They must come again; of a short text too few would."""
    step = steps(Way.TRY, dialect, EVERY_API, told(dialect), head_of(dialect))[0]
    assert TEXT.startswith(step.prefix)
    assert len(TEXT) // 2 <= len(step.prefix) < len(TEXT) - 10
    assert not step.promised
    assert step.tokens == len(step.prefix.split())
    assert [one.way for one in steps(Way.TRY, dialect, EVERY_API, told(dialect, 2), head_of(dialect))] == [Way.REPLAY]


@every
def test_the_bound_leaves_at_least_a_token(dialect: Dialect) -> None:
    """Zero would be refused."""
    name = "max_output_tokens" if dialect is Dialect.RESPONSES else "max_tokens"
    head = head_of(dialect, **{name: 3})
    step = steps(Way.PREFILL, dialect, EVERY_API, told(dialect), head)[0]
    assert sent(step, head)[name] == 1


@pytest.mark.parametrize(
    ("dialect", "extra"),
    [
        (Dialect.CHAT, {"n": 2}),
        (Dialect.CHAT, {"logprobs": True}),
        (Dialect.CHAT, {"response_format": {"type": "json_schema", "json_schema": {}}}),
        (Dialect.CHAT, {"response_format": {"type": "json_object"}}),
        (Dialect.CHAT, {"guided_regex": "a+"}),
        (Dialect.CHAT, {"tool_choice": "required"}),
        (Dialect.CHAT, {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
        (Dialect.CHAT, {"messages": [HI, {"role": "assistant", "content": "Well"}]}),
        (Dialect.CHAT, {"messages": []}),
        (Dialect.CHAT, {"messages": "hi"}),
        (Dialect.RESPONSES, {"text": {"format": {"type": "json_schema"}}}),
        (Dialect.RESPONSES, {"previous_response_id": "resp_1"}),
        (Dialect.RESPONSES, {"input": [HI, {"role": "assistant", "content": "Well"}]}),
        (Dialect.RESPONSES, {"input": [1]}),
        (Dialect.MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        (Dialect.MESSAGES, {"tool_choice": {"type": "any"}}),
        (Dialect.MESSAGES, {"messages": [HI, {"role": "assistant", "content": "Well"}]}),
    ],
)
@pytest.mark.parametrize("way", list(Way))
def test_what_is_only_replayed(dialect: Dialect, extra: Json, way: Way) -> None:
    """Where going on would be wrong, or refused."""
    assert ways(dialect, way, head_of(dialect, **extra)) == [Way.REPLAY]


@every
@pytest.mark.parametrize(
    "extra", [{"tools": []}, {"tool_choice": "auto"}, {"metadata": {"a": "b"}}, {"tool_choice": None}]
)
def test_what_does_not_matter(dialect: Dialect, extra: Json) -> None:
    """Fields that are there and say nothing about the text."""
    if dialect is Dialect.MESSAGES and extra.get("tool_choice"):
        extra = {"tool_choice": {"type": "auto"}}
    assert ways(dialect, Way.PREFILL, head_of(dialect, **extra)) == [Way.PREFILL, Way.REPLAY]
    assert ways(dialect, Way.FLAGS, head_of(dialect, **extra)) == [Way.FLAGS, Way.REPLAY]


@pytest.mark.parametrize("dialect", [Dialect.RESPONSES, Dialect.MESSAGES])
def test_flags_need_what_chat_can_say(dialect: Dialect) -> None:
    """A request that would lose something in chat is replayed; so it is to who does not speak chat."""
    hosted = {"type": "web_search_20250305" if dialect is Dialect.MESSAGES else "web_search", "name": "web_search"}
    assert ways(dialect, Way.FLAGS, head_of(dialect, tools=[hosted])) == [Way.REPLAY]
    assert ways(dialect, Way.FLAGS, api=(dialect,)) == [Way.REPLAY]


@pytest.mark.parametrize("dialect", [Dialect.RESPONSES, Dialect.MESSAGES])
def test_tools_are_no_reason_to_begin_anew(dialect: Dialect) -> None:
    """Chat has them as well."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = {"name": "f", "input_schema" if dialect is Dialect.MESSAGES else "parameters": schema}
    head = head_of(dialect, tools=[tool if dialect is Dialect.MESSAGES else {"type": "function", **tool}])
    step = steps(Way.FLAGS, dialect, EVERY_API, told(dialect), head)[0]
    asked = sent(step, head)
    assert asked["tools"][0]["function"]["parameters"] == schema
    assert asked["messages"][-1] == {"role": "assistant", "content": TEXT}


@every
def test_reasoning_alone_is_replayed(dialect: Dialect) -> None:
    """There is no text to go on from; after it there is, and its tokens count."""
    head = head_of(dialect)
    alone = told(dialect, 2, thought=["Hm", "m", "."])
    assert [step.way for step in steps(Way.PREFILL, dialect, EVERY_API, alone, head)] == [Way.REPLAY]
    after = told(dialect, 3 + len(PIECES), thought=["Hm", "m", "."])
    step = steps(Way.PREFILL, dialect, EVERY_API, after, head)[0]
    assert (step.prefix, step.tokens, step.reasoned) == (TEXT, len(PIECES), 3)


@every
def test_what_was_told_of_a_call_is_not_taken_up(dialect: Dialect) -> None:
    """By nobody."""
    stream = speak(dialect, PIECES, "first", call=True)
    assert CALL[0].encode() in stream
    whole = told_of(dialect, frames(stream))
    assert steps(Way.FLAGS, dialect, EVERY_API, whole, head_of(dialect)) == ()


@every
def test_an_answer_that_has_ended_is_replayed(dialect: Dialect) -> None:
    """Why it ended was told: nothing can be added."""
    if dialect is Dialect.RESPONSES:
        pytest.skip("says so in its very last event")
    stream = frames(speak(dialect, PIECES, "first"))[: -2 if dialect is Dialect.CHAT else -1]
    found = steps(Way.PREFILL, dialect, EVERY_API, told_of(dialect, stream), head_of(dialect))
    assert [step.way for step in found] == [Way.REPLAY]


@every
def test_a_torn_character_is_not_gone_on_from(dialect: Dialect) -> None:
    """What stands for it is not what the model said."""
    stream = speak(dialect, ["It is a pic\ufffd", "."], "first")
    found = steps(Way.FLAGS, dialect, EVERY_API, told_of(dialect, cut_after(dialect, stream, 1)), head_of(dialect))
    assert [step.way for step in found] == [Way.REPLAY]


@pytest.mark.parametrize("name", ["messages", "tool_choice", "response_format"])
def test_a_field_that_is_no_utf8_is_left_to_the_target(name: str) -> None:
    """A request is read no further than it must be, so that this is found only here."""
    fields = {**head_of(Dialect.CHAT).fields, name: msgspec.Raw(b'[{"role":"user\xff"}]')}
    head = structs.replace(head_of(Dialect.CHAT), fields=fields)
    found = steps(Way.PREFILL, Dialect.CHAT, EVERY_API, told(Dialect.CHAT), head)
    assert found[-1] == Step(Dialect.CHAT, Way.REPLAY, Dialect.CHAT)


def test_compat_rules_hold_for_the_rest_too() -> None:
    """String content where the model wants it."""
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    head = head_of(Dialect.CHAT, messages=[{"role": "user", "content": parts}])
    step = steps(Way.FLAGS, Dialect.CHAT, EVERY_API, told(Dialect.CHAT), head)[0]
    asked = json.loads(body(step, head, target(Dialect.CHAT, compat={"requiresStringContent": True})))
    assert asked["messages"] == [{"role": "user", "content": "a\nb"}, {"role": "assistant", "content": TEXT}]
