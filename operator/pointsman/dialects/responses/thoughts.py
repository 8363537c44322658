"""What a model thought in earlier turns of a conversation that came in Responses, on its way to a target.

Reasoning goes back encrypted, and only its maker can read it. A conversation that was answered by several targets has
items of several makers: what other vendors sealed is packed by this gateway (`seals`) and left out here, and what this
very provider sealed is unpacked. OpenAI itself takes no reasoning that is not encrypted, so what local models thought
aloud is left out for it. All other fields are kept byte for byte.
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

    from pointsman.table import Provider

Fields = dict[str, Raw]
Object = dict[str, Any]

_INPUT: Final = "input"
_REASONING: Final = "reasoning"
_SEALED: Final = "encrypted_content"
_OURS: Final = re.compile(rb'"encrypted_content"\s*:\s*"pm1\.')
_ANY: Final = re.compile(rb'"type"\s*:\s*"reasoning"')
_ENCRYPTED: Final = re.compile(rb'"encrypted_content"\s*:\s*"[^"]')
_MADE: Final = re.compile(r"rs_[0-9a-f]{44}")  # `items.Names`
_NAMED: Final = frozenset({"message", "function_call", "custom_tool_call"})
_ENCODE: Final = msgspec.json.Encoder().encode
_ITEMS: Final = msgspec.json.Decoder(list[Any])


def for_target(fields: Fields, provider: Provider) -> Fields:
    """The fields without what the target cannot read."""
    raw = fields.get(_INPUT)
    if not isinstance(raw, Raw) or not _is_strange(bytes(raw), native=provider.native):
        return fields
    return _filtered(fields, raw, lambda item: _kept(item, provider)) or fields


def without_reasoning(fields: Fields) -> Fields | None:
    """The fields without any reasoning of earlier turns; None: there is none. For when OpenAI refuses to read it.

    What it belonged to loses its identifier: OpenAI looks for the reasoning of items that it knows.
    """
    raw = fields.get(_INPUT)
    return None if raw is None or not _ANY.search(raw) else _filtered(fields, raw, _unthought)


def _is_strange(raw: bytes, *, native: bool) -> bool:
    """Whether there may be reasoning in it that the target cannot read."""
    if _OURS.search(raw):
        return True
    return native and len(_ANY.findall(raw)) > len(_ENCRYPTED.findall(raw))


def _kept(item: Object, provider: Provider) -> Object | None:
    """An item as the target gets it; None: not at all."""
    if item.get("type") != _REASONING:
        return item
    value = item.get(_SEALED)
    if not value:
        return item if not provider.native or _stored(item) else None
    if not isinstance(value, str) or not value.startswith(seals.PREFIX):
        return item
    seal = seals.read(Dialect.RESPONSES, value)
    if seal is None or seal.home is not Dialect.RESPONSES or seal.maker != provider.name:
        return _bare(item) if not provider.native else None
    if not isinstance(seal.payload, dict):
        return None
    return {"summary": item.get("summary") or [], **seal.payload, "type": _REASONING}


def _stored(item: Object) -> bool:
    """Whether OpenAI may know the item by its name: it is not one of those that this gateway gives."""
    ident = item.get("id")
    return isinstance(ident, str) and not _MADE.fullmatch(ident) and not item.get("content")


def _bare(item: Object) -> Object | None:
    """The item without its seal, as long as it has words."""
    left = {name: value for name, value in item.items() if name != _SEALED}
    return left if left.get("summary") or left.get("content") else None


def _unthought(item: Object) -> Object | None:
    kind, ident = item.get("type", "message"), item.get("id")
    if kind == _REASONING or (kind == "item_reference" and str(ident).startswith("rs_")):
        return None
    return {name: value for name, value in item.items() if name != "id"} if kind in _NAMED and ident else item


def _filtered(fields: Fields, raw: Raw, keep: Callable[[Object], Object | None]) -> Fields | None:
    """The fields; None: nothing is to be changed, or it cannot be read."""
    try:
        items = _ITEMS.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    kept = [keep(item) if isinstance(item, dict) else item for item in items]
    if kept == items:
        return None
    return {**fields, _INPUT: Raw(_ENCODE([item for item in kept if item is not None]))}
