"""Waiting for a condition instead of sleeping."""

import time
from collections.abc import Callable
from typing import Literal, TypeVar

T = TypeVar("T")


def until(
    predicate: Callable[[], T | Literal[False] | None], timeout: float = 20.0, every: float = 0.05, what: str = ""
) -> T:
    """Call `predicate` until it gives something truthy, and return that; TimeoutError says what came last."""
    deadline = time.monotonic() + timeout
    while not (result := predicate()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what or predicate} not within {timeout:g} s; last: {result!r}")
        time.sleep(every)
    return result
