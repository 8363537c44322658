"""Full listings: of all kinds or of none that counts, and of one's own namespaces only."""

from __future__ import annotations

from typing import Any

from controller.fakeapi import Direct, FakeApi, failing
from pointsman.controller import kinds
from pointsman.controller.cluster import Listing
from pointsman.controller.resync import Resync
from pointsman.controller.store import Store


class Desk:
    def __init__(self, *namespaces: str) -> None:
        self.api, self.store, self.done = FakeApi(), Store(lambda _: None), list[bool]()
        self.cluster = Direct(self.api)
        self.resync = Resync(self.store, self.cluster, namespaces, 300, self.done.append)  # type: ignore[arg-type]
        for space in ("one", "two", "three"):
            self.api.create("Namespace", {"metadata": {"name": space}})
            self.api.create("ModelProvider", {"metadata": {"namespace": space, "name": "a"}, "spec": {}})


async def test_everything_is_listed() -> None:
    """And then the store counts as synced."""
    desk = Desk()
    assert await desk.resync.once()
    assert desk.store.synced
    assert desk.store.namespaces() == {"one", "two", "three"}
    assert desk.done == [True]


async def test_one_kind_that_fails_leaves_the_store_unsynced() -> None:
    """What is known of that kind stays."""
    desk, calls = Desk(), 0

    def refuse(_: str) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise failing(500)

    desk.cluster.before = refuse
    assert not await desk.resync.once()
    assert not desk.store.synced
    assert desk.done == [False]
    assert await desk.resync.once()
    assert desk.store.synced


async def test_with_namespaces_only_these_are_asked_for() -> None:
    """Each by itself, and Namespaces by name: a Role allows no more."""
    desk = Desk("one", "three", "gone")
    asked = list[tuple[str, str | None]]()
    listed = desk.cluster.list_all

    async def list_all(kind: kinds.Kind, namespace: str | None = None) -> Listing:
        asked.append((kind.name, namespace))
        return await listed(kind, namespace)

    desk.cluster.list_all = list_all  # type: ignore[method-assign]
    assert await desk.resync.once()
    assert desk.store.namespaces() == {"one", "three"}
    assert {namespace for _, namespace in asked} == {"one", "three", "gone"}
    assert "Namespace" not in {kind for kind, _ in asked}
    assert set(desk.store.bodies(kinds.NAMESPACE, "")) == {"one", "three"}


async def test_of_several_lists_the_oldest_version_is_true_of_all() -> None:
    """So that nothing that one of them was too early for is taken for gone."""
    desk, versions = Desk("one", "two"), iter("95")

    async def list_all(_kind: kinds.Kind, _namespace: str | None = None) -> Listing:
        return Listing([], next(versions))

    desk.cluster.list_all = list_all  # type: ignore[method-assign]
    assert (await desk.resync._listing(kinds.PROVIDER)).version == "5"


def test_paths_of_kinds() -> None:
    """Core and grouped, of one object, a namespace's, and all."""
    assert kinds.SECRET.path("ns", "s") == "/api/v1/namespaces/ns/secrets/s"
    assert kinds.DEPLOYMENT.path() == "/apis/apps/v1/deployments"
    assert kinds.NAMESPACE.path(None, "ns") == "/api/v1/namespaces/ns"
    assert kinds.ROUTE.path("ns", "r", "status").endswith("/namespaces/ns/modelroutes/r/status")
    body: dict[str, Any] = {kind.name: kind.namespaced for kind in kinds.WATCHED}
    assert [name for name, namespaced in body.items() if not namespaced] == ["Namespace"]
