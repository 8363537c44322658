"""What only its maker can read, carried through a client that speaks another dialect.

A signature or encrypted reasoning of provider A goes to the client in that client's own opaque field, as
`pm1.` and base64url of [maker, home dialect, payload]. When the client sends it back it is A's again; any other
target is not shown it. What does not begin so is the client's dialect's own, made by whoever was asked directly.

It is not encrypted, so a client can forge one. What is read is of the shape that the home dialect's codec makes, and
nothing else of it is kept: nobody writes an item of another kind, or more fields, into a vendor's request.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from pointsman.names import Dialect
from pointsman.neutral import Closed, Opened, Reasoning, Seal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointsman.neutral import Event, Json, Part, Reply, Request, Turn

PREFIX: Final = "pm1."
_PACKED: Final = msgspec.json.Decoder(tuple[str, Dialect, msgspec.Raw])
_DETAIL: Final = frozenset({"type", "id", "format", "index", "text", "summary", "data", "signature"})


def write(home: Dialect, seal: Seal) -> Json:
    """A seal as it stands in a dialect's opaque field: as it is at home, packed elsewhere."""
    if seal.home is home and not seal.maker:
        return seal.payload
    packed = msgspec.json.encode([seal.maker, seal.home, seal.payload])
    return PREFIX + base64.urlsafe_b64encode(packed).decode()


def read(home: Dialect, value: Json) -> Seal | None:
    """The seal in a dialect's opaque field; None: there is nothing in it, or one of ours that cannot be read."""
    if not value:
        return None
    if not isinstance(value, str) or not value.startswith(PREFIX):
        return Seal(home, value)
    try:
        maker, made_in, payload = _PACKED.decode(base64.urlsafe_b64decode(value.removeprefix(PREFIX)))
        shaped = _SHAPES[made_in](msgspec.json.decode(payload))
        return None if shaped is None else Seal(made_in, shaped, maker)
    except (binascii.Error, ValueError, RecursionError):
        return None


def only(request: Request, provider: str, dialect: Dialect) -> Request:
    """The request without the seals that this provider, asked in this dialect, did not make."""
    return replace(request, turns=tuple(_turn_for(turn, provider, dialect) for turn in request.turns))


def _turn_for(turn: Turn, provider: str, dialect: Dialect) -> Turn:
    if not any(isinstance(part, Reasoning) and part.seal is not None for part in turn.parts):
        return turn
    return replace(turn, parts=tuple(_part_for(part, provider, dialect) for part in turn.parts))


def _part_for(part: Part, provider: str, dialect: Dialect) -> Part:
    if not isinstance(part, Reasoning) or part.seal is None:
        return part
    seal = part.seal
    if seal.home is not dialect or (seal.maker and seal.maker != provider):
        return replace(part, seal=None)
    return replace(part, seal=replace(seal, maker=""))


def signed(reply: Reply, maker: str) -> Reply:
    """The answer of a provider, its seals marked as that provider's."""
    return replace(reply, parts=tuple(_by(part, maker) for part in reply.parts))


def signed_event(event: Event, maker: str) -> Event:
    """The same of an event."""
    if isinstance(event, Closed) and event.seal is not None:
        return replace(event, seal=replace(event.seal, maker=maker))
    if isinstance(event, Opened):
        return replace(event, part=_by(event.part, maker))
    return event


def _by(part: Part, maker: str) -> Part:
    if isinstance(part, Reasoning) and part.seal is not None:
        return replace(part, seal=replace(part.seal, maker=maker))
    return part


# What the codecs make; None: anything else


def _of_messages(payload: Json) -> Json | None:
    """A signature, or a redacted block's data."""
    if isinstance(payload, dict):
        hidden = payload.get("redacted")
        return {"redacted": hidden} if isinstance(hidden, str) and hidden else None
    return payload if isinstance(payload, str) and payload else None


def _of_responses(payload: Json) -> Json | None:
    """A reasoning item's cipher, with the item's name and summary."""
    if not isinstance(payload, dict) or not isinstance(payload.get("encrypted_content"), str):
        return None
    found = {name: payload[name] for name in ("id", "encrypted_content") if isinstance(payload.get(name), str)}
    summary = payload.get("summary")
    if not isinstance(summary, list):
        return found
    texts = [part.get("text") for part in summary if isinstance(part, dict)]
    return {**found, "summary": [{"type": "summary_text", "text": text} for text in texts if isinstance(text, str)]}


def _of_chat(payload: Json) -> Json | None:
    """Entries of `reasoning_details`."""
    entries = payload if isinstance(payload, list) else [payload]
    found = [_detail(entry) for entry in entries if isinstance(entry, dict)]
    return [entry for entry in found if entry] or None


def _detail(entry: dict[str, Json]) -> dict[str, Json]:
    return {
        name: value
        for name, value in entry.items()
        if name in _DETAIL and (value is None or isinstance(value, str | int))
    }


_SHAPES: Final[dict[Dialect, Callable[[Json], Json | None]]] = {
    Dialect.MESSAGES: _of_messages,
    Dialect.RESPONSES: _of_responses,
    Dialect.CHAT: _of_chat,
}
