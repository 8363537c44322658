"""HTTP fields that cross the gateway: few, by list. Never credentials, cookies, attribution, hop-by-hop fields."""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from pointsman.names import Dialect

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from msgspec import Raw

    from pointsman.dialects.services import Service

_ANTHROPIC_VERSION: Final = b"2023-06-01"
_PROMPT: Final = ("system", "instructions", "messages", "input")
_RESET: Final = re.compile(
    rb"x-ratelimit-reset(?:-requests|-tokens)?|anthropic-ratelimit-(?:requests|tokens|input-tokens|output-tokens)-reset"
)
_SPAN: Final = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ms|us|s|m|h|d))+")
_PIECE: Final = re.compile(r"([\d.]+)(ms|us|s|m|h|d)")
_NUMERAL: Final = re.compile(r"\d{1,15}(?:\.\d{1,9})?")
_UNITS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST: Final = 366 * 86400.0
_MILLISECONDS: Final = 1e11  # of the epoch, no date in seconds is as large
_VENDORS: Final = re.compile(
    rb"x-ratelimit-[a-z0-9-]{1,48}|anthropic-ratelimit-[a-z0-9-]{1,48}|openai-processing-ms|openai-version"
    rb"|request-id|x-request-id",
    re.IGNORECASE,
)
_TELLABLE: Final = re.compile(rb"[ -~]{1,256}")  # printable ASCII
_MOST: Final = 32  # of a vendor's fields that a client is told
_ALIKE: Final = 2048  # bytes at the head of each part of a prompt by which it is known again


def passed_on(
    dialect: Dialect | Service, fields: Mapping[bytes, bytes], own: Collection[bytes], *, native: bool = True
) -> bytes:
    """Of a client's fields (names in lower case), the lines that a target is sent; not those that it sets itself.

    Only Anthropic itself (`native`) is told of the betas that a client asks for. What says who the client is, and in
    whose name it asks, never goes on: a provider's own `headers` do.
    """
    accept = fields.get(b"accept")
    lines = b"Accept: %b\r\n" % accept if accept is not None and b"accept" not in own else b""
    if dialect is Dialect.MESSAGES:
        version, beta = fields.get(b"anthropic-version", _ANTHROPIC_VERSION), fields.get(b"anthropic-beta")
        if b"anthropic-version" not in own:
            lines += b"anthropic-version: %b\r\n" % version
        if native and beta is not None and b"anthropic-beta" not in own:
            lines += b"anthropic-beta: %b\r\n" % beta
    return lines


def told(answer: Mapping[bytes, bytes]) -> bytes:
    """Of a vendor's answer (names in any case), the lines that the client is told: limits, times, names of requests.

    `request-id` is Anthropic's. `x-request-id` is the gateway's own, so the vendor's becomes `x-upstream-request-id`.
    """
    named = ((name.lower(), value) for name, value in answer.items() if _VENDORS.fullmatch(name))
    lines = [
        b"%b: %b\r\n" % (b"x-upstream-request-id" if name == b"x-request-id" else name, value)
        for name, value in named
        if _TELLABLE.fullmatch(value)
    ]
    return b"".join(lines[:_MOST])


def said(dialect: Dialect | Service, fields: Mapping[bytes, bytes]) -> object:
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


def read_wait(status: int, answer: Mapping[bytes, bytes], now: float) -> float:
    """Seconds from `now` (of the epoch) that a refusal asks to wait; 0.0: it does not say.

    `retry-after-ms` is OpenAI's, and more exact than `retry-after`. A 429 without either is read by the limits beside
    it: the latest end of those that are used up, else the soonest end of all. Names may be in any case.
    """
    fields = {name.lower(): value for name, value in answer.items()}
    asked = _number(fields.get(b"retry-after-ms", b"")) / 1000 or read_retry_after(fields.get(b"retry-after", b""), now)
    if asked or status != 429:
        return asked
    limits = [(_end(value, now), fields.get(name.replace(b"reset", b"remaining"))) for name, value in _resets(fields)]
    used_up = [end for end, left in limits if left is not None and left.strip() == b"0"]
    return max(used_up, default=0.0) or min((end for end, _ in limits if end), default=0.0)


def _resets(fields: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """When limits end: OpenAI's and Groq's by kind, OpenRouter's one, Anthropic's by kind."""
    return [(name, value) for name, value in fields.items() if _RESET.fullmatch(name)]


def _end(value: bytes, now: float) -> float:
    """Seconds until a limit ends: OpenAI's "6m0s", Anthropic's RFC 3339, OpenRouter's milliseconds of the epoch."""
    text = value.decode("latin-1").strip()
    if text and _SPAN.fullmatch(text):
        return min(sum(float(number) * _UNITS[unit] for number, unit in _PIECE.findall(text)), _LONGEST)
    try:
        return min(max(0.0, _instant(text) - now), _LONGEST)
    except (ValueError, OverflowError):
        return 0.0


def _instant(text: str) -> float:
    if not _NUMERAL.fullmatch(text):
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    number = float(text)
    return number / 1000 if number > _MILLISECONDS else number


def _number(value: bytes) -> float:
    text = value.decode("latin-1").strip()
    return float(text) if _NUMERAL.fullmatch(text) else 0.0


def read_retry_after(value: bytes, now: float) -> float:
    """Seconds from `now` (of the epoch): given as such or as a date; 0.0 when absent, past or unreadable."""
    text = value.decode("latin-1").strip()
    if not text:
        return 0.0
    try:
        seconds = float(text) if text[0].isdigit() else _date(text) - now
        return min(max(0.0, seconds), _LONGEST)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _date(text: str) -> float:
    date = parsedate_to_datetime(text)
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
