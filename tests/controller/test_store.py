"""What the store believes, after any sequence of late, doubled, lost and reordered news."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.fakeapi import FakeApi
from pointsman.controller import kinds
from pointsman.controller.store import Change, Store
from pointsman.names import Mode

Json = dict[str, Any]


def provider(name: str = "a", uid: str = "u1", version: int = 1, generation: int = 1, **spec: Any) -> Json:
    spec = {"type": "VLLM", "endpoint": {"baseUrl": "http://h:1"}} | spec
    meta = {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": str(version), "generation": generation}
    return {"metadata": meta, "spec": spec}


def new_store() -> tuple[Store, list[Change]]:
    changes: list[Change] = []
    return Store(changes.append), changes


def test_an_older_state_never_replaces_a_newer_one() -> None:
    """Nor does the same state again: neither is heard of."""
    store, changes = new_store()
    assert store.put(kinds.PROVIDER, provider(version=5, suspend=True))
    assert not store.put(kinds.PROVIDER, provider(version=4))
    assert not store.put(kinds.PROVIDER, provider(version=5))
    spec = store.snapshot("ns").providers["a"].spec
    assert spec
    assert spec.suspend
    assert len(changes) == 1


def test_a_deleted_object_stays_deleted() -> None:
    """A late event of it is ignored, its successor of the same name is not."""
    store, _ = new_store()
    store.put(kinds.PROVIDER, provider(uid="u1", version=1))
    assert store.drop(kinds.PROVIDER, "ns", "a", "u1", "9")
    assert not store.put(kinds.PROVIDER, provider(uid="u1", version=8))
    assert store.put(kinds.PROVIDER, provider(uid="u2", version=10))
    assert not store.drop(kinds.PROVIDER, "ns", "a", "u1", "9"), "its predecessor's deletion is news of yesterday"
    assert "a" in store.snapshot("ns").providers


def test_an_object_may_come_back() -> None:
    """One that lost the label by which it is watched is reported deleted, and has it again later."""
    store, _ = new_store()
    store.put(kinds.PROVIDER, provider(version=1))
    assert store.drop(kinds.PROVIDER, "ns", "a", "u1", "2")
    assert store.put(kinds.PROVIDER, provider(version=3))
    assert not store.drop(kinds.PROVIDER, "ns", "a", "u1", "2"), "that was before it came back"


def test_what_a_list_does_not_hold_is_gone() -> None:
    """But not what was put after the list was asked for."""
    store, _ = new_store()
    store.put(kinds.PROVIDER, provider("ghost", uid="u1"))
    mark = store.mark()
    store.put(kinds.PROVIDER, provider("new", uid="u2"))
    store.replace(kinds.PROVIDER, [provider("listed", uid="u3")], "9", mark)
    assert set(store.snapshot("ns").providers) == {"listed", "new"}


def test_nothing_is_synced_before_every_kind_was_listed() -> None:
    """A half-read world is none."""
    store, _ = new_store()
    for kind in kinds.WATCHED:
        assert not store.synced
        store.replace(kind, [], "1", store.mark())
    assert store.synced


def test_versions_that_are_no_numbers_are_only_told_apart() -> None:
    """Then whatever came last counts."""
    store, _ = new_store()
    body = provider()
    body["metadata"]["resourceVersion"] = "b"
    assert store.put(kinds.PROVIDER, body)
    assert not store.put(kinds.PROVIDER, body)
    other = copy.deepcopy(body)
    other["metadata"]["resourceVersion"] = "a"
    assert store.put(kinds.PROVIDER, other)


def test_a_spec_is_read_again_only_when_it_changed() -> None:
    """A status update keeps the parsed spec; an unreadable spec is kept as an error."""
    store, _ = new_store()
    store.put(kinds.PROVIDER, provider(version=1))
    before = store.snapshot("ns").providers["a"]
    store.put(kinds.PROVIDER, provider(version=2) | {"status": {"observedGeneration": 1}})
    after = store.snapshot("ns").providers["a"]
    assert after.spec is before.spec
    assert after.status == {"observedGeneration": 1}
    store.put(kinds.PROVIDER, provider(version=3, generation=2, type="Abacus"))
    assert "spec.type" in store.snapshot("ns").providers["a"].error


def test_a_snapshot_is_not_changed_afterwards() -> None:
    """Whoever decides by it sees one moment."""
    store, _ = new_store()
    store.put(kinds.PROVIDER, provider("a"))
    world = store.snapshot("ns")
    store.put(kinds.PROVIDER, provider("b", uid="u2"))
    assert set(world.providers) == {"a"}
    assert set(store.snapshot("ns").providers) == {"a", "b"}


def test_the_mode_is_the_namespaces_or_the_operators() -> None:
    """An annotation that is none of the two modes says nothing."""
    store, _ = new_store()
    meta = {"name": "ns", "uid": "n", "resourceVersion": "1", "annotations": {"pointsman.dev/mode": "Replace"}}
    assert store.snapshot("ns").mode is Mode.MERGE
    store.put(kinds.NAMESPACE, {"metadata": meta})
    assert store.snapshot("ns").mode is Mode.REPLACE
    nonsense = meta | {"resourceVersion": "2", "annotations": {"pointsman.dev/mode": "Shuffle"}}
    store.put(kinds.NAMESPACE, {"metadata": nonsense})
    assert store.snapshot("ns").mode is Mode.MERGE


def test_an_edited_table_counts_as_none() -> None:
    """Its hash does not match, so it is not what gateways should acknowledge."""
    store, _ = new_store()
    meta = {"namespace": "ns", "name": "pointsman-routing", "uid": "c", "resourceVersion": "1"}
    store.put(kinds.CONFIGMAP, {"metadata": meta, "data": {"routing.json": '{"schema": 1, "hash": "abc"}'}})
    assert store.snapshot("ns").published_hash == ""


def test_workloads_are_told_by_deployments_and_slices() -> None:
    """Ready addresses of all slices with the provider's label, with the port."""
    store, _ = new_store()
    labels = {"pointsman.dev/provider": "qwen"}
    meta = {"namespace": "ns", "name": "qwen", "uid": "d", "resourceVersion": "1", "generation": 3, "labels": labels}
    store.put(kinds.DEPLOYMENT, {"metadata": meta, "status": {"readyReplicas": 1}})
    endpoints = [
        {"addresses": ["10.0.0.2"], "conditions": {"ready": True}},
        {"addresses": ["10.0.0.3"], "conditions": {"ready": False}},
        {"addresses": ["10.0.0.1"]},
    ]
    part = {"metadata": meta | {"name": "qwen-x", "uid": "s"}, "ports": [{"port": 8000}], "endpoints": endpoints}
    store.put(kinds.SLICE, part)
    workload = store.snapshot("ns").workloads["qwen"]
    assert workload.addresses == ("10.0.0.1:8000", "10.0.0.2:8000")
    assert workload.generation == 3


