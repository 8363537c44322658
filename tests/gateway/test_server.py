"""The process: it drains, several workers share a port, and bad options are told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.conftest import FAST, TEXT, Start, chain, provider, until
from gateway.fakeupstream import FakeUpstream
from pointsman import table as tables
from pointsman.gateway import server
from pointsman.gateway.state import Options

SLOW = replace(FAST, timeouts=replace(FAST.timeouts, first_token=10.0, stall=10.0))


async def test_draining_finishes_streams_and_refuses_new_ones(start: Start, upstream: FakeUpstream) -> None:
    """After SIGTERM a stream under way ends whole, readiness is gone, and no connection is taken."""
    gateway = await start(chain(provider("a", upstream, "slow"), policy=SLOW), grace=5.0)
    idle_reader, _ = await gateway.connect()
    asked = asyncio.ensure_future(gateway.ask(stream=True))
    await until(lambda: any(exchange.committed for exchange in gateway.state.exchanges))
    gateway.stop.set()
    assert await idle_reader.read() == b""
    await until(lambda: gateway.state.draining)
    with pytest.raises(ConnectionRefusedError):
        await gateway.connect()
    reply = await asked
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)
    await asyncio.wait_for(gateway.task, 5)


async def test_the_grace_is_bounded(start: Start, upstream: FakeUpstream) -> None:
    """What is not done when the grace is over is told so, inside its stream or before it."""
    gateway = await start(
        chain(provider("a", upstream, "stall-mid"), provider("b", upstream, "stall-head"), policy=SLOW), grace=0.2
    )
    streamed = asyncio.ensure_future(gateway.ask(stream=True))
    silent = asyncio.ensure_future(gateway.ask(model="b/stall-head"))
    await until(lambda: len(upstream.seen) == 2 and any(e.committed for e in gateway.state.exchanges))
    gateway.stop.set()
    one, other = await asyncio.gather(streamed, silent)
    assert (one.whole, "shutting down" in one.body.decode()) == (False, True)
    assert (other.status, other.json["error"]["code"]) == (503, "shutting_down")


@pytest.mark.parametrize(("workers", "address"), [(1, "127.0.0.1:0"), (2, "127.0.0.1:{port}")])
def test_the_process_serves_and_ends_on_sigterm(tmp_path: Path, workers: int, address: str) -> None:
    """One process, or workers on one port: each line of the log is JSON, and SIGTERM ends with status 0."""
    from testbed.ports import free_port

    table = tmp_path / "routing.json"
    table.write_bytes(tables.dump(tables.RoutingTable()))
    code = ("import sys; from pointsman.gateway.server import main, Options; "
            "sys.exit(main(Options(listen=sys.argv[1], table=sys.argv[2], workers=int(sys.argv[3]))))")  # fmt: skip
    listen = address.format(port=free_port("127.0.0.1"))
    environment = {**os.environ, "PYTHONPATH": str(Path(server.__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-c", code, listen, str(table), str(workers)], stderr=subprocess.PIPE,
                               env=environment)  # fmt: skip
    assert process.stderr is not None
    lines: list[dict[str, Any]] = []
    while sum(line.get("event") == "listening" for line in lines) < workers:
        lines.append(json.loads(process.stderr.readline()))
    port = lines[-1]["port"]
    for _ in range(4):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/readyz", timeout=5) as answer:
            assert answer.status == 200
    process.send_signal(signal.SIGTERM)
    rest = process.stderr.read().decode().splitlines()
    process.stderr.close()
    assert process.wait(10) == 0
    assert [json.loads(line)["event"] for line in rest].count("stopped") == workers


@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1:http", "127.0.0.1:99999", "203.0.113.1:1"])
def test_an_address_that_cannot_be_had_is_told(listen: str, capfd: pytest.CaptureFixture[str]) -> None:
    """What is wrong, and exit status 1."""
    assert server.main(Options(listen=listen, table="none")) == 1
    assert "pointsman gateway: " in capfd.readouterr().err


@pytest.mark.parametrize(("size", "seconds"), [(-1, 3600.0), (1, 0.0), (1, -1.0)])
def test_a_store_that_makes_no_sense_is_refused(size: int, seconds: float, capfd: pytest.CaptureFixture[str]) -> None:
    """Before anything is listened on."""
    options = Options(listen="127.0.0.1:0", table="none", store_bytes=size, store_seconds=seconds)
    assert server.main(options) == 2
    assert "--store-bytes must be 0 or more" in capfd.readouterr().err


def test_the_log_does_not_block(tmp_path: Path) -> None:
    """A pipe that nobody reads does not stop the gateway; what is lost is counted."""
    from pointsman.gateway.journal import Journal

    read, write = os.pipe()
    journal = Journal(write)
    begun = time.monotonic()
    for i in range(200_000):
        journal.add(b'{"id":"%d","n":"%b"}' % (i, b"x" * 100))
        if i % 10_000 == 0:
            journal.flush()
    journal.flush()
    assert time.monotonic() - begun < 60
    assert journal.lost > 0
    assert journal.find("199999") == b'{"id":"199999","n":"%b"}' % (b"x" * 100)
    assert journal.find("5") is None
    os.close(read)
    os.close(write)
