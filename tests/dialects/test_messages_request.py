"""Requests in Messages: read, and written back at home."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from dialects.messages_speech import ANTHROPIC, LOCAL, OBJECTS, QWEN, REQUESTS, SONNET, VALUES, fields_of
from pointsman.dialects import seals
from pointsman.dialects.messages.codec import loss, read_request, write_request
from pointsman.exchange import BadRequestError
from pointsman.names import Dialect
from pointsman.neutral import (
    Choice,
    Foreign,
    Form,
    Image,
    Loss,
    Reasoning,
    Request,
    Role,
    Seal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolMode,
    ToolResult,
    Turn,
)
from pointsman.table import Model

Json = Any
MINIMAL: Json = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


def read(**more: Json) -> Request:
    """The minimal request with these fields."""
    return read_request(fields_of({**MINIMAL, **more}))


def written(request: Request) -> Json:
    """What home makes of it, as JSON."""
    fields = write_request(request, Model(id=request.model), ANTHROPIC)
    return msgspec.json.decode(msgspec.json.encode(fields))


def block(value: Json, role: str = "assistant") -> Any:
    """A block's part."""
    [turn] = read(messages=[{"role": role, "content": [value]}]).turns
    return replace(turn.parts[0], rest={}) if hasattr(turn.parts[0], "rest") else turn.parts[0]


@given(REQUESTS)
def test_home_gets_back_what_it_sent(request: Json) -> None:
    """Whatever is in it: shorthands, caching, fields from the future."""
    assert written(read_request(fields_of(request))) == request


@given(REQUESTS)
def test_what_is_written_reads_the_same(request: Json) -> None:
    """Once read, nothing changes any more."""
    once = read_request(fields_of(request))
    assert read_request(fields_of(written(once))) == once


@given(REQUESTS)
def test_home_loses_nothing(request: Json) -> None:
    """What came in Messages is said in Messages."""
    assert loss(read_request(fields_of(request)), QWEN, LOCAL) == Loss()


_FIELDS = st.sampled_from([
    "model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "output_format", "metadata",
    "stop_sequences", "temperature", "top_k", "max_tokens", "stream",
])  # fmt: skip
_KEYS = st.sampled_from(["type", "role", "content", "text", "source", "id", "name", "input", "input_schema", "format"])
_KINDS = st.sampled_from(["text", "image", "tool_use", "tool_result", "thinking", "redacted_thinking", "user", "tool"])
HOSTILE = st.recursive(
    VALUES | _KINDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner | _KINDS, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(_FIELDS, HOSTILE))
def test_hostile_requests_are_refused_or_read(request: Json) -> None:
    """With one kind of error only; what is read can be written."""
    with contextlib.suppress(BadRequestError):
        written(read_request(fields_of({**MINIMAL, **request})))


@pytest.mark.parametrize(
    "raw",
    [b"\xff", b'"\\ud800"', b"[" * 5000 + b"]" * 5000, b"1e999", b"9" * 5000, b"", b'[{"role": "user", "content": '],
    ids=["bytes", "surrogate", "deep", "infinite", "huge", "empty", "cut"],
)
def test_what_is_no_json_is_refused_by_its_field(raw: bytes) -> None:
    """It was not looked into at the edge."""
    with contextlib.suppress(BadRequestError):
        read_request({**fields_of(MINIMAL), "tools": Raw(raw), "later": Raw(raw)})
    with pytest.raises(BadRequestError, match=r"^(messages|max_tokens)"):
        read_request({**fields_of(MINIMAL), "messages": Raw(raw), "max_tokens": Raw(raw)})


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("messages", None, "messages: is missing"),
        ("messages", "hi", "messages: "),
        ("messages", [{"role": "tool", "content": "x"}], "messages[0].role: must be"),
        ("messages", [{"role": "user", "content": [{"text": "x"}]}], "messages[0].content[0].type: "),
        ("messages", [{"role": "user", "content": [{"type": "text", "text": 1}]}], "messages[0].content[0].text: "),
        ("messages", [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [1]}]}],
         "messages[0].content[0].content[0]: "),
        ("messages", [{"role": "user", "content": [{"type": "image"}]}], "messages[0].content[0].source: "),
        ("system", [{"type": "image", "source": {}}], "system[0].type: must be 'text'"),
        ("tools", [{"input_schema": {}}], "tools[0].name: "),
        ("tools", [{"name": "a", "type": 3}], "tools[0].type: "),
        ("tool_choice", "auto", "tool_choice: "),
        ("tool_choice", {"type": "tool"}, "tool_choice.name: "),
        ("thinking", True, "thinking: "),
        ("thinking", {"type": "enabled", "budget_tokens": "1k"}, "thinking.budget_tokens: "),
        ("output_config", [], "output_config: "),
        ("stop_sequences", "x", "stop_sequences: "),
        ("temperature", "hot", "temperature: "),
        ("max_tokens", 1.5, "max_tokens: "),
        ("stream", "yes", "stream: "),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_with_its_path(field: str, value: Json, path: str) -> None:
    """And what is due there."""
    with pytest.raises(BadRequestError) as caught:
        read(**{field: value})
    assert str(caught.value).startswith(path)


def test_blocks_are_parts() -> None:
    """Each of its kind."""
    assert block({"type": "text", "text": "so"}) == Text("so")
    assert block({"type": "tool_use", "id": "a", "name": "f", "input": {"b": 1, "a": [2.5]}}) == ToolCall(
        "a", "f", '{"b":1,"a":[2.5]}'
    )
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    assert block(picture, "user") == Image("data:image/png;base64,aGk=")
    assert block({"type": "image", "source": {"type": "url", "url": "https://x"}}, "user") == Image("https://x")
    result = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "no"}], "is_error": True}
    assert block(result, "user") == ToolResult("a", (Text("no"),), error=True)


