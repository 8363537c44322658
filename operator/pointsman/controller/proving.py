"""Asks each replica of a new engine for one completion before requests go there."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pointsman.engines import vllm_container
from pointsman.fleet.world import ProofResult
from pointsman.kinds import kind
from pointsman.names import ProviderType
from pointsman.prober import wire
from pointsman.prober.ask import ProbeRequest
from pointsman.prober.clients import Clients
from pointsman.prober.first_answer import fault, other_kind, questions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import httpx

    from pointsman.api.deploy import Deploy

log = logging.getLogger(__name__)

Name = tuple[str, str]  # namespace, provider
_NONE: Mapping[str, ProofResult] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds, and how often an engine is asked before it counts as failed."""

    timeout: float = 60.0  # of one question: the first one may compile kernels
    attempts: int = 3
    pause: float = 3.0  # between them
    again: float = 60.0  # after which one that failed is asked anew, as long as that is wanted


@dataclass(frozen=True, slots=True)
class _Asked:
    revision: str
    addresses: tuple[str, ...]
    model: str
    key: str = field(repr=False)


@dataclass(slots=True)
class _Entry:
    asked: _Asked
    task: asyncio.Task[None]
    ended: float | None = None  # seconds of the loop's clock


_USUAL: Final = Pace()


class Proving:
    """One task for each provider that is asked; `on_result` hears of every result."""

    def __init__(self, on_result: Callable[[Name], None], pace: Pace = _USUAL) -> None:
        self._on_result, self._pace = on_result, pace
        self._clients = Clients()
        self._entries: dict[Name, _Entry] = {}
        self._results: defaultdict[str, dict[str, ProofResult]] = defaultdict(dict)
        self._over: set[Name] = set()  # asked no more, with a result that stands until they are asked again
        self._ending: set[asyncio.Task[None]] = set()

    def ask(self, name: Name, revision: str, addresses: Sequence[str], key: str, deploy: Deploy) -> None:
        """See to it that this revision is asked at all addresses (host:port), unless it has given its answer.

        "" as the revision: nobody asks any more. What was found stays for whoever has still to act on it, and is
        forgotten with the next question, as the same revision may be rolled out again later.
        """
        if not revision:
            self._drop(name)
            self._over.add(name)
            return
        if name in self._over:
            self.forget(name)
        asked = _Asked(revision, tuple(sorted(addresses)), vllm_container.served_names(deploy)[0], key)
        entry, known = self._entries.get(name), self._results[name[0]].get(name[1])
        if known and known.revision != revision:
            self.forget(name)
        elif entry and (entry.asked == asked or (known and known.ok)) and not self._due(entry, known):
            return
        self._drop(name)
        if addresses:
            task = asyncio.create_task(self._prove(name, asked), name=f"proof of {name[0]}/{name[1]}")
            self._entries[name] = _Entry(asked, task)

    def results(self, namespace: str) -> Mapping[str, ProofResult]:
        """Of one namespace, by the provider's name; never changed afterwards."""
        return self._results.get(namespace, _NONE)

    def forget(self, name: Name) -> None:
        """Nobody wants to know any more."""
        self._drop(name)
        self._over.discard(name)
        if name[1] in self._results.get(name[0], _NONE):
            self._keep(name, None)

    async def close(self) -> None:
        """End all questions."""
        for name in list(self._entries):
            self._drop(name)
        while self._ending:
            await asyncio.wait(self._ending)

    def _due(self, entry: _Entry, known: ProofResult | None) -> bool:
        if entry.ended is None or (known and known.ok):
            return False
        return asyncio.get_running_loop().time() - entry.ended >= self._pace.again

    def _drop(self, name: Name) -> None:
        if entry := self._entries.pop(name, None):
            entry.task.cancel()
            self._ending.add(entry.task)
            entry.task.add_done_callback(self._ending.discard)

    def _keep(self, name: Name, result: ProofResult | None) -> None:
        others = {key: value for key, value in self._results[name[0]].items() if key != name[1]}
        self._results[name[0]] = others | ({name[1]: result} if result else {})

    async def _prove(self, name: Name, asked: _Asked) -> None:
        try:
            message = await self._attempts(asked)
        except Exception:
            log.exception("the proof of %s/%s ended by itself", *name)
            message = "the operator failed to ask it: see its log"
        if (entry := self._entries.get(name)) is None or entry.asked != asked:
            return  # other things are asked meanwhile
        entry.ended = asyncio.get_running_loop().time()
        self._keep(name, ProofResult(asked.revision, not message, message))
        log.info("%s/%s: revision %s %s", *name, asked.revision, f"fails its proof: {message}" if message else "proved")
        self._on_result(name)

    async def _attempts(self, asked: _Asked) -> str:
        """Why the engine is not proved after all attempts; "": it is."""
        urls = tuple(f"http://{address}" for address in asked.addresses)
        request = ProbeRequest(kind(ProviderType.VLLM), urls, asked.key, timeout=self._pace.timeout)
        async with self._clients.make(request) as client:
            for attempt in range(self._pace.attempts):
                if attempt:
                    await asyncio.sleep(self._pace.pause)
                told = await asyncio.gather(*(_ask(client, request, url, asked.model) for url in urls))
                faults = [f"{url}: {why}" for url, why in zip(urls, told, strict=True) if why]
                if not faults:
                    return ""
        return faults[0]


async def _ask(client: httpx.AsyncClient, request: ProbeRequest, base_url: str, model: str) -> str:
    """What is wrong with an engine; "": it gave an answer. One that does not chat is asked for what else it may do."""
    first = ""
    for path, body, holds in questions(model):
        deadline = asyncio.get_running_loop().time() + request.timeout
        answer = await wire.post(client, request, base_url + path, deadline, body)
        if not (why := fault(answer, holds)):
            return ""
        first = first or why
        if not other_kind(answer):
            break
    return first
