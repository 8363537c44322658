"""How much to reason, as a word and as tokens: one table, whichever dialect says the one and is asked for the other."""

from __future__ import annotations

from typing import Final

LEAST: Final = 1024  # tokens of a budget, at Anthropic
USUAL: Final = 8192
_BUDGETS: Final = {"minimal": LEAST, "low": 2048, "medium": USUAL, "high": 16_384, "xhigh": 32_768, "max": 32_768}
_EFFORTS: Final = ((2048, "low"), (USUAL, "medium"))
"""Up to so many tokens are that effort. More is high: not every model knows a word beyond it."""


def budget(effort: str) -> int:
    """Tokens to reason with, for an effort; for a word that is not known, and for "", as for medium."""
    return _BUDGETS.get(effort, USUAL)


def effort(budget: int | None) -> str:
    """The effort that a budget of tokens amounts to; "": no budget."""
    if budget is None:
        return ""
    return next((word for most, word in _EFFORTS if budget <= most), "high")
