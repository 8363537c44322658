"""Makes the cluster what a plan says: writes what differs, deletes what is ours and no longer wanted, nothing else."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pointsman.controller import kinds, unchangeable
from pointsman.controller.cluster import ConflictError, ForbiddenError, NotFoundError
from pointsman.controller.covered import is_applied, stamped
from pointsman.fleet.world import read_meta
from pointsman.names import CREDENTIALS_SECRET, FIELD_MANAGER, MANAGED_BY, PROVIDER_LABEL, ROUTING_CONFIGMAP

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from pointsman.controller.cluster import Cluster
    from pointsman.controller.kinds import Kind
    from pointsman.controller.store import Store
    from pointsman.fleet.world import Json

log = logging.getLogger(__name__)


class Applier:
    """What the API server answers goes straight into the store: the next decision sees it without a watch."""

    def __init__(self, store: Store, cluster: Cluster) -> None:
        self._store, self._cluster = store, cluster
        # What was applied last and what came of it: should `covered` ever be wrong about an object, it is written once.
        self._last: dict[str, tuple[Json, str]] = {}

    async def objects(self, desired: Sequence[Json]) -> int:
        """Apply each object that differs, credentials before the table that names them; how many were written."""
        written = 0
        for body in sorted(desired, key=lambda body: body["kind"] != kinds.SECRET.name):
            kind = kinds.BY_NAME[body["kind"]]
            stored = self._store.get(kind, body["metadata"]["namespace"], body["metadata"]["name"])
            if stored and self._outlived(body, stored):
                await self._delete(kind, stored)
            elif (wanted := unchangeable.spared(body, stored)) is not None:
                written += await self._object(kind, stamped(wanted))
        return written

    def _outlived(self, body: Json, stored: Json) -> bool:
        if unchangeable.outlived(stamped(body), stored, datetime.now(UTC)):
            return True
        claims = self._store.bodies(kinds.CLAIM, body["metadata"]["namespace"])
        return body["kind"] == kinds.JOB.name and unchangeable.emptied(stored, claims)

    async def status(self, kind: Kind, namespace: str, name: str, status: Json) -> bool:
        """Apply an object's status where it differs. True: it was written; the object may be gone meanwhile."""
        stored = self._store.get(kind, namespace, name)
        if stored is None or (stored.get("status") or {}) == status or self._was_last(stored, status):
            return False
        meta = {"namespace": namespace, "name": name, "uid": stored["metadata"]["uid"]}
        body = {"apiVersion": kind.api, "kind": kind.name, "metadata": meta, "status": status}
        try:
            answer = await self._cluster.apply(kind, body, status=True)
        except (NotFoundError, ConflictError) as error:
            log.info("%s %s/%s went while its status was written: %s", kind.name, namespace, name, error)
            return False
        self._remember(kind, answer, status)
        return True

    async def prune_children(self, namespace: str, provider: str, uid: str, kept: AbstractSet[tuple[str, str]]) -> int:
        """Delete what this provider once had deployed and is not in `kept` (kind, name); how many were deleted."""
        gone = [
            (kind, body)
            for kind in kinds.CHILDREN
            for name, body in self._store.bodies(kind, namespace).items()
            if (kind.name, name) not in kept and _is_child(body, provider, uid)
        ]
        for kind, body in gone:
            await self._delete(kind, body)
        return len(gone)

    async def prune_table(self, namespace: str, keep: Sequence[Json]) -> int:
        """Delete table and credentials of a namespace where they are ours and not in `keep`; how many were deleted."""
        kept = {body["kind"] for body in keep}
        ours = ((kinds.CONFIGMAP, ROUTING_CONFIGMAP), (kinds.SECRET, CREDENTIALS_SECRET))
        found = ((kind, self._store.get(kind, namespace, name)) for kind, name in ours if kind.name not in kept)
        gone = [(kind, body) for kind, body in found if body and _is_ours(body)]
        for kind, body in gone:
            await self._delete(kind, body)
        return len(gone)

    async def _object(self, kind: Kind, body: Json) -> bool:
        stored = self._store.get(kind, body["metadata"]["namespace"], body["metadata"]["name"])
        if is_applied(body, stored) or (stored and self._was_last(stored, body)):
            return False
        try:
            answer = await self._cluster.apply(kind, body)
        except ForbiddenError as error:
            if "being terminated" not in error.message:
                raise
            return False  # the namespace is going, and all that is in it
        self._remember(kind, answer, body)
        if not is_applied(body, answer):
            name = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
            log.warning(
                "%s %s: the API server changed what was applied; a restart will apply it again", kind.name, name
            )
        return True

    async def _delete(self, kind: Kind, body: Json) -> None:
        meta = read_meta(body)
        if meta.deleting:
            return
        try:
            await self._cluster.delete(kind, meta.namespace, meta.name, meta.uid)
        except (NotFoundError, ConflictError) as error:
            log.info("%s %s/%s was gone already: %s", kind.name, meta.namespace, meta.name, error)
        if not body["metadata"].get("finalizers"):
            self._store.drop(kind, meta.namespace, meta.name, meta.uid, body["metadata"]["resourceVersion"])

    def _was_last(self, stored: Json, content: Json) -> bool:
        last, version = self._last.get(_slot(stored, content), ({}, ""))
        return version == stored["metadata"]["resourceVersion"] and last == content

    def _remember(self, kind: Kind, answer: Json, content: Json) -> None:
        self._last[_slot(answer, content)] = (content, answer["metadata"]["resourceVersion"])
        self._store.put(kind, answer, ours=True)

    def forget(self, uid: str) -> None:
        """An object is gone."""
        self._last.pop(f"{uid}/object", None)
        self._last.pop(f"{uid}/status", None)


def _slot(stored: Json, content: Json) -> str:
    return f"{stored['metadata']['uid']}/{'object' if 'metadata' in content else 'status'}"


def _is_child(body: Json, provider: str, uid: str) -> bool:
    owners = body["metadata"].get("ownerReferences") or ()
    labels = body["metadata"].get("labels") or {}
    return labels.get(PROVIDER_LABEL) == provider and any(owner.get("uid") == uid for owner in owners)


def _is_ours(body: Json) -> bool:
    return bool((body["metadata"].get("labels") or {}).get(MANAGED_BY) == FIELD_MANAGER)
