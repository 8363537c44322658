"""Who runs which table: asked of the gateways themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from pointsman.controller.acks import Acks, Place, place_of, port_of
from pointsman.fleet.world import Gateway


def pod(address: str = "127.0.0.1", port: int = 8080, ready: str = "True", **meta: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "ns", "name": "gw", "uid": "u"} | meta,
        "spec": {"containers": [{"ports": [{"name": "gateway", "containerPort": port}]}]},
        "status": {"podIP": address, "conditions": [{"type": "Ready", "status": ready}]},
    }


class Told:
    """A gateway that says a hash, and what the acks made of it."""

    def __init__(self) -> None:
        self.says = ""
        self.changes = 0
        self.stale: list[str] = []
        self.changed = asyncio.Condition()
        self.acks = Acks(self.change, self.is_stale)
        self.port = 0

    def change(self, _: str) -> None:
        self.changes += 1

    async def is_stale(self, place: Place, wanted: str) -> None:
        self.stale.append(f"{place.name} {wanted}")

    async def until(self, gateways: tuple[Gateway, ...]) -> None:
        async with asyncio.timeout(10):
            while self.acks.gateways("ns") != gateways:  # noqa: ASYNC110 - what is tested has no event for it
                await asyncio.sleep(0.01)


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    told, app = Told(), web.Application()

    async def config(_: web.Request) -> web.Response:
        return web.json_response({"hash": told.says, "more": 1}) if told.says else web.Response(status=503)

    app.add_routes([web.get("/-/config", config)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    told.port = runner.addresses[0][1]
    yield told
    await told.acks.close()
    await runner.cleanup()


async def test_a_gateway_is_asked_until_it_runs_the_table(told: Told) -> None:
    """And is reported as stale meanwhile, so that its Pod can be nudged."""
    told.says = "old"
    told.acks.put("ns", "gw", pod(port=told.port))
    assert not told.acks.asked("ns")
    await told.until((Gateway("gw", "old"),))
    assert told.acks.asked("ns")
    told.acks.expect("ns", "new")
    async with asyncio.timeout(10):
        while not told.stale:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.01)
    told.says = "new"
    await told.until((Gateway("gw", "new"),))
    assert set(told.stale) == {"gw new"}
    assert told.changes == 3, "it came, it said one hash, it said another"


async def test_a_gateway_that_does_not_answer_runs_nothing(told: Told) -> None:
    """A refusal, nobody there, nonsense: all the same, and no failure."""
    told.acks.put("ns", "gw", pod(port=told.port))
    told.acks.put("ns", "nobody", pod(port=9) | {"metadata": {"namespace": "ns", "name": "nobody", "uid": "v"}})
    await told.until((Gateway("gw", ""), Gateway("nobody", "")))
    async with asyncio.timeout(10):
        while not told.acks.asked("ns"):  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.01)


async def test_a_gateway_that_goes_counts_no_more(told: Told) -> None:
    """Deleted, no longer ready, or on its way out."""
    for gone in (None, pod(ready="False"), pod(deletionTimestamp="now"), pod(address="")):
        told.acks.put("ns", "gw", pod(port=told.port))
        assert told.acks.gateways("ns")
        told.acks.put("ns", "gw", gone)
        assert told.acks.gateways("ns") == ()


def test_where_a_gateway_answers() -> None:
    """The annotation, the port's name, the default; IPv6 in brackets."""
    assert port_of(pod(annotations={"pointsman.dev/gateway-port": "9000"})) == 9000
    assert port_of(pod(annotations={"pointsman.dev/gateway-port": "99999"})) == 8080
    assert port_of(pod(port=1234)) == 1234
    sidecar = {"initContainers": [{"ports": [{"name": "gateway", "containerPort": 77}]}], "containers": []}
    assert port_of(pod() | {"spec": sidecar}) == 77
    assert port_of(pod() | {"spec": {}}) == 8080
    place = place_of(pod(address="fd00::1"))
    assert place
    assert place.url == "http://[fd00::1]:8080"
