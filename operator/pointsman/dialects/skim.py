"""Frames as JSON: runs of plain ones, told apart from those that must be looked at one by one.

A decoder of a struct that names only what must not be there, or must have one of a few values, skips over everything
else at C's speed: 0.2 to 0.4 us a frame of 250 bytes. What it takes is JSON and has nothing in it to look at. That is
less than a few substring searches cost (0.2 us each), and is exact.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import msgspec

if TYPE_CHECKING:
    from msgspec.json import Decoder

Shape = TypeVar("Shape")
Empty = Annotated[list[msgspec.Raw], msgspec.Meta(max_length=0)] | None
"""A list that servers send in every frame, with nothing in it."""
Blank = Annotated[str, msgspec.Meta(max_length=0)] | None
"""The same for a text."""

Filled = Annotated[str, msgspec.Meta(min_length=1)]
"""A text with something in it."""

_DATA: Final = b"data: {"
_EVENT: Final = b"event: "
_LINE: Final = b"\ndata: "
_NEXT: Final = b"\n\ndata: "
_NAMED: Final = re.compile(rb"event: [\w.]+\ndata: ")
_NEXT_NAMED: Final = re.compile(rb"\n\nevent: [\w.]+\ndata: ")
_SURROGATE: Final = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""What is no half of a pair, so that its end is not taken for one; or a half."""


def is_plain(run: bytes, decoder: Decoder[Any]) -> bool:
    """Whether every frame of a run is one line of data, with or without a name, that `decoder` takes.

    False as well for what is no UTF-8, and for frames that are written in any but the two usual ways.
    """
    start, lines = 6, 2
    if not run.startswith(_DATA):
        name = _NAMED.match(run)
        if name is None:
            return False
        start, lines = name.end(), 3
    if b"\r" in run or not run.endswith(b"\n\n"):
        return False
    try:
        if not run.isascii():
            run.decode()
        if run.count(b"\n") == lines:
            decoder.decode(run[start:-2])
            return True
        return _are_plain(run, start, lines, decoder)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def _are_plain(run: bytes, start: int, lines: int, decoder: Decoder[Any]) -> bool:
    rest = run[start:-2]
    if lines == 2:
        rows = rest.replace(_NEXT, b"\n")
        joints = (len(rest) - len(rows)) // (len(_NEXT) - 1)
    else:
        rows, joints = _NEXT_NAMED.subn(b"\n", rest)
    # With no line ends but those between frames and at their names, a row is a frame.
    return run.count(b"\n") == (joints + 1) * lines and len(decoder.decode_lines(rows)) == joints + 1


def only(run: bytes, decoder: Decoder[Shape]) -> Shape | None:
    """The one frame of a run, if it is one line of data that `decoder` takes; None: to be looked at more closely."""
    start = 6
    if not run.startswith(_DATA):
        start = run.find(_LINE) + len(_LINE) if run.startswith(_EVENT) else 0
    lines = 2 if start == 6 else 3
    if start < 6 or run.count(b"\n") != lines or b"\r" in run or not run.endswith(b"\n\n"):
        return None
    try:
        return decoder.decode(run[start:-2] if run.isascii() else run[start:-2].decode())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def decode(decoder: Decoder[Shape], data: bytes) -> Shape:
    """A frame's data, which must be UTF-8 as well. MsgspecError, UnicodeDecodeError, RecursionError: it is not.

    Some servers tear characters in two and send half of a pair of surrogates in each event: clients put up with it.
    """
    try:
        return decoder.decode(data if data.isascii() else data.decode())
    except (msgspec.DecodeError, UnicodeDecodeError):
        if b"\\ud" not in data and b"\\uD" not in data:
            raise
        return decoder.decode(_SURROGATE.sub(_mend, data))


class Halves:
    """Decodes the events of one stream. State: the first half of a character that one of them ended with.

    The second half is at the beginning of a text that comes later: they are put together there.
    """

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = b""

    def decode(self, decoder: Decoder[Shape], data: bytes) -> Shape:
        """As `decode`, but for such a half: what it is part of comes with the next one."""
        try:
            return decoder.decode(data if data.isascii() else data.decode())
        except (msgspec.DecodeError, UnicodeDecodeError):
            if b"\\ud" not in data and b"\\uD" not in data:
                raise
            return decode(decoder, _SURROGATE.sub(self._join, data))

    def _join(self, found: re.Match[bytes]) -> bytes:
        if found[1] is None:
            return found[0]
        text, high = found.string, found[1][3:4] in b"89abAB"
        if high and text[found.end() : found.end() + 1] == b'"':
            self._half = found[1]
            return b""
        half = b"" if high or text[found.start() - 1 : found.start()] != b'"' else self._half
        self._half = b"" if half else self._half
        return half + found[1] if half else b"\\ufffd"


def _mend(found: re.Match[bytes]) -> bytes:
    return found[0] if found[1] is None else b"\\ufffd"
