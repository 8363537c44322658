"""A Responses conversation that the gateway keeps: joined with the next request, taken out of an answer, shown again.

    fields with previous_response_id + Entry ──expand──▶ fields with all items in `input`, Turn
    Turn + the finished response             ──taken───▶ Entry, for whoever names that response as the previous one

By OpenAI's rules: `store` is true unless it is said to be false; the instructions of an earlier response do not come
along; its output items do, as they are, ids and encrypted reasoning among it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from pointsman.dialects import body as bodies
from pointsman.dialects import needs
from pointsman.exchange import BadRequestError
from pointsman.table import Fence

if TYPE_CHECKING:
    from collections.abc import Mapping

Fields = dict[str, Raw]

PREVIOUS: Final = "previous_response_id"

_ITEMS: Final = msgspec.json.Decoder(list[Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_OBJECT: Final = msgspec.json.Decoder(Fields)
_ENCODE: Final = msgspec.json.Encoder().encode
_BAD: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_ABSENT: Final = Raw(b"null")
_REFERENCE: Final = b'"item_reference"'
_ORDERS: Final = ("", "asc", "desc")


class Items(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Items as JSON, joined by commas. One object is part of all later turns of its conversation."""

    text: bytes


class _Item(msgspec.Struct, gc=False):
    type: Any = None
    id: Any = None


_ITEM: Final = msgspec.json.Decoder(_Item)


class Turn(msgspec.Struct, frozen=True, gc=False):
    """What one request adds to a conversation. `previous`: the id it named, or ""."""

    before: tuple[Items, ...]
    own: Items
    previous: str = ""


