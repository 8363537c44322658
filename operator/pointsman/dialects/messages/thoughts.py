"""What an assistant thought in earlier turns of a conversation that came in Messages, on its way to Anthropic.

Thinking goes back with its signature, which Anthropic checks. A conversation that was answered by several targets has
blocks that it did not sign: thoughts of local models, signed by nobody, and what other vendors sealed, packed by this
gateway (`seals`). Those are left out; what this very provider had sealed is unpacked. All other fields are kept byte
for byte.

A turn that called tools must begin with thinking while a budget for it is given, so `thinking` is left out where that
is not so any more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from pointsman.dialects import seals
from pointsman.names import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointsman.table import Model, Provider

Fields = dict[str, Raw]
Object = dict[str, Any]

_SAID: Final = b'thinking"'
_SIGNED: Final = b'"signature"'
_STRANGE: Final = re.compile(rb'"signature"\s*:\s*(?:""|null|"pm1\.)|"data"\s*:\s*(?:""|null|"pm1\.)')
_THOUGHT: Final = re.compile(rb'"type"\s*:\s*"thinking"')
_ANY: Final = re.compile(rb'"type"\s*:\s*"(?:redacted_)?thinking"')
_OPAQUE: Final = {"thinking": "signature", "redacted_thinking": "data"}
_ENCODE: Final = msgspec.json.Encoder().encode
_TURNS: Final = msgspec.json.Decoder(list[dict[str, Any]])
_OBJECT: Final = msgspec.json.Decoder(dict[str, Any])
_BAD: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


def for_target(fields: Fields, model: Model, provider: Provider) -> tuple[Fields, tuple[str, ...]]:
    """The fields without what the target did not think, if it is one of Anthropic's models; and which are left out."""
    raw = fields.get("messages")
    if not isinstance(raw, Raw) or not (provider.native or "claude" in model.id.lower()) or not _is_strange(bytes(raw)):
        return fields, ()
    return _filtered(fields, raw, lambda block: _kept(block, provider.name)) or (fields, ())


def without_thinking(fields: Fields) -> Fields | None:
    """The fields without any thinking of earlier turns; None: there is none. For when Anthropic refuses a signature."""
    raw = fields.get("messages")
    if raw is None or not _ANY.search(raw):
        return None
    found = _filtered(fields, raw, lambda block: None if block.get("type") in _OPAQUE else block)
    return None if found is None else found[0]


def _is_strange(raw: bytes) -> bool:
    """Whether there may be thinking in it that Anthropic did not sign."""
    if _SAID not in raw:
        return False  # what most are, at a tenth of the cost
    if _STRANGE.search(raw):
        return True
    return len(_THOUGHT.findall(raw)) > raw.count(_SIGNED)


def _kept(block: Object, provider: str) -> Object | None:
    """A block as the target gets it; None: not at all."""
    field = _OPAQUE.get(str(block.get("type")))
    if field is None:
        return block
    value = block.get(field)
    if not value:
        return None
    if not isinstance(value, str) or not value.startswith(seals.PREFIX):
        return block
    seal = seals.read(Dialect.MESSAGES, value)
    if seal is None or seal.home is not Dialect.MESSAGES or seal.maker != provider:
        return None
    hidden = seal.payload.get("redacted") if isinstance(seal.payload, dict) else None
    if hidden is not None:
        return {"type": "redacted_thinking", "data": hidden}
    return {**block, field: seal.payload}


def _filtered(
    fields: Fields, raw: Raw, keep: Callable[[Object], Object | None]
) -> tuple[Fields, tuple[str, ...]] | None:
    """The fields, and which of them had to go; None: nothing is to be changed, or it cannot be read."""
    try:
        turns = _TURNS.decode(raw)
    except _BAD:
        return None
    kept = [_turn(turn, keep) for turn in turns]
    if kept == turns:
        return None
    merged = _merged(kept)
    found = {**fields, "messages": Raw(_ENCODE(merged))}
    dropped = []
    if _unthought(merged) and _type_of(found.get("thinking")) == "enabled":
        dropped = ["thinking"]
        if b'"clear_thinking' in bytes(found.get("context_management", b"")):
            dropped.append("context_management")  # it may not be said without thinking
    return {name: value for name, value in found.items() if name not in dropped}, tuple(dropped)


def _turn(turn: Object, keep: Callable[[Object], Object | None]) -> Object | None:
    """A turn with the blocks that are kept; None: none of them is."""
    content = turn.get("content")
    if turn.get("role") != "assistant" or not isinstance(content, list):
        return turn
    blocks = [keep(block) if isinstance(block, dict) else block for block in content]
    left = [block for block in blocks if block is not None]
    return {**turn, "content": left} if left or not content else None


def _merged(turns: list[Object | None]) -> list[Object]:
    """The turns that are left, two of one role between which one is not made one."""
    found: list[Object] = []
    gap = False
    for turn in turns:
        if turn is not None and gap and found and found[-1].get("role") == turn.get("role") != "system":
            found[-1] = {**found[-1], "content": [*_blocks(found[-1]), *_blocks(turn)]}
        elif turn is not None:
            found.append(turn)
        gap = turn is None
    return found


def _blocks(turn: Object) -> list[Any]:
    content = turn.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return content if isinstance(content, list) else []


def _unthought(turns: list[Object]) -> bool:
    """Whether the last turn of the assistant's called tools and does not begin with thinking."""
    last = next((turn for turn in reversed(turns) if turn.get("role") == "assistant"), {})
    kinds = [block.get("type") if isinstance(block, dict) else None for block in _blocks(last)]
    return "tool_use" in kinds and kinds[0] not in _OPAQUE


def _type_of(raw: Raw | None) -> str:
    try:
        return "" if raw is None else str(_OBJECT.decode(raw).get("type"))
    except _BAD:
        return ""
