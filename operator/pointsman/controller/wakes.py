"""What has to be looked at again when something changed. Edges only wake: what is decided depends on state alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.controller import kinds, secrets, workloads
from pointsman.controller.queue import Key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pointsman.controller.store import Change, Store
    from pointsman.fleet.world import Json, Route, World


class Wakes:
    """Turns changes into keys. `add` brings a key up at once, `put_off` once its namespace is quiet for a moment."""

    def __init__(self, add: Callable[[Key], None], put_off: Callable[[Key], None]) -> None:
        self._add, self._put_off = add, put_off

    def changed(self, store: Store, change: Change) -> None:
        """An object came, went or differs."""
        namespace, name = change.namespace, change.name
        if change.kind is kinds.PROVIDER:
            self._provider(store, change)
        elif change.kind is kinds.ROUTE:
            self._route(store, change)
        elif change.kind in (kinds.DEPLOYMENT, kinds.SERVICE, kinds.SLICE):
            self._child(store, change)
        elif change.kind is kinds.CONFIGMAP:
            self._routes(namespace, store.snapshot(namespace).routes)
            self._table(namespace, unless=change.ours)
        elif change.kind is kinds.SECRET:
            self._table(namespace, unless=change.ours)
        elif change.kind is kinds.NAMESPACE:
            self._table(name)

    def everything(self, store: Store, namespaces: Iterable[str]) -> None:
        """After a full listing: drift that no event told of is found too."""
        for namespace in namespaces:
            world = store.snapshot(namespace)
            for name in world.providers:
                self._add(Key("provider", namespace, name))
            self._routes(namespace, world.routes)
            self._table(namespace)

    def probed(self, world: World, name: str) -> None:
        """A probe changed what is known of a provider."""
        self._add(Key("provider", world.namespace, name))
        self._routes(world.namespace, users(world, name))
        self._table(world.namespace)

    def secret(self, world: World, name: str) -> None:
        """A Secret reads differently than before."""
        for provider in world.providers.values():
            if name in secrets.names(provider):
                self.probed(world, provider.meta.name)

    def gateways(self, world: World) -> None:
        """A gateway came, went, or took up another table."""
        self._routes(world.namespace, world.routes)

    def refused(self, world: World) -> None:
        """The table could not be made, or can be made again."""
        self._routes(world.namespace, world.routes)

    def _provider(self, store: Store, change: Change) -> None:
        if not (change.ours and _same_spec(change)):
            self._add(Key("provider", change.namespace, change.name))
        if not _same_spec(change):
            world = store.snapshot(change.namespace)
            self._routes(change.namespace, users(world, change.name))
            self._table(change.namespace)

    def _route(self, store: Store, change: Change) -> None:
        if not (change.ours and _same_spec(change)):
            self._put_off(Key("route", change.namespace, change.name))
        if not _same_spec(change):
            self._routes(
                change.namespace, store.snapshot(change.namespace).routes
            )  # names may conflict now, or no more
            self._table(change.namespace)

    def _child(self, store: Store, change: Change) -> None:
        provider = workloads.owner(change.new or change.old or {"metadata": {}})
        if not provider:
            return
        self._add(Key("provider", change.namespace, provider))
        if change.kind is not kinds.SERVICE:
            self._routes(change.namespace, users(store.snapshot(change.namespace), provider))
            self._table(change.namespace)

    def _routes(self, namespace: str, names: Iterable[str]) -> None:
        for name in names:
            self._put_off(Key("route", namespace, name))

    def _table(self, namespace: str, *, unless: bool = False) -> None:
        if not unless:
            self._put_off(Key("namespace", namespace))


def users(world: World, provider: str) -> list[str]:
    """The routes that name a provider."""
    return [name for name, route in world.routes.items() if _uses(route, provider)]


def _uses(route: Route, provider: str) -> bool:
    spec = route.spec
    if spec is None:
        return False
    return spec.primary.provider == provider or any(each.provider == provider for each in spec.fallbacks or ())


def _same_spec(change: Change) -> bool:
    return change.old is not None and change.new is not None and _essence(change.old) == _essence(change.new)


def _essence(body: Json) -> tuple[object, ...]:
    meta = body["metadata"]
    return meta["uid"], meta.get("generation"), bool(meta.get("deletionTimestamp"))
