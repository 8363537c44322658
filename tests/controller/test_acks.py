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


class Asked:
    """A gateway that tells its demand, and counts how often it is asked."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {"hash": "h", "uptime": 1000.0, "providers": {}}
        self.times = 0
        self.turned: list[str] = []
        self.changes = 0
        self.acks = Acks(self.change, self.is_stale, lambda namespace, name: self.turned.append(f"{namespace}/{name}"))

    def change(self, _: str) -> None:
        self.changes += 1

    async def is_stale(self, place: Place, wanted: str) -> None:
        raise AssertionError(f"{place} runs another table than {wanted}")

    def tell(self, wanted_ago: float | None, in_flight: int = 0) -> None:
        self.answer["providers"] = {"qwen": {"wantedAgo": wanted_ago, "inFlight": in_flight}}

    async def asked(self, times: int) -> None:
        async with asyncio.timeout(20):
            while self.times < times:  # noqa: ASYNC110 - what is tested has no event for it
                await asyncio.sleep(0.01)


@pytest.fixture
async def asked(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Asked]:
    monkeypatch.setattr("pointsman.controller.acks._CLOSE", 0.02)
    asked, app = Asked(), web.Application()

    async def config(_: web.Request) -> web.Response:
        asked.times += 1
        return web.json_response(asked.answer)

    app.add_routes([web.get("/-/config", config)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    asked.acks.expect("ns", "h")
    asked.acks.put("ns", "gw", pod(port=runner.addresses[0][1]))
    await asked.asked(1)
    yield asked
    await asked.acks.close()
    await runner.cleanup()


async def test_demand_is_asked_for_where_it_decides(asked: Asked) -> None:
    """Often, and from the moment on that it does; elsewhere a gateway that runs its table is left alone."""
    asked.tell(3.0, 2)
    asked.acks.follow("other", closely=True)
    asked.acks.follow("ns", closely=True)
    await asked.asked(4)
    found = asked.acks.demand("ns")["qwen"]
    assert (found.wanted, found.in_flight) == (True, 2)
    assert 3.0 <= found.idle < 60.0
    assert asked.turned == ["ns/qwen"], "told once, however often it is asked"
    assert asked.changes == 2, "it came, and it said its table: demand is none of the routes' business"
    asked.acks.follow("ns", closely=False)
    await asyncio.sleep(0.1)
    before = asked.times
    await asyncio.sleep(0.2)
    assert asked.times == before


async def test_who_wants_to_know_hears_of_demand_that_turns(asked: Asked) -> None:
    """Newly wanted, and answering no more."""
    asked.tell(None)
    asked.acks.follow("ns", closely=True)
    await asked.asked(asked.times + 2)
    assert asked.turned == []
    asked.tell(0.0, 1)
    await asked.asked(asked.times + 3)
    asked.tell(5.0, 0)
    await asked.asked(asked.times + 3)
    assert asked.turned == ["ns/qwen"] * 2


async def test_without_a_gateway_nothing_is_known(asked: Asked) -> None:
    """Nor of a namespace that has none, nor once the last has gone."""
    asked.tell(3.0)
    asked.acks.follow("ns", closely=True)
    await asked.asked(asked.times + 2)
    assert asked.acks.demand("ns")
    assert asked.acks.demand("other") == {}
    asked.acks.put("ns", "gw", None)
    assert asked.acks.demand("ns") == {}


async def test_an_older_release_tells_no_demand(told: Told) -> None:
    """Then nothing is known, and nothing is scaled down."""
    told.says = "h"
    told.acks.put("ns", "gw", pod(port=told.port))
    await told.until((Gateway("gw", "h"),))
    assert told.acks.demand("ns") == {}
