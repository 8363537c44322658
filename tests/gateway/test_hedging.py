"""Hedging: a second local target beside a slow first one. Opt-in; whichever speaks first answers."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from gateway.conftest import DIALECTS, FAST, TEXT, Gateway, Start, chain, provider, until
from gateway.fakeupstream import FakeUpstream
from gateway.test_leaving import asked
from pointsman.exchange import Failure, FailureKind
from pointsman.table import Limits, Provider

EVERY = pytest.mark.parametrize("dialect", DIALECTS)
STREAM = pytest.mark.parametrize("stream", [True, False])
HEDGED = replace(FAST, hedge_after=0.1)


def local(name: str, upstream: FakeUpstream, model: str, **more: object) -> Provider:
    return provider(name, upstream, model, **{"location": "OnPremises", **more})


async def attempts(gateway: Gateway) -> str:
    lines = (await gateway.get("/metrics")).body.decode().splitlines()
    return "\n".join(line for line in lines if line.startswith("pointsman_gateway_attempts_total"))


@EVERY
@STREAM
async def test_the_hedge_answers_when_the_first_stalls(
    start: Start, upstream: FakeUpstream, dialect: str, stream: bool
) -> None:
    """The loser is dropped at once, told and counted, and cooled by nothing."""
    gateway = await start(chain(local("a", upstream, "stall-head"), local("b", upstream, "ok"), policy=HEDGED))
    reply = await gateway.ask(dialect, stream=stream, headers={"x-request-id": "hedged"})
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)
    assert reply.decision == "assistant; answered=b/ok; attempts=2; passed=a/stall-head:Overtaken"
    async with asyncio.timeout(5):
        await upstream.asked("stall-head")[0].gone.wait()
    assert not gateway.state.health.entries
    counted = await attempts(gateway)
    assert 'provider="a",model="stall-head",outcome="Overtaken"} 1' in counted
    assert 'provider="b",model="ok",outcome="ok"} 1' in counted
    told = (await gateway.get("/-/explain/hedged")).json
    assert (told["provider"], [step["reason"] for step in told["failed"]]) == ("b", ["Overtaken"])
    assert "answered=a/stall-head" not in (await gateway.ask(dialect, stream=stream)).decision


@EVERY
@STREAM
async def test_the_first_answers_when_the_hedge_fails(
    start: Start, upstream: FakeUpstream, dialect: str, stream: bool
) -> None:
    """A hedge that fails is told, and costs the client nothing."""
    gateway = await start(chain(local("a", upstream, "gated"), local("b", upstream, "status-500"), policy=HEDGED))
    asking = asyncio.ensure_future(gateway.ask(dialect, stream=stream))
    await until(lambda: len(upstream.asked("status-500")) == 1)
    upstream.gate.set()
    reply = await asking
    assert (reply.status, reply.text) == (200, TEXT)
    assert reply.decision == "assistant; answered=a/gated; attempts=2; passed=b/status-500:ServerError"
    assert gateway.state.health.until("b", "status-500") > 0


@STREAM
async def test_the_first_may_be_faster_than_its_hedge(start: Start, upstream: FakeUpstream, stream: bool) -> None:
    """The hedge is dropped, and counted as overtaken."""
    gateway = await start(chain(local("a", upstream, "gated"), local("b", upstream, "stall-head"), policy=HEDGED))
    asking = asyncio.ensure_future(gateway.ask(stream=stream))
    await until(lambda: len(upstream.asked("stall-head")) == 1)
    upstream.gate.set()
    reply = await asking
    assert reply.text == TEXT
    assert reply.decision == "assistant; answered=a/gated; attempts=2; passed=b/stall-head:Overtaken"
    async with asyncio.timeout(5):
        await upstream.asked("stall-head")[0].gone.wait()
    assert not gateway.state.health.entries
    assert 'provider="b",model="stall-head",outcome="Overtaken"} 1' in await attempts(gateway)


@EVERY
@STREAM
async def test_when_both_fail_a_third_answers(start: Start, upstream: FakeUpstream, dialect: str, stream: bool) -> None:
    """The hedge takes the first one's place, and is followed as it would have been."""
    places = [local("a", upstream, "stall-head"), local("b", upstream, "stall-preamble"), local("c", upstream, "ok")]
    policy = replace(HEDGED, timeouts=replace(FAST.timeouts, first_token=0.4, whole=0.4))
    gateway = await start(chain(*places, policy=policy))
    reply = await gateway.ask(dialect, stream=stream)
    assert (reply.status, reply.text) == (200, TEXT)
    assert "answered=c/ok" in reply.decision
    assert "a/stall-head:Timeout,b/stall-preamble:Timeout" in reply.decision


@pytest.mark.parametrize("places", [("OnPremises", "External"), ("External", "OnPremises")])
async def test_a_hosted_target_is_no_hedge_and_has_none(
    start: Start, upstream: FakeUpstream, places: tuple[str, str]
) -> None:
    """Beside a hosted one it would be paid for twice."""
    first = local("a", upstream, "gated", location=places[0])
    then = local("b", upstream, "ok", location=places[1])
    gateway = await start(chain(first, then, policy=HEDGED))
    asking = asyncio.ensure_future(gateway.ask())
    await until(lambda: len(upstream.asked("gated")) == 1)
    await asyncio.sleep(0.4)  # past the time of a hedge
    upstream.gate.set()
    assert (await asking).decision == "assistant; answered=a/gated; attempts=1"
    assert not upstream.asked("ok")


