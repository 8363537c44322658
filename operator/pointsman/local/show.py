"""`pointsman render` and `pointsman explain`: what files amount to, without serving them."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from pointsman import table
from pointsman.fleet import chain
from pointsman.fleet.explain import explain as explained
from pointsman.fleet.render import credentials
from pointsman.fleet.render import render as rendered
from pointsman.local import lines, source
from pointsman.local.load import load, with_probes
from pointsman.names import LOCAL_LISTEN
from pointsman.prober.request import target
from pointsman.prober.schedule import Prober

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.fleet.world import World
    from pointsman.served import Probed

_PATIENCE = 15.0  # seconds for all first probes together


def render(paths: Sequence[str], *, probe: bool) -> int:
    """Print the routing table, and to standard error what is refused; 1 when every provider there is."""
    world = _world(paths, probe=probe)
    if world is None:
        return 1
    _name_refused(world)
    routing = rendered(world)
    sys.stdout.write(table.dump(routing).decode())
    left = bool(routing.providers) or not world.providers
    return 0 if left else 1


def explain(paths: Sequence[str], model: str, *, probe: bool) -> int:
    """Print the chain for a model and why it is so; 1 when there is none."""
    world = _world(paths, probe=probe)
    if world is None:
        return 1
    _name_refused(world)
    routing = rendered(world)
    sys.stdout.write(explained(world, routing, model).rstrip() + "\n")
    return 0


def _name_refused(world: World) -> None:
    for line in lines.refusals(world):
        sys.stderr.write(f"warning: {line}\n")


def _world(paths: Sequence[str], *, probe: bool) -> World | None:
    try:
        loaded = load(source.read(paths), os.environ, f"http://{LOCAL_LISTEN}")
    except source.SourceError as error:
        sys.stderr.write(f"pointsman: {error}\n")
        return None
    for warning in loaded.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    return asyncio.run(_probed(loaded.world)) if probe else loaded.world


async def _probed(world: World) -> World:
    """The World after one probe of every provider."""
    probes: dict[str, Probed] = {}
    complete = asyncio.Event()
    keys = credentials(world)
    targets = {
        name: target(provider, keys.get(name, ""), (), chain.named(world, name))
        for name, provider in world.providers.items()
    }
    wanted = {name for name, found in targets.items() if found is not None}

    def note(key: str, probed: Probed) -> None:
        probes[key] = probed
        if wanted <= probes.keys():
            complete.set()

    prober: Prober[str] = Prober(on_result=note)
    for name in wanted:
        prober.set(name, targets[name])
    running = asyncio.create_task(prober.run())
    if wanted:
        async with asyncio.timeout(_PATIENCE):
            await complete.wait()
    running.cancel()
    await prober.close()
    return with_probes(world, probes)
