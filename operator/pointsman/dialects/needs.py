"""What a request needs of a model, as bits of `exchange`'s constants, read from its top-level fields.

The small fields are looked at for each request (`chat`, `responses`, `messages`). What is inside the turns is only
looked for where an answer changes something (`media`): reading over them costs as much as reading the whole request.
Whatever cannot be read needs nothing: the target will say what is wrong with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw

from pointsman.exchange import AUDIO, CALLED, FILE, IMAGE, JSON_SCHEMA, PARALLEL_TOOLS, REASONING, STATE, TOOLS

if TYPE_CHECKING:
    from collections.abc import Mapping

    Fields = Mapping[str, Raw]

ELSEWHERE: Final = ("conversation", "background", "prompt")
"""Fields of Responses that ask for what only the vendor keeps: conversations, background work, stored prompts."""

_EMPTY: Final = frozenset({b"null", b"[]", b"{}", b'""', b"false"})
_UNCALLED: Final = frozenset({b"", b"null", b"[]"})
_TRUE: Final = Raw(b"true")
_MEDIA: Final = {
    "image_url": IMAGE, "input_image": IMAGE, "image": IMAGE,
    "input_audio": AUDIO, "audio_url": AUDIO, "audio": AUDIO,
    "file": FILE, "input_file": FILE, "document": FILE,
    "tool_use": CALLED, "tool_result": CALLED, "function_call": CALLED, "function_call_output": CALLED,
    "custom_tool_call": CALLED, "custom_tool_call_output": CALLED,
}  # fmt: skip


class _Effort(msgspec.Struct):
    effort: str | None = None


class _Format(msgspec.Struct):
    type: str = ""


class _Formatted(msgspec.Struct):
    format: _Format | None = None


class _Choice(msgspec.Struct):
    disable_parallel_tool_use: bool | None = None


class _Part(msgspec.Struct):
    type: str = ""
    content: Raw = Raw(b"")  # of a tool's result


class _Turn(msgspec.Struct):
    type: str = ""
    role: str | None = None
    tool_calls: Raw = Raw(b"")  # chat's
    function_call: Raw = Raw(b"")  # chat's, of old
    content: str | list[_Part] | None = None
    output: Raw = Raw(b"")  # of a function called before


_EFFORT: Final = msgspec.json.Decoder(_Effort)
_FORMAT: Final = msgspec.json.Decoder(_Format)
_FORMATTED: Final = msgspec.json.Decoder(_Formatted)
_CHOICE: Final = msgspec.json.Decoder(_Choice)
_WORD: Final = msgspec.json.Decoder(str)
_TURNS: Final = msgspec.json.Decoder(list[_Turn])
_PARTS: Final = msgspec.json.Decoder(list[_Part])
_BAD: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def chat(fields: Fields) -> int:
    """Needs of a chat completion, but for `media`. `reasoning_effort`, or OpenRouter's `reasoning`, asks to reason.

    `functions` are what `tools` were called before.
    """
    needs = _tools(fields) if "tools" in fields else 0
    if "functions" in fields and _filled(fields["functions"]):
        needs |= TOOLS
    if "response_format" in fields and _type(fields["response_format"]) == "json_schema":
        needs |= JSON_SCHEMA
    if "reasoning_effort" in fields and _thinks(fields["reasoning_effort"]):
        needs |= REASONING
    return needs | (_reasoning(fields["reasoning"]) if "reasoning" in fields else 0)


def responses(fields: Fields) -> int:
    """Needs of a Responses request, but for `media`."""
    needs = _tools(fields) if "tools" in fields else 0
    if "text" in fields and _format(fields["text"]) == "json_schema":
        needs |= JSON_SCHEMA
    if any(name in fields and _filled(fields[name]) for name in ELSEWHERE):
        needs |= STATE
    return needs | (_reasoning(fields["reasoning"]) if "reasoning" in fields else 0)


def messages(fields: Fields) -> int:
    """Needs of a Messages request, but for `media`. A schema is in `output_format` or in `output_config.format`."""
    needs = TOOLS if "tools" in fields and _filled(fields["tools"]) else 0
    if needs and "tool_choice" in fields and _several(fields["tool_choice"]):
        needs |= PARALLEL_TOOLS
    if "output_format" in fields and _type(fields["output_format"]) == "json_schema":
        needs |= JSON_SCHEMA
    if "output_config" in fields and _format(fields["output_config"]) == "json_schema":
        needs |= JSON_SCHEMA
    if "thinking" in fields and _type(fields["thinking"]) not in {"", "disabled"}:
        needs |= REASONING
    return needs


def media(fields: Fields) -> int:
    """IMAGE, AUDIO, FILE and CALLED of the turns of any dialect: parts of these types, not texts that speak of them."""
    needs = 0
    for name in ("messages", "input"):
        raw = fields.get(name)
        if raw is not None:
            for turn in _turns(raw):
                needs |= _MEDIA.get(turn.type, 0) | (CALLED if _calls(turn) else 0)
                if isinstance(turn.content, list):
                    needs |= _parts(turn.content)
                needs |= _parts(_inner(turn.output))
    return needs


def _calls(turn: _Turn) -> bool:
    if turn.role in {"tool", "function"} or bytes(turn.tool_calls) not in _UNCALLED:
        return True
    return bytes(turn.function_call) not in _UNCALLED


def _parts(parts: list[_Part]) -> int:
    needs = 0
    for part in parts:
        needs |= _MEDIA.get(part.type, 0)
        for inner in _inner(part.content):
            needs |= _MEDIA.get(inner.type, 0)
    return needs


def _turns(raw: Raw) -> list[_Turn]:
    try:
        return _TURNS.decode(raw)
    except _BAD:
        return []


def _inner(raw: Raw) -> list[_Part]:
    if not bytes(raw).startswith(b"["):
        return []
    try:
        return _PARTS.decode(raw)
    except _BAD:
        return []


def _tools(fields: Fields) -> int:
    if not _filled(fields["tools"]):
        return 0
    return TOOLS | PARALLEL_TOOLS if fields.get("parallel_tool_calls") == _TRUE else TOOLS


def _filled(raw: Raw) -> bool:
    return bytes(raw) not in _EMPTY


def _type(raw: Raw) -> str:
    try:
        return _FORMAT.decode(raw).type
    except _BAD:
        return ""


def _format(raw: Raw) -> str:
    try:
        found = _FORMATTED.decode(raw).format
    except _BAD:
        return ""
    return found.type if found is not None else ""


def _several(raw: Raw) -> bool:
    try:
        return _CHOICE.decode(raw).disable_parallel_tool_use is False
    except _BAD:
        return False


def _reasoning(raw: Raw) -> int:
    try:
        return REASONING if _EFFORT.decode(raw).effort not in {None, "", "none"} else 0
    except _BAD:
        return 0


def _thinks(raw: Raw) -> bool:
    try:
        return _WORD.decode(raw) not in {"", "none"}
    except _BAD:
        return False
