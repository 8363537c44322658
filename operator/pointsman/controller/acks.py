"""Which table each gateway says that it runs, and what its requests want.

Asked after every publication, until the answer is the new hash; and all the time where demand decides what runs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec

from pointsman.controller.demand import Answer, Ledger
from pointsman.controller.pauses import woken_within
from pointsman.fleet.world import Gateway
from pointsman.names import GATEWAY_PORT, GROUP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pointsman.fleet.world import Demand, Json

log = logging.getLogger(__name__)

PORT_ANNOTATION: Final = f"{GROUP}/gateway-port"
_FIRST, _CAP, _SLOW = 0.2, 5.0, 60.0  # seconds between questions: while the hash differs, and once it matches
_CLOSE: Final = 2.0  # likewise, where demand decides: how long a sleeping engine waits for its waking at most
_TIMEOUT: Final = aiohttp.ClientTimeout(total=2.0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gateway answers; `uid` tells a Pod from its successor."""

    namespace: str
    name: str
    uid: str
    url: str


class Acks:
    """One task for each gateway.

    `on_change(namespace)` hears when a gateway comes, goes or says another hash; `on_stale(place, wanted)` is awaited
    whenever one says another hash than the published one. `on_demand(namespace, provider)` hears when a provider is
    newly wanted, when it has not been for a minute, and when it begins or ceases to answer requests; without it,
    `on_change` does.
    """

    def __init__(
        self,
        on_change: Callable[[str], None],
        on_stale: Callable[[Place, str], Awaitable[None]],
        on_demand: Callable[[str, str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_change, self._on_stale, self._on_demand, self._clock = on_change, on_stale, on_demand, clock
        self._ledgers: dict[str, Ledger] = {}
        self._closely: set[str] = set()
        self._places: dict[tuple[str, str], Place] = {}
        self._hashes: dict[tuple[str, str], str] = {}
        self._wanted: dict[str, str] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._woken: dict[tuple[str, str], asyncio.Event] = {}
        self._session: aiohttp.ClientSession | None = None

    def gateways(self, namespace: str) -> tuple[Gateway, ...]:
        """The gateways of a namespace, in the order of their names, and what they say they run."""
        return tuple(Gateway(key[1], self._hashes.get(key, "")) for key in sorted(self._places) if key[0] == namespace)

    def asked(self, namespace: str) -> bool:
        """Whether each gateway of the namespace was asked at least once."""
        return all(key in self._hashes for key in self._places if key[0] == namespace)

    def demand(self, namespace: str) -> Mapping[str, Demand]:
        """How much each provider is wanted; absent: not known. Without a gateway nothing is."""
        names = [name for of, name in self._places if of == namespace]
        ledger = self._ledgers.get(namespace)
        return ledger.demand(names, self._clock()) if ledger and names else {}

    def follow(self, namespace: str, closely: bool) -> None:
        """Whether the demand of a namespace decides anything: only then is it asked for often enough to be known."""
        if closely == (namespace in self._closely):
            return
        if closely:
            self._closely.add(namespace)
            self._wake(namespace)
        else:
            self._closely.discard(namespace)

    def expect(self, namespace: str, table_hash: str) -> None:
        """A table is published: ask until every gateway of the namespace runs it."""
        if self._wanted.get(namespace) == table_hash:
            return
        self._wanted[namespace] = table_hash
        self._wake(namespace)

    def put(self, namespace: str, name: str, pod: Json | None) -> None:
        """A gateway's Pod as it is now; None or one that cannot answer: it counts no more."""
        place = place_of(pod) if pod else None
        key = (namespace, name)
        if place == self._places.get(key):
            return
        self._forget(key)
        ledger = self._ledgers.setdefault(namespace, Ledger(self._clock()))
        ledger.drop(name, self._clock())
        if place:
            self._places[key], self._woken[key] = place, asyncio.Event()
            self._tasks[key] = asyncio.create_task(self._follow(key, place), name=f"gateway {namespace}/{name}")
        self._on_change(namespace)

    async def close(self) -> None:
        for key in list(self._places):
            self._forget(key)
        if self._session:
            await self._session.close()

    def _wake(self, namespace: str) -> None:
        for key, woken in self._woken.items():
            if key[0] == namespace:
                woken.set()

    def _forget(self, key: tuple[str, str]) -> None:
        self._places.pop(key, None)
        self._hashes.pop(key, None)
        self._woken.pop(key, None)
        if task := self._tasks.pop(key, None):
            task.cancel()

    async def _follow(self, key: tuple[str, str], place: Place) -> None:
        woken, wait = self._woken[key], _FIRST
        while True:
            woken.clear()
            answer = await self._ask(place)
            said = answer.hash if answer else ""
            wanted = self._wanted.get(key[0], "")
            if self._hashes.get(key) != said:
                self._hashes[key] = said
                self._on_change(key[0])
            self._heard(key, answer)
            matches = bool(said) and said == wanted
            if said and wanted and not matches:
                await self._on_stale(place, wanted)
            rest = _SLOW if matches else wait
            again = await woken_within(woken, min(rest, _CLOSE) if key[0] in self._closely else rest)
            wait = _FIRST if again or matches else min(_CAP, wait * 2)

    def _heard(self, key: tuple[str, str], answer: Answer | None) -> None:
        namespace, name = key
        turned = self._ledgers[namespace].put(name, answer, self._clock())
        if self._on_demand is not None:
            for provider in sorted(turned):
                self._on_demand(namespace, provider)
        elif turned:
            self._on_change(namespace)

    async def _ask(self, place: Place) -> Answer | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        try:
            async with self._session.get(f"{place.url}/-/config") as response:
                return msgspec.json.decode(await response.read(), type=Answer) if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.MsgspecError) as error:
            log.debug("gateway %s/%s does not tell its table: %s", place.namespace, place.name, error)
            return None


def place_of(pod: Json) -> Place | None:
    """Where a gateway's Pod answers; None for one that is not ready, is going, or has no address."""
    meta, status = pod["metadata"], pod.get("status") or {}
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
    address = status.get("podIP") or ""
    if not ready or not address or meta.get("deletionTimestamp"):
        return None
    host = f"[{address}]" if ":" in address else address
    return Place(meta["namespace"], meta["name"], meta["uid"], f"http://{host}:{port_of(pod)}")


def port_of(pod: Json) -> int:
    """The gateway's port: as annotated, else the container port named `gateway`, else 8080."""
    annotations: Mapping[str, str] = pod["metadata"].get("annotations") or {}
    said = annotations.get(PORT_ANNOTATION, "")
    if said.isdecimal() and 0 < int(said) < 65536:
        return int(said)
    spec = pod.get("spec") or {}
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    ports = (port for container in containers for port in container.get("ports") or ())
    return next((int(port["containerPort"]) for port in ports if port.get("name") == "gateway"), GATEWAY_PORT)
