"""Objects for servers that were found running on their usual ports: pure."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from pointsman.names import API_VERSION, PROXIES, USUAL_PORTS, Location

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pointsman.served import ServedModel

Json = dict[str, Any]
Found = "Mapping[str, tuple[ServedModel, ...]]"


def objects(found: Mapping[str, tuple[ServedModel, ...]]) -> list[Json]:
    """ModelProviders and ModelRoutes for what was found: models by provider type.

    Every model gets a route by its own id, over all servers that have it; `default` is the first model of the first
    server, falling back to the first model of each other one. The order is that of the usual ports.
    """
    chains: dict[str, list[Json]] = {}
    default: list[Json] = []
    for kind in [kind for kind in USUAL_PORTS if found.get(kind)]:
        for i, model in enumerate(found[kind]):
            target = {"provider": kind.lower(), "model": model.id}
            chains.setdefault(model.id, []).append(target)
            if i == 0:
                default.append(target)
    routes = [route("default", "default", default)] if default else []
    taken: Counter[str] = Counter()
    for name, chain in chains.items():
        if name != "default":
            taken[slug(name)] += 1
            routes.append(route(f"model-{slug(name)}-{taken[slug(name)]}", name, chain))
    return [provider(kind) for kind in USUAL_PORTS if kind in found] + routes


def provider(kind: str) -> Json:
    """A server of this kind on its usual port of this machine."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelProvider",
        "metadata": {"name": kind.lower()},
        "spec": {
            "type": kind,
            "endpoint": {"baseUrl": f"http://127.0.0.1:{USUAL_PORTS[kind]}"},
            "dataPolicy": {"location": str(location(kind))},
        },
    }


def location(kind: str) -> Location:
    """Where the data of a server on this machine goes; of a proxy nobody knows until somebody says so."""
    return Location.EXTERNAL if kind in PROXIES else Location.ON_PREMISES


def warnings(found: Iterable[str]) -> tuple[str, ...]:
    """What is to be said of the kinds of servers that were found."""
    return tuple(
        f"the {kind} on port {USUAL_PORTS[kind]} is taken to be External, as it hands requests on to others: if all "
        "of them are on your own ground, give PATH with a ModelProvider whose spec.dataPolicy.location is OnPremises"
        for kind in USUAL_PORTS
        if kind in PROXIES and kind in found
    )


def route(name: str, model_name: str, chain: list[Json]) -> Json:
    """A route over a chain of targets, at most as many as a ModelRoute may have."""
    spec: Json = {"modelName": model_name, "primary": chain[0]}
    if chain[1:]:
        spec["fallbacks"] = chain[1:9]
    return {"apiVersion": API_VERSION, "kind": "ModelRoute", "metadata": {"name": name}, "spec": spec}


def slug(text: str) -> str:
    """A DNS label that resembles the text."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "model"
