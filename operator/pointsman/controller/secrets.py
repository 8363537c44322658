"""The Secrets that providers name, read one by one: the operator may get them, but neither list nor watch them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pointsman.controller import kinds
from pointsman.controller.cluster import ApiError, ForbiddenError, NotFoundError
from pointsman.fleet import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pointsman.controller.cluster import Cluster
    from pointsman.fleet.world import Json, Provider

log = logging.getLogger(__name__)

_FRESH: Final = 30.0  # seconds after which a Secret is read again
_MISSING: Final = 5.0  # sooner where one was looked for in vain
_AT_ONCE: Final = 8  # reads under way


@dataclass(slots=True)
class _Entry:
    values: Mapping[str, str] = field(default_factory=dict)
    found: bool = False
    read_at: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Secrets:
    """`on_change` hears (namespace, name) when a Secret that was read before reads differently."""

    def __init__(
        self, cluster: Cluster, on_change: Callable[[str, str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cluster, self._on_change, self._clock = cluster, on_change, clock
        self._entries: defaultdict[str, dict[str, _Entry]] = defaultdict(dict)
        self._values: dict[str, dict[tuple[str, str], str]] = {}
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def ensure(self, namespace: str, names: Iterable[str], max_age: float = _FRESH) -> None:
        """Read these Secrets unless they were read within `max_age` seconds; ApiError where the cluster cannot say."""
        await asyncio.gather(*(self._ensure(namespace, name, max_age) for name in sorted(set(names))))

    def values(self, namespace: str) -> Mapping[tuple[str, str], str]:
        """What is known of a namespace's Secrets: text by (Secret name, key)."""
        known = self._values.get(namespace)
        if known is None:
            entries = self._entries[namespace].items()
            known = {(name, key): text for name, entry in entries for key, text in entry.values.items()}
            self._values[namespace] = known
        return known

    def expire(self, namespace: str, name: str) -> None:
        """It was written to: read it again before it is used."""
        if entry := self._entries[namespace].get(name):
            entry.read_at = min(entry.read_at, self._clock() - _FRESH - 1)

    def keep(self, namespace: str, names: Iterable[str]) -> None:
        """Forget what no provider of the namespace names any more."""
        for name in self._entries[namespace].keys() - set(names):
            del self._entries[namespace][name]
        self._values.pop(namespace, None)

    async def run(self) -> None:
        """Read every known Secret again and again, so that a rotated key is used within half a minute."""
        while True:
            await asyncio.sleep(1.0)
            await asyncio.gather(*(self._refresh(*key) for key in self._stale(self._clock())))

    def _stale(self, now: float) -> list[tuple[str, str]]:
        return [
            (namespace, name)
            for namespace, entries in self._entries.items()
            for name, entry in entries.items()
            if now - entry.read_at > (_FRESH if entry.found else _MISSING)
        ]

    async def _refresh(self, namespace: str, name: str) -> None:
        try:
            await self._ensure(namespace, name, _MISSING)
        except ApiError as error:
            log.warning("Secret %s/%s: %s; what was read before stays in use", namespace, name, error)

    async def _ensure(self, namespace: str, name: str, max_age: float) -> None:
        entry = self._entries[namespace].setdefault(name, _Entry())
        async with entry.lock:
            if self._clock() - entry.read_at < (max_age if entry.found else min(max_age, _MISSING)):
                return
            async with self._gate:
                values, found = await self._read(namespace, name)
            known = entry.read_at != float("-inf")
            changed = entry.values != values or entry.found != found
            entry.values, entry.found, entry.read_at = values, found, self._clock()
            self._values.pop(namespace, None)
        if known and changed:
            self._on_change(namespace, name)

    async def _read(self, namespace: str, name: str) -> tuple[Mapping[str, str], bool]:
        try:
            return decoded(await self._cluster.get(kinds.SECRET, namespace, name)), True
        except NotFoundError:
            return {}, False
        except ForbiddenError as error:
            log.warning("Secret %s/%s: %s", namespace, name, error)
            return {}, False


def names(provider: Provider) -> set[str]:
    """The Secrets that a provider needs."""
    return {ref.name for ref in keys.references(provider.meta.name, provider.spec)} if provider.spec else set()


def decoded(body: Json) -> dict[str, str]:
    """A Secret's texts by key; what is not UTF-8 cannot be a token and is left out."""
    out = {}
    for key, value in (body.get("data") or {}).items():
        try:
            out[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            log.warning("Secret %s: key %s holds no UTF-8 text", body["metadata"].get("name"), key)
    return out
