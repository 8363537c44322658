"""An incremental reader of server-sent events (WHATWG HTML, 9.2.6), which keeps the bytes as they came.

`Splitter.take(chunk)` gives back the part of what has arrived that ends with a blank line: whole frames, ready to be
passed on. What follows the last blank line stays until the rest of it comes. `frames(run)` reads such a run.

A blank line is two line ends in a row, each CRLF, LF or CR. A CR that ends a run may be the first half of a CRLF that
was torn apart; the LF then becomes a stray line end before the next frame, where readers ignore it.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

FRAME_LIMIT: Final = 16 * 1024 * 1024  # bytes; a picture in one event is large, an endless line is an attack

_BLANK_LINE: Final = re.compile(rb"(?>\r\n|\n|\r)(?:\r\n|\n|\r)")
_BOM: Final = b"\xef\xbb\xbf"


class FrameTooLongError(ValueError):
    """A frame that does not end within the limit."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One event. `event` is its name or empty; `data` its data lines joined by LF; `raw` the bytes as received."""

    raw: bytes
    event: bytes
    data: bytes


class Splitter:
    """Cuts a byte stream, torn anywhere, at blank lines. State: the bytes after the last one."""

    __slots__ = ("_limit", "_scanned", "_tail")

    def __init__(self, limit: int = FRAME_LIMIT) -> None:
        self._limit = limit
        self._tail = bytearray()
        self._scanned = 0  # bytes of the tail known to hold no blank line

    def take(self, chunk: bytes) -> bytes:
        """The whole frames so far, maybe none. FrameTooLongError: the tail has outgrown the limit."""
        if not self._tail and chunk.endswith(b"\n\n"):
            return chunk
        tail = self._tail
        tail += chunk
        end = 0
        for match in _BLANK_LINE.finditer(tail, self._scanned):
            end = match.end()
        run = bytes(tail[:end])
        del tail[:end]
        # Up to three bytes of a blank line may already be here.
        self._scanned = max(0, len(tail) - 3)
        if len(tail) > self._limit:
            raise FrameTooLongError(f"an event of more than {self._limit} bytes")
        return run

    def passes(self, chunk: bytes) -> bool:
        """Whether `take` would give this very chunk, and keep nothing."""
        return not self._tail and chunk.endswith(b"\n\n")

    def feed(self, chunk: bytes) -> list[Frame]:
        """The whole frames so far, read."""
        run = self.take(chunk)
        return frames(run) if run else []

    @property
    def tail(self) -> bytes:
        """What is left: at the end of a stream, anything but line ends is a frame that was cut."""
        return bytes(self._tail)


def frames(run: bytes) -> list[Frame]:
    """The frames of a run that `Splitter.take` gave, comments among them (they have no data)."""
    if b"\r" not in run:
        *pieces, rest = run.split(b"\n\n")
        whole = [_read(piece + b"\n\n") for piece in pieces]
        return [*whole, _read(rest)] if rest else whole
    found, start = [], 0
    for match in _BLANK_LINE.finditer(run):
        found.append(_read(run[start : match.end()]))
        start = match.end()
    if start < len(run):
        found.append(_read(run[start:]))  # a line end too many
    return found


def _read(raw: bytes) -> Frame:
    if raw.startswith(b"data: {") and raw.count(b"\n") == 2 and b"\r" not in raw:
        return Frame(raw, b"", raw[6:-2])
    event, data = b"", []
    for line in raw.removeprefix(_BOM).splitlines():  # for bytes: CRLF, LF and CR only
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif name == b"event":
            event = value.removeprefix(b" ")
    return Frame(raw, event, b"\n".join(data))
