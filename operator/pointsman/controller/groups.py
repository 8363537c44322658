"""LeaderWorkerSets, of a controller that not every cluster has: asked for when a provider needs them, never watched."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pointsman.controller import kinds
from pointsman.controller.cluster import ApiError, ForbiddenError, NotFoundError
from pointsman.engines.vllm_parallelism import nodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointsman.controller.cluster import Cluster
    from pointsman.controller.store import Store
    from pointsman.fleet.world import Provider

log = logging.getLogger(__name__)

_KNOWN: Final = 30.0  # seconds for which it is believed that the kind is there, or is not


@dataclass(slots=True)
class Groups:
    """`known`: whether the cluster has the kind; None: nobody looked yet."""

    cluster: Cluster
    store: Store
    clock: Callable[[], float] = time.monotonic
    known: bool | None = None
    _looked: float = field(default=float("-inf"))
    _surveyed: set[str] = field(default_factory=set)

    async def look(self, namespace: str, provider: str) -> None:
        """Bring what is known of a provider's LeaderWorkerSet up to date."""
        await self._kind()
        if not self.known:
            return
        try:
            body = await self.cluster.get(kinds.GROUP_OF_PODS, namespace, provider)
        except NotFoundError:
            self._gone(namespace, provider)
        except ForbiddenError as error:
            log.warning("LeaderWorkerSet %s/%s: %s", namespace, provider, error)
        else:
            self.store.put(kinds.GROUP_OF_PODS, body)

    async def survey(self, namespace: str) -> None:
        """See once what an earlier process made there: a spec may have become one of single Pods since."""
        if namespace in self._surveyed:
            return
        await self._kind()
        if self.known:
            try:
                for body in (await self.cluster.list_all(kinds.GROUP_OF_PODS, namespace)).items:
                    self.store.put(kinds.GROUP_OF_PODS, body)
            except (ForbiddenError, NotFoundError) as error:
                log.warning("LeaderWorkerSets of %s: %s", namespace, error)
        if self.known is not None:
            self._surveyed.add(namespace)

    async def _kind(self) -> None:
        if self.clock() - self._looked < _KNOWN:
            return
        try:
            self.known = await self.cluster.knows(kinds.GROUP_OF_PODS)
        except ApiError as error:
            log.warning("whether there are LeaderWorkerSets: %s", error)
            return
        self._looked = self.clock()

    def _gone(self, namespace: str, provider: str) -> None:
        if stored := self.store.get(kinds.GROUP_OF_PODS, namespace, provider):
            meta = stored["metadata"]
            self.store.drop(kinds.GROUP_OF_PODS, namespace, provider, meta["uid"], meta["resourceVersion"])


def of_groups(provider: Provider) -> bool:
    """Whether a replica of this provider is a group of Pods."""
    deploy = provider.spec.deploy if provider.spec else None
    return deploy is not None and nodes(deploy) > 1
