"""A request head that a connection has said before: most clients say the same again, but for the body's length.

What the same bytes mean was found out, and checked, when they came first (`edge`, `framing`), so that they need not be
parsed again. A head that says anything else, were it in one byte, is parsed. No IO.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from pointsman import dialects
from pointsman.dialects.services import Service
from pointsman.gateway import framing
from pointsman.names import Dialect

if TYPE_CHECKING:
    from collections.abc import Mapping

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_END: Final = b"\r\n\r\n"
_LONGEST: Final = 4096  # bytes of a head that is worth keeping for each connection
# What makes a head mean more than a body to be answered.
_APART: Final = frozenset({b"expect", b"upgrade", b"transfer-encoding"})


class Habit(msgspec.Struct, frozen=True):
    """A head, cut open at the digits of its Content-Length, and what it means. Its connection stays open."""

    before: bytes
    after: bytes  # the blank line included
    start: int  # of the digits
    path: str
    dialect: Dialect | Service
    fields: dict[bytes, bytes]
    length: bytes  # the digits of the first

    def measure(self, data: bytes) -> tuple[bytes, int]:
        """The digits of the length, and where the body starts; 0: it is another head. `data` starts with `before`."""
        at = data.find(b"\r", self.start, self.start + framing.LENGTH_DIGITS + 1)
        digits = data[self.start : at]
        if at > 0 and data.startswith(self.after, at) and digits.isdigit():
            return digits, at + len(self.after)
        return b"", 0

    def fields_with(self, digits: bytes) -> dict[bytes, bytes]:
        """The fields, with this length."""
        return {**self.fields, b"content-length": digits}


def read(data: bytes, path: str, fields: Mapping[bytes, bytes]) -> Habit | None:
    """The habit of a clean request to be answered on a connection that stays, whose head is all in `data`.

    None: it is not worth it, or no such request.
    """
    dialect = dialects.for_path(path)
    end = data.find(_END) + len(_END)
    length = _LENGTH.search(data, 0, end)
    if dialect is None or length is None or end > _LONGEST or not _APART.isdisjoint(fields):
        return None
    start, stop = length.span(1)
    return Habit(data[:start], data[stop:end], start, path, dialect, dict(fields), length[1])
