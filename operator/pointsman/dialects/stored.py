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


class Items(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Items as JSON, joined by commas. One object is part of all later turns of its conversation."""

    text: bytes


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

    `entry` None: it goes on from nothing, and stays as it is.
    """
    own = Items(_own(fields.get("input", _ABSENT)))
    if entry is None:
        return fields, Turn((), own)
    turn = Turn(entry.items, own, previous(fields))
    joined = {name: raw for name, raw in fields.items() if name != PREVIOUS}
    joined["input"] = Raw(_listed((*turn.before, own)))
    return joined, turn


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

    Items that came without an id get one by their place, so that `after` can name them.
    """
    items = [_shown(item, i) for i, item in enumerate(_ITEMS.decode(_listed(entry.asked)))]
    if order != "asc":
        items.reverse()
    start = next((i + 1 for i, item in enumerate(items) if after and item["id"] == after), 0)
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
