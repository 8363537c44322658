"""Clients that leave, at every byte: their call ends at once, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.conftest import DIALECTS, PATHS, TEXT, Gateway, Start, chain, provider, until
from gateway.conftest import request as request_body
from gateway.fakeupstream import FakeUpstream, stream_events
from gateway.test_upstream import bytes_server
from pointsman.gateway.upstream import Address

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def asked(dialect: str, *, stream: bool = True) -> bytes:
    body = json.dumps({"model": "assistant", "stream": stream, **request_body(dialect)}).encode()
    return b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (PATHS[dialect].encode(), len(body), body)


def addresses(gateway: Gateway) -> list[Address]:
    return list(gateway.state.pools._addresses.values())


async def settled(gateway: Gateway) -> None:
    """Nothing is under way, for clients or at targets; nothing was held against a target."""
    await until(lambda: not gateway.state.clients and not gateway.state.exchanges)
    assert [address.busy for address in addresses(gateway)] == [0] * len(addresses(gateway))
    assert not [key for key, count in gateway.state.metrics.attempts.items() if key[2] != "ok" and count.n]
    assert not gateway.state.health.entries


async def answer_size(gateway: Gateway, dialect: str) -> int:
    """Bytes of an answer on the wire, at the least: later ids are longer."""
    answer = await gateway.raw(asked(dialect).replace(b"Host: x", b"Host: x\r\nConnection: close"))
    return len(answer) - len(b"connection: close\r\n")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_leaving_after_any_byte_of_the_request(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """Half a request asks for nothing: no target is called; a whole one's call ends when its client is gone."""
    gateway = await start(chain(provider("a", upstream, "stall-head")))
    data = asked(dialect)
    for size in range(len(data)):
        _, writer = await gateway.connect()
        writer.write(data[:size])
        writer.close()
    await settled(gateway)
    assert upstream.opened == 0
    _, writer = await gateway.connect()
    writer.write(data)
    await until(lambda: len(upstream.seen) == 1)
    writer.close()
    async with asyncio.timeout(5):
        await upstream.seen[0].gone.wait()
    await settled(gateway)


@asynccontextmanager
async def teller(dialect: str) -> AsyncIterator[str]:
    """A target that tells its events one by one, and does not mind that its listener leaves."""
    events = [event for event in stream_events(dialect, "ok") if event is not None]

    async def tell(writer: asyncio.StreamWriter) -> None:
        for part in (HEAD, *(b"%x\r\n%b\r\n" % (len(event), event) for event in events), b"0\r\n\r\n"):
            if writer.is_closing():
                raise ConnectionResetError
            writer.write(part)
            await asyncio.sleep(0)

    async with bytes_server(tell) as url:
        yield url


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_leaving_after_any_byte_of_the_answer(start: Start, dialect: str) -> None:
    """However much was read: no exchange and no connection of its remains, and the next is answered."""
    async with teller(dialect) as url:
        gateway = await start(chain(provider("a", url)))
        counts = iter(range(1, await answer_size(gateway, dialect) + 1))

        async def leave() -> None:
            for count in counts:
                reader, writer = await asyncio.open_connection("127.0.0.1", gateway.state.port)
                writer.write(asked(dialect))
                async with asyncio.timeout(10):
                    await reader.readexactly(count)
                writer.transport.abort()

        await asyncio.gather(*(leave() for _ in range(32)))
        await settled(gateway)
        reply = await gateway.ask(dialect, stream=True)
        assert (reply.status, reply.text, reply.whole) == (200, TEXT, True)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", ["stall-head", "stall-preamble", "stall-mid"])
async def test_the_target_is_told_at_once(start: Start, upstream: FakeUpstream, dialect: str, fault: str) -> None:
    """A target that would go on for long sees its connection closed, before and after its first words."""
    gateway = await start(chain(provider("a", upstream, fault)))
    reader, writer = await gateway.connect()
    writer.write(asked(dialect))
    if fault == "stall-mid":
        await reader.readuntil(b"\r\n\r\n")
    await until(lambda: len(upstream.seen) == 1)
    assert upstream.connections == 1
    writer.close()
    await until(lambda: upstream.connections == 0)
    await settled(gateway)  # no deadline ended it: that would have been held against the target


async def test_a_kept_connection_is_used_again_after_others_were_cut_off(start: Start, upstream: FakeUpstream) -> None:
    """Who leaves costs the pool its own connection, no other's."""
    gateway = await start(chain(provider("a", upstream)))
    assert (await gateway.ask()).text == TEXT
    for _ in range(20):
        reader, writer = await gateway.connect()
        writer.write(asked("completions"))
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
        await until(lambda: not gateway.state.exchanges)
        assert (await gateway.ask()).text == TEXT
    await settled(gateway)
    assert upstream.opened <= 22


async def test_those_that_stay_are_not_disturbed(start: Start, upstream: FakeUpstream) -> None:
    """Fifty read to the end while fifty leave in the middle."""
    gateway = await start(chain(provider("a", upstream, "slow")))

    async def leave(count: int) -> None:
        reader, writer = await gateway.connect()
        writer.write(asked("completions"))
        await reader.readexactly(200 + count)
        writer.transport.abort()

    staying = [asyncio.ensure_future(gateway.ask(stream=True)) for _ in range(50)]
    await asyncio.gather(*(leave(count * 9) for count in range(50)))
    assert {(reply.text, reply.whole) for reply in await asyncio.gather(*staying)} == {(TEXT, True)}
    await settled(gateway)
