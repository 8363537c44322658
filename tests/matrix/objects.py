"""The YAML that a user would write: the backends, those that fail, and a route for each cell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import yaml

from matrix.cells import Cell
from matrix.server import Place
from matrix.speech import DIALECTS, Fault

Json = Any
_API: Final = "pointsman.dev/v1alpha1"
_NATIVE: Final = {"chat": "openai-completions", "responses": "openai-responses", "messages": "anthropic-messages"}
_TYPES: Final = {"vendor-chat": "OpenAI", "vendor-responses": "OpenAI", "vendor-messages": "Anthropic"}
CUT: Final = 3  # words
_DOWN: Final = Fault(503, "overloaded", "the yard is full")


def places(cells: Iterable[Cell]) -> dict[str, Place]:
    """The providers: of each dialect one, another and the vendor; and in the client's dialect those that fail."""
    made = {dialect: Place(dialect) for dialect in DIALECTS}
    made |= {f"{dialect}-b": Place(dialect) for dialect in DIALECTS}
    made |= {f"vendor-{dialect}": Place(dialect) for dialect in DIALECTS}
    kinds: dict[str, Json] = {"down": {"fault": _DOWN}, "cut": {"cut": CUT}, "dead": {}}
    for cell in cells:
        for kind, name in zip(cell.case.chain, cell.chain, strict=True):
            if kind != "@":
                made[name] = Place(cell.client, **kinds[kind])
    return made


def document(cells: Iterable[Cell], port: int, closed: int) -> str:
    """All objects. `closed`: a port where nobody listens."""
    cells = list(cells)
    models: dict[str, list[str]] = {}
    for cell in cells:
        for name in {*cell.chain, f"{cell.backend}-b"}:
            models.setdefault(name, []).append(cell.name)
    providers = [
        _provider(name, place, closed if name.startswith("dead-") else port, models[name])
        for name, place in places(cells).items()
        if name in models
    ]
    return yaml.safe_dump_all([*providers, *(_route(cell) for cell in cells)], sort_keys=False)


def _provider(name: str, place: Place, port: int, models: list[str]) -> Json:
    model = {"reasoning": True, "input": ["text", "image"], "contextWindow": 131_072, "maxTokens": 16_384}
    spec = {
        "type": _TYPES.get(name, "OpenAICompatible"),
        "endpoint": {"baseUrl": f"http://127.0.0.1:{port}/at/{name}/v1"},
        "api": [_NATIVE[place.dialect]],
        "discovery": "Static",
        "models": [{"id": one, **model} for one in models],
        "probe": {"mode": "None"},
        "dataPolicy": {"location": "OnPremises"},
    }
    return {"apiVersion": _API, "kind": "ModelProvider", "metadata": {"name": name}, "spec": spec}


def _route(cell: Cell) -> Json:
    targets = [{"provider": provider, "model": cell.name} for provider in cell.chain]
    spec = {"modelName": cell.route, "primary": targets[0], "fallbacks": targets[1:]}
    return {"apiVersion": _API, "kind": "ModelRoute", "metadata": {"name": cell.route}, "spec": spec}
