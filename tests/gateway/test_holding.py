"""What is held: a tool call until it is whole, and an answer in one piece until it is all there."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.acts import called
from gateway.conftest import DIALECTS, TEXT, Gateway, Start, chain, provider, until
from gateway.fakeupstream import FakeUpstream
from gateway.test_leaving import asked

EVERY = pytest.mark.parametrize("dialect", DIALECTS)
CALLED = ("weather", "call_1", "city", "tool_use", "function_call")
FEW = 6.0  # seconds


async def read_until(reader: asyncio.StreamReader, mark: bytes) -> bytes:
    async with asyncio.timeout(5):
        return await reader.readuntil(mark)


def names(data: bytes) -> list[str]:
    """Of what tells of a call, all that is in it."""
    return [name for name in CALLED if name.encode() in data]


@EVERY
async def test_a_call_is_held_until_it_is_whole(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """The words before it come at once; of the call nothing does, then all of it, as the target wrote it."""
    gateway = await start(chain(provider("a", upstream, "gated-call")))
    reader, writer = await gateway.connect()
    writer.write(asked(dialect).replace(b"Host: x", b"Host: x\r\nConnection: close"))
    before = await read_until(reader, b"two ")
    await until(lambda: all(exchange._reading.calling for exchange in gateway.state.exchanges))
    await asyncio.sleep(0.3)  # for what ought not to come
    before += await reader.read(len(reader._buffer))
    assert names(before) == []
    upstream.gate.set()
    async with asyncio.timeout(5):
        rest = await reader.read()
    whole = before + rest
    first, second, after = called(dialect)
    at = [whole.find(event) for event in (*first, *second, *after)]
    assert -1 not in at
    assert at == sorted(at)


@EVERY
async def test_a_call_cut_in_its_middle_comes_from_the_next(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """One call, whole, and the words before it once."""
    gateway = await start(chain(provider("a", upstream, "cut-call"), provider("b", upstream, "call")))
    reply, alone = await gateway.ask(dialect, stream=True), await gateway.ask(dialect, stream=True)
    assert (reply.status, reply.whole, reply.text) == (200, True, "one two ")
    assert reply.body.count(b'"weather"') == alone.body.count(b'"weather"')
    assert "error" not in str(reply.events[-1].get("type"))
    assert [event.get("type") for event in reply.events][-1:] == [event.get("type") for event in alone.events][-1:]


@EVERY
async def test_a_call_that_nobody_completes_is_never_seen(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """The words, and the dialect's error; half a call would be executed."""
    gateway = await start(chain(provider("a", upstream, "cut-call"), provider("b", upstream, "cut-call")))
    reply = await gateway.ask(dialect, stream=True)
    assert (reply.status, reply.whole, reply.text) == (200, False, "one two ")
    assert names(reply.body) == []
    assert b"error" in reply.body


async def dripped(gateway: Gateway, dialect: str) -> bytes:
    return await gateway.raw(asked(dialect).replace(b"Host: x", b"Host: x\r\nConnection: close"))


@EVERY
@pytest.mark.parametrize("fault", ["drip-call", "bare-call"])
async def test_who_waits_for_a_call_hears_something(
    start: Start, upstream: FakeUpstream, dialect: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comments, which no reader takes for anything; the head is sent first, and the answer stays what it is."""
    gateway = await start(chain(provider("a", upstream, fault)))
    alone = await dripped(gateway, dialect)
    assert b": keep-alive" not in alone
    monkeypatch.setattr("pointsman.gateway.delivery.KEEP_ALIVE", 0.15)
    data = await dripped(gateway, dialect)
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"text/event-stream" in head
    assert body.count(b": keep-alive\n\n") >= 2
    assert body.find(b": keep-alive") < body.find(b"weather")
    plain = [line for line in body.splitlines() if line.startswith(b"data: ")]
    assert plain == [line for line in alone.splitlines() if line.startswith(b"data: ")]


@EVERY
async def test_a_bare_call_cut_after_the_head_was_sent(
    start: Start, upstream: FakeUpstream, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next target's call is the answer: the client has seen comments alone."""
    monkeypatch.setattr("pointsman.gateway.delivery.KEEP_ALIVE", 0.15)
    gateway = await start(chain(provider("a", upstream, "bare-cut"), provider("b", upstream, "bare-call")))
    reply = await gateway.ask(dialect, stream=True)
    assert (reply.status, reply.whole) == (200, True)
    assert b'{"city' in reply.body.replace(b"\\", b"")
    assert b"taken up by b/bare-call" in reply.body
    assert not [event for event in reply.events if event.get("type") == "error" or event.get("error")]


@EVERY
async def test_a_body_that_stalls_goes_to_the_next(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """After the stall, not after the time for all of it; the target is told at once."""
    gateway = await start(chain(provider("a", upstream, "half-body"), provider("b", upstream)))
    began = time.monotonic()
    reply = await gateway.ask(dialect)
    assert (reply.status, reply.text) == (200, TEXT)
    assert reply.decision.endswith("passed=a/half-body:Timeout")
    assert time.monotonic() - began < FEW
    await until(upstream.asked("half-body")[0].gone.is_set)


@EVERY
async def test_a_body_whose_end_is_not_said_is_whole(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """JSON that is complete is an answer within a few seconds, from the first target."""
    gateway = await start(chain(provider("a", upstream, "open-body"), provider("b", upstream)))
    began = time.monotonic()
    reply = await gateway.ask(dialect)
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)
    assert reply.decision == "assistant; answered=a/open-body; attempts=1"
    assert time.monotonic() - began < FEW
    await until(upstream.asked("open-body")[0].gone.is_set)


@EVERY
async def test_a_gateway_that_was_held_up_itself_blames_nobody(
    start: Start, upstream: FakeUpstream, dialect: str
) -> None:
    """A process that did not run for longer than a stall may take reads first what has come in the meantime."""
    gateway = await start(chain(provider("a", upstream, "slow")))
    asking = asyncio.ensure_future(gateway.ask(dialect, stream=True, headers={"x-request-id": "held"}))
    await until(lambda: bool(upstream.seen) and all(each.committed for each in gateway.state.exchanges))
    time.sleep(1.2)  # noqa: ASYNC251 - that is the point: nothing runs
    reply = await asking
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)
    assert "failed" not in (await gateway.get("/-/explain/held")).json
