"""Slow, endless and greedy: every wait and every size ends, and what one client does is not another's burden."""

from __future__ import annotations

import asyncio
import json
import socket
import struct

import pytest

from gateway.conftest import TEXT, Gateway, Start, chain, provider, read_reply, until
from gateway.fakeupstream import FakeUpstream, whole
from gateway.smuggling import BODY, CL, request
from gateway.test_upstream import bytes_server

PAGE = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
MIB = 1024 * 1024
HEAVY = 7 * MIB


async def drip(gateway: Gateway, start: bytes, byte: bytes, pause: float = 0.1) -> bytes:
    """Send a byte now and then until the gateway has had enough; what it says."""
    reader, writer = await gateway.connect()
    writer.write(start)
    answer = asyncio.ensure_future(reader.read())
    async with asyncio.timeout(10):
        while not answer.done():
            writer.write(byte)
            await asyncio.wait([answer], timeout=pause)
    writer.close()
    return answer.result()


@pytest.mark.parametrize(
    ("start_of_it", "byte"),
    [
        (b"POST /", b"a"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nX: ", b"a"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nX-", b"a"),
        (request(b"Content-Length: 5000"), b" "),
        (request(b"Transfer-Encoding: chunked"), b"1\r\n \r\n"),
        (request(b"Transfer-Encoding: chunked", body=b"5;"), b"a"),
        (request(b"Transfer-Encoding: chunked", body=b"0\r\n"), b"X: y\r\n"),
    ],
    ids=["target", "value", "name", "body", "chunks", "extension", "trailer"],
)
async def test_bytes_that_drip_in_do_not_renew_the_time(start: Start, start_of_it: bytes, byte: bytes) -> None:
    """A byte now and then keeps no request alive: 408 when its time is over."""
    gateway = await start(chain(provider("a", "http://127.0.0.1:9")), header_time=0.5, body_time=0.5)
    assert (await drip(gateway, start_of_it, byte)).startswith(b"HTTP/1.1 408 ")
    await until(lambda: not gateway.state.clients)


async def test_empty_lines_do_not_renew_the_time(start: Start) -> None:
    """Empty lines before a request are no request: the connection is idle, and closed as such."""
    gateway = await start(None, idle_time=0.5)
    assert await drip(gateway, b"", b"\r\n") == b""
    await until(lambda: not gateway.state.clients)


@pytest.mark.parametrize(
    ("start_of_it", "more", "status"),
    [
        (b"POST /", b"a" * 999, 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nX: ", b"a" * 999, 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n", 431),
        (request(b"Transfer-Encoding: chunked"), b"3e7\r\n" + b"a" * 999 + b"\r\n", 413),
        (request(b"Transfer-Encoding: chunked"), b"1\r\na\r\n", 413),
        (request(b"Transfer-Encoding: chunked", body=b"5;"), b"a" * 999, 413),
        (request(b"Transfer-Encoding: chunked", body=b"0\r\n"), b"X: y\r\n", 431),
        (b"", b"\r\n" * 499, 0),
    ],
    ids=["target", "field", "fields", "chunks", "small chunks", "extension", "trailers", "empty lines"],
)
async def test_what_does_not_end_is_ended(start: Start, start_of_it: bytes, more: bytes, status: int) -> None:
    """Whatever part of a request goes on and on, it is refused within its limit, not gathered."""
    gateway = await start(chain(provider("a", "http://127.0.0.1:9")), max_body=100_000, idle_time=0.5)
    reader, writer = await gateway.connect()
    writer.write(start_of_it)
    sent = 0
    try:
        while not reader.at_eof() and sent < 20 * MIB:
            writer.write(more)
            sent += len(more)
            await writer.drain()
            await asyncio.sleep(0 if sent % 50_000 else 0.01)
            if reader._buffer:  # type: ignore[attr-defined]
                break
    except ConnectionError:
        pass
    assert sent < 4 * MIB or not status
    answer = await reader.read(100)
    assert answer.startswith(b"HTTP/1.1 %d " % status) or not status
    writer.close()
    await until(lambda: not gateway.state.clients)


