"""A pattern in the last words of a container, and what it means."""

from __future__ import annotations

import re
from typing import NamedTuple


class Saying(NamedTuple):
    """`message` is for people; `{group}` in it is what the pattern's group found, "" where it found nothing.

    `vague`: 0 tells the cause, 1 is also said where the source did answer, 2 over whatever went wrong.
    """

    reason: str
    pattern: re.Pattern[str]
    message: str
    vague: int = 0


def say(reason: str, pattern: str, message: str, vague: int = 0) -> Saying:
    return Saying(reason, re.compile(pattern, re.IGNORECASE), message, vague)
