"""Repair of JSON5 text that went through a word processor, a web page or a chat: typographic quotes as delimiters.

Only delimiters are touched: what stands inside a string, in straight or in typographic quotes, stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOUBLE: Final = frozenset('"\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02\u275d\u275e\u301d\u301e\u301f')
_SINGLE: Final = frozenset("'\u2018\u2019\u201a\u201b\u2039\u203a\u2032\uff07\u275b\u275c`\u00b4")
_STRAIGHT: Final = frozenset("\"'")
_INVISIBLE: Final = frozenset("\u200b\u200c\u200d\u200e\u200f\u2060\u00ad\ufeff\u00a0\u202f")
_NEWLINES: Final = frozenset("\n\r")  # JSON5 lets U+2028 and U+2029 stand in strings


@dataclass(frozen=True, slots=True)
class Repaired:
    """The text with straight quotes. `count` delimiters were replaced, the first on `line` (from 1; 0: none)."""

    text: str
    count: int = 0
    line: int = 0


def repair(text: str) -> Repaired:
    """Replace typographic delimiters by straight ones, and invisible characters outside strings by spaces."""
    out: list[str] = []
    first = count = at = 0
    while at < len(text):
        end, piece, replaced = _next(text, at)
        if replaced and not first:
            first = text.count("\n", 0, at) + 1
        count += replaced
        out.append(piece)
        at = end
    return Repaired("".join(out), count, first)


def _next(text: str, at: int) -> tuple[int, str, int]:
    # A comment, a string or one character from `at`: where it ends, how it should read, delimiters replaced.
    if (end := _comment_end(text, at)) > at:
        return end, text[at:end], 0
    char = text[at]
    for family in (_DOUBLE, _SINGLE):
        if char in family and (close := _close(text, at, family)):
            return close + 1, *_straightened(text[at : close + 1])
    return at + 1, " " if char in _INVISIBLE else char, 0


def _comment_end(text: str, at: int) -> int:
    if text.startswith("//", at):
        end = text.find("\n", at)
        return len(text) if end < 0 else end
    if text.startswith("/*", at):
        end = text.find("*/", at + 2)
        return len(text) if end < 0 else end + 2
    return at


def _straightened(string: str) -> tuple[str, int]:
    if string[0] == string[-1] and string[0] in _STRAIGHT:
        return string, 0
    replaced = sum(quote not in _STRAIGHT for quote in (string[0], string[-1]))
    content = "".join('\\"' if part == '"' else part for _, part in _units(string[1:-1], 0))
    return f'"{content}"', replaced


def _close(text: str, at: int, family: frozenset[str]) -> int:
    """Where the string that opens at `at` closes; 0 when it does not on its line.

    A string in straight quotes closes as JSON5 says. Otherwise quotes may stand inside unescaped (an apostrophe, a
    quotation), so the closing one is the first after which only a comma, colon, bracket or comment can follow. One
    that is straight counts only if no typographic one follows, or another string opens before that.
    """
    half = 0
    for here, unit in _units(text, at + 1):
        if unit in _NEWLINES:
            break
        if unit not in family:
            continue
        if unit == text[at] and unit in _STRAIGHT:
            return here
        if _ends_here(text, here + 1):
            if (unit in _STRAIGHT) == (text[at] in _STRAIGHT):
                return here
            half = half or here
        elif half and _opens_here(text, here):
            return half
    return half


def _units(text: str, at: int) -> Iterator[tuple[int, str]]:
    # Where each character of a string's content stands, an escape counting as one.
    while at < len(text):
        unit = text[at : at + 2] if text[at] == "\\" else text[at]
        yield at, unit
        at += len(unit)


def _opens_here(text: str, at: int) -> bool:
    while at > 0 and text[at - 1].isspace():
        at -= 1
    return text[at - 1 : at] in (",", ":", "[", "{")


def _ends_here(text: str, at: int) -> bool:
    while at < len(text) and (text[at].isspace() or text[at] in _INVISIBLE):
        at += 1
    return at >= len(text) or text[at] in ",:]}" or text.startswith(("//", "/*"), at)
