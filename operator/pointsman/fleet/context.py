"""Context windows that are small for an agent: what a route's policy makes of them, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.api import route as api
    from pointsman.fleet.chain import Link

# What agents need: their own instructions and tools take 10,000 to 20,000 tokens (OpenClaw warns and blocks there).
WARN_BELOW: Final = 32_000
BLOCK_BELOW: Final = 16_000


def floor(stated: api.Context) -> table.Context:
    """The policy with its defaults: `context: {}` warns below 32000 and passes over below 16000."""
    return table.Context(
        warn_below=WARN_BELOW if stated.warn_below is None else stated.warn_below,
        block_below=BLOCK_BELOW if stated.block_below is None else stated.block_below,
        on_fallback=stated.on_fallback or "Skip",
    )


def small(chain: Sequence[Link], policy: api.Policy | None) -> tuple[list[str], list[str]]:
    """Targets with too small a window, and those with a small one; each with what follows from it, for people."""
    stated = policy.context if policy else None
    limits = floor(stated) if stated else table.Context(warn_below=WARN_BELOW, block_below=BLOCK_BELOW)
    tiny, little = [], []
    for i, link in enumerate(chain):
        if not link.window or (i and limits.on_fallback == "Ignore"):
            continue
        if link.window < limits.block_below:
            blocked = stated is not None and (not i or limits.on_fallback == "Skip")
            tiny.append(f"{_told(link, limits.block_below)}, {_BLOCKED if blocked else _TRIED}")
        elif link.window < limits.warn_below:
            little.append(_told(link, limits.warn_below))
    return tiny, little


_BLOCKED: Final = "passed over by policy.context"
_TRIED: Final = "tried all the same"


def _told(link: Link, limit: int) -> str:
    return f"{link.name} takes {link.window} tokens, under {limit}"
