"""Names and identifiers that a vendor would refuse."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dialects.chat_speech import MODEL, OPENAI
from pointsman.dialects import aliases
from pointsman.dialects.translation import Translation
from pointsman.names import Dialect
from pointsman.neutral import Choice, Request, Role, Tool, ToolCall, ToolMode, ToolResult, Turn

C, R, M = Dialect.CHAT, Dialect.RESPONSES, Dialect.MESSAGES
LONG = "mcp__" + "a" * 80
IDENT = "call_" + "b" * 80


@given(st.text(min_size=1, max_size=200))
def test_names_are_as_vendors_take_them(said: str) -> None:
    """And the same each time; one that is fine stays as it is."""
    name = aliases.name(said)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)
    assert aliases.name(name) == name
    assert len(aliases.ident(said, 40)) <= 40


@given(st.sets(st.text(min_size=1, max_size=80), max_size=9))
def test_different_names_stay_different(said: set[str]) -> None:
    """However alike they begin."""
    assert len({aliases.name(f"{'x' * 80}{each}") for each in said}) == len(said)


@pytest.mark.parametrize(("dialect", "longest"), [(C, 40), (R, 64)])
def test_a_conversation_is_renamed_throughout(dialect: Dialect, longest: int) -> None:
    """The tool, its calls, their results and the choice of it."""
    turns = (Turn(Role.ASSISTANT, (ToolCall(IDENT, "fs.read"),)), Turn(Role.TOOL, (ToolResult(IDENT),)))
    asked = Request(M, "m", turns, tools=(Tool("fs.read"), Tool("ok")), choice=Choice(ToolMode.ONE, "fs.read"))
    told = aliases.told(asked, dialect)
    [call], [result] = (turn.parts for turn in told.turns)
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert told.choice is not None
    assert call.id == result.call_id
    assert len(call.id) == longest
    assert call.name == told.tools[0].name == told.choice.name != "fs.read"
    assert told.tools[1] is asked.tools[1]


def test_what_is_fine_is_the_same_request() -> None:
    """Nothing is written anew."""
    turns = (Turn(Role.ASSISTANT, (ToolCall("a", "f"),)), Turn(Role.TOOL, (ToolResult("a"),)))
    asked = Request(M, "m", turns, tools=(Tool("f"), Tool("web search", foreign={})))
    assert aliases.told(asked, C) is asked


BODY: dict[str, Any] = {
    "model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}],
    "tools": [{"name": LONG, "input_schema": {"type": "object"}}],
}  # fmt: skip


def test_the_client_is_told_its_own_name() -> None:
    """Of the call of a tool that the target knows under another, whole or streamed."""
    translation = Translation(M, {name: Raw(msgspec.json.encode(value)) for name, value in BODY.items()})
    told = msgspec.json.decode(translation.fields(C, MODEL, OPENAI)["tools"])[0]["function"]["name"]
    assert len(told) == 64
    way = translation.crossing(C, "openai", 1)
    assert way is not None
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": told, "arguments": "{}"}}
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "tool_calls": [call]}}
    answer = msgspec.json.decode(way.answer(msgspec.json.encode({"id": "x", "choices": [choice]})))
    assert answer["content"][0]["name"] == LONG
    frames: list[dict[str, Any]] = [{"delta": {"tool_calls": [call]}}, {"delta": {}, "finish_reason": "tool_calls"}]
    events = [b"data: %b\n\n" % msgspec.json.encode({"id": "x", "choices": [{"index": 0, **each}]}) for each in frames]
    stream = way.translator().feed(b"".join(events) + b"data: [DONE]\n\n")
    assert LONG.encode() in stream
    assert told.encode() not in stream
