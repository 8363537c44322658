"""The fence: whether data policy lets a target's data go where it would. It comes before all else (`choose`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.dialects import openrouter
from pointsman.names import Dialect, Location, ProviderType

if TYPE_CHECKING:
    from pointsman.table import Fence, Model, Provider

FENCE: Final = "fence"
"""The reason of targets that data policy forbids; a request that is left with none is refused, never tried."""
_HANDED_ON: Final = "its requests are handed on to Ollama's cloud"
_PINNED: Final = frozenset({Dialect.CHAT, Dialect.RESPONSES})  # where OpenRouter's pin is documented


def outside(
    provider: Provider, model: Model, spoken: tuple[Dialect, ...], fences: tuple[Fence, ...]
) -> tuple[str, str] | None:
    """Reason and message for a target that is outside one of the fences; None: it is inside all."""
    location, region = provider.place(model)
    for fence in fences:
        if fence.locations and location not in fence.locations:
            said = f"its location {location}" if not model.remote else f"{_HANDED_ON}, and {location}"
            return FENCE, f"{said} is none of {', '.join(fence.locations)}"
        # A cluster's own servers stand where the gateway stands: without a region they are in the gateway's.
        home = location == Location.IN_CLUSTER and not region
        if fence.regions and not home and region not in fence.regions:
            return FENCE, f"its region {region or '(unknown)'} is none of {', '.join(fence.regions)}"
        if fence.regions and provider.type == ProviderType.OPENROUTER and (message := _unpinned(model, spoken)):
            return FENCE, message
    return None


def _unpinned(model: Model, spoken: tuple[Dialect, ...]) -> str:
    """Why a region does not hold at OpenRouter, which hands requests on; "": it does."""
    if not openrouter.only(model):
        return (
            "OpenRouter hands requests on to hosts anywhere: name those in the region in the model's "
            "compat.openRouterRouting.only"
        )
    told = not spoken or not _PINNED.isdisjoint(spoken)
    return "" if told else "OpenRouter is pinned to hosts in chat and Responses alone"
