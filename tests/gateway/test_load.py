"""Limits of targets: never more than they bear, the next target first, then a queue, and a refusal that tells when."""

from __future__ import annotations

import asyncio
import time
from random import Random

import pytest
from msgspec.structs import replace

from gateway.conftest import DIALECTS, FAST, TEXT, Gateway, Reply, Start, chain, provider, until
from gateway.fakeupstream import FakeUpstream
from gateway.test_leaving import asked
from pointsman.gateway import load
from pointsman.table import Limits, Provider

EVERY = pytest.mark.parametrize("dialect", DIALECTS)
STREAM = pytest.mark.parametrize("stream", [True, False])
LONG = replace(FAST, timeouts=replace(FAST.timeouts, first_token=10.0))
FAULTS = (
    "ok", "status-500", "status-400", "html-502", "rate-limited", "empty", "garbage", "error-first", "cut-before",
    "cut-preamble", "cut-mid", "reset-mid", "end-mid", "error-mid", "malformed", "no-done", "tool", "cut-tool", "call",
    "cut-call", "context", "loading+ok", "bill", "slow",
)  # fmt: skip


def limited(name: str, upstream: FakeUpstream, model: str, **limits: int) -> Provider:
    return provider(name, upstream, model, location="OnPremises", limits=Limits(**limits))


def idle(gateway: Gateway) -> bool:
    """Nobody waits, and nothing is thought to run."""
    state = gateway.state
    waiting = any(count for _, count in state.queue.waiting()) or bool(state.waiting)
    return not waiting and not any(count for _, count in state.limits.running()) and not state.exchanges


def waiting(gateway: Gateway) -> int:
    return len(gateway.state.waiting)


def many(
    gateway: Gateway, count: int, dialect: str = "completions", *, stream: bool = True
) -> list[asyncio.Task[Reply]]:
    return [asyncio.ensure_future(gateway.ask(dialect, stream=stream)) for _ in range(count)]


@EVERY
@STREAM
async def test_never_more_at_once_than_it_bears(
    start: Start, upstream: FakeUpstream, dialect: str, stream: bool
) -> None:
    """Fifty at a time at a target that bears three: all are answered."""
    gateway = await start(chain(limited("a", upstream, "ok", concurrent=3)))
    replies = await asyncio.gather(*many(gateway, 50, dialect, stream=stream))
    assert {(reply.status, reply.whole, reply.text) for reply in replies} == {(200, True, TEXT)}
    assert upstream.most <= 3
    assert idle(gateway)
    metrics = (await gateway.get("/metrics")).body.decode()
    assert 'pointsman_gateway_queued_total{provider="a"}' in metrics


async def test_first_come_first_served(start: Start, upstream: FakeUpstream) -> None:
    """Who waits longest goes first, and a newcomer takes nobody's place."""
    gateway = await start(chain(limited("a", upstream, "gated", concurrent=1), policy=LONG))
    asking = []
    for number in range(12):
        asking.append(asyncio.ensure_future(gateway.ask(user=f"{number}", stream=True)))
        await until(lambda: len(gateway.state.exchanges) == len(asking))
    upstream.gate.set()
    for number in range(12, 20):
        asking.append(asyncio.ensure_future(gateway.ask(user=f"{number}", stream=True)))
        await asyncio.sleep(0.002)
    assert all(reply.text == TEXT for reply in await asyncio.gather(*asking))
    assert [int(seen.body["user"]) for seen in upstream.seen] == list(range(20))
    assert idle(gateway)


@EVERY
async def test_the_next_target_is_asked_before_anyone_waits(
    start: Start, upstream: FakeUpstream, second: FakeUpstream, dialect: str
) -> None:
    """What one does not bear goes to the next, which is told, and cools nothing."""
    places = [limited("a", upstream, "gated", concurrent=1), provider("b", second, "ok")]
    gateway = await start(chain(*places, policy=LONG))
    first = asyncio.ensure_future(gateway.ask(dialect))
    await until(lambda: len(upstream.seen) == 1)
    replies = await asyncio.gather(*many(gateway, 5, dialect))
    assert {reply.decision for reply in replies} == {"assistant; answered=b/ok; attempts=1; passed=a/gated:Busy"}
    upstream.gate.set()
    assert "answered=a/gated" in (await first).decision
    assert not gateway.state.health.entries
    assert idle(gateway)