@given(st.data())
def test_any_delivery_followed_by_a_list_ends_in_the_truth(data: st.DataObject) -> None:
    """Events may be lost, doubled, reordered and stale: after one full listing the store is what the server holds."""
    api = FakeApi()
    for step in data.draw(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12)):
        name, delete = step
        if ("ModelProvider", "ns", name) not in api.objects:
            api.create("ModelProvider", {"metadata": {"namespace": "ns", "name": name}, "spec": {"n": 0}})
        elif delete:
            api.delete("ModelProvider", "ns", name)
        else:
            api.edit("ModelProvider", "ns", name, lambda body: body["spec"].update(n=body["spec"]["n"] + 1))
    store, _ = new_store()
    early = data.draw(st.integers(0, 40))
    events = data.draw(st.lists(st.sampled_from(api.log), max_size=40)) if api.log else []
    for _, kind, _, body in events[:early]:
        deliver(store, kind, body)
    mark, listed = store.mark(), api.listed(kinds.PROVIDER)
    for _, kind, _, body in events[early:]:  # these arrive while the LIST is on its way
        deliver(store, kind, body)
    store.replace(kinds.PROVIDER, listed, str(api.version), mark)
    # Ghosts that came in while the LIST was on its way are found by the next.
    store.replace(kinds.PROVIDER, listed, str(api.version), store.mark())
    have = {name: body["metadata"]["resourceVersion"] for name, body in store.bodies(kinds.PROVIDER, "ns").items()}
    assert have == {body["metadata"]["name"]: body["metadata"]["resourceVersion"] for body in listed}


def deliver(store: Store, event: str, body: Json) -> None:
    meta = body["metadata"]
    if event == "DELETED":
        store.drop(kinds.PROVIDER, meta["namespace"], meta["name"], meta["uid"], meta["resourceVersion"])
    else:
        store.put(kinds.PROVIDER, body)
