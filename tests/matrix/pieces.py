"""How answers are cut into events."""

from __future__ import annotations

import re


def pieces(text: str) -> list[str]:
    """A text in words, each with the space that follows it; joined they are the text."""
    return re.findall(r"\s*\S+\s?|\s+", text)


def cut(text: str, size: int = 7) -> list[str]:
    """A text in pieces of so many characters, as arguments come: through words, escapes and numbers."""
    return [text[at : at + size] for at in range(0, len(text), size)]
