"""Cold models: a warm one stands in and the cold one is woken; alone, it is waited for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.conftest import DIALECTS, FAST, TEXT, Start, chain, provider, until
from gateway.fakeupstream import FakeUpstream
from pointsman.table import Fence, Model, Provider

EVERY = pytest.mark.parametrize("dialect", DIALECTS)
STREAM = pytest.mark.parametrize("stream", [True, False])


def cold(upstream: FakeUpstream, model: str = "ok", **more: Any) -> Provider:
    more = {"location": "OnPremises", **more}
    return provider("cold", upstream, models=(Model(id=model, loaded=False),), **more)


@EVERY
@STREAM
async def test_a_warm_one_stands_in_and_the_cold_one_is_woken(
    start: Start, upstream: FakeUpstream, second: FakeUpstream, dialect: str, stream: bool
) -> None:
    """With one request of one token, however many ask; and the header says why it was passed over."""
    gateway = await start(chain(cold(second), provider("warm", upstream)))
    for reply in await asyncio.gather(*(gateway.ask(dialect, stream=stream) for _ in range(8))):
        assert (reply.status, reply.text) == (200, TEXT)
        assert reply.decision == "assistant; answered=warm/ok; attempts=1; passed=cold/ok:cold"
    await until(lambda: not gateway.state.askings)
    assert len(second.seen) == 1
    limit = {"responses": ("max_output_tokens", 16)}.get(dialect, ("max_tokens", 1))
    assert second.seen[0].body[limit[0]] == limit[1]
    assert "hello" not in str(second.seen[0].body)
    assert len(upstream.seen) == 8


async def test_it_is_woken_again_after_a_minute(start: Start, upstream: FakeUpstream, second: FakeUpstream) -> None:
    """Servers unload what nobody uses."""
    gateway = await start(chain(cold(second), provider("warm", upstream)))
    await gateway.ask()
    gateway.state.woken["cold", "ok"] -= 59.0
    await gateway.ask()
    await until(lambda: not gateway.state.askings)
    assert len(second.seen) == 1
    gateway.state.woken["cold", "ok"] -= 2.0
    await gateway.ask()
    await until(lambda: not gateway.state.askings and len(second.seen) == 2)


async def test_a_hosted_one_is_never_woken(start: Start, upstream: FakeUpstream, second: FakeUpstream) -> None:
    """It would be paid for."""
    gateway = await start(chain(cold(second, location="External"), provider("warm", upstream)))
    assert (await gateway.ask()).decision.endswith("passed=cold/ok:cold")
    assert not gateway.state.askings
    assert second.opened == 0


async def test_one_outside_the_fence_is_not_woken(start: Start, upstream: FakeUpstream, second: FakeUpstream) -> None:
    """Not even the gateway's own words go there."""
    policy = replace(FAST, fence=Fence(locations=("InCluster",)))
    gateway = await start(chain(cold(second), provider("warm", upstream, location="InCluster"), policy=policy))
    assert (await gateway.ask()).decision.endswith("passed=cold/ok:fence")
    assert second.opened == 0


async def test_the_cold_one_answers_when_the_warm_one_fails(
    start: Start, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    """It stays in the chain, last."""
    gateway = await start(chain(cold(second), provider("warm", upstream, "status-500")))
    reply = await gateway.ask()
    assert (reply.status, reply.text) == (200, TEXT)
    assert "answered=cold/ok" in reply.decision


@EVERY
@STREAM
async def test_alone_it_is_waited_for(start: Start, upstream: FakeUpstream, dialect: str, stream: bool) -> None:
    """For longer than a warm one would be: its deadline has the loading on top."""
    policy = replace(FAST, timeouts=replace(FAST.timeouts, first_token=0.2, whole=0.2))
    gateway = await start(chain(cold(upstream, "gated"), policy=policy))
    asking = asyncio.ensure_future(gateway.ask(dialect, stream=stream))
    await until(lambda: len(upstream.seen) == 1)
    await asyncio.sleep(0.8)  # past the deadline of a warm one
    upstream.gate.set()
    reply = await asking
    assert (reply.status, reply.text) == (200, TEXT)
    assert reply.decision == "assistant; answered=cold/gated; attempts=1"
    assert len(upstream.seen) == 1


async def test_a_woken_one_that_hangs_does_not_keep_the_gateway(start: Start, upstream: FakeUpstream) -> None:
    """The question ends with the gateway; `start` waits for that."""
    gateway = await start(chain(cold(upstream, "stall-head"), provider("warm", upstream)))
    assert (await gateway.ask()).text == TEXT
    await until(lambda: len(upstream.asked("stall-head")) == 1)
    gateway.stop.set()
    await asyncio.wait_for(gateway.task, 5)
    assert not gateway.state.askings
