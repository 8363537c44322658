"""No call has a name that another call has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.dialects.translation import Crossing
from pointsman.names import Dialect
from pointsman.neutral import Request, Role, ToolCall, ToolResult, Turn

HOMES = (Dialect.RESPONSES, Dialect.MESSAGES)


def body(*idents: str | None, answer: str = "chatcmpl-1") -> bytes:
    """An answer with calls of these names."""
    calls: list[Any] = [{"function": {"name": "f", "arguments": "{}"}, **({"id": i} if i else {})} for i in idents]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return json.dumps({"id": answer, "created": 1, "model": "m", "choices": [choice]}).encode()


def named(home: Dialect, said: bytes, *, request: Request | None = None, now: int = 7) -> list[str]:
    """What the client is told that the calls are called."""
    told = json.loads(Crossing(home, Dialect.CHAT, request or Request(home, "m"), "p", now).answer(said))
    if home is Dialect.RESPONSES:
        return [item["call_id"] for item in told["output"]]
    return [block["id"] for block in told["content"]]


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("answer", ["", "chatcmpl-1"])
def test_made_names_differ_from_answer_to_answer(home: Dialect, answer: str) -> None:
    """Although the server calls all of its answers alike."""
    first = named(home, body(None, None, answer=answer))
    later = named(home, body(None, None, answer=answer), now=8)
    assert len({*first, *later}) == 4


@pytest.mark.parametrize("home", HOMES)
def test_names_of_the_conversation_are_not_given_again(home: Dialect) -> None:
    """Some servers begin with call_0 in each answer."""
    turns = (Turn(Role.ASSISTANT, (ToolCall("call_0", "f"),)), Turn(Role.USER, (ToolResult("call_0"),)))
    [name] = named(home, body("call_0"), request=Request(home, "m", turns))
    assert name == "call_0_2"
    assert named(home, body("call_1"), request=Request(home, "m", turns)) == ["call_1"]


@pytest.mark.parametrize("home", HOMES)
def test_two_calls_of_one_name_are_told_apart(home: Dialect) -> None:
    """The second gets a suffix."""
    assert named(home, body("a", "a")) == ["a", "a_2"]


def test_a_stream_names_as_the_whole() -> None:
    """The same two, streamed."""
    calls = [{"index": i, "id": "a", "function": {"name": "f", "arguments": "{}"}} for i in range(2)]
    chunk = {"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": "tool_calls"}]}
    run = b"data: %b\n\ndata: [DONE]\n\n" % json.dumps(chunk).encode()
    way = Crossing(Dialect.RESPONSES, Dialect.CHAT, Request(Dialect.RESPONSES, "m"), "p", 7)
    told = way.translator().feed(run)
    assert b'"call_id":"a"' in told
    assert b'"call_id":"a_2"' in told
