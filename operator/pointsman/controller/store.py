"""What has been observed of the cluster, and snapshots of it for the deciding code.

Events may come late, twice, out of order or never. An older state never replaces a newer one, not even that of an
object which was seen deleted; a full LIST (`replace`) repairs what a dropped watch missed. An object can come back with
the same uid: one that loses the label by which it is watched is reported as deleted.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pointsman import table
from pointsman.controller import kinds, workloads
from pointsman.fleet.world import Provider, Route, World, read_meta, read_provider, read_route
from pointsman.names import MODE_ANNOTATION, ROUTING_CONFIGMAP, ROUTING_FILE, Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pointsman.controller.kinds import Kind
    from pointsman.fleet.world import Json

    OnChange = Callable[["Change"], None]

_TOMBSTONES: Final = 20_000  # more than can be deleted while one LIST is under way


@dataclass(frozen=True, slots=True)
class Change:
    """An object's old and new state, None where there is none. `ours`: the answer to a write of this process."""

    kind: Kind
    namespace: str
    name: str
    old: Json | None
    new: Json | None
    ours: bool = False


@dataclass(slots=True)
class _Entry:
    body: Json
    sequence: int
    parsed: Provider | Route | None = None


@dataclass(frozen=True, slots=True)
class _Published:
    """What the ConfigMap of this resource version holds."""

    version: str
    hash: str = ""
    providers: Mapping[str, table.Provider] = field(default_factory=dict)


