"""A pattern in the last words of a container, and what it means."""

from __future__ import annotations

import re
from typing import NamedTuple


class Saying(NamedTuple):
    """`message` is for people; `{group}` in it is what the pattern's group found, "" where it found nothing."""

    reason: str
    pattern: re.Pattern[str]
    message: str


def say(reason: str, pattern: str, message: str) -> Saying:
    return Saying(reason, re.compile(pattern, re.IGNORECASE), message)