@STREAM
async def test_requests_a_minute(start: Start, upstream: FakeUpstream, second: FakeUpstream, stream: bool) -> None:
    """The fourth within the minute goes to the next target."""
    places = [limited("a", upstream, "ok", requests_per_minute=3), provider("b", second, "ok")]
    gateway = await start(chain(*places))
    replies = [await gateway.ask(stream=stream) for _ in range(5)]
    assert [reply.decision.split("=")[1][0] for reply in replies] == ["a", "a", "a", "b", "b"]
    assert idle(gateway)


@EVERY
@STREAM
async def test_tokens_a_minute(
    start: Start, upstream: FakeUpstream, second: FakeUpstream, dialect: str, stream: bool
) -> None:
    """What an answer said that it cost is what counts: 1005 tokens each."""
    places = [limited("a", upstream, "bill", tokens_per_minute=2500), provider("b", second, "ok")]
    gateway = await start(chain(*places))
    replies = [await gateway.ask(dialect, stream=stream) for _ in range(4)]
    assert [reply.decision.split("=")[1][0] for reply in replies] == ["a", "a", "a", "b"]


@EVERY
async def test_alone_and_out_of_requests(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """Nobody waits for most of a minute: 503, and Retry-After says when the minute is over."""
    gateway = await start(chain(limited("a", upstream, "ok", requests_per_minute=1)))
    assert (await gateway.ask(dialect)).status == 200
    reply = await gateway.ask(dialect)
    assert (reply.status, reply.json["error"]["code"]) == (503, "overloaded")
    assert 58 <= int(reply.fields["retry-after"]) <= 60
    assert len(upstream.seen) == 1
    assert idle(gateway)


async def test_a_minute_that_ends_soon_is_waited_for(start: Start, upstream: FakeUpstream) -> None:
    """All that wait for it go, in their order, when it ends."""
    gateway = await start(chain(limited("a", upstream, "ok", requests_per_minute=3, concurrent=1)))
    for _ in range(3):
        gateway.state.limits.done(gateway.state.limits.take("a", 1, time.monotonic() - 59.0), 0, time.monotonic())
    asking = []
    for number in range(3):
        asking.append(asyncio.ensure_future(gateway.ask(user=f"{number}")))
        await until(lambda: waiting(gateway) == len(asking))
    assert all(reply.text == TEXT for reply in await asyncio.gather(*asking))
    assert [seen.body["user"] for seen in upstream.seen] == ["0", "1", "2"]
    assert idle(gateway)


@EVERY
async def test_a_queue_has_an_end(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """Beyond it 503 at once, with the time after which it is worth coming again."""
    gateway = await start(chain(limited("a", upstream, "gated", concurrent=1), policy=LONG))
    gateway.state.queue.bound = 2
    asking = many(gateway, 3, dialect)
    await until(lambda: waiting(gateway) == 2 and len(upstream.seen) == 1)
    refused = await gateway.ask(dialect)
    assert (refused.status, refused.json["error"]["code"]) == (503, "overloaded")
    assert int(refused.fields["retry-after"]) >= 1
    assert refused.decision == "assistant; attempts=0; passed=a/gated:Busy"
    assert "queue" not in refused.json["error"]["message"]
    upstream.gate.set()
    assert all(reply.text == TEXT for reply in await asyncio.gather(*asking))
    assert (await gateway.ask(dialect)).status == 200
    assert idle(gateway)


async def test_the_time_to_come_again_is_as_measured(start: Start, upstream: FakeUpstream) -> None:
    """Who is told to come again in so many seconds finds a place then, at the pace of the last ones."""
    gateway = await start(chain(limited("a", upstream, "slow", concurrent=1), policy=LONG))
    gateway.state.queue.bound = 5
    asking = many(gateway, 6)
    await until(lambda: len(upstream.seen) == 4)
    asking += many(gateway, 5 - waiting(gateway))
    await until(lambda: waiting(gateway) == 5)
    refused = await gateway.ask()
    assert refused.status == 503
    await asyncio.sleep(int(refused.fields["retry-after"]))
    assert (await gateway.ask()).status == 200
    await asyncio.gather(*asking)
    assert idle(gateway)


@EVERY
async def test_who_leaves_while_waiting_frees_the_place(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """In the queue, and nothing is asked for them."""
    gateway = await start(chain(limited("a", upstream, "gated", concurrent=1), policy=LONG))
    first = asyncio.ensure_future(gateway.ask(dialect))
    await until(lambda: len(upstream.seen) == 1)
    leavers = [(await gateway.connect())[1] for _ in range(3)]
    for writer in leavers:
        writer.write(asked(dialect))
    await until(lambda: waiting(gateway) == 3)
    last = asyncio.ensure_future(gateway.ask(dialect))
    await until(lambda: waiting(gateway) == 4)
    for writer in leavers:
        writer.close()
    await until(lambda: waiting(gateway) == 1)
    upstream.gate.set()
    assert ((await first).text, (await last).text) == (TEXT, TEXT)
    assert len(upstream.seen) == 2
    assert idle(gateway)


async def test_who_leaves_while_answered_frees_the_target(start: Start, upstream: FakeUpstream) -> None:
    """The next one goes at once."""
    gateway = await start(chain(limited("a", upstream, "stall-head+ok", concurrent=1), policy=LONG))
    _, writer = await gateway.connect()
    writer.write(asked("completions"))
    await until(lambda: len(upstream.seen) == 1)
    waiter = asyncio.ensure_future(gateway.ask(stream=True))
    await until(lambda: waiting(gateway) == 1)
    writer.close()
    assert (await waiter).text == TEXT
    assert idle(gateway)


async def test_draining_answers_who_waits(start: Start, upstream: FakeUpstream) -> None:
    """Within the grace those in the queue are answered; the port is closed to others."""
    gateway = await start(chain(limited("a", upstream, "gated", concurrent=1), policy=LONG), grace=10.0)
    asking = many(gateway, 4)
    await until(lambda: waiting(gateway) == 3)
    gateway.stop.set()
    await until(lambda: gateway.state.draining)
    upstream.gate.set()
    assert all(reply.text == TEXT for reply in await asyncio.gather(*asking))
    await asyncio.wait_for(gateway.task, 5)


async def test_the_end_of_the_grace_refuses_who_waits(start: Start, upstream: FakeUpstream) -> None:
    """With the gateway's own words, and to come again: another instance may answer."""
    gateway = await start(chain(limited("a", upstream, "gated", concurrent=1), policy=LONG), grace=0.3)
    asking = many(gateway, 3)
    await until(lambda: waiting(gateway) == 2)
    gateway.stop.set()
    replies = await asyncio.gather(*asking)
    assert {reply.status for reply in replies} == {503}
    assert {reply.json["error"]["code"] for reply in replies} == {"shutting_down"}
    assert idle(gateway)


async def test_patience_ends(start: Start, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has waited for long enough is refused, and stands in nobody's way."""
    monkeypatch.setattr("pointsman.gateway.intake.PATIENCE", 0.5)
    gateway = await start(chain(limited("a", upstream, "gated", concurrent=1), policy=LONG))
    first = asyncio.ensure_future(gateway.ask())
    await until(lambda: len(upstream.seen) == 1)
    refused = await gateway.ask()
    assert (refused.status, refused.json["error"]["code"]) == (503, "overloaded")
    assert load.PATIENCE > 0.5
    assert waiting(gateway) == 0
    upstream.gate.set()
    assert (await first).status == 200
    assert idle(gateway)


async def test_who_waits_takes_the_first_place_that_is_free(
    start: Start, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    """Two targets, both full: the one that ends first answers, whichever it is."""
    places = [limited("a", upstream, "gated", concurrent=1), limited("b", second, "gated", concurrent=1)]
    gateway = await start(chain(*places, policy=LONG))
    asking = many(gateway, 2)
    await until(lambda: len(upstream.seen) == 1 and len(second.seen) == 1)
    waiter = asyncio.ensure_future(gateway.ask(stream=True))
    await until(lambda: waiting(gateway) == 1)
    second.gate.set()
    reply = await waiter
    assert "answered=b/gated" in reply.decision
    upstream.gate.set()
    await asyncio.gather(*asking)
    assert idle(gateway)


@pytest.mark.parametrize("seed", range(6))
async def test_everything_is_given_back(start: Start, upstream: FakeUpstream, seed: int) -> None:
    """After any mix of faults, dialects and clients that leave: nothing runs, and nobody waits."""
    random = Random(seed)
    names = random.sample(FAULTS, 8)
    places = [limited(f"p{i}", upstream, name, concurrent=random.choice((1, 2, 0))) for i, name in enumerate(names)]
    policy = replace(LONG, hedge_after=random.choice((0.0, 0.02)))
    gateway = await start(chain(*places, policy=policy))

    async def one(number: int) -> None:
        dialect, stream = random.choice(DIALECTS), random.random() < 0.7
        if number % 5:
            reply = await gateway.ask(dialect, stream=stream)
            assert reply.status != 500
        else:
            _, writer = await gateway.connect()
            writer.write(asked(dialect, stream=stream))
            await asyncio.sleep(random.random() * 0.1)
            writer.close()

    await asyncio.gather(*(one(number) for number in range(40)))
    await until(lambda: idle(gateway))
    assert all(address.busy == 0 for address in gateway.state.pools._addresses.values())
