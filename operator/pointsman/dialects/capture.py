"""Follows what a Responses client is sent, gives the response the gateway's own id, and keeps it when it is finished.

The id of a response is all that is needed to go on from it, and servers make it as they like: some of six digits. So
what is kept goes by an id that the gateway made. It stands in the few events that carry the `response` object; all
others, text among them, pass after one search for that word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw

from pointsman.dialects import stored
from pointsman.sse import frames

if TYPE_CHECKING:
    from pointsman.dialects.stored import Turn
    from pointsman.sse import Frame

LIMIT: Final = 16 * 1024 * 1024  # bytes of a response that is kept
_MARK: Final = b'"response"'
_ENDS: Final = frozenset({"response.completed", "response.incomplete"})
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_NAME: Final = msgspec.json.Decoder(str)
_ENCODE: Final = msgspec.json.Encoder().encode
_BAD: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Capture:
    """One answer on its way to the client. State: the response object once it is finished, else empty."""

    __slots__ = ("_ident", "_turn", "response")

    def __init__(self, ident: str, turn: Turn) -> None:
        """`ident`: the response's id from here on; "": it keeps its own."""
        self._ident, self._turn = ident, turn
        self.response = b""

    def feed(self, run: bytes) -> bytes:
        """Whole frames that are to be sent to the client, as they are to be sent."""
        if _MARK not in run:
            return run
        return b"".join(map(self._frame, frames(run)))

    def whole(self, body: bytes) -> bytes:
        """A whole answer, as it is to be sent; one that is no object stays as it is."""
        try:
            told = stored.renamed(body, self._ident, self._turn)
        except _BAD:
            return body
        self._keep(told)
        return told

    def _frame(self, frame: Frame) -> bytes:
        if _MARK not in frame.data:
            return frame.raw
        try:
            event = _FIELDS.decode(frame.data)
            kind = _NAME.decode(event["type"]) if "type" in event else frame.event.decode()
            told = stored.renamed(event["response"], self._ident, self._turn)
        except (*_BAD, KeyError):
            return frame.raw
        if kind in _ENDS:
            self._keep(told)
        line = b"event: %b\n" % frame.event if frame.event else b""
        return b"%bdata: %b\n\n" % (line, _ENCODE({**event, "response": Raw(told)}))

    def _keep(self, response: bytes) -> None:
        self.response = response if len(response) <= LIMIT else b""
