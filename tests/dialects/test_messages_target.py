"""Requests of other dialects, written in Messages."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.messages_speech import ANTHROPIC, LOCAL, NAMES, OBJECTS, QWEN, SEALS, SONNET, WORDS, asked, fields_of
from pointsman.dialects.messages.codec import read_request, write_request
from pointsman.names import Dialect
from pointsman.neutral import (
    Choice,
    Foreign,
    Form,
    Image,
    Part,
    Reasoning,
    Refusal,
    Request,
    Role,
    Seal,
    Text,
    Tool,
    ToolCall,
    ToolMode,
    ToolResult,
    Turn,
)
from pointsman.table import Model, Provider

Json = Any
PICTURE = Image("data:image/png;base64,aGk=", "high")
_ID = re.compile(r"[a-zA-Z0-9_-]+")


def write(*turns: Turn | Part, model: Model = SONNET, provider: Provider = ANTHROPIC, **more: Any) -> Json:
    """The body for a target, as JSON."""
    fields = write_request(asked(*turns, **more), model, provider)
    return msgspec.json.decode(msgspec.json.encode(fields))


def said(*parts: Part, role: Role = Role.USER) -> Turn:
    return Turn(role, parts)


def told(*turns: Turn | Part, **more: Any) -> Json:
    """The messages alone."""
    return write(*turns, **more)["messages"]


_WORDS = st.sampled_from(["", " ", "\n", "a", "b ", "c\n"])
_PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, _WORDS, st.just({"chat": {"x": 1}})),
    st.builds(Refusal, _WORDS),
    st.builds(Reasoning, _WORDS, st.booleans(), SEALS),
    st.just(PICTURE),
    st.builds(ToolCall, WORDS, NAMES, WORDS | st.just("{}"), st.booleans()),
    st.builds(ToolResult, WORDS, st.lists(st.builds(Text, _WORDS) | st.just(PICTURE), max_size=2).map(tuple),
              st.booleans()),
    st.just(Foreign(Dialect.CHAT, "input_audio", {"type": "input_audio"})),
)  # fmt: skip
_REQUESTS = st.builds(
    Request,
    st.sampled_from([Dialect.CHAT, Dialect.RESPONSES]),
    st.just("m"),
    st.lists(st.builds(Turn, st.sampled_from(Role), st.lists(_PARTS, max_size=3).map(tuple)), max_size=5).map(tuple),
    st.lists(st.builds(Text, _WORDS), max_size=2).map(tuple),
    st.booleans(),
    tools=st.lists(st.builds(Tool, NAMES, st.text(max_size=4), st.none() | OBJECTS), max_size=2).map(tuple),
    parallel=st.none() | st.booleans(),
)


@given(_REQUESTS, st.sampled_from([(SONNET, ANTHROPIC), (QWEN, LOCAL)]))
def test_anthropics_grammar(request: Request, target: tuple[Model, Provider]) -> None:
    """The user begins, roles alternate, nothing is empty, results come first, identifiers are plain."""
    body = write_request(request, *target)
    roles = [message["role"] for message in body["messages"]]
    assert roles == [("user", "assistant")[i % 2] for i in range(len(roles))]
    assert roles
    for message in body["messages"]:
        content = message["content"]
        assert content
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        kinds = [block["type"] for block in blocks]
        assert kinds == sorted(kinds, key=lambda kind: kind != "tool_result")
        for block in blocks:
            assert block.get("text", "x").strip()
            assert _ID.fullmatch(block.get("id", block.get("tool_use_id", "x")))
            assert isinstance(block.get("input", {}), dict)
    assert body["max_tokens"] > 0


@given(_REQUESTS)
def test_what_is_written_is_a_plain_request(request: Request) -> None:
    """Read in Messages it is written the same again."""
    body = write_request(request, SONNET, ANTHROPIC)
    assert write_request(read_request(fields_of(body)), SONNET, ANTHROPIC) == body


@given(_REQUESTS)
def test_nothing_of_another_home_leaks(request: Request) -> None:
    """Neither its own members, nor the notes on its spelling."""
    assert "chat" not in str(write_request(request, SONNET, ANTHROPIC))


def test_instructions_at_the_head_are_the_system() -> None:
    """Whatever they are called; one is a string, several are blocks."""
    early = [said(Text("a"), role=Role.SYSTEM), said(Text("b"), Text(" "), role=Role.DEVELOPER)]
    body = write(*early, Text("hi"), system=(Text("0"),))
    assert body["system"] == [{"type": "text", "text": text} for text in "0ab"]
    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert write(early[0], Text("hi"))["system"] == "a"
    assert "system" not in write(Text("hi"))


def test_later_instructions_are_the_users_where_they_stand() -> None:
    """Messages has no such turns but by a header."""
    messages = told(Text("hi"), said(Text("yes?"), role=Role.ASSISTANT), said(Text("brief!"), role=Role.SYSTEM))
    assert messages[2] == {"role": "user", "content": "brief!"}


def test_results_go_first_into_one_turn_of_the_users() -> None:
    """All of one turn of calls, before anything else that is said."""
    messages = told(
        Text("hi"),
        said(Text("ok"), ToolCall("a", "f", '{"x":1}'), ToolCall("b", "f"), role=Role.ASSISTANT),
        said(ToolResult("a", (Text("1"),)), role=Role.TOOL),
        said(Text("by the way")),
        said(ToolResult("b", (), error=True), role=Role.TOOL),
    )
    assert messages[1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "ok"},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "1"},
                {"type": "tool_result", "tool_use_id": "b", "is_error": True},
                {"type": "text", "text": "by the way"},
            ],
        },
    ]


@given(st.text(max_size=12))
def test_identifiers_are_mapped_alike_for_call_and_result(name: str) -> None:
    """Mistral's, Kimi's and whoever's; those that are plain stay."""
    call, result = told(said(ToolCall(name, "f"), role=Role.ASSISTANT), said(ToolResult(name), role=Role.TOOL))[1:]
    [ident] = {call["content"][0]["id"], result["content"][0]["tool_use_id"]}
    assert _ID.fullmatch(ident)
    if ident != name:
        assert bytes.fromhex(ident.removeprefix("toolu_")).decode() == name


