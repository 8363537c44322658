"""Objects from YAML text, as `kubectl apply` would take them, for running without a cluster.

What a cluster would refuse is refused: unknown fields, wrong types and bounds, and what the CRDs' CEL rules forbid.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pointsman.api.validation import did_you_mean
from pointsman.fleet import world
from pointsman.fleet.object_kinds import KINDS, OURS, key, read_kind, without_nulls
from pointsman.fleet.yamltext import YamlError, documents
from pointsman.names import GROUP, Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pointsman.api.validation import Path
    from pointsman.fleet.object_kinds import Mistakes

Json = dict[str, Any]


class ObjectError(ValueError):
    """Objects that cannot be used: one line for each mistake, with file, document, line and path."""


@dataclass(frozen=True, slots=True)
class Objects:
    """What was read. Keys are (namespace, name); Secrets are decoded, `modes` is by namespace."""

    providers: Mapping[tuple[str, str], Json] = field(default_factory=dict)
    routes: Mapping[tuple[str, str], Json] = field(default_factory=dict)
    secrets: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    modes: Mapping[str, Mode] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def namespaces(self) -> list[str]:
        """Those that hold a provider or a route."""
        return sorted({namespace for namespace, _ in (*self.providers, *self.routes)})


@dataclass(frozen=True, slots=True)
class Item:
    """One object, whatever it is, and how to say where a path in it stands."""

    body: Any
    place: Callable[[Path], str]


def read_files(texts: Mapping[str, str]) -> Objects:
    """Objects from YAML texts by file name: several documents each, Lists too. ObjectError names every mistake."""
    reader = _Reader()
    for name, text in texts.items():
        try:
            for item in list(_items(name, text)):
                reader.take(item)
        except YamlError as error:
            reader.wrong.append(f"{name}: {error}")
    return reader.objects()


def read_bodies(bodies: Iterable[Json], source: str) -> Objects:
    """The same of objects that are parsed already, such as those imported from OpenClaw."""
    reader = _Reader()
    for body in bodies:
        for item in _unlisted(body, lambda _: source, ()):
            reader.take(item)
    return reader.objects()


def build_world(objects: Objects, namespace: str = "", mode: Mode = Mode.MERGE, gateway_url: str = "") -> world.World:
    """A World of one namespace, without probes; "": the only one that holds objects. `mode`: unless annotated."""
    if not namespace:
        found = objects.namespaces() or ["default"]
        if len(found) > 1:
            raise ObjectError(f"objects of {len(found)} namespaces ({', '.join(found)}): choose one")
        namespace = found[0]
    return world.World(
        namespace=namespace,
        mode=objects.modes.get(namespace, mode),
        providers={n: world.read_provider(body) for (at, n), body in objects.providers.items() if at == namespace},
        routes={n: world.read_route(body) for (at, n), body in objects.routes.items() if at == namespace},
        secrets={
            (name, entry): value
            for (at, name), data in objects.secrets.items()
            if at == namespace
            for entry, value in data.items()
        },
        gateway_url=gateway_url,
    )


def _items(name: str, text: str) -> Iterator[Item]:
    for document in documents(text):

        def place(path: Path, document: Any = document) -> str:
            return f"{name}, document {document.number}, line {document.line(path)}"

        yield from _unlisted(document.value, place, ())


def _unlisted(body: Any, place: Callable[[Path], str], path: Path) -> Iterator[Item]:
    items = body.get("items") if isinstance(body, dict) and str(body.get("kind", "")).endswith("List") else None
    if not isinstance(items, list):
        yield Item(body, lambda inner: place((*path, *inner)))
        return
    for i, item in enumerate(items):
        yield from _unlisted(item, place, (*path, "items", i))


class _Reader:
    def __init__(self) -> None:
        self.found: dict[str, dict[tuple[str, str], Any]] = {name: {} for name in KINDS}
        self.places: dict[tuple[str, str, str], str] = {}
        self.warnings: list[str] = []
        self.wrong: list[str] = []

    def objects(self) -> Objects:
        if self.wrong:
            raise ObjectError("\n".join(self.wrong))
        modes = {name: mode for (_, name), mode in self.found["Namespace"].items() if mode}
        providers, routes, secrets = (self.found[name] for name in ("ModelProvider", "ModelRoute", "Secret"))
        return Objects(providers, routes, secrets, modes, tuple(self.warnings))

    def take(self, item: Item) -> None:
        if not self._is_known(item):
            return
        body = without_nulls(item.body)
        mistakes: Mistakes = []
        value = read_kind(body, mistakes)
        for path, text in mistakes:
            self.wrong.append(f"{item.place(path)}: {_called(body)}: {_dotted(path)}: {text}")
        if not mistakes:
            self._keep((body["kind"], *key(body)), value, item)

    def _is_known(self, item: Item) -> bool:
        body = item.body
        if not isinstance(body, dict) or not isinstance(body.get("kind"), str):
            self.wrong.append(f"{item.place(())}: not a Kubernetes object: it has no kind")
            return False
        name, version = body["kind"], body.get("apiVersion")
        ours = str(version).partition("/")[0] == GROUP
        if KINDS.get(name) == version:
            return True
        if name in OURS or (ours and name in KINDS):
            self.wrong.append(f"{item.place(('apiVersion',))}: {name}: apiVersion must be {KINDS[name]}, not {version}")
        elif ours:
            self.wrong.append(f"{item.place(('kind',))}: unknown kind {name}{did_you_mean(name, OURS)}")
        else:
            self.warnings.append(f"{item.place(())}: {_called(body)} is left alone: Pointsman reads no such kind here")
        return False

    def _keep(self, mark: tuple[str, str, str], value: Any, item: Item) -> None:
        place = item.place(())
        if earlier := self.places.get(mark):
            self.wrong.append(f"{place}: {mark[0]} {mark[2]} is there already, in {earlier}: remove one")
            return
        self.places[mark] = place
        self.found[mark[0]][mark[1:]] = value


def _called(body: Json) -> str:
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{body.get('kind')} {name}" if isinstance(name, str) else str(body.get("kind"))


def _dotted(path: Path) -> str:
    text = ""
    for step in path:
        plain = isinstance(step, str) and step.replace("_", "").replace("-", "").isalnum()
        text += f".{step}" if plain else f"[{json.dumps(step)}]"
    return text.removeprefix(".")
