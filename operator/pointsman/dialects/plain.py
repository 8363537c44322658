"""A chat request out of one in another dialect that is nothing but text, so that the flags of chat can be used.

This is no translation: a request with anything in it that chat would not say in the same words is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from pointsman.names import Dialect

if TYPE_CHECKING:
    from collections.abc import Mapping

_SAME: Final = frozenset({
    "model", "stream", "temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty",
    "repetition_penalty", "user",
})  # fmt: skip
"""Fields that chat takes under the same names, as vLLM reads them."""
_OTHERWISE: Final = {
    Dialect.RESPONSES: {"max_output_tokens": "max_tokens", "input": "", "instructions": ""},
    Dialect.MESSAGES: {"max_tokens": "max_tokens", "stop_sequences": "stop", "messages": "", "system": ""},
}
_SILENT: Final = frozenset({
    "store", "metadata", "service_tier", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    "client_metadata", "parallel_tool_calls", "tool_choice", "truncation", "context_management",
})  # fmt: skip
"""Fields that say nothing about the text: what such a target is not told anyway, and tools where there are none."""
_NONE: Final = frozenset({b"null", b"[]", b"{}", b'""'})
_PLAIN: Final = {"thinking": {"type": "disabled"}, "text": {"format": {"type": "text"}}}
_ROLES: Final = frozenset({"user", "assistant", "system", "developer"})
_TEXTS: Final = frozenset({"text", "input_text", "output_text"})


def can(home: Dialect, fields: Mapping[str, Raw]) -> bool:
    """Whether a request is nothing but text."""
    try:
        as_chat(home, fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False
    return True


def as_chat(home: Dialect, fields: Mapping[str, Raw]) -> dict[str, Raw]:
    """The fields of the chat request, which asks for the usage. ValueError: it says more than text."""
    names = _OTHERWISE[home]
    written: dict[str, Raw] = {}
    for name, raw in fields.items():
        value = names.get(name, name if name in _SAME else None)
        if value and bytes(raw) != b"null":
            written[value] = raw
        elif value is None and name not in _SILENT and not _is_empty(name, raw):
            raise ValueError(f"the field {name!r} has no equivalent")
    turns = _of_responses(fields) if home is Dialect.RESPONSES else _of_messages(fields)
    written["messages"] = Raw(msgspec.json.encode(turns))
    written["stream_options"] = Raw(b'{"include_usage":true}')
    return written


def _is_empty(name: str, raw: Raw) -> bool:
    return bytes(raw) in _NONE or (name in _PLAIN and msgspec.json.decode(raw) == _PLAIN[name])


def _of_responses(fields: Mapping[str, Raw]) -> list[dict[str, Any]]:
    said = msgspec.json.decode(fields["input"])
    turns = [{"role": "user", "content": said}] if isinstance(said, str) else [_turn(item) for item in said]
    system = msgspec.json.decode(fields.get("instructions", Raw(b"null")))
    return [{"role": "system", "content": system}, *turns] if system else turns


def _of_messages(fields: Mapping[str, Raw]) -> list[dict[str, Any]]:
    turns = [_turn(turn) for turn in msgspec.json.decode(fields["messages"])]
    system = msgspec.json.decode(fields.get("system", Raw(b"null")))
    if not system:
        return turns
    text = system if isinstance(system, str) else "".join(_text(block) for block in system)
    return [{"role": "system", "content": text}, *turns]


def _turn(turn: dict[str, Any]) -> dict[str, Any]:
    if turn.get("type", "message") != "message" or turn["role"] not in _ROLES:
        raise ValueError("no turn of text")
    content = turn["content"]
    if not isinstance(content, str):
        texts = [_text(part) for part in content]
        content = texts[0] if len(texts) == 1 else [{"type": "text", "text": text} for text in texts]
    return {"role": turn["role"], "content": content}


def _text(part: dict[str, Any]) -> str:
    if part["type"] not in _TEXTS or not isinstance(part["text"], str):
        raise ValueError("no text")
    return part["text"]
