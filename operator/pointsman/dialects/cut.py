"""Where to cut a text so that a target of which nobody knows whether it goes on must say its last words again."""

from __future__ import annotations

import unicodedata
from typing import Final

SHORT: Final = 16  # characters: of fewer, the last words would be too few to tell one answer from another
WORDS: Final = 6  # are to be said again, as far as that makes from 24 to 64 characters, and not more than half the text
LEAST: Final = 24
MOST: Final = 64


def cut(text: str) -> str:
    """The beginning of a text, to its last five words or so; "": the text is too short for that."""
    if len(text) < SHORT:
        return ""
    most = min(MOST, len(text) // 2)
    least = LEAST if most >= LEAST else most // 2
    ends = [at for at in range(len(text) - most, len(text) - least + 1) if _ends_word(text, at)]
    if not ends:  # a writing without spaces, or one long word
        ends = [at for at in range(len(text) - most, len(text)) if _ends_character(text, at)][:1]
    near = [at for at in ends if len(text[at:].split()) <= WORDS]
    return text[: (near or ends[-1:])[0]] if ends else ""


def _ends_word(text: str, at: int) -> bool:
    return text[at].isspace() and not text[at - 1].isspace() and text[at - 1] != "\ufffd"


def _ends_character(text: str, at: int) -> bool:
    """Whether what a reader takes for one character ends here, and is no white space."""
    before, after = text[at - 1], text[at]
    if before.isspace() or before in "\u200d\ufffd" or after == "\u200d":
        return False
    joins = unicodedata.combining(after) or unicodedata.category(after) in {"Mn", "Mc", "Me"}
    flag = "\U0001f1e6" <= after <= "\U0001f1ff"
    return not joins and not flag and not "\U0001f3fb" <= after <= "\U0001f3ff"
