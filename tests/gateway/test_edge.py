"""The edge towards clients: what is no clean request is refused, and nothing a client does harms another."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.conftest import TEXT, Gateway, Start, chain, provider, read_reply, until
from gateway.fakeupstream import FakeUpstream
from gateway.smuggling import ALL

BODY = json.dumps({"model": "assistant", "messages": [{"role": "user", "content": "hi"}]}).encode()
PATH = b"POST /v1/chat/completions HTTP/1.1\r\n"
GOOD = PATH + b"Host: x\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


@pytest.fixture
async def gateway(start: Start, upstream: FakeUpstream) -> Gateway:
    gateway: Gateway = await start(chain(provider("a", upstream, native=True)), max_body=100_000)
    return gateway


# The short ones; test_smuggling.py looks at each.
SMUGGLING = [case.data for case in ALL.values() if len(case.data) < 500]


def framed(*fields: bytes, body: bytes = b"") -> bytes:
    return PATH + b"Host: x\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


async def test_pipelined_requests_are_answered_in_turn(gateway: Gateway, upstream: FakeUpstream) -> None:
    """Requests sent at once get their answers in order, one after another."""
    reader, writer = await gateway.connect()
    count = 20
    for i in range(count):
        writer.write(GOOD.replace(b"Host: x", b"Host: x\r\nX-Request-Id: n%d" % i))
    for i in range(count):
        reply = await read_reply(reader)
        assert (reply.status, reply.text, reply.fields["x-request-id"]) == (200, TEXT, f"n{i}")
    assert upstream.opened == 1


async def test_garbage_after_a_request_does_not_spoil_its_answer(gateway: Gateway) -> None:
    """The good request is answered whole; then the garbage is refused."""
    answer = await gateway.raw(GOOD + b"\x00\x01garbage\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 2
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 400 " in answer


@pytest.mark.parametrize("step", [1, 7, 64])
async def test_a_request_in_pieces_is_a_request(gateway: Gateway, step: int) -> None:
    """However the bytes are torn."""
    reader, writer = await gateway.connect()
    for i in range(0, len(GOOD), step):
        writer.write(GOOD[i : i + step])
        await writer.drain()
        await asyncio.sleep(0)
    assert (await read_reply(reader)).text == TEXT


async def test_chunked_bodies_and_continue(gateway: Gateway) -> None:
    """A chunked body, in chunks of one byte, after `Expect: 100-continue`."""
    reader, writer = await gateway.connect()
    writer.write(framed(b"Transfer-Encoding: chunked", b"Expect: 100-continue"))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n")
    assert (await read_reply(reader)).text == TEXT


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (framed(b"X: " + b"a" * 70_000, b"Content-Length: 0"), 431),
        (framed(*[b"X-%d: a" % i for i in range(500)], b"Content-Length: 0"), 431),
        (framed(b"Content-Length: 100001", body=b"x" * 100_001), 413),
        (framed(b"Content-Length: 99999999999999999999999"), 400),
        (framed(b"Transfer-Encoding: chunked", body=b"fffff\r\n" + b"x" * 0xFFFFF + b"\r\n0\r\n\r\n"), 413),
    ],
    ids=["field", "fields", "length", "overflow", "chunks"],
)
async def test_sizes_are_limited(gateway: Gateway, upstream: FakeUpstream, data: bytes, status: int) -> None:
    """Heads and bodies have limits, and the client can read which."""
    answer = await gateway.raw(data)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert upstream.opened == 0


async def test_a_slow_head_and_an_idle_connection_are_closed(start: Start, upstream: FakeUpstream) -> None:
    """A request that does not come is refused with 408; a connection that nobody uses is closed."""
    gateway = await start(chain(provider("a", upstream)), header_time=0.1, body_time=0.1, idle_time=0.1)
    for part in (PATH, framed(b"Content-Length: 50", body=b"{")):
        assert (await gateway.raw(part)).startswith(b"HTTP/1.1 408 ")
    assert await gateway.raw(b"") == b""
    await until(lambda: not gateway.state.clients)


async def test_http_1_0_is_answered(gateway: Gateway, upstream: FakeUpstream) -> None:
    """An old proxy in front: no chunks, the stream ends by closing."""
    request = BODY[:-1] + b', "stream": true}'
    data = b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(request), request)
    answer = await gateway.raw(data)
    assert b"transfer-encoding" not in answer.lower()
    assert answer.endswith(b"data: [DONE]\n\n")


async def test_http_1_0_that_would_keep_the_connection_sees_the_end(gateway: Gateway) -> None:
    """A stream without chunks and without length ends with its connection, whatever was asked for."""
    request = BODY[:-1] + b', "stream": true}'
    head = b"POST /v1/chat/completions HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n" % len(request)
    answer = await gateway.raw(head + request)
    assert b"connection: close" in answer
    assert answer.endswith(b"data: [DONE]\n\n")


async def test_a_later_request_does_not_change_how_one_is_answered(gateway: Gateway) -> None:
    """HTTP/1.0 right behind HTTP/1.1: the first stream is chunked, the second is not."""
    request = BODY[:-1] + b', "stream": true}'
    first = framed(b"Content-Length: %d" % len(request), body=request)
    answer = await gateway.raw(first + first.replace(b"HTTP/1.1", b"HTTP/1.0"))
    one, other = answer.split(b"HTTP/1.1 200 OK")[1:]
    assert b"transfer-encoding: chunked" in one
    assert one.endswith(b"0\r\n\r\n")
    assert b"transfer-encoding" not in other
    assert other.endswith(b"data: [DONE]\n\n")


async def test_fields_that_come_twice_are_joined(gateway: Gateway, upstream: FakeUpstream) -> None:
    """A list may be sent in several lines: all of it goes on."""
    data = b'{"model": "assistant", "max_tokens": 5, "messages": []}'
    fields = (b"anthropic-beta: one", b"Anthropic-Beta: two", b"Connection: close", b"Content-Length: %d" % len(data))
    await gateway.raw(framed(*fields, body=data).replace(b"/v1/chat/completions", b"/v1/messages"))
    assert upstream.seen[0].fields["anthropic-beta"] == "one, two"


async def test_javas_offer_of_http_2_is_passed_over(gateway: Gateway) -> None:
    """Java's client offers h2c with every first request: it is answered in HTTP/1.1, and the connection kept."""
    reader, writer = await gateway.connect()
    offer = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")
    for fields in (offer, ()):
        writer.write(framed(*fields, b"Content-Length: %d" % len(BODY), body=BODY))
        assert (await read_reply(reader)).text == TEXT
    page = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n" + b"\r\n".join(offer) + b"\r\n\r\n"
    writer.write(page)
    assert (await read_reply(reader)).status == 200