class Entry(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A response that is kept. `asked`: all items that led to it; `response`: the object as the client was sent it.

    `fence`: the request's own, which holds for the rest of the conversation. `at`: seconds of the caller's clock.
    """

    asked: tuple[Items, ...]
    output: Items
    response: bytes
    fence: Fence | None = None
    at: float = 0.0

    @property
    def items(self) -> tuple[Items, ...]:
        """The conversation up to and with this response."""
        return (*self.asked, self.output)


def wanted(fields: Mapping[str, Raw]) -> bool:
    """Whether the answer is to be kept: unless `store` is false."""
    return fields.get("store") != Raw(b"false")


def elsewhere(fields: Fields) -> str:
    """The first field that asks for what only the vendor keeps; "": none does."""
    return next((name for name in needs.ELSEWHERE if bodies.filled(fields, name)), "")


def previous(fields: Mapping[str, Raw]) -> str:
    """The id of the response that a request goes on from; "": none. BadRequestError: it is no id."""
    raw = fields.get(PREVIOUS, _ABSENT)
    if raw == _ABSENT:
        return ""
    try:
        named = _TEXT.decode(raw)
    except _BAD:
        named = ""
    if not named:
        raise BadRequestError(f"the field {PREVIOUS!r} must be a non-empty string or null")
    return named


def expand(fields: Fields, entry: Entry | None) -> tuple[Fields, Turn]:
    """The request with the whole conversation in its `input`, and what it adds. BadRequestError: `input` is no input.

    `entry` None: it goes on from nothing, and stays as it is. A reference to an item of the conversation is left out:
    the item is there, and vendors refuse one that comes twice. BadRequestError as well for one to any other item.
    """
    own = Items(_own(fields.get("input", _ABSENT)))
    if entry is None:
        return fields, Turn((), own)
    own = _resolved(own, entry)
    turn = Turn(entry.items, own, previous(fields))
    joined = {name: raw for name, raw in fields.items() if name != PREVIOUS}
    joined["input"] = Raw(_listed((*turn.before, own)))
    return joined, turn


def refers(turn: Turn) -> bool:
    """Whether a conversation has references to items that are not in it: the vendor alone may know them."""
    parts = (part.text for part in (*turn.before, turn.own) if _REFERENCE in part.text)
    return any(_referred(raw) for text in parts for raw in _ITEMS.decode(b"[%b]" % text))


def taken(turn: Turn, response: bytes, fence: Fence | None = None, now: float = 0.0) -> Entry | None:
    """The entry for a finished response; None: it cannot be read."""
    try:
        output = _ITEMS.decode(_OBJECT.decode(response).get("output", Raw(b"[]")))
    except _BAD:
        return None
    return Entry((*turn.before, turn.own), Items(b",".join(map(bytes, output))), response, fence, now)


def renamed(response: bytes | Raw, ident: str, turn: Turn) -> bytes:
    """A response object under the id that the gateway gives it, with the id that the request named.

    `ident` "": it keeps its own. ValueError: no object.
    """
    told: dict[str, Any] = dict(_OBJECT.decode(response))
    if turn.previous:
        told[PREVIOUS] = turn.previous
    if ident:
        told |= {"id": ident, "store": True}
    return _ENCODE(told)


def page(entry: Entry, *, limit: int = 20, order: str = "desc", after: str = "") -> bytes:
    """The body of GET /v1/responses/ID/input_items: up to `limit` items, newest first unless `order` is asc.

    Items that came without an id get one by their place, and those whose id was there before a suffix, so that `after`
    can name them: several servers call every item alike. BadRequestError: no such order, or no item `after`.
    """
    if order not in _ORDERS:
        raise BadRequestError(f"order={order[:20]!r}: asc or desc")
    items = _told_apart([_shown(item, i) for i, item in enumerate(_ITEMS.decode(_listed(entry.asked)))])
    if order != "asc":
        items.reverse()
    places = {item["id"]: i + 1 for i, item in enumerate(items)}
    if after and after not in places:
        raise BadRequestError(f"after={after[:100]!r}: no item of this response has this id; see 'last_id' of a page")
    start = places[after] if after else 0
    shown = items[start : start + limit]
    first, last = (shown[0]["id"], shown[-1]["id"]) if shown else ("", "")
    more = start + limit < len(items)
    return _ENCODE({"object": "list", "data": shown, "first_id": first, "last_id": last, "has_more": more})


def _own(raw: Raw) -> bytes:
    if raw == _ABSENT:
        return b""
    try:
        if bytes(raw).startswith(b'"'):
            part = {"type": "input_text", "text": _TEXT.decode(raw)}
            return _ENCODE({"type": "message", "role": "user", "content": [part]})
        return b",".join(map(bytes, _ITEMS.decode(raw)))
    except _BAD as error:
        raise BadRequestError(f"the field 'input' must be a string or a list of items: {error}") from error


def _resolved(own: Items, entry: Entry) -> Items:
    if _REFERENCE not in own.text:
        return own
    kept = {_ident(raw) for raw in _ITEMS.decode(_listed(entry.items))}
    asked = _ITEMS.decode(b"[%b]" % own.text)
    for ident in filter(None, map(_referred, asked)):
        if ident not in kept:
            text = f"the item {ident[:100]!r} of an 'item_reference' is not in the conversation of {PREVIOUS!r}"
            raise BadRequestError(f"{text}: send the item itself")
    return Items(b",".join(bytes(raw) for raw in asked if not _referred(raw)))


def _referred(raw: Raw) -> str:
    """The id that an item refers to; "": it is an item of its own."""
    try:
        item = _ITEM.decode(raw)
    except _BAD:
        return ""
    return (item.id if isinstance(item.id, str) and item.id else "?") if item.type == "item_reference" else ""


def _ident(raw: Raw) -> str:
    try:
        item = _ITEM.decode(raw)
    except _BAD:
        return ""
    return item.id if isinstance(item.id, str) and item.type != "item_reference" else ""


def _told_apart(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items, each with an id of its own: one that was there before gets a number."""
    taken_ids = {item["id"] for item in items}
    seen: set[str] = set()
    counts: dict[str, int] = {}
    out = []
    for item in items:
        ident = item["id"]
        if ident in seen:
            ident = _free(ident, counts, taken_ids)
        seen.add(ident)
        out.append({**item, "id": ident})
    return out


def _free(ident: str, counts: dict[str, int], taken_ids: set[str]) -> str:
    while True:
        number = counts[ident] = counts.get(ident, 1) + 1
        if (free := f"{ident}_{number}") not in taken_ids:
            taken_ids.add(free)
            return free


def _listed(parts: tuple[Items, ...]) -> bytes:
    return b"[%b]" % b",".join(part.text for part in parts if part.text)


def _shown(raw: Raw, i: int) -> dict[str, Any]:
    item = msgspec.json.decode(raw)
    if not isinstance(item, dict):
        return {"id": f"item_{i}", "type": "unknown"}
    shown = {"type": "message", **item} if "role" in item else dict(item)
    if isinstance(shown.get("content"), str):
        kind = "output_text" if shown.get("role") == "assistant" else "input_text"
        shown["content"] = [{"type": kind, "text": shown["content"]}]
    return (
        shown if isinstance(shown.get("id"), str) else {"id": f"item_{i}", **{k: shown[k] for k in shown if k != "id"}}
    )
