"""OpenRouter hands a request on to whom it likes. Where a provider's place is a promise, the request says who may.

A target is *pinned* when its provider has a region or is said to be elsewhere than External, or when its
`compat.openRouterRouting` is stated. Its requests carry `provider`: what is stated there, `allow_fallbacks: false` and
`data_collection: "deny"`. With a region these two hold whatever is stated; without one they are what is assumed where
nothing is. A client may only tighten that: what would loosen it, or would bring in other models, hosts or plugins, is
left out and named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.dialects import compat
from pointsman.names import Location, ProviderType

if TYPE_CHECKING:
    from pointsman.table import Model, Provider

ROUTING: Final = "openRouterRouting"
LOOSE: Final = ("models", "route", "plugins", "preset")
"""Fields by which a client would have OpenRouter take other models, or tell what it is asked to yet others."""

_STRICT: Final = {"allow_fallbacks": False, "data_collection": "deny"}
# What a client may ask for on top: these values can only leave fewer places to go to, and so can these keys.
_TIGHTER: Final[dict[str, Any]] = {
    "allow_fallbacks": False,
    "data_collection": "deny",
    "zdr": True,
    "require_parameters": True,
    "enforce_distillable_text": True,
}
_HARMLESS: Final = ("sort", "max_price", "quantizations", "preferred_min_throughput", "preferred_max_latency")


def only(model: Model) -> tuple[str, ...]:
    """The hosts that a target is pinned to; empty: none are stated."""
    stated = model.compat.get(ROUTING)
    named = stated.get("only") if isinstance(stated, dict) else None
    return tuple(host for host in named if isinstance(host, str) and host) if isinstance(named, list) else ()


def pins(model: Model, provider: Provider) -> bool:
    """Whether requests for the target must carry a pin."""
    if provider.type != ProviderType.OPENROUTER:
        return False
    stated = isinstance(model.compat.get(ROUTING), dict)
    return stated or bool(provider.region) or provider.location != Location.EXTERNAL


def pin(fields: dict[str, Any], model: Model, provider: Provider) -> list[str]:
    """Put the pin into a request's fields, in place. Gives the names of what the client asked for in vain."""
    lost = [name for name in LOOSE if fields.pop(name, None) is not None]
    stated: dict[str, Any] = model.compat.get(ROUTING) or {}
    promised = bool(provider.region) or provider.location != Location.EXTERNAL
    pinned = {**_STRICT, **stated, **(_STRICT if promised else {})}
    asked = _asked(fields.get("provider"))
    kept = _tightened(asked, pinned)
    if any(kept.get(key) != value for key, value in asked.items()):
        lost.append("provider")
    fields["provider"] = kept
    return lost


def _asked(raw: Any) -> dict[str, Any]:
    asked = compat.value(raw)
    return asked if isinstance(asked, dict) else {}


def _tightened(asked: dict[str, Any], pinned: dict[str, Any]) -> dict[str, Any]:
    kept = dict(pinned)
    kept |= {key: value for key, value in _TIGHTER.items() if asked.get(key) == value}
    kept = {key: asked[key] for key in _HARMLESS if key in asked} | kept
    if hosts := _hosts(asked, "ignore"):
        kept["ignore"] = sorted({*_hosts(pinned, "ignore"), *hosts})
    if hosts := _hosts(asked, "only"):
        # None in common: an empty list would allow all, so that what the owner states stays.
        allowed = _hosts(pinned, "only") or hosts
        kept["only"] = [host for host in allowed if host in hosts] or allowed
    return kept


def _hosts(preferences: dict[str, Any], key: str) -> list[str]:
    named = preferences.get(key)
    return [host for host in named if isinstance(host, str)] if isinstance(named, list) else []
