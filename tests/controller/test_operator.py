"""The whole operator, kopf included, against an API server over HTTP that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from controller.fakeserver import FakeServer, refusal, serving
from pointsman import table
from pointsman.controller import kinds
from pointsman.controller.cluster import Cluster
from pointsman.controller.metrics import Metrics
from pointsman.controller.operator import Operator, Options

NS = "ns"
pytestmark = pytest.mark.filterwarnings("default")  # kopf's own


@asynccontextmanager
async def running(server: FakeServer, resync: float = 300.0) -> AsyncIterator[asyncio.Task[int]]:
    """An operator as a task, which gives its exit status."""
    metrics = Metrics()
    cluster = Cluster(server.configuration(), lambda kind, verb: metrics.writes.labels(kind, verb).inc())
    operator = Operator(Options(resync_seconds=resync), cluster, metrics)
    task = asyncio.create_task(operator.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await operator.close()


async def until(holds: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within 20 s: {what}") from None


def make(server: FakeServer, kind: str, name: str, **spec: Any) -> None:
    server.api.create(kind, {"metadata": {"namespace": NS, "name": name}, "spec": spec})


def make_provider(server: FakeServer, name: str) -> None:
    make(server, "ModelProvider", name, type="VLLM", endpoint={"baseUrl": "http://127.0.0.1:9"})


def make_route(server: FakeServer, *providers: str) -> None:
    targets = [{"provider": name, "model": "m"} for name in providers]
    make(server, "ModelRoute", "r", modelName="m", primary=targets[0], fallbacks=targets[1:])


def providers(server: FakeServer) -> set[str]:
    """Those in the published table."""
    body = server.api.objects.get(("ConfigMap", NS, "pointsman-routing"))
    text = body["data"]["routing.json"].encode() if body else b""
    return {each.name for each in table.load(text).providers} if text else set()


async def test_objects_become_a_table() -> None:
    """Created before the start or after it."""
    async with serving() as server:
        make_provider(server, "a")
        make_route(server, "a", "b")
        async with running(server):
            await until(lambda: providers(server) == {"a"}, "a table")
            make_provider(server, "b")
            await until(lambda: providers(server) == {"a", "b"}, "both")
            server.api.delete("ModelProvider", NS, "a")
            await until(lambda: providers(server) == {"b"}, "one")


async def test_a_deletion_that_no_watch_reports_is_found() -> None:
    """Deleted while the watch was down, and then the history was compacted: kopf never tells, the listing does."""
    async with serving() as server:
        make_provider(server, "a")
        make_provider(server, "ghost")
        make_route(server, "a")
        async with running(server, resync=0.5):
            await until(lambda: providers(server) == {"a", "ghost"}, "both")
            server.api.hear = lambda *_: None  # nothing is reported from here on
            server.api.delete("ModelProvider", NS, "ghost")
            server.compacted = server.api.version + 1
            server.break_watches()
            await until(lambda: providers(server) == {"a"}, "the ghost gone")


@pytest.mark.parametrize("status", [409, 429, 500])
async def test_refused_writes_are_tried_again(status: int) -> None:
    """Each write is refused a few times, with Retry-After where that is due; the table comes all the same."""
    left = 4

    def refuse(request: web.Request) -> web.Response | None:
        nonlocal left
        if request.method != "PATCH" or left == 0:
            return None
        left -= 1
        return refusal(status, headers={"Retry-After": "1"} if status == 429 else None)

    async with serving() as server:
        server.fault = refuse
        make_provider(server, "a")
        make_route(server, "a")
        async with running(server):
            await until(lambda: providers(server) == {"a"}, "a table")
        assert left == 0, "the fault was there"


async def test_nothing_is_rendered_from_a_half_read_world() -> None:
    """As long as one kind cannot be listed nothing is written, though all others are."""
    async with serving() as server:
        refused = asyncio.Event()

        def refuse(request: web.Request) -> web.Response | None:
            if request.path.endswith("/configmaps") and request.headers["User-Agent"].startswith("pointsman"):
                refused.set()
                return refusal(500)
            return None

        make_provider(server, "a")
        make_route(server, "a")
        server.fault = refuse
        async with running(server):
            await asyncio.wait_for(refused.wait(), 20)
            await until(lambda: len(server.watches) == len(kinds.WATCHED), "all watches")
            assert server.api.writes == 0
            server.fault = lambda _: None
            await until(lambda: providers(server) == {"a"}, "a table at last")


async def test_an_error_in_a_watch_ends_the_process() -> None:
    """Crash cheaply: the exit status says so, and the kubelet starts it anew from a full listing."""
    async with serving() as server:
        make_provider(server, "a")
        make_route(server, "a")
        async with running(server) as task:
            await until(lambda: providers(server) == {"a"} and len(server.watches) == len(kinds.WATCHED), "all watches")
            server.send_error(500)
            assert await asyncio.wait_for(task, 30) == 1


async def test_it_waits_for_the_crds() -> None:
    """Started before they are installed, it neither ends nor watches nothing for ever."""
    async with serving() as server:
        asked = 0

        def missing(request: web.Request) -> web.Response | None:
            nonlocal asked
            asked += 1
            return refusal(404) if asked < 4 and "pointsman.dev" in request.path else None

        server.fault = missing
        make_provider(server, "a")
        make_route(server, "a")
        async with running(server):
            await until(lambda: providers(server) == {"a"}, "a table")