@pytest.mark.parametrize(
    ("call", "given"),
    [
        (ToolCall("a", "f", ""), {}),
        (ToolCall("a", "f", "[1]"), {"input": "[1]"}),
        (ToolCall("a", "f", "no JSON"), {"input": "no JSON"}),
        (ToolCall("a", "f", '{"a":1}', free=True), {"input": '{"a":1}'}),
        (ToolCall("a", "f", "", free=True), {"input": ""}),
    ],
)
def test_arguments_are_an_object_in_any_case(call: ToolCall, given: Json) -> None:
    """What is none is the `input` of one."""
    assert told(said(call, role=Role.ASSISTANT), Text("go on"))[1]["content"][0]["input"] == given


def test_the_first_turn_is_the_users() -> None:
    """A greeting of the assistant's is answered to something."""
    greeting = said(Text("Welcome"), role=Role.ASSISTANT)
    assert told(greeting, Text("hi"))[0] == {"role": "user", "content": "."}
    assert told(said(Text("be"), role=Role.SYSTEM)) == [{"role": "user", "content": "."}]


def test_the_last_words_of_the_assistant_end_in_no_white_space() -> None:
    """Anthropic refuses to go on from there."""
    messages = told(said(Text("hi \n")), said(Text("Well, \n"), role=Role.ASSISTANT))
    assert messages == [{"role": "user", "content": "hi \n"}, {"role": "assistant", "content": "Well,"}]


def test_pictures() -> None:
    """As data or by their address; also in results."""
    shot = said(ToolResult("a", (Text("see"), PICTURE)), role=Role.TOOL)
    [user] = told(said(PICTURE, Image("https://x/y.png")), shot)
    data = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    address = {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}
    result = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "see"}, data]}
    assert user["content"] == [result, data, address]


def test_thoughts_go_back_to_who_signed_them_alone() -> None:
    """A signature is never made up."""
    mine, hidden = Seal(Dialect.MESSAGES, "sig"), Seal(Dialect.MESSAGES, {"redacted": "d"})
    thoughts = [Reasoning("hm", seal=mine), Reasoning(seal=hidden), Reasoning("local"), Reasoning("s", summary=True)]
    [_, turn, _] = told(Text("hi"), said(*thoughts, Text("so"), role=Role.ASSISTANT), Text("and?"))
    assert turn["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "text", "text": "so"},
    ]


def test_servers_that_want_their_thoughts_again_get_them() -> None:
    """By the model's `compat`; Anthropic itself never does."""
    again = Model(id="qwen3", compat={"requiresReasoningContentOnAssistantMessages": True})
    turn = said(Reasoning("hm"), Text("so"), role=Role.ASSISTANT)
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    assert told(Text("hi"), turn, Text("?"), model=again, provider=LOCAL)[1]["content"][0] == thought
    assert told(Text("hi"), turn, Text("?"), model=again)[1]["content"] == "so"


def test_tools() -> None:
    """One without arguments has an empty object for them."""
    schema: Json = {"properties": {"x": {}}}
    body = write(tools=(Tool("f", "d", schema, strict=True), Tool("g")))
    assert body["tools"] == [
        {"name": "f", "description": "d", "input_schema": {"type": "object", **schema}},
        {"name": "g", "input_schema": {"type": "object", "properties": {}}},
    ]
    assert "tool_choice" not in body


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (Choice(ToolMode.AUTO), None, {"type": "auto"}),
        (Choice(ToolMode.REQUIRED), False, {"type": "any", "disable_parallel_tool_use": True}),
        (Choice(ToolMode.ONE, "f"), True, {"type": "tool", "name": "f"}),
        (Choice(ToolMode.NONE), False, {"type": "none"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
    ],
)
def test_choices_of_tools(choice: Choice | None, parallel: bool | None, expected: Json) -> None:
    """They make no sense without tools."""
    assert write(tools=(Tool("f"),), choice=choice, parallel=parallel)["tool_choice"] == expected
    assert "tool_choice" not in write(choice=choice, parallel=parallel)


def test_only_the_allowed_tools_are_told() -> None:
    """Messages has no other way to say it."""
    body = write(tools=(Tool("f"), Tool("g")), choice=Choice(ToolMode.REQUIRED, allowed=("g",)))
    assert [tool["name"] for tool in body["tools"]] == ["g"]
    assert body["tool_choice"] == {"type": "any"}


def test_an_answer_by_a_schema() -> None:
    """As it was given where Anthropic takes it; its name has no place."""
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    config = write(form=Form(schema, "answer", strict=True))["output_config"]
    assert config == {"format": {"type": "json_schema", "schema": schema}}


def test_streaming_is_asked_for() -> None:
    """Or not mentioned."""
    assert write(stream=True)["stream"] is True
    assert "stream" not in write()
