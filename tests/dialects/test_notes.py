"""What messages, parts and tools say that is not carried on is named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from pointsman.dialects import codecs, notes
from pointsman.names import Dialect

C, R, M = Dialect.CHAT, Dialect.RESPONSES, Dialect.MESSAGES
HINT = {"cache_control": {"type": "ephemeral"}}
URL = "https://x/y.png"


def named(home: Dialect, dialect: Dialect, body: dict[str, Any]) -> tuple[str, ...]:
    """What a client's body loses."""
    fields = {name: Raw(msgspec.json.encode(value)) for name, value in body.items()}
    return notes.unsaid(codecs.ALL[home].read_request(fields), dialect)


@pytest.mark.parametrize("dialect", [R, M])
def test_what_chat_says_beside_its_words(dialect: Dialect) -> None:
    """Who speaks, and hints to a cache; how closely to look at a picture only where there is no word for it."""
    picture = {"type": "image_url", "image_url": {"url": URL, "detail": "low"}}
    content = [{"type": "text", "text": "a", **HINT}, {"type": "text", "text": "b", **HINT}, picture]
    body = {"model": "m", "messages": [{"role": "user", "name": "Ann", "content": content}]}
    detail = ("image_url.detail",) if dialect is M else ()
    assert named(C, dialect, body) == ("messages.name", "cache_control", *detail)


def test_what_chats_tools_say() -> None:
    """Beside the function."""
    tool = {"type": "function", "function": {"name": "f"}, **HINT}
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}], "tools": [tool]}
    assert named(C, R, body) == ("cache_control",)


def test_how_closely_responses_wants_a_picture_looked_at() -> None:
    """`auto` is no wish."""
    for detail, lost in (("high", ("input_image.detail",)), ("auto", ())):
        content = [{"type": "input_image", "image_url": URL, "detail": detail}]
        assert named(R, M, {"model": "m", "input": [{"role": "user", "content": content}]}) == lost
        assert named(R, C, {"model": "m", "input": [{"role": "user", "content": content}]}) == ()


@pytest.mark.parametrize("dialect", [C, R])
@pytest.mark.parametrize("where", ["system", "content", "tool", "result"])
def test_hints_to_anthropics_cache(dialect: Dialect, where: str) -> None:
    """Wherever they stand."""
    hint: dict[str, dict[str, Any]] = {where: HINT}
    inner = {"type": "text", "text": "r", **hint.get("result", {})}
    call = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
    body = {
        "model": "m", "system": [{"type": "text", "text": "s", **hint.get("system", {})}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a", **hint.get("content", {})}]},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [inner]}]},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, **hint.get("tool", {})}],
    }  # fmt: skip
    assert named(M, dialect, body) == ("cache_control",)


def test_what_anthropics_tools_say() -> None:
    """Examples, who may call them and how they stream; that only the model itself may call them is so anyway."""
    told = {"input_examples": [{"a": 1}], "eager_input_streaming": True, "allowed_callers": ["code_execution_20260120"]}
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "a"}]}
    tool = {"name": "f", "input_schema": {"type": "object"}}
    lost = named(M, C, {**body, "tools": [{**tool, **told}]})
    assert lost == ("tools.input_examples", "tools.allowed_callers", "tools.eager_input_streaming")
    assert named(M, C, {**body, "tools": [{**tool, "allowed_callers": ["direct"], "input_examples": []}]}) == ()
