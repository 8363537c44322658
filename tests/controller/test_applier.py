"""What is written, and what is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from controller.fakeapi import Direct, FakeApi
from pointsman.controller import kinds
from pointsman.controller.applier import Applier
from pointsman.controller.cluster import ApiError, ForbiddenError
from pointsman.controller.store import Store

NS = "ns"
OURS = {"app.kubernetes.io/managed-by": "pointsman"}


class Bench:
    def __init__(self) -> None:
        self.api = FakeApi()
        self.writes: list[tuple[str, str]] = []
        self.cluster = Direct(self.api, lambda *write: self.writes.append(write))
        self.store = Store(lambda _: None)
        self.applier = Applier(self.store, self.cluster)  # type: ignore[arg-type]

    def see(self, kind: kinds.Kind) -> None:
        self.store.replace(kind, self.api.listed(kind), str(self.api.version), self.store.mark())


def config_map(text: str) -> dict[str, Any]:
    meta = {"namespace": NS, "name": "pointsman-routing", "labels": OURS}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"routing.json": text}}


def secret(**data: str) -> dict[str, Any]:
    meta = {"namespace": NS, "name": "pointsman-credentials", "labels": OURS}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data}


async def test_what_is_so_already_is_not_written() -> None:
    """Not even before a watch has told of our own write."""
    bench = Bench()
    assert await bench.applier.objects([config_map("a")]) == 1
    assert await bench.applier.objects([config_map("a")]) == 0
    assert await bench.applier.objects([config_map("b")]) == 1
    assert len(bench.writes) == 2


async def test_keys_are_written_before_the_table_that_names_them() -> None:
    """A gateway that sees the new table finds its credentials."""
    bench = Bench()
    await bench.applier.objects([config_map("a"), secret(a="YQ==")])
    assert bench.writes == [("Secret", "apply"), ("ConfigMap", "apply")]


async def test_an_object_that_the_server_rewrites_is_written_once() -> None:
    """Should it never read back as it was applied, that must not become a loop."""
    bench = Bench()
    apply = bench.api.apply

    def rewriting(kind: str, body: dict[str, Any], manager: str, *, status: bool = False) -> dict[str, Any]:
        return apply(kind, body | {"data": {"routing.json": "rewritten"}}, manager, status=status)

    bench.api.apply = rewriting  # type: ignore[method-assign]
    assert await bench.applier.objects([config_map("a")]) == 1
    assert await bench.applier.objects([config_map("a")]) == 0
    assert await bench.applier.objects([config_map("b")]) == 1


async def test_a_status_is_written_where_it_differs() -> None:
    """Of an object that is there; one that went meanwhile is no failure."""
    bench = Bench()
    bench.api.create("ModelRoute", {"metadata": {"namespace": NS, "name": "r"}, "spec": {}})
    assert not await bench.applier.status(kinds.ROUTE, NS, "r", {"a": 1}), "not seen yet"
    bench.see(kinds.ROUTE)
    assert await bench.applier.status(kinds.ROUTE, NS, "r", {"a": 1})
    assert not await bench.applier.status(kinds.ROUTE, NS, "r", {"a": 1})
    bench.api.delete("ModelRoute", NS, "r")
    assert not await bench.applier.status(kinds.ROUTE, NS, "r", {"a": 2})
    assert bench.writes == [("ModelRoute", "status")] * 2


async def test_a_successor_does_not_get_its_predecessors_status() -> None:
    """Deleted and made anew between our look and our write: the uid tells them apart."""
    bench = Bench()
    for _ in range(2):
        bench.api.objects.pop(("ModelRoute", NS, "r"), None)
        bench.api.create("ModelRoute", {"metadata": {"namespace": NS, "name": "r"}, "spec": {}})
        if not bench.store.bodies(kinds.ROUTE, NS):
            bench.see(kinds.ROUTE)
    assert not await bench.applier.status(kinds.ROUTE, NS, "r", {"a": 1})
    assert "status" not in bench.api.get("ModelRoute", NS, "r")


async def test_only_what_is_ours_is_deleted() -> None:
    """A ConfigMap of our name without our label is somebody else's."""
    bench = Bench()
    bench.api.create("ConfigMap", config_map("a") | {"metadata": {"namespace": NS, "name": "pointsman-routing"}})
    bench.api.create("Secret", secret())
    bench.see(kinds.CONFIGMAP)
    bench.see(kinds.SECRET)
    assert await bench.applier.prune_table(NS, []) == 1
    assert bench.writes == [("Secret", "delete")]


async def test_a_providers_children_go_when_it_deploys_no_more() -> None:
    """By label and owner: neither another provider's nor an unowned one."""
    bench = Bench()
    for name, owner in (("a", "u-a"), ("b", "u-b"), ("a2", "u-other")):
        labels = {"pointsman.dev/provider": name[0]}
        meta = {"namespace": NS, "name": name, "labels": labels, "ownerReferences": [{"uid": owner}]}
        bench.api.create("Deployment", {"metadata": meta, "spec": {}})
    bench.see(kinds.DEPLOYMENT)
    assert await bench.applier.prune_children(NS, "a", "u-a", []) == 1
    assert {name for _, _, name in bench.api.objects} == {"b", "a2"}
    assert await bench.applier.prune_children(NS, "a", "u-a", []) == 0


async def test_a_namespace_that_is_going_takes_no_objects() -> None:
    """That is no failure; any other refusal is."""
    bench = Bench()

    def refuse(message: str) -> None:
        def act(_: str) -> None:
            raise ForbiddenError("PATCH", 403, "Forbidden", message)

        bench.cluster.before = act

    refuse("unable to create new content in namespace ns because it is being terminated")
    assert await bench.applier.objects([config_map("a")]) == 0
    refuse("no right")
    with pytest.raises(ApiError):
        await bench.applier.objects([config_map("a")])