@pytest.mark.parametrize("piece", [b"data: " + b"x" * MIB, b": waiting\n\n" * 1000, b"data: {}\n" * 1000])
async def test_a_target_that_goes_on_and_on_is_left(start: Start, upstream: FakeUpstream, piece: bytes) -> None:
    """An event without end, comments without end, lines without end: the next target answers."""

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS)
        for _ in range(64 * MIB // len(piece)):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()

    async with bytes_server(endless) as url:
        gateway = await start(chain(provider("a", url), provider("b", upstream)))
        reply = await gateway.ask(stream=True)
        assert reply.text == TEXT
        # On a machine with much else to do the time for the first output is over before 8 MiB have come.
        assert reply.decision.endswith(("passed=a/ok:InvalidResponse", "passed=a/ok:Timeout"))


async def test_who_asks_and_does_not_read_is_not_answered_further(start: Start) -> None:
    """Answers to pipelined requests wait for their reader, not in memory; when it reads, all come."""
    gateway = await start(None)
    count = 30_000
    reader, writer = await slow_reader(gateway)
    sending = asyncio.ensure_future(send(writer, PAGE * 100, count // 100))
    await until(lambda: any(client._full for client in gateway.state.clients))
    await asyncio.sleep(0.3)
    (client,) = gateway.state.clients
    assert client.transport.get_write_buffer_size() < MIB
    answered = 0
    async with asyncio.timeout(60):
        while answered < count:
            assert (await read_reply(reader)).status == 200
            answered += 1
    await sending


async def slow_reader(gateway: Gateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection with small buffers, of which nothing is read but what is asked for."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", gateway.state.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=8 * 1024)
    gateway.opened.append(writer)
    return reader, writer


async def send(writer: asyncio.StreamWriter, data: bytes, times: int) -> None:
    for _ in range(times):
        writer.write(data)
        await writer.drain()


async def heavy(writer: asyncio.StreamWriter) -> None:
    """An answer as large as may be held: the exchange is over when the client has read next to nothing of it."""
    body = json.dumps(whole("completions", "x" * HEAVY)).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


async def test_who_never_reads_is_closed(start: Start) -> None:
    """An answer that nobody takes does not stay in memory for longer than a connection may be idle."""
    async with bytes_server(heavy) as url:
        gateway = await start(chain(provider("a", url)), idle_time=0.5)
        for close in (b"Connection: close", b"Connection: keep-alive"):
            _, writer = await slow_reader(gateway)
            writer.write(request(close, CL, body=BODY))
            await until(lambda: any(client._full for client in gateway.state.clients))
            assert not gateway.state.exchanges
            await until(lambda: not gateway.state.clients)


async def test_draining_waits_for_a_slow_reader(start: Start) -> None:
    """An answer is not done before its client has it: one that is read after SIGTERM comes whole."""
    async with bytes_server(heavy) as url:
        gateway = await start(chain(provider("a", url)), grace=20.0)
        reader, writer = await slow_reader(gateway)
        writer.write(request(CL, body=BODY))
        await until(lambda: any(client._full for client in gateway.state.clients))
        assert not gateway.state.exchanges
        gateway.stop.set()
        await until(lambda: gateway.state.draining)
        await asyncio.sleep(0.2)
        reply = await read_reply(reader)
        assert (reply.whole, len(reply.body) > HEAVY) == (True, True)
        await asyncio.wait_for(gateway.task, 5)


async def test_a_reset_in_mid_request_leaves_nothing(start: Start, upstream: FakeUpstream) -> None:
    """Resets instead of ends, at a head, a body and an answer."""
    gateway = await start(chain(provider("a", upstream, "slow")))
    data = request(CL, body=BODY)
    for size in (5, len(data) - 5, len(data)):
        _, writer = await gateway.connect()
        writer.write(data[:size])
        await writer.drain()
        await asyncio.sleep(0.02)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    await until(lambda: not gateway.state.clients and not gateway.state.exchanges)
    assert (await gateway.ask()).text == TEXT
