"""What `pointsman up` says of its fleet: a line for everything that changed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.fleet import chain, context
from pointsman.served import State

if TYPE_CHECKING:
    from pointsman.fleet.world import World
    from pointsman.served import Probed


def standing(world: World) -> dict[str, str]:
    """A line for each provider and route, by its name, and one for each route whose context windows are small."""
    lines = {f"provider {name}": provider(world.probes.get(name)) for name in sorted(world.providers)}
    lines |= {f"route {name}": route(world, name) for name in sorted(world.routes)}
    return lines | {f"warning: route {name}": said for name in sorted(world.routes) if (said := warning(world, name))}


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The lines that are new, different or gone, aligned."""
    gone = [f"{key:28} removed" for key in before if key not in after and not key.startswith("warning")]
    return gone + [f"{key:28} {line}" for key, line in after.items() if before.get(key) != line]


def provider(probed: Probed | None) -> str:
    """Up with what it serves, or why not."""
    if probed is None:
        return "not probed"
    if probed.state is State.UP:
        return f"Up       {len(probed.models)} models"
    return f"{probed.state.value:8} {probed.reason}: {probed.message}"


def route(world: World, name: str) -> str:
    """Its chain, each target with its standing."""
    found = world.routes[name]
    if found.spec is None:
        return f"refused  {found.error}"
    links = chain.links(world, found.spec)
    return " → ".join(_link(link) for link in links)


def warning(world: World, name: str) -> str:
    """What is to be known of its context windows; "" when they are large enough, or not known."""
    spec = world.routes[name].spec
    if spec is None:
        return ""
    tiny, little = context.small(chain.links(world, spec), spec.policy)
    return "; ".join([*tiny, *little])


def _link(link: chain.Link) -> str:
    if link.skip:
        return f"{link.name} ({link.skip})"
    return link.name if link.healthy else f"{link.name} ({link.reason or link.state.value})"
