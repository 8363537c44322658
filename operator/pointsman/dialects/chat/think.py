"""Thoughts that a server leaves in the text: `<think>…</think>` at the head of an answer.

Servers without a reasoning parser for their model send them so, torn anywhere across chunks. Only an answer that
begins with the tag, after white space at most, is taken apart; white space around the thoughts and before the text
that follows is left out. A tag that never closes leaves all of it thoughts: the answer was cut short.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

OPEN: Final = "<think>"
CLOSE: Final = "</think>"
_QUOTES: Final = ("`", "'", '"', "“", "«")
_HELD: Final = 4096  # characters of white space that are kept back at most

Piece = tuple[bool, str]
"""Whether it is thought, and the words."""


class _State(Enum):
    HEAD = auto()  # nothing but white space so far, and maybe a part of the tag
    INSIDE = auto()
    AFTER = auto()  # the tag is closed, and no word of the text has come yet
    TEXT = auto()


class Thoughts:
    """Takes the text of one answer apart. State: where in it we are, and what cannot be told yet."""

    __slots__ = ("_held", "_spoke", "_state", "plain")

    def __init__(self) -> None:
        self._state = _State.HEAD
        self._held = ""
        self._spoke = False
        self.plain = False  # from here on every piece is text

    def feed(self, text: str) -> list[Piece]:
        """What a further piece of the text amounts to; never an empty piece."""
        pieces: list[Piece] = []
        text, self._held = self._held + text, ""
        if self._state is _State.HEAD:
            text = self._head(text)
        if self._state is _State.INSIDE:
            text = self._inside(text, pieces)
        if self._state is _State.AFTER:
            text = text.lstrip()
            if text:
                self._settle()
        if self._state is _State.TEXT and text:
            pieces.append((False, text))
        return pieces

    def finish(self) -> list[Piece]:
        """What was kept back, once it is known that no more text comes here. All that follows is text."""
        held, inside, self._held = self._held, self._state is _State.INSIDE, ""
        self._settle()
        if inside:
            held = held.rstrip() if self._spoke else held.strip()
        return [(inside, held)] if held else []

    def _settle(self) -> None:
        self._state, self.plain = _State.TEXT, True

    def _head(self, text: str) -> str:
        words = text.lstrip()
        if words.startswith(OPEN):
            self._state = _State.INSIDE
            return words[len(OPEN) :]
        if OPEN.startswith(words) and len(text) < _HELD:
            self._held = text
            return ""
        self._settle()
        return text

    def _inside(self, text: str, pieces: list[Piece]) -> str:
        thought, tag, after = text.partition(CLOSE)
        if tag:
            self._state = _State.AFTER
            thought = thought.rstrip()
        else:
            end = _told(thought)
            thought, self._held = thought[:end], thought[end:]
        if not self._spoke:
            thought = thought.lstrip()
        if thought:
            self._spoke = True
            pieces.append((True, thought))
        return after


def split(text: str) -> tuple[str, str]:
    """The thoughts at the head of a whole text, and the rest of it, as of a stream."""
    thoughts = Thoughts()
    pieces = thoughts.feed(text) + thoughts.finish()
    thought = "".join(words for inside, words in pieces if inside)
    return thought, "".join(words for inside, words in pieces if not inside)


def split_whole(text: str) -> tuple[str, str]:
    """The same where all of the text is there: some templates open the tag in the prompt, and it only closes here.

    Such a tag ends its line; others are spoken of.
    """
    head, tag, after = text.partition(CLOSE)
    if OPEN not in head and tag and after.startswith(("\n", "\r\n")) and not head.endswith(_QUOTES):
        return head.strip(), after.lstrip()
    return split(text)


def _told(text: str) -> int:
    """How much of a text may be told before it is known whether the tag closes after it."""
    start = text.rfind("<", max(0, len(text) - len(CLOSE) + 1))
    end = start if start >= 0 and CLOSE.startswith(text[start:]) else len(text)
    told = len(text[:end].rstrip())
    return told if len(text) - told < _HELD else len(text)
