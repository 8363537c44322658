"""The routing table of a namespace: same world, same bytes, in whatever order its objects were learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pointsman import table
from pointsman.api.fields import seconds
from pointsman.fleet import catalogue, chain
from pointsman.fleet.acceptance import route_refusals
from pointsman.fleet.context import floor
from pointsman.fleet.keys import credential, credential_ref
from pointsman.fleet.seen import Seen, base_url, location, native, region, seen, speaks, state
from pointsman.kinds import kind
from pointsman.names import synonym

if TYPE_CHECKING:
    from pointsman.api import route as api
    from pointsman.api.provider import Limits, Tls
    from pointsman.fleet.world import Route, World

# A ConfigMap holds 1 MiB, and openclaw.json goes into the same one.
SIZE_LIMIT: Final = 700_000
FOREVER: Final = -1.0  # as Ollama says it


class RenderError(ValueError):
    """A world of which no table can be made; the text says why and what to do."""


def render(world: World) -> table.RoutingTable:
    """The sealed table: accepted objects that are not being deleted, by name. RenderError: it would be too large.

    Where every model that servers list would make it too large, those that no object names are left out.
    """
    found = [each for name in sorted(world.providers) if isinstance(each := seen(world, name), Seen)]
    full = table.RoutingTable(
        namespace=world.namespace,
        mode=world.mode.value,
        providers=tuple(map(_provider, found)),
        routes=_routes(world),
    )
    for candidate in (full, _named_only(full, found)):
        if len(table.dump(candidate)) <= SIZE_LIMIT:
            return table.seal(candidate)
    raise RenderError(
        f"the routing table of {world.namespace} would be larger than {SIZE_LIMIT} bytes: "
        "spread providers and routes over more namespaces"
    )


def credentials(world: World) -> dict[str, str]:
    """Provider name -> the key for it, of those whose Secret is there."""
    out: dict[str, str] = {}
    for name in sorted(world.providers):
        found = seen(world, name)
        if isinstance(found, Seen) and (value := credential(name, found.spec, world.secrets)):
            out[name] = value
    return out


def _provider(found: Seen) -> table.Provider:
    of, spec, endpoint = kind(found.spec.type), found.spec, found.spec.endpoint
    keyed = credential_ref(found.name, spec) is not None
    standing, reason = state(found)
    tls = endpoint.tls if endpoint else None
    return table.Provider(
        name=found.name,
        type=spec.type.value,
        base_url=base_url(found),
        addresses=tuple(sorted(found.workload.addresses)) if found.workload else (),
        api=tuple(dialect.value for dialect in speaks(spec)),
        auth=of.auth if keyed else "None",
        credential=found.name if keyed else "",
        headers=dict(endpoint.headers or {}) if endpoint else {},
        tls=_tls(tls) if tls else None,
        location=location(found).value,
        region=region(found),
        native=native(found),
        state=standing.value,
        reason=reason,
        suspended=spec.suspend,
        limits=_limits(spec.limits) if spec.limits else None,
        keep_alive=_keep_alive(spec.keep_loaded),
        models=catalogue.models(found),
    )


def _limits(stated: Limits) -> table.Limits | None:
    limits = table.Limits(
        concurrent=stated.max_concurrent_requests or 0,
        requests_per_minute=stated.requests_per_minute or 0,
        tokens_per_minute=stated.tokens_per_minute or 0,
    )
    return limits if limits != table.Limits() else None


def _keep_alive(stated: str | None) -> float:
    if stated is None:
        return 0.0
    return FOREVER if stated == "Forever" else seconds(stated)


def _tls(stated: Tls) -> table.Tls:
    return table.Tls(
        ca_bundle=stated.ca_bundle or "",
        server_name=stated.server_name or "",
        insecure_skip_verify=stated.insecure_skip_verify,
    )


def _routes(world: World) -> tuple[table.Route, ...]:
    refusals = route_refusals(world.routes.values())
    usable = (route for name, route in sorted(world.routes.items()) if not refusals[name] and not route.meta.deleting)
    return tuple(_route(world, route, route.spec) for route in usable if route.spec)


def _route(world: World, route: Route, spec: api.ModelRouteSpec) -> table.Route:
    found = [(link.rendered, _target(link)) for link in chain.links(world, spec)]
    return table.Route(
        name=route.meta.name,
        model_name=spec.model_name,
        aliases=tuple(sorted(spec.aliases or ())),
        targets=tuple(target for rendered, target in found if rendered),
        missing=tuple(target for rendered, target in found if not rendered),
        policy=_policy(spec.policy) if spec.policy else table.Policy(),
    )


def _target(link: chain.Link) -> table.Target:
    return table.Target(provider=link.provider, model=link.model, skip=link.skip)


def _policy(policy: api.Policy) -> table.Policy:
    failover, fence = policy.failover, policy.data_policy
    fields = {
        "failover_on": tuple(sorted(failover.on)) if failover and failover.on is not None else None,
        "max_attempts": failover.max_attempts if failover else None,
        "timeouts": _timeouts(policy.timeouts) if policy.timeouts else None,
        "breaker": _breaker(policy.circuit_breaker) if policy.circuit_breaker else None,
        "fence": _fence(fence) if fence else None,
        "context": floor(policy.context) if policy.context else None,
        "required": tuple(sorted(policy.required_capabilities)) if policy.required_capabilities else None,
        "return_after": _seconds(policy.return_to_primary.after_healthy) if policy.return_to_primary else None,
        "hedge_after": _seconds(policy.hedging.after) if policy.hedging else None,
        "drop_tools": policy.drop_tools,
        "mid_stream": policy.mid_stream,
    }
    return msgspec.structs.replace(table.Policy(), **{key: value for key, value in fields.items() if value is not None})


def _seconds(stated: str | None) -> float | None:
    return seconds(stated) if stated else None


def _timeouts(stated: api.Timeouts) -> table.Timeouts:
    fields = {name: seconds(value) for name, value in stated.model_dump(exclude_none=True).items()}
    return table.Timeouts(**fields)


def _breaker(stated: api.CircuitBreaker) -> table.Breaker:
    default = table.Breaker()
    return table.Breaker(
        consecutive_failures=stated.consecutive_failures or default.consecutive_failures,
        open_seconds=seconds(stated.open_duration) if stated.open_duration else default.open_seconds,
        half_open=stated.half_open_requests or default.half_open,
    )


def _fence(stated: api.Fence) -> table.Fence:
    return table.Fence(
        locations=tuple(sorted(stated.allowed_locations or ())), regions=tuple(sorted(stated.allowed_regions or ()))
    )


def _named_only(full: table.RoutingTable, found: list[Seen]) -> table.RoutingTable:
    """The table with only the models that an object names."""
    named = {(each.name, model) for each in found for model in catalogue.own_names(each)}
    named |= {(each.name, entry.id) for each in found for entry in each.spec.models or ()}
    targets = [(target.provider, target.model) for route in full.routes for target in route.targets]
    types = {each.name: each.spec.type for each in found}
    named |= {*targets, *((provider, synonym(types.get(provider, ""), model)) for provider, model in targets)}
    providers = [
        msgspec.structs.replace(each, models=tuple(model for model in each.models if (each.name, model.id) in named))
        for each in full.providers
    ]
    return msgspec.structs.replace(full, providers=tuple(providers))