async def test_without_the_policy_there_is_none(start: Start, upstream: FakeUpstream) -> None:
    """Opt-in: a slow answer is waited for."""
    gateway = await start(chain(local("a", upstream, "gated"), local("b", upstream, "ok")))
    asking = asyncio.ensure_future(gateway.ask())
    await until(lambda: len(upstream.seen) == 1)
    await asyncio.sleep(0.4)  # past the time of a hedge
    upstream.gate.set()
    assert (await asking).decision == "assistant; answered=a/gated; attempts=1"


@EVERY
async def test_a_client_that_leaves_ends_both(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """Neither goes on for nobody, and no target is the worse for it."""
    gateway = await start(chain(local("a", upstream, "stall-head"), local("b", upstream, "stall-head"), policy=HEDGED))
    _, writer = await gateway.connect()
    writer.write(asked(dialect))
    await until(lambda: len(upstream.seen) == 2)
    writer.close()
    async with asyncio.timeout(5):
        for seen in upstream.seen:
            await seen.gone.wait()
    await until(lambda: not gateway.state.exchanges)
    assert not gateway.state.health.entries
    assert all(address.busy == 0 for address in gateway.state.pools._addresses.values())


@STREAM
async def test_a_hedge_keeps_to_limits(start: Start, upstream: FakeUpstream, stream: bool) -> None:
    """A target that bears no more is no hedge."""
    one = Limits(concurrent=1)
    gateway = await start(
        chain(local("a", upstream, "gated"), local("b", upstream, "slow", limits=one), policy=HEDGED, mode="Merge")
    )
    state = gateway.state
    held = state.limits.take("b", 1, 0.0)
    asking = asyncio.ensure_future(gateway.ask(stream=stream))
    await until(lambda: len(upstream.seen) == 1)
    await asyncio.sleep(0.4)  # past the time of a hedge
    assert not upstream.asked("slow")
    upstream.gate.set()
    assert "answered=a/gated" in (await asking).decision
    state.limits.done(held, -1, 0.0)
    assert dict(state.limits.running()) == {"b": 0}


@STREAM
@pytest.mark.parametrize("second", ["ok", "status-500", "stall-preamble"])
async def test_what_a_hedge_uses_is_given_back(start: Start, upstream: FakeUpstream, stream: bool, second: str) -> None:
    """However the two end: each gives back its own place, as soon as it has ended."""
    few = Limits(concurrent=3)
    places = [local("a", upstream, "gated", limits=few), local("b", upstream, second, limits=few)]
    gateway = await start(chain(*places, policy=HEDGED))
    asking = asyncio.ensure_future(gateway.ask(stream=stream))
    await until(lambda: len(upstream.seen) == 2)
    upstream.gate.set()
    assert (await asking).text == TEXT
    assert dict(gateway.state.limits.running()) == {"a": 0, "b": 0}


async def test_the_first_ones_place_is_free_while_the_hedge_answers(start: Start, upstream: FakeUpstream) -> None:
    """What was dropped bears nothing any more, although the request goes on."""
    few = Limits(concurrent=3)
    places = [local("a", upstream, "stall-head", limits=few), local("b", upstream, "stall-mid", limits=few)]
    gateway = await start(chain(*places, policy=replace(HEDGED, mid_stream="Fail")))
    reader, writer = await gateway.connect()
    writer.write(asked("completions"))
    async with asyncio.timeout(5):
        await reader.readuntil(b"two ")
    assert dict(gateway.state.limits.running()) == {"a": 0, "b": 1}
    writer.close()
    await until(lambda: dict(gateway.state.limits.running()) == {"a": 0, "b": 0})


async def test_a_first_that_breaks_leaves_the_hedge_its_place(start: Start, upstream: FakeUpstream) -> None:
    """The place given back is that of the one that broke, not of the one that goes on."""
    few = Limits(concurrent=3)
    places = [local("a", upstream, "stall-head", limits=few), local("b", upstream, "gated", limits=few)]
    policy = replace(HEDGED, timeouts=replace(FAST.timeouts, first_token=0.5))
    gateway = await start(chain(*places, policy=policy))
    asking = asyncio.ensure_future(gateway.ask(stream=True))
    await until(lambda: dict(gateway.state.limits.running()) == {"a": 1, "b": 1})
    await until(lambda: dict(gateway.state.limits.running()) == {"a": 0, "b": 1})
    upstream.gate.set()
    assert "answered=b/gated" in (await asking).decision


async def test_a_trial_that_is_overtaken_may_be_tried_again(start: Start, upstream: FakeUpstream) -> None:
    """A hedge that was a trial of a target that had failed holds nobody back once it is dropped."""
    gateway = await start(chain(local("a", upstream, "gated"), local("b", upstream, "stall-head"), policy=HEDGED))
    breaker = replace(FAST.breaker, open_seconds=0.0001)
    gateway.state.health.failed("b", "stall-head", Failure(FailureKind.TIMEOUT, "x"), breaker, gateway.state.now - 9)
    asking = asyncio.ensure_future(gateway.ask())
    await until(lambda: len(upstream.asked("stall-head")) == 1)
    upstream.gate.set()
    await asking
    assert all(not entry.trials for entry in gateway.state.health.entries.values())
