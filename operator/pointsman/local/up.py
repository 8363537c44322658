"""`pointsman up`: the operator's core on files, and the gateway on what it renders, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import httpx

from pointsman.fleet import chain, openclaw
from pointsman.fleet.render import credentials, render
from pointsman.local import lines, source
from pointsman.local.child import ChildError, GatewayChild
from pointsman.local.found import objects
from pointsman.local.load import Loaded, found, load, with_probes
from pointsman.local.publish import Files
from pointsman.local.search import search
from pointsman.names import USUAL_PORTS
from pointsman.prober.request import target
from pointsman.prober.schedule import Prober

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pointsman.fleet.world import World
    from pointsman.served import Probed, ServedModel

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.5  # seconds between looks at the files
_SEARCH_EVERY = 5.0  # seconds between searches for servers
_SETTLE = 0.1  # seconds in which changes are gathered into one table


@dataclass(frozen=True)
class Options:
    """`paths` empty: look for servers on their usual ports. `state` None: a temporary folder."""

    paths: tuple[str, ...]
    listen: str
    state: str | None = None
    store_bytes: int = 0  # as the gateway's
    store_seconds: float = 3600.0


def run(options: Options) -> int:
    """Serve until SIGINT or SIGTERM; 1 when the files cannot be read or the gateway not be started at first."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        with contextlib.ExitStack() as stack:
            folder = options.state or stack.enter_context(tempfile.TemporaryDirectory(prefix="pointsman-"))
            asyncio.run(Up(options, Path(folder)).serve())
    except (source.SourceError, ChildError) as error:
        say(f"pointsman up: {error}", to=sys.stderr)
        return 1
    return 0


class Up:
    """State: what was loaded last, what probes said, what was said of it. `_wake` is set when any of it changed."""

    def __init__(self, options: Options, folder: Path) -> None:
        self._options = options
        self._url = f"http://{options.listen}"
        self._files = Files(folder)
        store = (f"--store-bytes={options.store_bytes}", f"--store-seconds={options.store_seconds}")
        self._gateway = GatewayChild(options.listen, self._files.table, self._files.credentials, store)
        self._prober: Prober[str] = Prober(on_result=self._probed)
        self._texts = source.Texts()
        self._loaded = Loaded()
        self._found: dict[str, tuple[ServedModel, ...]] = {}
        self._probes: dict[str, Probed] = {}
        self._said: dict[str, str] = {}
        self._wake = asyncio.Event()

    async def serve(self) -> None:
        """Load, publish, start the gateway, then follow files and probes."""
        await self._first_load()
        self._publish()
        say(f"pointsman: OpenAI clients {self._url}/v1   Anthropic clients {self._url}   files {self._files.folder}")
        ended = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        follow = self._follow_files if self._options.paths else self._follow_servers
        parts = (self._gateway.keep_running(), self._prober.run(), self._keep_published(), follow(), ended.wait())
        tasks = [asyncio.create_task(part) for part in parts]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await self._stop(tasks)
        for task in done:
            task.result()  # whatever ended first, other than a signal, ended by an exception

    async def _stop(self, tasks: Sequence[asyncio.Task[Any]]) -> None:
        tasks[0].cancel()  # first, so that the gateway is not started again
        await self._gateway.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._prober.close()

    async def _first_load(self) -> None:
        if self._options.paths:
            self._texts = source.read(self._options.paths)
            self._take(load(self._texts, os.environ, self._url))
            return
        async with httpx.AsyncClient(trust_env=False) as client:
            self._found = await search(client)
        if not self._found:
            ports = ", ".join(f"{name} {port}" for name, port in USUAL_PORTS.items())
            say(f"pointsman: no server found yet on the usual ports ({ports}); still looking")
        self._take(found(objects(self._found), self._url))

    def _take(self, loaded: Loaded) -> None:
        self._loaded = loaded
        for warning in loaded.warnings:
            say(f"warning: {warning}")
        for name in self._probes.keys() - loaded.world.providers.keys():
            self._prober.set(name, None)
            del self._probes[name]
        for name, provider in loaded.world.providers.items():
            self._prober.set(name, target(provider, self._token(name), (), chain.named(loaded.world, name)))
        self._wake.set()

    def _token(self, provider: str) -> str:
        return credentials(self._loaded.world).get(provider, "")

    def _probed(self, key: str, probed: Probed) -> None:
        self._probes[key] = probed
        self._wake.set()

    def _world(self) -> World:
        return with_probes(self._loaded.world, self._probes)

    def _publish(self) -> None:
        world = self._world()
        routing = render(world)
        self._files.publish(routing, openclaw.write(routing, self._url), credentials(world))
        standing = lines.standing(world)
        for line in lines.changed(self._said, standing):
            say(f"  {line}")
        self._said = standing

    async def _keep_published(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(_SETTLE)
            self._wake.clear()
            self._publish()

    async def _follow_files(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                texts = source.read(self._options.paths)
                if texts != self._texts:
                    self._texts = texts
                    self._take(load(texts, os.environ, self._url))
                    say("pointsman: files changed, reloaded")
            except source.SourceError as error:
                self._keep_last_good(error)

    def _keep_last_good(self, error: source.SourceError) -> None:
        if self._said.get("files") != str(error):
            self._said["files"] = str(error)
            say(f"pointsman: {error}\n  the last good objects stay in force", to=sys.stderr)

    async def _follow_servers(self) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            while True:
                await asyncio.sleep(_SEARCH_EVERY)
                now = self._found | await search(client)  # one that is gone is kept: it is Down, and may come back
                if _names(now) != _names(self._found):
                    self._found = now
                    self._take(found(objects(now), self._url))


def _names(found: Mapping[str, tuple[ServedModel, ...]]) -> dict[str, frozenset[str]]:
    # Order and load state change all the time, and make no other objects.
    return {kind: frozenset(model.id for model in models) for kind, models in found.items()}


def say(text: str, to: IO[str] | None = None) -> None:
    """To the person at the terminal, at once."""
    print(text, file=to or sys.stdout, flush=True)
