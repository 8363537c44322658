"""Arguments of the command line that can be judged by themselves; argparse tells what is wrong, and ends with 2."""

from __future__ import annotations

import argparse
import math
import re
from typing import Final

from pointsman import address

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def listen(text: str) -> str:
    """HOST:PORT, as it was given."""
    try:
        address.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def size(text: str) -> int:
    """A number of bytes, 0 or more."""
    number = int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: must be a whole number of bytes, 0 or more")
    return number


def seconds(text: str) -> float:
    """A span of more than 0 seconds."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number > 0 or math.isinf(number):
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: must be a number of seconds, more than 0")
    return number


def namespace(text: str) -> str:
    """A name that Kubernetes takes for a namespace."""
    if not _LABEL.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text[:80]!r}: a namespace has up to 63 small letters, digits and hyphens, no hyphen at either end"
        )
    return text
