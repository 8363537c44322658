"""Tells the kubelet that a gateway's mounts changed: it syncs a Pod at once when one of its annotations changes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from pointsman.controller import kinds
from pointsman.controller.cluster import ApiError
from pointsman.names import NUDGE_ANNOTATION

if TYPE_CHECKING:
    from pointsman.controller.acks import Place
    from pointsman.controller.cluster import Cluster
    from pointsman.controller.store import Store
    from pointsman.fleet.world import Json

log = logging.getLogger(__name__)

_OVER = frozenset({"Succeeded", "Failed"})


class Nudges:
    """Each Pod is nudged once for a table. Without it a table arrives too, only up to a minute later."""

    def __init__(self, store: Store, cluster: Cluster) -> None:
        self._store, self._cluster = store, cluster

    async def all(self, namespace: str, table_hash: str) -> None:
        """After a publication: every gateway's Pod, also one that is not ready, for want of a table perhaps."""
        if table_hash:
            pods = self._store.bodies(kinds.GATEWAY, namespace).values()
            await asyncio.gather(*(self._one(pod, table_hash) for pod in pods))

    async def stale(self, place: Place, table_hash: str) -> None:
        """A gateway that says it runs another table than the published one."""
        pod = self._store.get(kinds.GATEWAY, place.namespace, place.name)
        if pod and pod["metadata"]["uid"] == place.uid:
            await self._one(pod, table_hash)

    async def _one(self, pod: Json, table_hash: str) -> None:
        meta = pod["metadata"]
        over = meta.get("deletionTimestamp") or (pod.get("status") or {}).get("phase") in _OVER
        if over or (meta.get("annotations") or {}).get(NUDGE_ANNOTATION) == table_hash:
            return
        annotations = {NUDGE_ANNOTATION: table_hash}
        try:
            answer = await self._cluster.annotate(kinds.GATEWAY, meta["namespace"], meta["name"], annotations)
        except ApiError as error:
            log.info("Pod %s/%s was not nudged: %s", meta["namespace"], meta["name"], error)
            return
        self._store.put(kinds.GATEWAY, answer, ours=True)
