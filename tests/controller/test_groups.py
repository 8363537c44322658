"""LeaderWorkerSets are known where the cluster knows the kind, and asked for only when a provider needs them."""

from typing import Any

import pytest

from controller.fakeapi import Direct, FakeApi, failing
from fleet.worlds import deployed, endpoint
from pointsman.controller import kinds
from pointsman.controller.groups import Groups, of_groups
from pointsman.controller.store import Store
from pointsman.names import PROVIDER_LABEL

Json = dict[str, Any]


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def api() -> FakeApi:
    return FakeApi(kinds=frozenset({"LeaderWorkerSet"}))


def groups(api: FakeApi) -> Groups:
    return Groups(Direct(api), Store(lambda _: None), Time())


def lws(api: FakeApi, ready: int = 0) -> Json:
    meta = {"namespace": "ai", "name": "big", "labels": {PROVIDER_LABEL: "big"}}
    spec = {"replicas": 1, "leaderWorkerTemplate": {"size": 2}}
    status = {"replicas": 1, "readyReplicas": ready, "updatedReplicas": ready}
    body = {"apiVersion": kinds.GROUP_OF_PODS.api, "kind": "LeaderWorkerSet", "metadata": meta, "spec": spec}
    return api.create("LeaderWorkerSet", body | {"status": status})


async def test_a_cluster_without_the_kind_is_told(api: FakeApi) -> None:
    """Before anybody looked it is not known; then it is believed for half a minute, as looking costs a request."""
    api.kinds = frozenset()
    found = groups(api)
    assert found.known is None
    await found.look("ai", "big")
    assert found.known is False
    api.kinds = frozenset({"LeaderWorkerSet"})
    await found.look("ai", "big")
    assert found.known is False
    found.clock.now = 31.0  # type: ignore[attr-defined] # a Time
    await found.look("ai", "big")
    assert found.known is True


async def test_what_is_there_is_seen_and_what_went_is_forgotten(api: FakeApi) -> None:
    """Its readiness becomes the provider's."""
    found = groups(api)
    await found.look("ai", "big")
    assert "big" not in found.store.snapshot("ai").workloads
    lws(api, ready=1)
    await found.look("ai", "big")
    seen = found.store.snapshot("ai").workloads["big"]
    assert (seen.replicas, seen.rolled, seen.status["readyReplicas"]) == (1, True, 1)
    api.delete("LeaderWorkerSet", "ai", "big")
    await found.look("ai", "big")
    assert "big" not in found.store.snapshot("ai").workloads


async def test_a_cluster_that_does_not_answer_leaves_what_is_known(api: FakeApi) -> None:
    """Nothing is taken to be missing because it could not be asked for."""
    cluster = Direct(api)
    found = Groups(cluster, Store(lambda _: None), Time())

    def fail(_: str) -> None:
        raise failing(500)

    cluster.before = fail
    await found.look("ai", "big")
    assert found.known is None


def test_only_replicas_over_several_nodes_are_groups() -> None:
    """Everything else is a Deployment, and the kind is never asked for."""
    assert of_groups(deployed("big", parallelism={"nodes": 2}))
    for one in (deployed("a"), deployed("b", parallelism={"tensor": 1}), deployed("c", parallelism={"nodes": 1})):
        assert not of_groups(one)
    assert not of_groups(endpoint("e"))
