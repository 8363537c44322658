"""OpenClaw both ways: `read` makes Kubernetes objects of its configuration, `write` makes one that uses the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pointsman.fleet.openclaw_models import LEFT_OUT
from pointsman.fleet.openclaw_providers import TOKEN, Place, read_places
from pointsman.fleet.openclaw_routes import add_hosted, read_wanted, route_objects
from pointsman.fleet.openclaw_text import OpenClawError, Source, parse
from pointsman.fleet.openclaw_write import write
from pointsman.names import API_VERSION, Mode, handed_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pointsman.fleet.openclaw_text import Node

__all__ = ["Imported", "OpenClawError", "read", "write"]

Json = dict[str, Any]
_ROOT: Final = ("$schema", "agents", "models", "meta")


@dataclass(frozen=True, slots=True)
class Imported:
    """What a configuration amounts to. `objects` are Secrets, ModelProviders, ModelRoutes, ready to be applied."""

    objects: tuple[Json, ...]
    warnings: tuple[str, ...] = ()
    mode: Mode = Mode.MERGE  # for the annotation pointsman.dev/mode of the namespace


def read(text: str, env: Mapping[str, str], source: str, namespace: str = "default") -> Imported:
    """ModelProviders, ModelRoutes and Secrets of an OpenClaw configuration (JSON or JSON5, as people paste it).

    `env` answers ${NAME} and holds the keys of hosted vendors; `source` is the name that messages begin with. What is
    left out, guessed or repaired is named in `warnings`. OpenClawError says what cannot be read, where, and what to do.
    Which routes are made: see `openclaw_routes`. The schema: OpenClaw 2026.9, models.* and agents.defaults.model(s).
    """
    origin = Source(source, env)
    root = parse(text, origin)
    mode = _mode(root)
    models, agents = root.member("models"), root.member("agents")
    defaults = agents.member("defaults") if agents else None
    _name_the_rest(root, models, agents, defaults)
    wanted = read_wanted(defaults)
    places = read_places(models.member("providers") if models else None, mode)
    places = add_hosted(places, wanted, origin)
    routes = route_objects(wanted, places, mode, origin)
    if not places:
        raise origin.error("", "\n  ".join(("no provider is left to import:", *(origin.warnings or [_EMPTY]))))
    _warn_of_clouds(places, routes, origin)
    objects = [*_secrets(places), *_providers(places), *({"kind": "ModelRoute", **route} for route in routes)]
    return Imported(tuple(_whole(each, namespace) for each in objects), tuple(origin.warnings), mode)


_EMPTY: Final = "models.providers is empty, and agents.defaults.model names no hosted one"


def _warn_of_clouds(places: Mapping[str, Place], routes: Iterable[Json], origin: Source) -> None:
    """Name the models whose data leaves the ground on which their server stands."""
    for place in places.values():
        specs = (route["spec"] for route in routes)
        targets = (target for spec in specs for target in (spec["primary"], *spec.get("fallbacks", ())))
        routed = (target["model"] for target in targets if target["provider"] == place.name)
        for model in dict.fromkeys((*place.model_ids(), *routed)):
            if handed_on(place.spec["type"], model):
                said = f"{model} is in Ollama's cloud: data policy takes it for External, wherever its server stands"
                origin.warn(f"models.providers.{place.key}", said)


def _mode(root: Node) -> Mode:
    models = root.member("models")
    given = models.member("mode") if models else None
    if given is None:
        return Mode.MERGE
    if (mode := given.text().capitalize()) not in list(Mode):
        raise given.error(f'{given.text()!r} is no mode: write "merge" or "replace"')
    return Mode(mode)


def _name_the_rest(root: Node, models: Node | None, agents: Node | None, defaults: Node | None) -> None:
    if root.member("$include"):
        raise root.source.error("$include", "included files are not read: put everything into one file")
    root.name_rest(_ROOT, "is not about models and is left out")
    if models:
        models.name_rest(("mode", "providers"), LEFT_OUT)
    if agents:
        agents.name_rest(("defaults",), "only agents.defaults is read; this is left out")
    if defaults:
        defaults.name_rest(("model", "models"), "is not about routing and is left out")


def _secrets(places: Mapping[str, Place]) -> list[Json]:
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": _secret_name(place)}, "type": "Opaque",
         "stringData": {TOKEN: place.token}}
        for place in places.values() if place.token
    ]  # fmt: skip


def _providers(places: Mapping[str, Place]) -> list[Json]:
    objects = []
    for place in places.values():
        spec = dict(place.spec)
        if place.token:
            reference = {"secretRef": {"name": _secret_name(place), "key": TOKEN}}
            spec["endpoint"] = {**spec["endpoint"], "credentials": reference}
        objects.append({"kind": "ModelProvider", "metadata": {"name": place.name}, "spec": spec})
    return objects


def _secret_name(place: Place) -> str:
    return f"{place.name}-key"  # not -credentials: pointsman-credentials is the operator's own


def _whole(body: Json, namespace: str) -> Json:
    metadata = {**body["metadata"], "namespace": namespace}
    return {"apiVersion": API_VERSION, **body, "metadata": metadata}
