"""The operator's own HTTP: /healthz and /readyz for the kubelet, /metrics for Prometheus."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from prometheus_client import CollectorRegistry


@asynccontextmanager
async def served(
    registry: CollectorRegistry, ready: Callable[[], bool], metrics_port: int, health_port: int
) -> AsyncIterator[None]:
    """Both servers, on all addresses, as long as the block runs. OSError: a port is taken."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_site(health_app(ready), health_port))
        await stack.enter_async_context(_site(metrics_app(registry), metrics_port))
        yield


def health_app(ready: Callable[[], bool]) -> web.Application:
    """Live while the event loop turns; ready once every kind was listed."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if ready() else web.Response(text="not every kind is listed yet\n", status=503)

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    return app


def metrics_app(registry: CollectorRegistry) -> web.Application:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics)])
    return app


@asynccontextmanager
async def _site(app: web.Application, port: int) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "0.0.0.0", port).start()
        yield
    finally:
        await runner.cleanup()
