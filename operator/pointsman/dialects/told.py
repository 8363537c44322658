"""What a client has been sent of one streamed answer, kept so that another target can take the answer up.

On the way through nothing is decoded: `add` keeps the frames as they were sent, packed in blocks (0.9 us an event, 6 KB
for a thousand of them, and what is not packed yet). Only when a stream has broken off does `fold` read them.

What an event amounts to is the dialect's to say (`said`): pieces of text on named channels, a mark (an event that
shapes the answer: an item opens, a block ends), ids. None: it says something that cannot be told twice in pieces, such
as a tool call, so an answer in which it was sent cannot be taken up.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from pointsman.sse import frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.sse import Frame

Json = dict[str, Any]
BLOCK: Final = 16 * 1024  # bytes that are packed at once: half as much packs at twice the cost
LIMIT: Final = 16 * 1024 * 1024  # bytes of an answer that can be taken up: reading them takes a quarter of a second


class Said(msgspec.Struct, frozen=True, gc=False):
    """What one event amounts to. Nothing in it: it may be left out of a replay, as a ping may."""

    texts: tuple[tuple[str, str], ...] = ()  # channel, piece
    mark: str = ""
    ids: tuple[str, ...] = ()


class Speech(Protocol):
    """What a dialect's module provides for this."""

    def said(self, event: Json) -> Said | None: ...
    def resaid(self, event: Json, texts: Mapping[str, str]) -> Json: ...


class Told:
    """What a client was sent of one answer. State: the text by channel, marks and ids in order; bytes not read yet."""

    __slots__ = ("_packed", "_size", "_speech", "_unread", "bytes", "first", "ids", "lost", "marks", "sequence",
                 "shapes", "texts")  # fmt: skip

    def __init__(self, speech: Speech) -> None:
        self._speech = speech
        self._packed: list[bytes] = []
        self._unread: list[bytes] = []
        self._size = 0  # bytes that are not packed
        self.bytes = 0  # bytes that were packed, before they were
        self.lost = False  # something was sent that cannot be told again
        self.texts: dict[str, list[str]] = {}
        self.marks: list[str] = []
        self.ids: list[str] = []
        self.first: Json = {}  # of the first event that names the answer: id, created, model
        self.shapes: list[Json] = []  # the events behind the marks
        self.sequence = -1  # of the last event, where events are numbered

    def add(self, run: bytes) -> None:
        """Whole frames that were sent to the client."""
        if self.lost:
            return
        self._unread.append(run)
        self._size += len(run)
        if self._size >= BLOCK:
            self._pack()

    def fold(self) -> None:
        """Read what was sent, and keep what it amounts to."""
        packed, unread = self._packed, b"".join(self._unread)
        self._packed, self._unread, self._size = [], [], 0
        for block in packed:
            self._read(zlib.decompress(block))
        self._read(unread)

    @property
    def size(self) -> int:
        """Bytes that are kept and have not been read."""
        return self._size + sum(map(len, self._packed))

    def count(self, *channels: str) -> int:
        """How many pieces of text were told, on these channels or all: about as many tokens, as engines send them."""
        return sum(len(self.texts.get(channel, ())) for channel in channels or self.texts)

    def events(self) -> int:
        """How many events were told and not read yet, comments among them; decodes none."""
        packed = sum(zlib.decompress(block).count(b"\n\n") for block in self._packed)
        return packed + sum(run.count(b"\n\n") for run in self._unread)

    def _pack(self) -> None:
        self.bytes += self._size
        self._packed.append(zlib.compress(b"".join(self._unread), 1))
        self._unread, self._size = [], 0
        if self.bytes > LIMIT:
            self._lose()

    def _lose(self) -> None:
        self.lost = True
        self._packed, self._unread, self._size = [], [], 0

    def _read(self, run: bytes) -> None:
        for frame in frames(run) if run and not self.lost else ():
            event = decode(frame)
            if event is None and not unreadable(frame):
                continue
            said = read(self._speech, event) if event is not None else None
            if said is None or event is None:
                self._lose()
                return
            self._keep(said, event)

    def _keep(self, said: Said, event: Json) -> None:
        for channel, piece in said.texts:
            if piece:
                self.texts.setdefault(channel, []).append(piece)
        if said.mark:
            self.marks.append(said.mark)
            self.shapes.append(event)
        self.ids.extend(said.ids)
        if not self.first and "id" in event:
            self.first = {key: event[key] for key in ("id", "created", "model") if key in event}
        if isinstance(number := event.get("sequence_number"), int):
            self.sequence = number


def read(speech: Speech, event: Json) -> Said | None:
    """What an event amounts to; None also for one that is put together as no event of the dialect is."""
    try:
        return speech.said(event)
    except (AttributeError, TypeError, KeyError):
        return None


def decode(frame: Frame) -> Json | None:
    """The event of a frame; None for one without JSON, such as a comment or [DONE]."""
    if not frame.data.startswith(b"{"):
        return None
    try:
        event = msgspec.json.decode(frame.data)
    except (ValueError, RecursionError):  # no JSON, no UTF-8
        return None
    return event if isinstance(event, dict) else None


def unreadable(frame: Frame) -> bool:
    """Whether a frame without an event was to have one."""
    return frame.data.startswith(b"{")


def encode(event: Json, name: bytes = b"") -> bytes:
    """An event as a frame."""
    line = b"event: %b\n" % name if name else b""
    return b"%bdata: %b\n\n" % (line, msgspec.json.encode(event))
