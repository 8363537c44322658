"""The `openclaw.json` that points agents at the gateway, holding only keys of OpenClaw's strict schema.

A route is offered in the dialect that most of its chain speak: to the others the gateway translates. OpenClaw takes
one dialect a provider, so there are up to three: `pointsman` (chat completions), `pointsman-responses`,
`pointsman-messages`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pointsman.dialects import compat_keys
from pointsman.names import LOCAL_LISTEN, Dialect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.table import Model, Provider, Route, RoutingTable

Json = dict[str, Any]

PROVIDERS: Final = {
    Dialect.CHAT: "pointsman",
    Dialect.RESPONSES: "pointsman-responses",
    Dialect.MESSAGES: "pointsman-messages",
}
DEFAULT: Final = "default"
_PLACEHOLDER: Final = "pointsman"  # OpenClaw wants some key; the gateway needs none
_TEXT: Final = ("text",)
_INPUTS: Final = ("text", "image", "video", "audio")
_FOLLOWED: Final = compat_keys.CLIENT - {"supportsResponsesContinuation"} | {
    "supportsTools", "supportsTemperature", "supportsReasoningEffort", "supportsJsonSchemaResponseFormat",
}  # fmt: skip
"""A server's own memory of a conversation is of use only where no other may take over."""
_COST: Final = ("input", "output", "cacheRead", "cacheWrite")


@dataclass(frozen=True, slots=True)
class Offer:
    """A route as OpenClaw will see it. `aliases` are those that no other route has."""

    route: Route
    chain: tuple[tuple[Provider, Model | None], ...]
    home: Dialect
    aliases: tuple[str, ...]

    def ref(self, name: str) -> str:
        return f"{PROVIDERS[self.home]}/{name}"


def write(table: RoutingTable, gateway_url: str) -> Json:
    """OpenClaw's configuration for the routes of the table; `gateway_url` is without a path ("": the local default).

    Equal tables give equal results. Windows are the smallest of the chain, as far as known, so that a conversation
    which fits the primary fits the fallbacks; inputs and reasoning are what every target can do; costs the primary's.
    """
    base = (gateway_url or f"http://{LOCAL_LISTEN}").rstrip("/").removesuffix("/v1")
    offers = list(_offers(table))
    models = [entry for offer in offers for entry in _models(offer)]
    providers = {
        name: _provider(base, dialect, [model for at, model in models if at is dialect])
        for dialect, name in PROVIDERS.items()
        if any(at is dialect for at, _ in models)
    }
    out: Json = {"models": {"mode": table.mode.lower(), "providers": providers}}
    if defaults := _defaults(offers):
        out["agents"] = {"defaults": defaults}
    return out


def _offers(table: RoutingTable) -> Iterator[Offer]:
    # An alias that two routes claim is the first one's. OpenClaw does not tell aliases apart by their case.
    providers = {provider.name: provider for provider in table.providers}
    taken = {route.model_name.lower() for route in table.routes}
    for route in table.routes:
        aliases = {alias.lower(): alias for alias in reversed(route.aliases) if alias.lower() not in taken}
        taken |= aliases.keys()
        chain = _chain(route, providers)
        yield Offer(route, chain, _home(chain), tuple(a for a in route.aliases if a in aliases.values()))


def _chain(route: Route, providers: dict[str, Provider]) -> tuple[tuple[Provider, Model | None], ...]:
    # Targets that may be tried; all of them when none may, so that the route keeps its shape while it is down.
    targets = [target for target in route.targets if not target.skip] or list(route.targets)
    return tuple(
        (provider, provider.find(target.model))
        for target in targets
        if (provider := providers.get(target.provider)) is not None
    )


def _home(chain: tuple[tuple[Provider, Model | None], ...]) -> Dialect:
    order = [*(_spoken(chain[0][0]) if chain else ()), *PROVIDERS]
    reach = {dialect: sum(dialect in provider.api for provider, _ in chain) for dialect in PROVIDERS}
    return max(PROVIDERS, key=lambda dialect: (reach[dialect], -order.index(dialect)))


def _spoken(provider: Provider) -> list[Dialect]:
    return [Dialect(api) for api in provider.api if api in list(Dialect)]


def _provider(base: str, dialect: Dialect, models: list[Json]) -> Json:
    # OpenClaw appends /v1/messages itself, but not the /v1 of the other two.
    url = base if dialect is Dialect.MESSAGES else f"{base}/v1"
    return {"baseUrl": url, "apiKey": _PLACEHOLDER, "api": str(dialect), "models": models}


def _models(offer: Offer) -> Iterator[tuple[Dialect, Json]]:
    # OpenClaw has one alias for a model: the others are offered as models of their own, which the gateway takes.
    for name in (offer.route.model_name, *offer.aliases[1:]):
        yield offer.home, _model(name, offer)


def _model(name: str, offer: Offer) -> Json:
    known = [model for _, model in offer.chain if model is not None]
    out: Json = {
        "id": name,
        "name": name,
        "reasoning": bool(known) and all(model.reasoning for model in known),
        "input": [kind for kind in _INPUTS if known and all(kind in (model.input or _TEXT) for model in known)]
        or ["text"],
    }
    if offer.chain and (first := offer.chain[0][1]) is not None:
        out["cost"] = {key: first.cost.get(key, 0) for key in _COST}
    if windows := [model.context_window for model in known if model.context_window]:
        out["contextWindow"] = min(windows)
    if limits := [model.max_tokens for model in known if model.max_tokens]:
        out["maxTokens"] = min(limits)
    # OpenClaw asks servers that it takes for foreign for no usage, and then shows a context of 0%.
    return {**out, "compat": {**_agreed(offer, known), "supportsUsageInStreaming": True}}


def _agreed(offer: Offer, known: list[Model]) -> Json:
    """What all of the chain state alike, of what a client can follow: the rest is the gateway's to see to."""
    if not known or len(known) < len(offer.chain):
        return {}
    first, *others = (model.compat for model in known)
    keys = _FOLLOWED if others else _FOLLOWED | {"supportsResponsesContinuation"}
    return {
        key: stated
        for key, stated in sorted(first.items())
        if key in keys and all(compat.get(key) == stated for compat in others)
    }


def _defaults(offers: list[Offer]) -> Json:
    models: Json = {}
    for offer in offers:
        names = [offer.route.model_name, *offer.aliases[1:]]
        models |= {offer.ref(name): {"alias": alias} for name, alias in zip(names, offer.aliases, strict=False)}
    out: Json = {"models": models} if models else {}
    if (first := _clear_first(offers)) is not None:
        return {"model": {"primary": first.ref(first.route.model_name), "fallbacks": []}, **out}
    return out


def _clear_first(offers: list[Offer]) -> Offer | None:
    if len(offers) == 1:
        return offers[0]
    named = [(offer.route.name, offer.route.model_name, *offer.route.aliases) for offer in offers]
    return next((offer for offer, names in zip(offers, named, strict=True) if DEFAULT in names), None)
