"""What `pointsman up` says of its fleet: a line for everything that changed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.fleet import catalogue, chain, context
from pointsman.fleet.acceptance import provider_refusal, route_refusals
from pointsman.fleet.seen import Seen, seen
from pointsman.served import State

if TYPE_CHECKING:
    from pointsman.fleet.world import World


def standing(world: World) -> dict[str, str]:
    """A line for each provider and route, by its name, and one for each route whose context windows are small."""
    lines = {f"provider {name}": provider(world, name) for name in sorted(world.providers)}
    lines |= {f"route {name}": route(world, name) for name in sorted(world.routes)}
    lines |= {f"warning: provider {name}": said for name in sorted(world.providers) if (said := clouds(world, name))}
    return lines | {f"warning: route {name}": said for name in sorted(world.routes) if (said := warning(world, name))}


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The lines that are new, different or gone, aligned."""
    gone = [f"{key:28} removed" for key in before if key not in after and not key.startswith("warning")]
    return gone + [f"{key:28} {line}" for key, line in after.items() if before.get(key) != line]


def refusals(world: World) -> list[str]:
    """A line for each object that is not used, and why."""
    refused = {f"provider {name}": provider_refusal(each) for name, each in sorted(world.providers.items())}
    found = route_refusals(world.routes.values())
    refused |= {f"route {name}": found[name] for name in sorted(found)}
    return [f"{key} is refused: {why.reason}: {why.message}" for key, why in refused.items() if why]


def clouds(world: World, name: str) -> str:
    """Which of the models that routes name a provider hands on to a cloud; "": none."""
    found = seen(world, name)
    named = chain.named(world, name) if isinstance(found, Seen) else ()
    remote = [model for model in named if isinstance(found, Seen) and catalogue.remote(found, model)]
    return f"hands {', '.join(remote)} on to Ollama's cloud: data policy takes it for External" if remote else ""


def provider(world: World, name: str) -> str:
    """Up with what it serves, or why not."""
    if refusal := provider_refusal(world.providers[name]):
        return f"refused  {refusal.reason}: {refusal.message}"
    probed = world.probes.get(name)
    if probed is None:
        return "not probed"
    if probed.state is State.UP:
        return f"Up       {len(probed.models)} models"
    return f"{probed.state.value:8} {probed.reason}: {probed.message}"


def route(world: World, name: str) -> str:
    """Its chain, each target with its standing."""
    found = world.routes[name]
    refusal = route_refusals(world.routes.values())[name]
    if refusal or found.spec is None:
        return f"refused  {refusal.reason}: {refusal.message}" if refusal else "refused"
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
    if link.skip == "ProviderNotAccepted":
        return f"{link.name} ({link.why})"
    if link.skip:
        return f"{link.name} ({link.skip})"
    return link.name if link.healthy else f"{link.name} ({link.reason or link.state.value})"
