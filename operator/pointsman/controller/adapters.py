"""Brings the LoRA adapters of running engines to what their providers want: a task for each ready address."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import aiohttp

from pointsman import modellist
from pointsman.controller.pauses import woken_within
from pointsman.fleet import adapters
from pointsman.fleet.conditions import good
from pointsman.prober.reasons import reason_of
from pointsman.served import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pointsman.api.deploy import Deploy
    from pointsman.fleet.conditions import Finding

log = logging.getLogger(__name__)

_FIRST, _CAP = 1.0, 60.0  # seconds between tries while something fails
_AGAIN: Final = 120.0  # seconds after which a server that has everything is asked again
# A load may fetch from the hub first, and vLLM answers when it has loaded.
_TIMEOUT: Final = aiohttp.ClientTimeout(total=900.0, sock_connect=5.0)

Slot = tuple[str, str]  # namespace and provider


class _Want(NamedTuple):
    adapters: Mapping[str, str]
    key: str


@dataclass(slots=True)
class _Provider:
    """What a provider wants, which names were ever wanted since the operator began, how far each address is."""

    want: _Want
    ours: set[str] = field(default_factory=set)
    states: dict[str, Finding | None] = field(default_factory=dict)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    woken: dict[str, asyncio.Event] = field(default_factory=dict)


class Adapters:
    """`on_change(namespace, provider)` hears when what is told of a provider changes."""

    def __init__(self, on_change: Callable[[str, str], None]) -> None:
        self._on_change = on_change
        self._providers: dict[Slot, _Provider] = {}
        self._session: aiohttp.ClientSession | None = None

    def ensure(self, namespace: str, name: str, deploy: Deploy | None, addresses: Collection[str], key: str) -> None:
        """How a provider is now: its ready addresses (host:port) and the engine's key ("": it has none).

        Does nothing where nothing has changed. A provider that has no adapters for run time, or None, is forgotten.
        """
        wanted = adapters.wanted(deploy) if deploy else None
        slot = (namespace, name)
        if wanted is None:
            self.forget(namespace, name)
            return
        want = _Want(wanted, key)
        provider = self._providers.setdefault(slot, _Provider(want))
        if provider.want != want:
            provider.want = want
            provider.states = dict.fromkeys(provider.states)
            for woken in provider.woken.values():
                woken.set()
        provider.ours |= wanted.keys()
        self._follow_addresses(slot, provider, set(addresses) if provider.ours else set())

    def forget(self, namespace: str, name: str) -> None:
        """The provider is gone, or its adapters are not ours to load."""
        if provider := self._providers.pop((namespace, name), None):
            for task in provider.tasks.values():
                task.cancel()

    def told(self, namespace: str) -> Mapping[str, tuple[str, str]]:
        """Reason and message of the condition AdaptersLoaded, by provider, of those with adapters for run time.

        It is True with the reason AdaptersLoaded, and with no other.
        """
        found = {
            name: adapters.told(provider.states, provider.want.adapters)
            for (space, name), provider in self._providers.items()
            if space == namespace
        }
        return {name: (each.reason, each.message) for name, each in found.items()}

    async def close(self) -> None:
        tasks = [task for provider in self._providers.values() for task in provider.tasks.values()]
        for slot in list(self._providers):
            self.forget(*slot)
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    def _follow_addresses(self, slot: Slot, provider: _Provider, addresses: set[str]) -> None:
        for gone in provider.tasks.keys() - addresses:
            provider.tasks.pop(gone).cancel()
            provider.states.pop(gone)
            provider.woken.pop(gone)
        for address in sorted(addresses - provider.tasks.keys()):
            provider.states[address], provider.woken[address] = None, asyncio.Event()
            following = self._follow(slot, provider, address)
            provider.tasks[address] = asyncio.create_task(following, name=f"adapters {'/'.join(slot)} at {address}")

    async def _follow(self, slot: Slot, provider: _Provider, address: str) -> None:
        woken, wait = provider.woken[address], _FIRST
        while True:
            woken.clear()
            found = await self._bring(address, provider.want, frozenset(provider.ours))
            well = found.status == "True"
            if woken.is_set():
                continue
            if provider.states.get(address) != found:
                provider.states[address] = found
                (log.info if well else log.warning)("%s/%s at %s: %s: %s", *slot, address, found.reason, found.message)
                self._on_change(*slot)
            again = await woken_within(woken, _AGAIN if well else wait)
            wait = _FIRST if again or well else min(_CAP, wait * 2)

    async def _bring(self, address: str, want: _Want, ours: frozenset[str]) -> Finding:
        """One try to bring a server to what is wanted: the first failure, or that it has everything."""
        answer = await self._ask("GET", f"http://{address}{modellist.PATH}", want.key)
        listed = adapters.listed(answer)
        if listed is None:
            return adapters.unlisted(answer)
        todo, failed = adapters.changes(want.adapters, listed, ours), []
        posts = [(adapters.UNLOAD, {"lora_name": name}) for name in todo.unload]
        posts += [(adapters.LOAD, {"lora_name": name, "lora_path": path}) for name, path in todo.load]
        for path, body in posts:
            answer = await self._ask("POST", f"http://{address}{path}", want.key, body)
            # One that cannot be loaded keeps no other from being loaded.
            if failure := adapters.failure(path, body, answer):
                failed.append(failure)
        return failed[0] if failed else good("AdaptersLoaded", ", ".join(sorted(want.adapters)))

    async def _ask(self, method: str, url: str, key: str, body: Mapping[str, str] | None = None) -> Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            async with self._session.request(
                method, url, json=body, headers=headers, allow_redirects=False
            ) as response:
                return Answer(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason, message = reason_of(error, url)
            return Answer(0, error=reason, message=message)
