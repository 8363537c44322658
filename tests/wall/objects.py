"""The YAML that a user would write: a provider for each model of a case, and a route with nothing but its chain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import yaml

from wall.cases import Case
from wall.drives import ALIVE
from wall.frames import CHAT, MESSAGES, RESPONSES
from wall.journal import Place
from wall.server import Wall

Json = dict[str, Any]
_API: Final = "pointsman.dev/v1alpha1"
_API_OF: Final = {CHAT: "openai-completions", RESPONSES: "openai-responses", MESSAGES: "anthropic-messages"}
_WINDOWS: Final = (32_768, 131_072)  # of a primary, of a fallback


def document(cases: Iterable[Case], wall: Wall, *, crossed: bool = False) -> str:
    """All objects, and their providers made known to the wall. `crossed`: none of them speaks its client's dialect."""
    objects = [*_of_route(ALIVE, ("ok",), wall)]
    for case in cases:
        scenario = case.scenario
        objects += _of_route(
            case.name, scenario.chain, wall, scenario.policy, scenario.outside, case.form.dialect if crossed else ""
        )
    return yaml.safe_dump_all(objects, sort_keys=False)


def _of_route(  # noqa: PLR0917 - all that a route is made of
    name: str,
    chain: tuple[str, ...],
    wall: Wall,
    policy: Json | None = None,
    outside: tuple[int, ...] = (),
    shunned: str = "",
) -> list[Json]:
    targets = [{"provider": f"{name}-{'abcdef'[at]}", "model": model} for at, model in enumerate(chain)]
    providers = []
    for at, target in enumerate(targets):
        wall.places[target["provider"]] = Place(target["model"], _WINDOWS[at > 0])
        location = "External" if at in outside else "OnPremises"
        providers.append(_provider(target["provider"], wall, location, _spoken(shunned, at)))
    spec: Json = {"modelName": name, "primary": targets[0], "fallbacks": targets[1:]}
    spec |= {"policy": policy} if policy else {}
    return [*providers, {"apiVersion": _API, "kind": "ModelRoute", "metadata": {"name": name}, "spec": spec}]


def _spoken(shunned: str, at: int) -> list[str]:
    """The dialects of a target; without the client's they take turns along the chain."""
    others = [_API_OF[dialect] for dialect in _API_OF if dialect != shunned]
    return [others[at % 2]] if shunned else others


def _provider(name: str, wall: Wall, location: str, spoken: list[str]) -> Json:
    spec = {
        "type": "OpenAICompatible",
        "endpoint": {"baseUrl": wall.url(name)},
        "api": spoken,
        "probe": {"period": "60s"},  # there are hundreds of them in one process
        "dataPolicy": {"location": location},
    }
    return {"apiVersion": _API, "kind": "ModelProvider", "metadata": {"name": name}, "spec": spec}
