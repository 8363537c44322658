"""Many connections, few files: idle ones are cheap, too many are told so, and targets are reached all the same."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from gateway.conftest import TEXT, chain, provider, read_reply, until
from gateway.fakeupstream import FakeUpstream
from gateway.process import GatewayProcess, gateway_process, many_files
from gateway.test_edge import GOOD

MANY = 10_000
MOST_EACH = 60 * 1024  # bytes of resident memory for an idle connection


async def ask(gateway: GatewayProcess) -> str:
    reader, writer = await gateway.connect()
    writer.write(GOOD)
    async with asyncio.timeout(20):
        reply = await read_reply(reader)
    writer.close()
    return reply.text


async def crowd(gateway: GatewayProcess, count: int) -> list[socket.socket]:
    """So many connections that say nothing."""
    loop, sockets = asyncio.get_running_loop(), []
    for _ in range(count):
        sock = socket.socket()
        sock.setblocking(False)
        sockets.append(sock)
        await loop.sock_connect(sock, ("127.0.0.1", gateway.port))
    return sockets


async def test_ten_thousand_idle_connections(tmp_path: Path, upstream: FakeUpstream) -> None:
    """They cost little memory, do not slow a request down, and are closed when their time is over."""
    if not many_files(MANY * 5 // 4):
        pytest.skip(f"needs {MANY * 5 // 4} open files")
    async with gateway_process(tmp_path, chain(provider("a", upstream)), idle_time=6.0) as gateway:
        assert await ask(gateway) == TEXT
        before, files = gateway.rss(), gateway.files()
        sockets = await crowd(gateway, MANY)
        assert await ask(gateway) == TEXT
        each = (gateway.rss() - before) / MANY
        print(f"{MANY} idle connections: {each / 1024:.1f} KiB each")
        assert gateway.files() - files >= MANY
        assert each < MOST_EACH
        async with asyncio.timeout(40):
            loop = asyncio.get_running_loop()
            ends = [await loop.sock_recv(sock, 1) for sock in sockets[::500]]
            assert set(ends) == {b""}
            await until(lambda: gateway.files() <= files + 50)
        for sock in sockets:
            sock.close()
        assert await ask(gateway) == TEXT


async def test_files_that_run_out(tmp_path: Path, upstream: FakeUpstream) -> None:
    """Connections too many are refused, those that are there are served, and the gateway neither ends nor spins."""
    async with gateway_process(tmp_path, chain(provider("a", upstream)), files=256) as gateway:
        kept, writer = await gateway.connect()
        sockets = await crowd(gateway, 400)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            told = await loop.sock_recv(sockets[-1], 4000)
        assert told.startswith(b"HTTP/1.1 503 ")
        assert b"too_many_connections" in told
        assert gateway.files() < 200
        for _ in range(3):
            writer.write(GOOD)
            assert (await read_reply(kept)).text == TEXT
        used = gateway.cpu()
        await asyncio.sleep(1.0)
        assert gateway.cpu() - used < 0.3
        for sock in sockets:
            sock.close()
        writer.close()
        assert await answered(gateway)


async def test_files_that_run_out_at_the_system(tmp_path: Path, upstream: FakeUpstream) -> None:
    """Where even the files kept for targets are gone, accepting goes on as soon as there are some."""
    # Eight clients may always come; with 20 files that is more than there are.
    async with gateway_process(tmp_path, chain(provider("a", upstream)), files=20) as gateway:
        sockets = await crowd(gateway, 100)
        used = gateway.cpu()
        await asyncio.sleep(1.0)
        assert gateway.cpu() - used < 0.3
        for sock in sockets:
            sock.close()
        assert await answered(gateway)


async def answered(gateway: GatewayProcess) -> bool:
    """Whether a request is answered, as soon as the gateway has seen that others left."""
    for _ in range(100):
        try:
            if await ask(gateway) == TEXT:
                return True
        except (ConnectionError, asyncio.IncompleteReadError, KeyError):
            pass
        await asyncio.sleep(0.05)
    return False
