"""Whether an object may be used at all. What is refused is neither deployed, nor probed, nor in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.fleet import unimplemented, validity
from pointsman.fleet.conditions import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pointsman.api.provider import ModelProviderSpec
    from pointsman.fleet.world import Provider, Route, World


# By the spec's identity: a spec never changes, and is asked about for each route and each table that names it. The spec
# is held as well, so that its identity cannot become another's.
_JUDGED: dict[tuple[int, str], tuple[ModelProviderSpec, Finding | None]] = {}
_MOST: Final = 10_000


def provider_refusal(provider: Provider) -> Finding | None:
    """Why a provider is refused; None: it is accepted."""
    if provider.spec is None:
        return Finding("InvalidSpec", provider.error)
    key = (id(provider.spec), provider.meta.name)
    if key not in _JUDGED:
        if len(_JUDGED) >= _MOST:
            _JUDGED.clear()
        _JUDGED[key] = (provider.spec, _judge(provider.meta.name, provider.spec))
    return _JUDGED[key][1]


def _judge(name: str, spec: ModelProviderSpec) -> Finding | None:
    if wrong := [*validity.name(name), *validity.provider(spec)]:
        return Finding("InvalidSpec", "; ".join(wrong))
    return _gaps(unimplemented.refusals(spec))


def route_refusal(world: World, route: Route) -> Finding | None:
    """Why a route is refused, a name that an older route holds included."""
    return route_refusals(_rivals(world, route))[route.meta.name]


def route_refusals(routes: Iterable[Route]) -> dict[str, Finding | None]:
    """The same for every route, by name: the older one holds a name, and of two of an age the first by name."""
    holders: dict[str, str] = {}
    out: dict[str, Finding | None] = {}
    for route in sorted(routes, key=_age):
        refusal = _unsound(route) or _conflict(route, holders)
        # Deleted or refused routes hold no names: the next in age takes over at once.
        if refusal is None and not route.meta.deleting:
            holders |= dict.fromkeys(names(route), route.meta.name)
        out[route.meta.name] = refusal
    return out


def names(route: Route) -> frozenset[str]:
    """What clients may call a route."""
    return frozenset((route.spec.model_name, *(route.spec.aliases or ()))) if route.spec else frozenset()


def _gaps(refusals: list[str]) -> Finding | None:
    return Finding("NotImplemented", "; ".join(refusals)) if refusals else None


def _unsound(route: Route) -> Finding | None:
    if route.spec is None:
        return Finding("InvalidSpec", route.error)
    if wrong := [*validity.name(route.meta.name), *validity.route(route.spec)]:
        return Finding("InvalidSpec", "; ".join(wrong))
    return _gaps(unimplemented.refusals(route.spec))


def _conflict(route: Route, holders: Mapping[str, str]) -> Finding | None:
    shared = sorted(names(route) & holders.keys())
    if not shared:
        return None
    return Finding("Conflicted", f"{shared[0]}: the older route {holders[shared[0]]} answers to it: choose another")


def _rivals(world: World, route: Route) -> list[Route]:
    """The route and every older one that shares a name with it, or with one that does: most often it alone."""
    rivals, pool, size = [route], names(route), 0
    older = [other for other in world.routes.values() if _age(other) < _age(route)]
    while size != len(pool):
        size = len(pool)
        rivals = [route, *(other for other in older if names(other) & pool)]
        pool = pool.union(*map(names, rivals))
    return rivals


def _age(route: Route) -> tuple[str, str]:
    return route.meta.created, route.meta.name
