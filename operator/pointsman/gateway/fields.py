"""HTTP fields that cross the gateway: few, by list. Never credentials, cookies, attribution, hop-by-hop fields."""

from __future__ import annotations

import zlib
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from pointsman.names import Dialect

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from msgspec import Raw

_ANTHROPIC_VERSION: Final = b"2023-06-01"
_PROMPT: Final = ("system", "instructions", "messages", "input")
_ALIKE: Final = 2048  # bytes at the head of each part of a prompt by which it is known again


def passed_on(dialect: Dialect, fields: Mapping[bytes, bytes], own: Collection[bytes]) -> bytes:
    """Of a client's fields (names in lower case), the lines that a target is sent; not those that it sets itself."""
    accept = fields.get(b"accept")
    lines = b"Accept: %b\r\n" % accept if accept is not None and b"accept" not in own else b""
    if dialect is Dialect.MESSAGES:
        version, beta = fields.get(b"anthropic-version", _ANTHROPIC_VERSION), fields.get(b"anthropic-beta")
        if b"anthropic-version" not in own:
            lines += b"anthropic-version: %b\r\n" % version
        if beta is not None and b"anthropic-beta" not in own:
            lines += b"anthropic-beta: %b\r\n" % beta
    return lines


def said(dialect: Dialect, fields: Mapping[bytes, bytes]) -> object:
    """What `passed_on` depends on of a client's fields."""
    accept = fields.get(b"accept")
    if dialect is Dialect.MESSAGES:
        return accept, fields.get(b"anthropic-version"), fields.get(b"anthropic-beta")
    return accept


def affinity(request: Mapping[str, Raw]) -> int:
    """A number of the prompt's head: requests that begin alike have the same, and are best sent to the same replica."""
    number = 0
    for name in _PROMPT:
        part = request.get(name)
        if part is not None:
            number = zlib.crc32(memoryview(part)[:_ALIKE], number)
    return number | 1 << 32


def read_retry_after(value: bytes, now: float) -> float:
    """Seconds from `now` (of the epoch): given as such or as a date; 0.0 when absent, past or unreadable."""
    text = value.decode("latin-1").strip()
    if not text:
        return 0.0
    try:
        return max(0.0, float(text)) if text[0].isdigit() else max(0.0, _date(text) - now)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _date(text: str) -> float:
    date = parsedate_to_datetime(text)
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
