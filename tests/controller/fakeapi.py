"""A small API server in memory: enough of server-side apply, watches and garbage collection to test a controller on.

`FakeApi` holds the objects; `Direct` is a Cluster on top of it without HTTP; `fakeserver` serves it over HTTP.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pointsman.controller import kinds
from pointsman.controller.cluster import ApiError, ConflictError, Listing, NotFoundError
from pointsman.controller.kinds import Kind

Json = dict[str, Any]
Key = tuple[str, str, str]  # kind, namespace, name


@dataclass
class FakeApi:
    """`log` holds every event ever sent: (resource version, type, kind, body as it was)."""

    objects: dict[Key, Json] = field(default_factory=dict)
    log: list[tuple[int, str, str, Json]] = field(default_factory=list)
    writes: int = 0
    _applied: dict[tuple[str, str], Json] = field(default_factory=dict)  # (uid, manager) -> last applied
    _versions: Any = field(default_factory=lambda: itertools.count(100))
    _uids: Any = field(default_factory=lambda: itertools.count(1))
    version: int = 99
    kinds: frozenset[str] = frozenset()  # of other controllers, that the cluster knows
    hear: Callable[[str, str, Json], None] = lambda *_: None

    def get(self, kind: str, namespace: str, name: str) -> Json:
        if (kind, namespace, name) not in self.objects:
            raise NotFoundError(f"GET {kind} {namespace}/{name}", 404, "NotFound")
        return copy.deepcopy(self.objects[(kind, namespace, name)])

    def listed(self, kind: Kind, namespace: str | None = None) -> list[Json]:
        return [
            copy.deepcopy(body)
            for (name, space, _), body in sorted(self.objects.items())
            if name == kind.name and namespace in (None, space) and passes(kind, body)
        ]

    def create(self, kind: str, body: Json) -> Json:
        meta = body["metadata"]
        key = (kind, meta.get("namespace", ""), meta["name"])
        if key in self.objects:
            raise ConflictError(f"POST {kind}", 409, "AlreadyExists")
        fresh = {
            "uid": f"u{next(self._uids)}",
            "generation": 1,
            "creationTimestamp": f"2026-01-01T00:00:{len(self.log):04}Z",
        }
        self.objects[key] = copy.deepcopy(body) | {"metadata": copy.deepcopy(meta) | fresh}
        return self._emit("ADDED", key)

    def edit(self, kind: str, namespace: str, name: str, change: Callable[[Json], None]) -> Json:
        """What somebody else does: any change, by a function that mutates the object."""
        key = (kind, namespace, name)
        old, new = self.get(*key), self.get(*key)
        change(new)
        return self._store(key, old, new)

    def apply(self, kind: str, body: Json, manager: str, *, status: bool = False) -> Json:
        meta = body["metadata"]
        key = (kind, meta["namespace"], meta["name"])
        if key not in self.objects:
            if status:
                raise NotFoundError(f"PATCH {kind}/status", 404, "NotFound")
            made = self.create(kind, body)
            self._applied[(made["metadata"]["uid"], manager)] = copy.deepcopy(body)
            return made
        old, new = self.get(*key), self.get(*key)
        if (uid := meta.get("uid")) and uid != old["metadata"]["uid"]:
            raise ConflictError(f"PATCH {kind}", 409, "Conflict")
        slot = (old["metadata"]["uid"], manager)
        _remove(new, self._applied.get(slot, {}), body)
        _merge(new, copy.deepcopy(body))
        self._applied[slot] = copy.deepcopy(body)
        return self._store(key, old, new)

    def delete(self, kind: str, namespace: str, name: str, uid: str = "") -> None:
        body = self.get(kind, namespace, name)
        if uid and body["metadata"]["uid"] != uid:
            raise ConflictError(f"DELETE {kind}", 409, "Conflict")
        self._emit("DELETED", (kind, namespace, name))
        del self.objects[(kind, namespace, name)]
        owner = body["metadata"]["uid"]
        for key, child in list(self.objects.items()):
            if any(ref["uid"] == owner for ref in child["metadata"].get("ownerReferences", ())):
                self.delete(*key)

    def collect(self) -> None:
        """What the garbage collector does in time: dependents that were made when their owner was gone already."""
        there = {body["metadata"]["uid"] for body in self.objects.values()}
        for key, body in list(self.objects.items()):
            owners = {ref["uid"] for ref in body["metadata"].get("ownerReferences", ())}
            if owners and not owners & there:
                self.delete(*key)

    def _store(self, key: Key, old: Json, new: Json) -> Json:
        if new == old:
            return old
        if new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        self.objects[key] = new
        return self._emit("MODIFIED", key)

    def _emit(self, event: str, key: Key) -> Json:
        self.version = next(self._versions)
        body = self.objects[key]
        body["metadata"]["resourceVersion"] = str(self.version)
        body["metadata"]["managedFields"] = [{"manager": "test"}]
        self.log.append((self.version, event, key[0], copy.deepcopy(body)))
        self.hear(event, key[0], copy.deepcopy(body))
        return copy.deepcopy(body)


class Direct:
    """A Cluster on a FakeApi. `before` is called before each call and may raise; `after` before a write's answer."""

    def __init__(self, api: FakeApi, on_write: Callable[[str, str], None] = lambda *_: None) -> None:
        self.api, self._on_write = api, on_write
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None
        self.refuses: Callable[[str, Json], ApiError | None] = lambda *_: None  # what its validation says of an object

    async def list_all(self, kind: Kind, namespace: str | None = None) -> Listing:
        self.before("LIST")
        return Listing(self.api.listed(kind, namespace), str(self.api.version))

    async def get(self, kind: Kind, namespace: str, name: str) -> Json:
        self.before("GET")
        return self.api.get(kind.name, namespace, name)

    async def pods(self, namespace: str, labels: str) -> list[Json]:  # noqa: ARG002 - a Cluster's signature
        self.before("GET")
        return []

    async def apply(self, kind: Kind, body: Json, *, status: bool = False, dry_run: bool = False) -> Json:
        manager = "status" if status else "pointsman"
        if refusal := self.refuses(kind.name, body):
            raise refusal
        if dry_run:
            return body
        return self._write(
            kind.name, "status" if status else "apply", lambda: self.api.apply(kind.name, body, manager, status=status)
        )

    async def merge(self, kind: Kind, namespace: str, name: str, patch: Json) -> Json:
        def change(body: Json) -> None:
            version = patch.get("metadata", {}).get("resourceVersion", "")
            if version not in {"", body["metadata"]["resourceVersion"]}:
                raise ConflictError(f"PATCH {kind.name}", 409, "Conflict")
            body["spec"] = body.get("spec", {}) | patch.get("spec", {})
            for key, value in patch.get("data", {}).items():
                data = body.setdefault("data", {})
                if value is None:
                    data.pop(key, None)
                else:
                    data[key] = value

        return self._write(kind.name, "patch", lambda: self.api.edit(kind.name, namespace, name, change))

    async def knows(self, kind: Kind) -> bool:
        self.before("GET")
        return kind.name in self.api.kinds

    async def annotate(self, kind: Kind, namespace: str, name: str, annotations: dict[str, str]) -> Json:
        def change(body: Json) -> None:
            body["metadata"].setdefault("annotations", {}).update(annotations)

        return self._write(kind.name, "annotate", lambda: self.api.edit(kind.name, namespace, name, change))

    async def create(self, kind: Kind, namespace: str, body: Json) -> Json:  # noqa: ARG002 - as above
        return self._write(
            kind.name, "create", lambda: body if kind is kinds.EVENT else self.api.create(kind.name, body)
        )

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        def act() -> Json:
            self.api.delete(kind.name, namespace, name, uid)
            return {}

        self._write(kind.name, "delete", act)

    def _write(self, kind: str, verb: str, act: Callable[[], Json]) -> Json:
        self.before("WRITE")
        self._on_write(kind, verb)
        self.api.writes += 1
        answer = act()
        self.after("WRITE")
        return answer


def failing(status: int) -> ApiError:
    """What a Cluster raises for an HTTP status."""
    return ApiError("test", status, "Injected", "injected")


def passes(kind: Kind, body: Json) -> bool:
    """Whether a kind's server-side filters let an object through."""
    labels = body["metadata"].get("labels") or {}
    key, _, value = kind.labels.partition("=")
    if key and (key not in labels or (value and labels[key] != value)):
        return False
    return not kind.fields or kind.fields == f"metadata.name={body['metadata']['name']}"


def _merge(into: Json, body: Json) -> None:
    for key, value in body.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _remove(target: Json, before: Json, now: Json) -> None:
    """Drop what was applied before and is not applied now."""
    for key, value in before.items():
        if key not in now:
            target.pop(key, None)
        elif isinstance(value, dict) and isinstance(now[key], dict) and isinstance(target.get(key), dict):
            _remove(target[key], value, now[key])
