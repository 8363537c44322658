"""The side towards targets: TLS, odd answers, connections that come and go."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.conftest import FAST, TEXT, Start, chain, provider, until
from gateway.fakeupstream import FakeUpstream
from pointsman.gateway.upstream import Pools, field
from pointsman.table import TableError, Timeouts, Tls

CHAT = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'


@asynccontextmanager
async def bytes_server(answer: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """A server that reads a request's head and answers with bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                await answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


def answering(data: bytes, *, close: bool = False) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if close:
            writer.close()

    return answer


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(CHAT)
GOOD_ODD = {
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + HEAD + CHAT,
    "shouting": HEAD.upper().replace(b"APPLICATION/JSON", b"application/json").replace(b"OK", b"") + CHAT,
    "chunked": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nX-Trailer: 1\r\n\r\n"
    % (len(CHAT), CHAT),
}
BAD = {
    "no http": b"hello\r\n\r\n",
    "both lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "endless head": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000,
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "two answers": HEAD + CHAT + HEAD + CHAT,
    "short": HEAD + CHAT[:20],
}


@pytest.mark.parametrize("name", GOOD_ODD)
async def test_odd_answers_are_answers(start: Start, name: str) -> None:
    """Interim answers, shouted names, trailers."""
    async with bytes_server(answering(GOOD_ODD[name])) as url:
        gateway = await start(chain(provider("a", url)))
        for _ in range(2):
            assert (await gateway.ask()).text == "hi"


@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_answer_moves_on(start: Start, upstream: FakeUpstream, name: str) -> None:
    """Answers that are no HTTP, or that could be two things, are failures of the target."""
    async with bytes_server(answering(BAD[name], close=True)) as url:
        gateway = await start(chain(provider("a", url), provider("b", upstream)))
        reply = await gateway.ask()
        assert (reply.text, reply.decision) == (
            TEXT,
            "assistant; answered=b/ok; attempts=2; passed=a/ok:ConnectFailure",
        )


async def test_no_answer_within_the_time_to_connect(start: Start, upstream: FakeUpstream) -> None:
    """A black hole costs the connect timeout, no more. The hole: a listener whose queue is full."""
    import socket

    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        plugs = [socket.socket() for _ in range(4)]
        for plug in plugs:
            plug.setblocking(False)
            plug.connect_ex(hole.getsockname())
        gateway = await start(
            chain(provider("a", f"http://127.0.0.1:{hole.getsockname()[1]}"), provider("b", upstream))
        )
        reply = await gateway.ask()
        assert reply.decision == "assistant; answered=b/ok; attempts=2; passed=a/ok:ConnectFailure"
        for plug in plugs:
            plug.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
               "-subj", "/CN=models.test", "-addext", "subjectAltName=DNS:models.test", "-keyout", str(key), "-out", str(cert)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return key, cert


async def test_tls_is_verified(start: Start, certificate: tuple[Path, Path]) -> None:
    """With the right authority and name it works, streamed too; without, it is a failure; insecure is a choice."""
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    fake = await FakeUpstream().start(ssl=context)
    url = f"https://127.0.0.1:{fake.port}"
    ways = {
        "right": Tls(ca_bundle=cert.read_text(), server_name="models.test"),
        "name": Tls(ca_bundle=cert.read_text(), server_name="other.test"),
        "unknown": Tls(server_name="models.test"),
        "insecure": Tls(insecure_skip_verify=True),
    }
    gateway = await start(chain(*(provider(name, url, tls=tls) for name, tls in ways.items())))
    for name in ("right", "insecure"):
        for stream in (False, True):
            assert (await gateway.ask(model=f"{name}/ok", stream=stream)).text == TEXT
    for name in ("name", "unknown"):
        reply = await gateway.ask(model=f"{name}/ok")
        assert reply.status == 503
        assert "certificate" in reply.body.decode().lower()
    await fake.stop()


@pytest.mark.parametrize("url", ["ftp://x", "http://x:port", "nothing", "https://[::1"])
def test_urls_that_cannot_be_are_told(url: str) -> None:
    """With the provider's name."""
    with pytest.raises(TableError, match="provider 'a'"):
        Pools().backend(provider("a", url))


def test_fields_are_found_however_written() -> None:
    """Small, Like-This, or otherwise."""
    for name in (b"retry-after", b"Retry-After", b"RETRY-after"):
        assert field({name: b"1"}, b"retry-after") == b"1"
    assert field({}, b"retry-after") == b""


async def test_a_burst_is_spread_over_replicas_that_nobody_is_connected_to_yet(
    start: Start, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    """A connection that is being made counts as a request, and nothing is left counted at the end."""
    addresses = tuple(f"127.0.0.1:{fake.port}" for fake in (upstream, second))
    policy = replace(FAST, timeouts=Timeouts(first_token=20.0))
    gateway = await start(chain(provider("a", upstream, "stall-preamble", addresses=addresses), policy=policy))
    asked = [asyncio.ensure_future(gateway.ask(stream=True)) for _ in range(40)]
    await until(lambda: len(upstream.seen) + len(second.seen) == 40)
    most, least = max(len(upstream.seen), len(second.seen)), min(len(upstream.seen), len(second.seen))
    assert most <= least * 1.25 + 3
    await upstream.stop()
    await second.stop()
    await asyncio.gather(*asked)
    assert [address.busy for address in gateway.state.routing.places["a"].backend.addresses] == [0, 0]


async def test_a_replica_that_stalls_is_not_asked_next(
    start: Start, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    """Not even for a prompt that it knows."""
    addresses = tuple(f"127.0.0.1:{fake.port}" for fake in (upstream, second))
    policy = replace(FAST, timeouts=Timeouts(first_token=0.2))
    places = [
        provider(name, upstream, model, addresses=addresses) for name, model in (("a", "stall-head"), ("b", "ok"))
    ]
    gateway = await start(chain(*places, policy=policy))
    assert (await gateway.ask(stream=True)).decision.endswith("passed=a/stall-head:Timeout")
    stalled = upstream if any(seen.body["model"] == "stall-head" for seen in upstream.seen) else second
    before = len(stalled.seen)
    for _ in range(6):
        assert (await gateway.ask(model="b/ok")).text == TEXT
    assert len(stalled.seen) == before
