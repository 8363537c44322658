"""A gateway in the test's own loop, fake upstreams, and a client that sees bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from gateway import acts
from gateway.fakeupstream import TEXT, FakeUpstream
from pointsman import table as tables
from pointsman.gateway.server import serve
from pointsman.gateway.state import Options, State
from pointsman.table import Model, Policy, Provider, Route, RoutingTable, Target, Timeouts

DIALECTS = ("completions", "responses", "messages")
ALL_APIS = ("openai-completions", "openai-responses", "anthropic-messages")
PATHS = {"completions": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
FAST = Policy(timeouts=Timeouts(connect=2.0, first_token=1.5, stall=1.0, total=20.0))


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop of these tests is the gateway's."""
    return {"uvloop": uvloop.new_event_loop}


@dataclass
class Reply:
    """An answer as it came. `whole`: it ended as HTTP says it must."""

    status: int
    fields: dict[str, str]
    body: bytes
    whole: bool

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The words of a streamed or whole answer of any dialect."""
        if not self.fields["content-type"].startswith("text/event-stream"):
            return _text(self.json)
        return "".join(_text(event) for event in self.events)

    @property
    def events(self) -> list[Any]:
        lines = [line for line in self.body.decode().splitlines() if line.startswith("data: {")]
        return [json.loads(line.removeprefix("data: ")) for line in lines]

    @property
    def decision(self) -> str:
        return self.fields["x-pointsman-decision"]


def _text(document: Any) -> str:
    if "choices" in document:
        choice = document["choices"][0] if document["choices"] else {}
        return (choice.get("delta") or choice.get("message") or {}).get("content") or ""
    if document.get("type") == "response.output_text.delta":
        return str(document["delta"])
    if document.get("object") == "response":
        return "".join(part["text"] for item in document["output"] for part in item.get("content", ()))
    if document.get("type") == "content_block_delta":
        return str(document["delta"].get("text", ""))
    return "".join(part.get("text", "") for part in document.get("content", ()))


@dataclass
class Gateway:
    """A running gateway, and how to talk to it."""

    state: State
    table: Path
    stop: asyncio.Event
    task: asyncio.Task[None]
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.state.port}"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.state.port, limit=2**26)
        self.opened.append(writer)
        return reader, writer

    async def raw(self, data: bytes) -> bytes:
        """Send bytes on a new connection, and all that comes back until it closes."""
        reader, writer = await self.connect()
        writer.write(data)
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        except ConnectionResetError:
            return b""

    async def ask(
        self, dialect: str = "completions", model: str = "assistant", *, stream: bool = False, **more: Any
    ) -> Reply:
        """A request for an answer in a dialect; `headers` are added."""
        headers = more.pop("headers", {})
        body = json.dumps({"model": model, "stream": stream, **request(dialect), **more}).encode()
        return await self.send("POST", PATHS[dialect], body, headers)

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.send("GET", path, b"", {k.replace("_", "-"): v for k, v in headers.items()})

    async def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        reader, writer = await self.connect()
        lines = [f"{method} {path} HTTP/1.1", "Host: gateway", "Connection: close", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        async with asyncio.timeout(30):
            return await read_reply(reader)

    async def put_table(self, table: RoutingTable) -> None:
        """Change the file as `mv` does, and wait until it is in force."""
        text = tables.dump(table)
        fresh = self.table.with_suffix(".new")
        fresh.write_bytes(text)
        fresh.rename(self.table)
        expected = tables.load(text).hash
        await until(lambda: self.state.routing is not None and self.state.routing.table.hash == expected)


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    """One answer, to the end of its body or of the connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if name}
    status = int(head[0].split(" ")[1])
    try:
        if fields.get("transfer-encoding") == "chunked":
            return Reply(status, fields, *await _read_chunks(reader))
        return Reply(status, fields, await reader.readexactly(int(fields["content-length"])), whole=True)
    except asyncio.IncompleteReadError as error:
        return Reply(status, fields, error.partial, whole=False)


async def _read_chunks(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    body = b""
    try:
        while True:
            size = int(await reader.readuntil(b"\r\n"), 16)
            piece = await reader.readexactly(size + 2)
            if size == 0:
                return body, True
            body += piece[:-2]
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return body, False


def request(dialect: str) -> dict[str, Any]:
    if dialect == "responses":
        return {"input": "hello"}
    messages = [{"role": "user", "content": "hello"}]
    return {"messages": messages, "max_tokens": 100} if dialect == "messages" else {"messages": messages}


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a condition, looking often."""
    end = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > end:
            raise TimeoutError("the condition did not come true")
        await asyncio.sleep(0.005)


def provider(name: str, upstream: FakeUpstream | str, model: str = "ok", **more: Any) -> Provider:
    """A provider of one model, whose name picks the fault."""
    url = upstream if isinstance(upstream, str) else upstream.url
    return msgspec.structs.replace(
        Provider(name=name, type="OpenAICompatible", base_url=url, api=ALL_APIS, models=(Model(id=model),)), **more
    )


def chain(*providers: Provider, policy: Policy = FAST, **more: Any) -> RoutingTable:
    """A table with one route, `assistant`, over the first model of each provider in turn."""
    targets = tuple(Target(provider=provider.name, model=provider.models[0].id) for provider in providers)
    return RoutingTable(
        providers=providers,
        routes=(Route(name="assistant", model_name="assistant", targets=targets, policy=policy),),
        **more,
    )


Start = Callable[..., Any]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start gateways: `await start(table, **options)`. They end with the test, and nothing may be left in flight."""
    async with AsyncExitStack() as stack:

        async def started(table: RoutingTable | None, **options: Any) -> Gateway:
            file = tmp_path / f"routing-{len(list(tmp_path.iterdir()))}.json"
            if table is not None:
                file.write_bytes(tables.dump(table))
            options.setdefault("grace", 1.0)
            settings = Options(listen="127.0.0.1:0", table=str(file), **options)
            stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
            task = asyncio.ensure_future(serve(settings, stop, ready))
            gateway = Gateway(await ready, file, stop, task)
            stack.push_async_callback(_end, gateway)
            return gateway

        yield started


async def _end(gateway: Gateway) -> None:
    for writer in gateway.opened:
        writer.close()
    gateway.stop.set()
    await gateway.task
    assert not gateway.state.exchanges


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    """A fake upstream that is up."""
    fake = await FakeUpstream().start()
    yield fake
    await fake.stop()


@pytest.fixture
async def second() -> AsyncIterator[FakeUpstream]:
    """Another."""
    fake = await FakeUpstream().start()
    yield fake
    await fake.stop()


__all__ = ["TEXT", "acts"]
