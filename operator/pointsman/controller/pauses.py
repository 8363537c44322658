"""A pause that ends early when something wakes it."""

from __future__ import annotations

import asyncio
import contextlib


async def woken_within(woken: asyncio.Event, seconds: float) -> bool:
    """Wait until it is set, for at most so many seconds; whether it was."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await woken.wait()
    return woken.is_set()
