"""Says for people who would answer for a model, in which order, and who would not and why."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pointsman.fleet.acceptance import names, route_refusal
from pointsman.fleet.chain import Link, active, links
from pointsman.fleet.conditions import Finding
from pointsman.fleet.context import small
from pointsman.fleet.seen import Seen, seen
from pointsman.names import Mode
from pointsman.served import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.fleet.world import Route, World
    from pointsman.table import RoutingTable


def explain(world: World, table: RoutingTable, model: str) -> str:
    """The chain behind a model's name, an alias or, with Merge, a provider/model; ends in a newline."""
    for name, route in sorted(world.routes.items()):
        if model in names(route) and any(each.name == name for each in table.routes):
            return "\n".join((*_route(world, route), ""))
    if table.mode == Mode.MERGE and (direct := _direct(table, model)):
        return f"{direct}\n"
    return "\n".join((*_refused(world, model), *_unknown(world, table, model), ""))


def _route(world: World, route: Route) -> Iterator[str]:
    spec = route.spec
    if spec is None:
        return
    aliases = f", also called {', '.join(spec.aliases)}" if spec.aliases else ""
    yield f"{spec.model_name}: route {route.meta.name}{aliases}"
    chain = links(world, spec)
    first = active(chain)
    for i, link in enumerate(chain):
        yield f"  {i + 1}. {link.name}: {_standing(link, first)}"
        if limits := _limits(world, link.provider):
            yield f"     by each gateway at most {limits}"
    yield from (f"  context: {line}" for lines in small(chain, spec.policy) for line in lines)
    if needed := spec.policy.required_capabilities if spec.policy else None:
        yield f"  passed over: targets known to lack {', '.join(sorted(needed))}"
    fence = spec.policy.data_policy if spec.policy else None
    if fence and fence.allowed_locations is not None:
        yield f"  fence: locations {', '.join(fence.allowed_locations)}"
    if fence and fence.allowed_regions is not None:
        yield f"  fence: regions {', '.join(fence.allowed_regions)}"
    if all(link.skip for link in chain):
        yield "  no target may be tried: every request is refused"


def _standing(link: Link, first: Link | None) -> str:
    if link.skip:
        return f"never tried: {link.skip}: {link.why}"
    standing = link.state.value + (f" ({link.reason})" if link.reason else "")
    standing += ", handed on to Ollama's cloud: External" if link.remote else ""
    if link is first:
        return f"tried first: {standing}"
    if link.state is State.DOWN:
        return f"tried last, after all that are not Down: {standing}"
    return f"tried when those before it fail: {standing}"


def _limits(world: World, provider: str) -> str:
    """What a provider may be asked to bear, for people; "" when that is not limited."""
    found = seen(world, provider)
    stated = found.spec.limits if isinstance(found, Seen) else None
    if stated is None:
        return ""
    counts = (
        (stated.max_concurrent_requests, "requests at a time"),
        (stated.requests_per_minute, "requests a minute"),
        (stated.tokens_per_minute, "tokens a minute"),
    )
    return ", ".join(f"{count} {what}" for count, what in counts if count)


def _direct(table: RoutingTable, model: str) -> str:
    for provider in table.providers:
        if model in {f"{provider.name}/{each.id}" for each in provider.models}:
            standing = provider.state + (f" ({provider.reason})" if provider.reason else "")
            if any(each.remote for each in provider.models if model == f"{provider.name}/{each.id}"):
                standing += ", handed on to Ollama's cloud: External"
            verdict = "never tried: Suspended" if provider.suspended else f"tried first: {standing}"
            return (
                f"{model}: a model of provider {provider.name} (mode Merge), without fallbacks\n  1. {model}: {verdict}"
            )
    return ""


def _refused(world: World, model: str) -> Iterator[str]:
    for name, route in sorted(world.routes.items()):
        if model in names(route) and (refusal := route_refusal(world, route)):
            yield f"route {name} is not used: {refusal.reason}: {refusal.message}"
    found = seen(world, model.split("/", 1)[0])
    if "/" in model and isinstance(found, Finding):
        yield f"provider {model.split('/', 1)[0]} is not used: {found.reason}: {found.message}"


def _unknown(world: World, table: RoutingTable, model: str) -> Iterator[str]:
    known = [name for route in table.routes for name in (route.model_name, *route.aliases)]
    if table.mode == Mode.MERGE:
        known += [f"{provider.name}/{each.id}" for provider in table.providers for each in provider.models]
    yield f"{model}: nobody answers to this name in {world.namespace}"
    lower = {name.lower(): name for name in known}
    if close := [lower[name] for name in difflib.get_close_matches(model.lower(), lower, n=5, cutoff=0.5)]:
        yield f"  did you mean: {', '.join(close)}?"
    elif known:
        yield f"  known: {', '.join(sorted(known)[:20])}"
    else:
        yield "  there are no routes and no models"