async def test_http_1_0_sees_a_cut_as_a_cut(start: Start, upstream: FakeUpstream) -> None:
    """Without chunks a cut must not look like an end: the connection is reset."""
    gateway = await start(chain(provider("a", upstream, "cut-mid")))
    reader, writer = await gateway.connect()
    request = BODY[:-1] + b', "stream": true}'
    writer.write(b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(request), request))
    with pytest.raises(ConnectionResetError):
        while await reader.read(1000):
            pass


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/v1/embeddings", 405), ("GET", "/v1/images", 404), ("GET", "/v1/chat/completions", 405), ("DELETE", "/v1/models", 405),
     ("OPTIONS", "/v1/messages", 204), ("OPTIONS", "/v1/models", 204), ("GET", "/v1/models", 200), ("HEAD", "/v1/models", 200),
     ("GET", "/-/healthz", 200), ("GET", "/v1/models?limit=3", 200)],
)  # fmt: skip
async def test_paths_and_methods(gateway: Gateway, method: str, path: str, status: int) -> None:
    """What is not there says what is; HEAD has no body."""
    request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    head, _, body = (await gateway.raw(request)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    if status == 404:
        assert "/v1/chat/completions" in json.loads(body)["error"]["message"]
    if method == "HEAD":
        assert body == b""


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/chat/completions?beta=true"])
async def test_base_urls_with_and_without_v1(gateway: Gateway, path: str) -> None:
    """Clients put /v1 into the base URL or not, and may add a query."""
    assert (await gateway.send("POST", path, BODY, {})).text == TEXT


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/chat/completions", b"{bad"), ("/v1/responses", b"[]"), ("/v1/messages", b'{"model":"a","model":"b"}')],
)
async def test_bad_bodies_are_refused_in_the_dialects_shape(gateway: Gateway, path: str, body: bytes) -> None:
    """400, in the shape that the client reads."""
    reply = await gateway.send("POST", path, body, {})
    assert reply.status == 400
    assert (reply.json.get("type") == "error") == (path == "/v1/messages")


async def test_an_unknown_model_names_what_there_is(gateway: Gateway) -> None:
    """404 with close names, or all."""
    close, far = await gateway.ask(model="asistant"), await gateway.ask(model="zzz")
    assert (close.status, far.status) == (404, 404)
    assert "did you mean assistant" in close.json["error"]["message"]
    assert "a/ok" in far.json["error"]["message"]


async def test_only_listed_fields_go_on(gateway: Gateway, upstream: FakeUpstream) -> None:
    """No credential, cookie, attribution or hop-by-hop field of the client reaches a target."""
    headers = {"Authorization": "Bearer client", "x-api-key": "client", "Cookie": "c=1", "User-Agent": "Codex/1",
               "originator": "codex", "version": "1", "X-Stainless-Lang": "js", "TE": "trailers", "X-Forwarded-For": "1.2.3.4",
               "Accept": "text/event-stream", "anthropic-beta": "b1", "anthropic-version": "2024-01-01"}  # fmt: skip
    for dialect in ("completions", "messages"):
        await gateway.ask(dialect, headers=headers)
    chat, messages = upstream.seen
    assert set(chat.fields) == {"host", "user-agent", "accept", "accept-encoding", "content-type", "content-length"}
    assert chat.fields["user-agent"].startswith("pointsman/")
    assert set(messages.fields) - set(chat.fields) == {"anthropic-beta", "anthropic-version"}
    assert messages.fields["anthropic-version"] == "2024-01-01"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([GOOD, *SMUGGLING, b"\r\n", b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"]) | st.binary(max_size=40), max_size=4),
       st.integers(1, 200))  # fmt: skip
async def test_no_bytes_break_it(gateway: Gateway, parts: list[bytes], step: int) -> None:
    """Whatever is sent, however torn, and wherever it ends: the next client is served."""
    data = b"".join(parts)
    _, writer = await gateway.connect()
    for i in range(0, len(data), step):
        writer.write(data[i : i + step])
    writer.close()
    assert (await gateway.get("/-/healthz")).status == 200
