"""What came to a provider of the wall, and what it was given."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass
class Attempt:
    """One request with a mark, as it came. Times are of the monotonic clock; 0: it did not happen."""

    provider: str
    model: str
    dialect: str
    streamed: bool
    at: float
    request: str  # the mark
    body: bytes
    prefill: str | None
    first: float = 0.0  # the first byte of the answer's body
    broke: float = 0.0  # the fault
    fault: str = ""
    spoken: int = 0  # pieces of output that were sent
    gone: float = 0.0  # the caller went away before the answer was whole
    whole: bool = False


@dataclass
class Place:
    """A provider: its model, and what came."""

    model: str
    window: int
    attempts: list[Attempt] = field(default_factory=list)
    posts: int = 0  # with and without a mark
    listed: int = 0  # times its models were asked for
    gathered: int = 0
    stampede: asyncio.Event = field(default_factory=asyncio.Event)
