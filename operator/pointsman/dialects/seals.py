"""What only its maker can read, carried through a client that speaks another dialect.

A signature or encrypted reasoning of provider A goes to the client in that client's own opaque field, as
`pm1.` and base64url of [maker, home dialect, payload]. When the client sends it back it is A's again; any other
target is not shown it. What does not begin so is the client's dialect's own, made by whoever was asked directly.
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
    from pointsman.neutral import Event, Json, Part, Reply, Request, Turn

PREFIX: Final = "pm1."
_PACKED: Final = msgspec.json.Decoder(tuple[str, Dialect, msgspec.Raw])


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
        return Seal(made_in, msgspec.json.decode(payload), maker)
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
