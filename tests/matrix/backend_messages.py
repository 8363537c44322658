"""A backend that speaks Anthropic's Messages: how it reads a request. How it answers: `output_messages`."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from pydantic import TypeAdapter

from matrix.reading import Complaints
from matrix.speech import Ask, Call, Part, Picture, Result, Thought, Tool, Turn, Words

Json = Any
PATH: Final = "/v1/messages"
_TOP: Final = "stream system tools tool_choice temperature top_p top_k stop_sequences thinking output_config metadata"
_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")
_CHOICES: Final = {"auto": "auto", "any": "required", "none": "none"}
_STREAMED: Final = TypeAdapter[Any](MessageCreateParamsStreaming)
_WHOLE: Final = TypeAdapter[Any](MessageCreateParamsNonStreaming)


def understand(body: Json) -> tuple[Ask, Complaints]:
    """What a server of this dialect is asked, and what it would complain of."""
    bad = Complaints()
    bad.keys("body", body, "model messages max_tokens", _TOP)
    bad.by_type("body", _STREAMED if body.get("stream") else _WHOLE, body)
    turns = [_turn(f"messages[{at}]", message, bad) for at, message in enumerate(body.get("messages", ()))]
    _ordered(turns, bad)
    choice = body.get("tool_choice") or {}
    bad.keys("tool_choice", choice, "", "type name disable_parallel_tool_use")
    if choice and not body.get("tools"):
        bad.append("tool_choice may only be there with tools")
    config = body.get("output_config") or {}
    bad.keys("output_config", config, "", "format effort")
    thinks = (body.get("thinking") or {"type": "disabled"})["type"] != "disabled"
    if thinks:
        _thinking(body, bad)
    ask = Ask(
        turns=tuple(turns),
        system=_system(body.get("system"), bad),
        tools=tuple(_tool(f"tools[{at}]", tool, bad) for at, tool in enumerate(body.get("tools", ()))),
        choice=f"={choice['name']}" if choice.get("type") == "tool" else _CHOICES.get(choice.get("type", ""), ""),
        parallel=None if "disable_parallel_tool_use" not in choice else not choice["disable_parallel_tool_use"],
        schema=_schema(config.get("format"), bad),
        thinks=thinks or "effort" in config,
        max_tokens=body.get("max_tokens"),
        temperature=body.get("temperature"),
        stop=tuple(body.get("stop_sequences") or ()),
        stream=body.get("stream") is True,
    )
    return ask, bad


def _thinking(body: Json, bad: Complaints) -> None:
    budget = body["thinking"].get("budget_tokens")
    if budget is not None and not 1024 <= budget < body["max_tokens"]:
        bad.append(f"thinking.budget_tokens is {budget}, of max_tokens {body['max_tokens']}")
    if body.get("temperature") not in {None, 1}:
        bad.append("temperature may only be set to 1 when thinking is enabled")
    if (body.get("tool_choice") or {}).get("type") in {"any", "tool"}:
        bad.append("Thinking may not be enabled when tool_choice forces tool use.")


def _ordered(turns: list[Turn], bad: Complaints) -> None:
    if not turns or turns[0].role != "user":
        bad.append("the first message is not the user's")
    for at, (before, after) in enumerate(pairwise(turns)):
        if before.role == after.role:
            bad.append(f"messages[{at}] and the next are both of {after.role}: roles must alternate")
        calls = {part.id for part in before.parts if isinstance(part, Call)}
        results = [isinstance(part, Result) for part in after.parts]
        answered = {part.call for part in after.parts if isinstance(part, Result)}
        if calls != answered:
            bad.append(f"tool_use {sorted(calls)} and the results right after it {sorted(answered)} do not match")
        if results != sorted(results, reverse=True):
            bad.append(f"messages[{at + 1}]: tool_result blocks must come first")


def _system(system: Json, bad: Complaints) -> str:
    if system is None or isinstance(system, str):
        return system or ""
    for at, block in enumerate(system):
        bad.keys(f"system[{at}]", block, "type text")
    return "\n\n".join(block["text"] for block in system)


def _turn(where: str, message: Json, bad: Complaints) -> Turn:
    bad.keys(where, message, "role content")
    role, content = message.get("role"), message.get("content")
    bad.one_of(f"{where}.role", role, "user", "assistant")
    if not content:
        bad.append(f"{where} has no content")
    if isinstance(content, str):
        return Turn(role, (Words(content),))
    return Turn(
        role,
        tuple(part for at, block in enumerate(content) for part in _block(f"{where}.content[{at}]", role, block, bad)),
    )


def _block(where: str, role: str, block: Json, bad: Complaints) -> list[Part]:
    read = _BLOCKS.get((role, block.get("type", "")))
    if read is None:
        bad.append(f"{where} of {role} is a {block.get('type')}")
        return []
    return [read(where, block, bad)]


def _text(where: str, block: Json, bad: Complaints) -> Part:
    bad.keys(where, block, "type text")
    if not block["text"].strip():
        bad.append(f"{where}: text content blocks must contain non-whitespace text")
    return Words(block["text"])


def _image(where: str, block: Json, bad: Complaints) -> Part:
    bad.keys(where, block, "type source")
    return Picture(_source(f"{where}.source", block["source"], bad))


def _call(where: str, block: Json, bad: Complaints) -> Part:
    bad.keys(where, block, "type id name input")
    if not _ID.fullmatch(block["id"]) or not isinstance(block["input"], dict):
        bad.append(f"{where}: id {block['id']!r} or input {block['input']!r} is of a wrong form")
    return Call(block["id"], block["name"], block["input"])


def _result(where: str, block: Json, bad: Complaints) -> Part:
    bad.keys(where, block, "type tool_use_id", "content is_error")
    content = block.get("content") or ""
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    return Result(block["tool_use_id"], text, block.get("is_error") is True)


def _thought(where: str, block: Json, bad: Complaints) -> Part:
    bad.keys(where, block, "type thinking signature")
    return Thought(block["thinking"], block["signature"])


def _redacted(where: str, block: Json, bad: Complaints) -> Part:
    bad.keys(where, block, "type data")
    return Thought("", block["data"])


_BLOCKS: Final[dict[tuple[str, str], Callable[[str, Json, Complaints], Part]]] = {
    ("user", "text"): _text, ("user", "image"): _image, ("user", "tool_result"): _result,
    ("assistant", "text"): _text, ("assistant", "tool_use"): _call, ("assistant", "thinking"): _thought,
    ("assistant", "redacted_thinking"): _redacted,
}  # fmt: skip


def _source(where: str, source: Json, bad: Complaints) -> str:
    if source.get("type") == "url":
        bad.keys(where, source, "type url")
        return source["url"]  # type: ignore[no-any-return]
    bad.keys(where, source, "type media_type data")
    bad.one_of(f"{where}.media_type", source.get("media_type"), "image/png", "image/jpeg", "image/gif", "image/webp")
    bad.base64(where, source.get("data", ""))
    return f"data:{source.get('media_type')};base64,{source.get('data')}"


def _tool(where: str, tool: Json, bad: Complaints) -> Tool:
    bad.keys(where, tool, "name input_schema", "description type strict")
    bad.one_of(f"{where}.input_schema.type", (tool.get("input_schema") or {}).get("type"), "object")
    return Tool(tool.get("name", ""), tool.get("description", ""), tool.get("input_schema"))


def _schema(form: Json, bad: Complaints) -> Json:
    if form is None:
        return None
    bad.keys("output_config.format", form, "type schema")
    return form.get("schema")
