"""Gateway Pods are nudged once for each table."""

from __future__ import annotations

from typing import Any

from controller.fakeapi import Direct, FakeApi, failing
from pointsman.controller import kinds
from pointsman.controller.acks import Place
from pointsman.controller.nudges import Nudges
from pointsman.controller.store import Store


class Desk:
    def __init__(self) -> None:
        self.api, self.store = FakeApi(), Store(lambda _: None)
        self.cluster = Direct(self.api)
        self.nudges = Nudges(self.store, self.cluster)  # type: ignore[arg-type]

    def pod(self, name: str, **status: Any) -> str:
        meta = {"namespace": "ns", "name": name, "labels": {"pointsman.dev/gateway": "true"}}
        body = self.api.create("Pod", {"metadata": meta, "status": status})
        self.store.put(kinds.GATEWAY, body)
        return str(body["metadata"]["uid"])

    def hashes(self) -> dict[str, str]:
        pods = (body["metadata"] for body in self.api.listed(kinds.GATEWAY))
        return {meta["name"]: meta.get("annotations", {}).get("pointsman.dev/routing-hash", "") for meta in pods}


async def test_every_gateway_is_nudged_once_for_a_table() -> None:
    """Also one that is not ready; not one that has ended."""
    desk = Desk()
    desk.pod("a")
    desk.pod("b", phase="Pending")
    desk.pod("c", phase="Failed")
    for _ in range(2):
        await desk.nudges.all("ns", "h1")
    assert desk.hashes() == {"a": "h1", "b": "h1", "c": ""}
    assert desk.api.writes == 2
    await desk.nudges.all("ns", "h2")
    assert desk.hashes() == {"a": "h2", "b": "h2", "c": ""}
    await desk.nudges.all("ns", "")
    assert desk.api.writes == 4, "no table, no nudge"


async def test_a_gateway_that_runs_an_old_table_is_nudged() -> None:
    """But not its successor of the same name."""
    desk = Desk()
    uid = desk.pod("a")
    await desk.nudges.stale(Place("ns", "a", "another", ""), "h1")
    await desk.nudges.stale(Place("ns", "gone", uid, ""), "h1")
    assert desk.api.writes == 0
    await desk.nudges.stale(Place("ns", "a", uid, ""), "h1")
    assert desk.hashes() == {"a": "h1"}


async def test_a_nudge_that_fails_is_no_failure() -> None:
    """The table arrives without it, only later."""
    desk = Desk()
    desk.pod("a")

    def refuse(_: str) -> None:
        raise failing(403)

    desk.cluster.before = refuse
    await desk.nudges.all("ns", "h1")
    assert desk.hashes() == {"a": ""}
