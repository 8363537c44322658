"""Which change brings up which keys."""

from __future__ import annotations

from typing import Any

from pointsman.controller import kinds
from pointsman.controller.queue import Key
from pointsman.controller.store import Change, Store
from pointsman.controller.wakes import Wakes, users

TABLE, PROVIDER, ROUTE = Key("namespace", "ns"), Key("provider", "ns", "a"), Key("route", "ns", "r")


class Desk:
    """A store with provider `a` and two routes, of which `r` uses it, and the keys that were woken since."""

    def __init__(self) -> None:
        self.keys: set[Key] = set()
        self.wakes = Wakes(self.keys.add, self.keys.add)
        self.store = Store(lambda change: self.wakes.changed(self.store, change))
        self.put(kinds.PROVIDER, "a", {"type": "VLLM", "endpoint": {"baseUrl": "http://h"}})
        for name, provider in (("r", "a"), ("s", "b")):
            self.put(kinds.ROUTE, name, {"modelName": name, "primary": {"provider": provider, "model": "m"}})

    def put(self, kind: kinds.Kind, name: str, spec: Any, *, ours: bool = False, **meta: Any) -> set[Key]:
        self.keys.clear()
        meta = {"version": 1, "generation": 1} | meta
        version = meta.pop("version")
        fields = {"namespace": "ns", "name": name, "uid": f"{kind.name}{name}", "resourceVersion": str(version)}
        self.store.put(kind, {"metadata": fields | meta, "spec": spec}, ours=ours)
        return set(self.keys)


def test_a_provider_wakes_itself_its_routes_and_the_table() -> None:
    """But a status alone only itself, and our own status nobody."""
    spec = {"type": "VLLM", "endpoint": {"baseUrl": "http://other"}}
    assert Desk().put(kinds.PROVIDER, "a", spec, version=2, generation=2) == {PROVIDER, ROUTE, TABLE}
    assert Desk().put(kinds.PROVIDER, "a", spec, version=2) == {PROVIDER}
    assert Desk().put(kinds.PROVIDER, "a", spec, version=2, ours=True) == set()
    assert Desk().put(kinds.PROVIDER, "a", spec, version=2, deletionTimestamp="now") == {PROVIDER, ROUTE, TABLE}


def test_a_deleted_provider_wakes_whoever_used_it() -> None:
    """So that table and routes follow at once."""
    desk = Desk()
    desk.keys.clear()
    desk.store.drop(kinds.PROVIDER, "ns", "a", "ModelProvidera", "2")
    assert desk.keys == {PROVIDER, ROUTE, TABLE}


def test_a_route_wakes_all_routes() -> None:
    """A name may conflict with another route's now, or no more."""
    spec = {"modelName": "s", "primary": {"provider": "a", "model": "m"}}
    other = Key("route", "ns", "s")
    assert Desk().put(kinds.ROUTE, "r", spec, version=2, generation=2) == {ROUTE, other, TABLE}
    assert Desk().put(kinds.ROUTE, "r", spec, version=2) == {ROUTE}
    assert Desk().put(kinds.ROUTE, "r", spec, version=2, ours=True) == set()


def test_what_is_deployed_wakes_its_provider() -> None:
    """Addresses go into the table; a Service only into the cluster; a stranger's object nowhere."""
    labels = {"pointsman.dev/provider": "a"}
    assert Desk().put(kinds.SLICE, "x", {}, labels=labels) == {PROVIDER, ROUTE, TABLE}
    assert Desk().put(kinds.DEPLOYMENT, "a", {}, labels=labels) == {PROVIDER, ROUTE, TABLE}
    assert Desk().put(kinds.SERVICE, "a", {}, labels=labels) == {PROVIDER}
    assert Desk().put(kinds.SERVICE, "a", {}) == set()


def test_a_published_table_wakes_the_routes_and_an_edited_one_itself_too() -> None:
    """Our own publication must not render again."""
    routes = {ROUTE, Key("route", "ns", "s")}
    assert Desk().put(kinds.CONFIGMAP, "pointsman-routing", {}, ours=True) == routes
    assert Desk().put(kinds.CONFIGMAP, "pointsman-routing", {}) == routes | {TABLE}
    assert Desk().put(kinds.SECRET, "pointsman-credentials", {}) == {TABLE}
    assert Desk().put(kinds.SECRET, "pointsman-credentials", {}, ours=True) == set()


def test_a_namespace_wakes_its_table() -> None:
    """Its annotation may say another mode."""
    desk = Desk()
    desk.keys.clear()
    desk.wakes.changed(desk.store, Change(kinds.NAMESPACE, "", "ns", None, {}))
    assert desk.keys == {TABLE}


def test_a_secret_wakes_the_providers_that_name_it() -> None:
    """And theirs: a new key is probed with, and published."""
    desk = Desk()
    desk.keys.clear()
    desk.wakes.secret(desk.store.snapshot("ns"), "k")
    assert desk.keys == set()
    endpoint = {"baseUrl": "http://h", "credentials": {"secretRef": {"name": "k"}}}
    desk.put(kinds.PROVIDER, "a", {"type": "VLLM", "endpoint": endpoint}, version=2, generation=2)
    desk.keys.clear()
    desk.wakes.secret(desk.store.snapshot("ns"), "k")
    assert desk.keys == {PROVIDER, ROUTE, TABLE}


def test_a_listing_wakes_everything() -> None:
    """Drift that no event told of is found by it."""
    desk = Desk()
    desk.keys.clear()
    desk.wakes.everything(desk.store, ["ns"])
    assert desk.keys == {PROVIDER, ROUTE, Key("route", "ns", "s"), TABLE}


def test_a_route_that_cannot_be_read_uses_nobody() -> None:
    """It is refused anyway."""
    desk = Desk()
    desk.put(kinds.ROUTE, "r", {"modelName": 7}, version=2, generation=2)
    assert users(desk.store.snapshot("ns"), "a") == []