def test_thinking_carries_its_seal() -> None:
    """Anthropic's own, another vendor's that went through the client, or none."""
    assert block({"type": "thinking", "thinking": "hm", "signature": "s"}) == Reasoning(
        "hm", seal=Seal(Dialect.MESSAGES, "s")
    )
    other = Seal(Dialect.RESPONSES, {"encrypted_content": "enc"}, "openai")
    packed = seals.write(Dialect.MESSAGES, other)
    assert block({"type": "thinking", "thinking": "hm", "signature": packed}) == Reasoning("hm", seal=other)
    assert block({"type": "thinking", "thinking": "hm", "signature": ""}) == Reasoning("hm")
    assert block({"type": "redacted_thinking", "data": "d"}) == Reasoning(
        seal=Seal(Dialect.MESSAGES, {"redacted": "d"})
    )


@given(OBJECTS, st.sampled_from(["document", "search_result", "server_tool_use", "mcp_tool_use", "container_upload"]))
def test_what_only_anthropic_has_stays_whole(value: Json, kind: str) -> None:
    """It is foreign to all others."""
    whole = {**value, "type": kind}
    assert block(whole, "user") == Foreign(Dialect.MESSAGES, kind, whole)


def test_claude_codes_system_turns_stand_where_they_stood() -> None:
    """It sends them among the messages, with a header that allows it."""
    turns = read(messages=[{"role": "user", "content": "hi"}, {"role": "system", "content": "be brief"}]).turns
    assert [turn.role for turn in turns] == [Role.USER, Role.SYSTEM]
    assert turns[1].parts == (Text("be brief"),)


def test_tools_are_the_clients_or_anthropics() -> None:
    """What has a type of its own is hosted."""
    hosted = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    tools = read(tools=[{"name": "f", "description": "d", "input_schema": {"type": "object"}}, hosted]).tools
    assert tools == (Tool("f", "d", {"type": "object"}), Tool("web_search_20250305", foreign=hosted))


@pytest.mark.parametrize(
    ("choice", "expected", "parallel"),
    [
        ({"type": "auto"}, Choice(ToolMode.AUTO), None),
        ({"type": "any", "disable_parallel_tool_use": True}, Choice(ToolMode.REQUIRED), False),
        ({"type": "tool", "name": "f"}, Choice(ToolMode.ONE, "f"), None),
        ({"type": "none", "disable_parallel_tool_use": False}, Choice(ToolMode.NONE), True),
        ({"type": "some", "of": 2}, Choice(ToolMode.AUTO, foreign={"type": "some", "of": 2}), None),
    ],
)
def test_choices_of_tools(choice: Json, expected: Choice, parallel: bool | None) -> None:
    """And whether several may be called at a time."""
    request = read(tool_choice=choice)
    assert (request.choice, request.parallel) == (expected, parallel)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, Thinking(budget=2000, enabled=True)),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
         Thinking("low", enabled=True, adaptive=True)),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, Thinking(enabled=True, adaptive=True, shown=False)),
        ({"thinking": {"type": "disabled"}}, Thinking(enabled=False)),
        ({"thinking": {"type": "between_tools"}}, Thinking(enabled=False, rest={"type": "between_tools"})),
        ({"output_config": {"effort": "high"}}, Thinking("high")),
        ({}, None),
    ],
)  # fmt: skip
def test_thinking_is_read_from_both_fields(fields: Json, expected: Thinking | None) -> None:
    """The budget, and the effort that took its place."""
    assert read(**fields).thinking == expected


def test_the_rest_of_the_fields() -> None:
    """Each has its place, and what has none is `rest`."""
    form = {"type": "json_schema", "schema": {"type": "object"}}
    request = read(
        system="be", output_config={"format": form}, metadata={"user_id": "u"}, stop_sequences=["x"], top_k=4,
        temperature=0.5, top_p=0.9, stream=True, service_tier="auto", container="c",
    )  # fmt: skip
    assert request.form == Form({"type": "object"})
    assert (request.user, request.stop, request.top_k) == ("u", ("x",), 4)
    assert (request.temperature, request.top_p, request.stream, request.max_tokens) == (0.5, 0.9, True, 9)
    assert [text.text for text in request.system] == ["be"]
    assert request.rest == {"service_tier": "auto", "container": "c"}


def test_a_client_cannot_say_how_it_was_spelt() -> None:
    """The note on it is the gateway's own."""
    noted = {"pointsman.shape": "string", "role": "user", "content": [{"type": "text", "text": "a"}]}
    request = read(messages=[noted])
    assert request.turns == (Turn(Role.USER, (Text("a"),)),)
    assert "pointsman" not in str(written(replace(request, rest={"pointsman.shape": "x"})))


def test_a_tool_that_was_found_is_told_in_words() -> None:
    """Claude Code looks for tools that are to be loaded later; home gets the reference as it came."""
    found = {"type": "tool_reference", "tool_name": "mcp__docs__read"}
    result = {"type": "tool_result", "tool_use_id": "a", "content": [found]}
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [result]}]}
    request = read_request(fields_of(asked))
    (part,) = request.turns[0].parts
    assert isinstance(part, ToolResult)
    (told,) = part.parts
    assert isinstance(told, Text)
    assert told.text == "The tool mcp__docs__read may be called now."
    assert write_request(request, SONNET, ANTHROPIC)["messages"] == asked["messages"]
