"""A FakeApi over HTTP: discovery, lists in pages, watches, server-side apply, and faults on request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from controller.fakeapi import FakeApi, passes
from pointsman.controller import kinds
from pointsman.controller.cluster import ApiError
from pointsman.controller.kinds import Kind

Json = dict[str, Any]
Fault = Callable[[web.Request], web.StreamResponse | None]
KINDS = {(kind.api, kind.plural): kind for kind in kinds.BY_NAME.values()}


@dataclass
class FakeServer:
    """`fault` sees each request first and may answer it. `compacted`: watches from older versions get a 410."""

    api: FakeApi = field(default_factory=FakeApi)
    url: str = ""
    fault: Fault = lambda _: None
    compacted: int = 0
    calls: list[str] = field(default_factory=list)
    watches: set[asyncio.Queue[bytes | None]] = field(default_factory=set)

    def configuration(self) -> Configuration:
        configuration = Configuration(host=self.url)
        configuration.client_session_kwargs = {"trust_env": False}
        return configuration

    def break_watches(self) -> None:
        """End every watch, as when a proxy restarts."""
        for queue in self.watches:
            queue.put_nowait(None)

    def send_error(self, code: int) -> None:
        """An ERROR event in the midst of every watch."""
        status = {"kind": "Status", "code": code, "message": "injected", "status": "Failure"}
        for queue in self.watches:
            queue.put_nowait(line("ERROR", status))
            queue.put_nowait(None)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path_qs}")
        if answer := self.fault(request):
            return answer
        parts = request.path.strip("/").split("/")
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        if parts in (["api"], ["apis"], ["version"]) or not rest:
            return discovery(request.path.strip("/"))
        namespace = rest[1] if rest[0] == "namespaces" and len(rest) > 2 else None
        rest = rest[2:] if namespace else rest
        kind = KINDS["/".join(parts[1 : 2 if parts[0] == "api" else 3]), rest[0]]
        try:
            return await self._object(request, kind, namespace, rest[1:])
        except ApiError as error:
            return refusal(error.status, error.reason)

    async def _object(
        self, request: web.Request, kind: Kind, namespace: str | None, rest: list[str]
    ) -> web.StreamResponse:
        if request.query.get("watch"):
            return await self._watch(request, kind)
        if request.method == "GET" and not rest:
            return self._list(request, kind, namespace)
        if request.method == "GET":
            return web.json_response(self.api.get(kind.name, namespace or "", rest[0]))
        body = await request.json()
        self.api.writes += 1
        if request.method == "POST":
            return web.json_response(body if kind is kinds.EVENT else self.api.create(kind.name, body), status=201)
        if request.method == "DELETE":
            self.api.delete(kind.name, namespace or "", rest[0], body["preconditions"]["uid"])
            return web.json_response({"kind": "Status", "status": "Success"})
        manager = request.query["fieldManager"]
        return web.json_response(self.api.apply(kind.name, body, manager, status=rest[1:] == ["status"]))

    def _list(self, request: web.Request, kind: Kind, namespace: str | None) -> web.Response:
        items, start = self.api.listed(kind, namespace), int(request.query.get("continue", 0))
        end = start + int(request.query.get("limit", 0) or len(items))
        meta = {"resourceVersion": str(self.api.version)} | ({"continue": str(end)} if end < len(items) else {})
        body = {"kind": f"{kind.name}List", "apiVersion": kind.api, "metadata": meta, "items": items[start:end]}
        return web.json_response(body)

    async def _watch(self, request: web.Request, kind: Kind) -> web.StreamResponse:
        since = int(request.query.get("resourceVersion") or self.api.version)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if since < self.compacted:
            await response.write(line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"}))
            return response
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        for version, event, name, body in self.api.log:
            if version > since and name == kind.name and passes(kind, body):
                queue.put_nowait(line(event, body))
        self.watches.add(queue)
        queue.kind = kind  # type: ignore[attr-defined]
        try:
            while (chunk := await queue.get()) is not None:
                await response.write(chunk)
        finally:
            self.watches.discard(queue)
        return response

    def hear(self, event: str, name: str, body: Json) -> None:
        for queue in self.watches:
            kind: Kind = queue.kind  # type: ignore[attr-defined]
            if kind.name == name and passes(kind, body):
                queue.put_nowait(line(event, body))


@asynccontextmanager
async def serving() -> AsyncIterator[FakeServer]:
    """A server on a free port of the loopback."""
    server = FakeServer()
    server.api.hear = server.hear
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        server.break_watches()
        await runner.cleanup()


def refusal(status: int, reason: str = "Injected", headers: dict[str, str] | None = None) -> web.Response:
    body = {"kind": "Status", "status": "Failure", "code": status, "reason": reason, "message": "injected"}
    return web.json_response(body, status=status, headers=headers)


def line(event: str, body: Json) -> bytes:
    return json.dumps({"type": event, "object": body}).encode() + b"\n"


def discovery(path: str) -> web.Response:
    if path == "version":
        return web.json_response({"major": "1", "minor": "36"})
    if path == "api":
        return web.json_response({"kind": "APIVersions", "versions": ["v1"]})
    if path == "apis":
        versions = [
            {"groupVersion": api, "version": api.split("/")[1]} for api in {api for api, _ in KINDS} if "/" in api
        ]
        groups = [{"name": v["groupVersion"].split("/")[0], "versions": [v], "preferredVersion": v} for v in versions]
        return web.json_response({"kind": "APIGroupList", "groups": groups})
    api = path.split("/", 1)[1]
    verbs = ["get", "list", "watch", "patch", "create", "delete"]
    resources = [
        {"name": kind.plural, "singularName": "", "namespaced": kind.namespaced, "kind": kind.name, "verbs": verbs}
        for (group, _), kind in KINDS.items()
        if group == api
    ]
    return web.json_response({"kind": "APIResourceList", "groupVersion": api, "resources": resources})