class Store:
    """Objects by kind, namespace ("" for what has none) and name; `on_change` hears of each change."""

    def __init__(self, on_change: OnChange, mode: Mode = Mode.MERGE) -> None:
        self._on_change = on_change
        self._mode = mode
        self._objects: dict[str, dict[str, dict[str, _Entry]]] = {kind.name: {} for kind in kinds.KEPT}
        self._buried: OrderedDict[str, str] = OrderedDict()  # uid -> version up to which it is known to be gone
        self._sequence = 0
        self._listed: set[str] = set()
        self._snapshots: dict[str, World] = {}
        self._published: dict[str, _Published] = {}

    @property
    def synced(self) -> bool:
        """Whether every kind was listed at least once: before that, nothing may be decided."""
        return self._listed.issuperset(kind.name for kind in kinds.WATCHED)

    def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        entry = self._objects[kind.name].get(namespace, {}).get(name)
        return entry.body if entry else None

    def bodies(self, kind: Kind, namespace: str) -> dict[str, Json]:
        """All objects of a kind in a namespace, by name."""
        return {name: entry.body for name, entry in self._objects[kind.name].get(namespace, {}).items()}

    def namespaces(self) -> set[str]:
        """Where anything of ours is."""
        ours = (kind for kind in kinds.WATCHED if kind is not kinds.NAMESPACE)
        return {namespace for kind in ours for namespace in self._objects[kind.name]}

    def put(self, kind: Kind, body: Json, *, ours: bool = False) -> bool:
        """Take a state of an object, unless it is known, older than the known one, or of a deleted object."""
        meta = body["metadata"]
        namespace, name = str(meta.get("namespace") or ""), str(meta["name"])
        entry = self._objects[kind.name].get(namespace, {}).get(name)
        version = meta["resourceVersion"]
        if not _is_newer(version, self._buried.get(meta["uid"], "")) or not _is_newer(version, _version(entry)):
            return False
        # managedFields are half of an object, and nobody here reads them.
        body = body | {"metadata": {key: value for key, value in meta.items() if key != "managedFields"}}
        self._sequence += 1
        new = _Entry(body, self._sequence, _parse(kind, body, entry))
        self._objects[kind.name].setdefault(namespace, {})[name] = new
        self._changed(Change(kind, namespace, name, entry.body if entry else None, body, ours))
        return True

    def drop(self, kind: Kind, namespace: str, name: str, uid: str, version: str) -> bool:
        """Forget an object that was gone at this version; its successor of the same name is left alone."""
        known = self._objects[kind.name].get(namespace, {})
        entry = known.get(name)
        ours = entry is not None and entry.body["metadata"]["uid"] == uid
        if ours and _is_newer(_version(entry), version):
            return False  # it came back since
        self._bury(uid, version)
        if not ours:
            return False
        old = known.pop(name)
        if not known:
            del self._objects[kind.name][namespace]
        self._changed(Change(kind, namespace, name, old.body, None))
        return True

    def mark(self) -> int:
        """To be taken before a LIST, for `replace`."""
        return self._sequence

    def replace(self, kind: Kind, bodies: Iterable[Json], version: str, mark: int) -> None:
        """Take a full LIST of a kind at a version: what is absent from it is gone, unless it was put after `mark`."""
        present: set[str] = set()
        for body in bodies:
            present.add(body["metadata"]["uid"])
            self.put(kind, body)
        known = [
            (namespace, name, entry.body["metadata"]["uid"])
            for namespace, names in self._objects[kind.name].items()
            for name, entry in names.items()
            if entry.sequence <= mark
        ]
        for namespace, name, uid in known:
            if uid not in present:
                self.drop(kind, namespace, name, uid, version)
        self._listed.add(kind.name)

    def snapshot(self, namespace: str) -> World:
        """The namespace as the deciding code sees it; secrets, probes and gateways are for others to add."""
        world = self._snapshots.get(namespace)
        if world is None:
            world = self._snapshots[namespace] = self._world(namespace)
        return world

    def _world(self, namespace: str) -> World:
        published = self._table(namespace)
        return World(
            namespace=namespace,
            mode=self._mode_of(namespace),
            providers={
                name: parsed for name, parsed in self._parsed(kinds.PROVIDER, namespace) if isinstance(parsed, Provider)
            },
            routes={name: parsed for name, parsed in self._parsed(kinds.ROUTE, namespace) if isinstance(parsed, Route)},
            workloads=workloads.read(
                (
                    *self.bodies(kinds.DEPLOYMENT, namespace).values(),
                    *self.bodies(kinds.GROUP_OF_PODS, namespace).values(),
                ),
                self.bodies(kinds.SLICE, namespace).values(),
                self.bodies(kinds.JOB, namespace).values(),
            ),
            published_hash=published.hash if published else "",
        )

    def _parsed(self, kind: Kind, namespace: str) -> list[tuple[str, Provider | Route | None]]:
        return [(name, entry.parsed) for name, entry in self._objects[kind.name].get(namespace, {}).items()]

    def _mode_of(self, namespace: str) -> Mode:
        body = self.get(kinds.NAMESPACE, "", namespace) or {}
        said = (body.get("metadata", {}).get("annotations") or {}).get(MODE_ANNOTATION)
        return Mode(said) if said in set(Mode) else self._mode

    def published(self, namespace: str, provider: str) -> table.Provider | None:
        """A provider as the table in the ConfigMap has it."""
        known = self._table(namespace)
        return known.providers.get(provider) if known else None

    def _table(self, namespace: str) -> _Published | None:
        body = self.get(kinds.CONFIGMAP, namespace, ROUTING_CONFIGMAP)
        if body is None:
            self._published.pop(namespace, None)
            return None
        known, version = self._published.get(namespace), body["metadata"]["resourceVersion"]
        if known is None or known.version != version:
            known = self._published[namespace] = _read_table(version, (body.get("data") or {}).get(ROUTING_FILE, ""))
        return known

    def _changed(self, change: Change) -> None:
        self._snapshots.pop(change.namespace or change.name, None)
        self._on_change(change)

    def _bury(self, uid: str, version: str) -> None:
        self._buried[uid] = version
        if len(self._buried) > _TOMBSTONES:
            self._buried.popitem(last=False)


def _version(entry: _Entry | None) -> str:
    return str(entry.body["metadata"]["resourceVersion"]) if entry else ""


def _is_newer(version: str, known: str) -> bool:
    # Resource versions of one kind are comparable as integers (Kubernetes promises it from 1.35); where they are not
    # integers, only equality means anything.
    if version.isdecimal() and known.isdecimal():
        return int(version) > int(known)
    return version != known


def _parse(kind: Kind, body: Json, known: _Entry | None) -> Provider | Route | None:
    if kind not in (kinds.PROVIDER, kinds.ROUTE):
        return None
    meta = read_meta(body)
    old = known.parsed if known else None
    if old and old.meta.uid == meta.uid and old.meta.generation == meta.generation:
        return replace(old, meta=meta, status=dict(body.get("status") or {}))  # a spec is read once
    return read_provider(body) if kind is kinds.PROVIDER else read_route(body)


def _read_table(version: str, text: str) -> _Published:
    try:
        routing = table.load(text.encode())
    except table.TableError:
        return _Published(version)  # somebody's edit, or of another release: it will be replaced
    return _Published(version, routing.hash, {provider.name: provider for provider in routing.providers})
