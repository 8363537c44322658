"""Full listings: before anything is decided, and again every few minutes, as a watch may miss what a LIST does not."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from typing import TYPE_CHECKING, Final

from pointsman.controller import kinds
from pointsman.controller.cluster import ApiError, Listing, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pointsman.controller.cluster import Cluster
    from pointsman.controller.kinds import Kind
    from pointsman.controller.store import Store
    from pointsman.fleet.world import Json

log = logging.getLogger(__name__)

_RETRIES: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
# An object that goes between our first LIST and the start of the watches is reported by neither: look again soon.
_SECOND: Final = 15.0


class Resync:
    """`on_done(ok)` hears of the end of each listing; `namespaces` empty means all."""

    def __init__(
        self, store: Store, cluster: Cluster, namespaces: Sequence[str], period: float, on_done: Callable[[bool], None]
    ) -> None:
        self._store, self._cluster, self._period, self._on_done = store, cluster, period, on_done
        self._namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)

    async def served(self) -> None:
        """Wait until the API server knows our kinds: a watch on a kind that comes later would never start."""
        for wait in itertools.chain(_RETRIES, itertools.repeat(_RETRIES[-1])):
            try:
                await asyncio.gather(*(self._listing(kind) for kind in (kinds.PROVIDER, kinds.ROUTE)))
            except ApiError as error:
                log.warning("cannot list our kinds yet: %s; are the CRDs installed? Again in %.1f s", error, wait)
                await asyncio.sleep(wait)
            else:
                return

    async def run(self) -> None:
        """List now, once more when the watches run, and then every period with some jitter."""
        await self._until_listed()
        await asyncio.sleep(min(self._period, _SECOND))
        while True:
            await self._until_listed()
            await asyncio.sleep(self._period * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load, guards nothing

    async def once(self) -> bool:
        """List every kind. A kind that could not be listed keeps what is known of it, and False is returned."""
        results = await asyncio.gather(*(self._kind(kind) for kind in kinds.WATCHED))
        self._on_done(all(results))
        return all(results)

    async def _until_listed(self) -> None:
        for wait in itertools.chain(_RETRIES, itertools.repeat(_RETRIES[-1])):
            if await self.once():
                return
            await asyncio.sleep(wait)

    async def _kind(self, kind: Kind) -> bool:
        mark = self._store.mark()
        try:
            items, version = await self._listing(kind)
        except ApiError as error:
            log.warning("LIST of %s failed: %s", kind.plural, error)
            return False
        self._store.replace(kind, items, version, mark)
        return True

    async def _listing(self, kind: Kind) -> Listing:
        if kind is kinds.NAMESPACE and self._namespaces != (None,):
            found = await asyncio.gather(*(self._namespace(name) for name in self._namespaces if name))
            return Listing([body for body in found if body], "")
        lists = await asyncio.gather(*(self._cluster.list_all(kind, name) for name in self._namespaces))
        # Of several lists the oldest version is true of all.
        return Listing([body for each in lists for body in each.items], min((each.version for each in lists), key=_age))

    async def _namespace(self, name: str) -> Json | None:
        try:
            return await self._cluster.get(kinds.NAMESPACE, "", name)
        except NotFoundError:
            return None


def _age(version: str) -> int:
    return int(version) if version.isdecimal() else 0
