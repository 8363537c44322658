"""The end of a gateway's process, by SIGTERM: in order, in time, and at once if told twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.conftest import FAST, TEXT, Reply, chain, provider, read_reply, until
from gateway.fakeupstream import FakeUpstream
from gateway.process import GatewayProcess, gateway_process
from gateway.smuggling import BODY, request
from pointsman.table import RoutingTable
from testbed.ports import free_port

PATIENT = replace(FAST, timeouts=replace(FAST.timeouts, first_token=30.0, stall=30.0, total=60.0))
STREAMED = BODY[:-1] + b', "stream": true}'
ASKED = request(b"Content-Length: %d" % len(STREAMED), body=STREAMED)
PAGE = b"GET /-/readyz HTTP/1.1\r\nHost: x\r\n\r\n"
LONG = 30.0  # seconds of grace that no test waits for

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def to(upstream: FakeUpstream, fault: str) -> RoutingTable:
    return chain(provider("a", upstream, fault), policy=PATIENT)


async def begun(gateway: GatewayProcess, upstream: FakeUpstream, count: int = 1) -> list[Line]:
    """So many streams that have begun to be answered."""
    lines = []
    for _ in range(count):
        reader, writer = await gateway.connect()
        writer.write(ASKED)
        await reader.readuntil(b"one ")
        lines.append((reader, writer))
    return lines


async def test_streams_end_and_nothing_begins(tmp_path: Path, upstream: FakeUpstream) -> None:
    """Streams under way end whole, idle connections close, no connection is taken, exit status 0."""
    async with gateway_process(tmp_path, to(upstream, "slow"), grace=LONG) as gateway:
        idle, _ = await gateway.connect()
        lines = await begun(gateway, upstream, 5)
        gateway.signal()
        assert await idle.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await gateway.connect()
        rests = [await reader.read() for reader, _ in lines]
        assert all(b"five." in rest and rest.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n") for rest in rests)
        assert await gateway.ended(5) == 0
        assert gateway.events()[-2:] == ["draining", "stopped"]


async def test_a_request_that_was_coming_is_answered(tmp_path: Path, upstream: FakeUpstream) -> None:
    """Half of it was here before SIGTERM: it is answered, and told that the connection closes."""
    async with gateway_process(tmp_path, to(upstream, "ok"), grace=LONG) as gateway:
        reader, writer = await gateway.connect()
        data = request(b"Content-Length: %d" % len(BODY), body=BODY)
        writer.write(data[:-5])
        await writer.drain()
        assert await page(gateway, b"/-/readyz") == b"ok\n"
        gateway.signal()
        await until(lambda: "draining" in gateway.events())
        writer.write(data[-5:])
        reply = await read_reply(reader)
        assert (reply.text, reply.fields["connection"]) == (TEXT, "close")
        assert await reader.read() == b""
        assert await gateway.ended(5) == 0


async def page(gateway: GatewayProcess, path: bytes) -> bytes:
    """A page, which proves that what was sent before has been read."""
    reader, writer = await gateway.connect()
    writer.write(PAGE.replace(b"/-/readyz", path))
    reply: Reply = await read_reply(reader)
    writer.close()
    return reply.body


async def test_what_waits_behind_a_stream_is_refused_by_closing(tmp_path: Path, upstream: FakeUpstream) -> None:
    """A second request on a kept connection is not begun while draining: the first answer ends, then the connection."""
    async with gateway_process(tmp_path, to(upstream, "slow"), grace=LONG) as gateway:
        ((reader, writer),) = await begun(gateway, upstream)
        gateway.signal()
        await until(lambda: "draining" in gateway.events())
        writer.write(ASKED)
        rest = await reader.read()
        assert rest.endswith(b"0\r\n\r\n")
        assert b"HTTP/1.1" not in rest
        assert await gateway.ended(5) == 0
        assert len(upstream.seen) == 1


async def test_the_grace_ends(tmp_path: Path, upstream: FakeUpstream) -> None:
    """What does not end within it is told so in its stream; the exit status is 0 all the same."""
    async with gateway_process(tmp_path, to(upstream, "stall-mid"), grace=0.5) as gateway:
        ((reader, _),) = await begun(gateway, upstream)
        gateway.signal()
        rest = await reader.read()
        assert b"shutting down" in rest
        assert not rest.endswith(b"0\r\n\r\n")
        assert await gateway.ended(5) == 0


async def test_a_second_signal_ends_at_once(tmp_path: Path, upstream: FakeUpstream) -> None:
    """Who asks twice does not want to wait: streams are told, a request without an answer gets 503."""
    table = chain(provider("a", upstream, "stall-mid"), provider("b", upstream, "stall-head"), policy=PATIENT)
    async with gateway_process(tmp_path, table, grace=LONG) as gateway:
        ((reader, _),) = await begun(gateway, upstream)
        silent, writer = await gateway.connect()
        body = BODY.replace(b"assistant", b"b/stall-head")
        writer.write(request(b"Content-Length: %d" % len(body), body=body))
        await until(lambda: len(upstream.seen) == 2)
        gateway.signal()
        await until(lambda: "draining" in gateway.events())
        gateway.signal()
        assert b"shutting down" in await reader.read()
        assert (await read_reply(silent)).status == 503
        assert await gateway.ended(5) == 0


async def test_who_never_reads_does_not_hold_up_the_end(tmp_path: Path, upstream: FakeUpstream) -> None:
    """A client that takes nothing of its answer costs the grace, no more."""
    async with gateway_process(tmp_path, to(upstream, "big"), grace=0.5) as gateway:
        _, writer = await gateway.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(4):
            writer.write(request(b"Content-Length: %d" % len(BODY), body=BODY))
        await until(lambda: len(upstream.seen) >= 1)
        gateway.signal()
        assert await gateway.ended(5) == 0
        writer.close()


async def test_all_workers_end(tmp_path: Path, upstream: FakeUpstream) -> None:
    """Two signals to the first process reach every worker."""
    listen = f"127.0.0.1:{free_port('127.0.0.1')}"
    async with gateway_process(tmp_path, to(upstream, "stall-mid"), grace=LONG, workers=2, listen=listen) as gateway:
        await until(lambda: gateway.events().count("listening") == 2)
        lines = await begun(gateway, upstream, 6)
        gateway.signal()
        await until(lambda: gateway.events().count("draining") == 2)
        gateway.signal()
        ends = [await reader.read() for reader, _ in lines]
        assert all(b"shutting down" in end for end in ends)
        assert await gateway.ended(5) == 0
        assert gateway.events().count("stopped") == 2
