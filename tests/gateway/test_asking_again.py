"""When all have failed: what passes by itself is waited for, once; what does not is told at once."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace

from gateway.conftest import DIALECTS, FAST, TEXT, Start, chain, provider
from gateway.fakeupstream import FakeUpstream
from pointsman.exchange import Failure, FailureKind

EVERY = pytest.mark.parametrize("dialect", DIALECTS)
STREAM = pytest.mark.parametrize("stream", [True, False])
PATIENT = replace(FAST, breaker=replace(FAST.breaker, consecutive_failures=3))


@EVERY
@STREAM
@pytest.mark.parametrize("fault", ["status-500", "html-502", "cut-before"])
async def test_a_fault_that_passes_is_asked_once_more(
    start: Start, upstream: FakeUpstream, dialect: str, stream: bool, fault: str
) -> None:
    """One target, one hiccup: the client sees nothing of it but the header."""
    gateway = await start(chain(provider("a", upstream, f"{fault}+ok")))
    reply = await gateway.ask(dialect, stream=stream)
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)
    assert "attempts=2" in reply.decision
    assert len(upstream.seen) == 2


async def test_once_and_no_more(start: Start, upstream: FakeUpstream) -> None:
    """A target that fails again is told."""
    gateway = await start(chain(provider("a", upstream, "status-500+status-500+ok")))
    reply = await gateway.ask()
    assert (reply.status, reply.json["error"]["code"]) == (503, "all_candidates_failed")
    assert len(upstream.seen) == 2


@EVERY
@STREAM
async def test_a_model_that_loads_is_waited_for(
    start: Start, upstream: FakeUpstream, dialect: str, stream: bool
) -> None:
    """However often it says so; it is told once."""
    gateway = await start(chain(provider("a", upstream, "loading+loading+loading+ok")))
    reply = await gateway.ask(dialect, stream=stream)
    assert (reply.status, reply.text) == (200, TEXT)
    assert reply.decision.count("ModelLoading") == 1
    assert len(upstream.seen) == 4


async def test_a_warm_one_is_asked_before_a_loading_one(start: Start, upstream: FakeUpstream) -> None:
    """Waiting is for when nobody else is left."""
    gateway = await start(chain(provider("a", upstream, "loading"), provider("b", upstream, "ok")))
    assert "answered=b/ok" in (await gateway.ask()).decision
    assert len(upstream.asked("loading")) == 1


@EVERY
@STREAM
async def test_a_short_rate_limit_is_waited_for(
    start: Start, upstream: FakeUpstream, dialect: str, stream: bool
) -> None:
    """Not sooner than it said."""
    gateway = await start(chain(provider("a", upstream, "rate-1+ok")))
    began = time.monotonic()
    reply = await gateway.ask(dialect, stream=stream)
    assert (reply.status, reply.text) == (200, TEXT)
    assert time.monotonic() - began >= 1.0
    assert len(upstream.seen) == 2


@EVERY
async def test_a_long_one_is_told(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """429 with the target's own time; nothing is sent again before it."""
    gateway = await start(chain(provider("a", upstream, "rate-limited+ok")))
    reply = await gateway.ask(dialect)
    assert (reply.status, reply.fields["retry-after"]) == (429, "7")
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("fault", ["status-401", "status-404", "wrong", "policy", "context", "status-402"])
async def test_what_does_not_pass_is_told_at_once(start: Start, upstream: FakeUpstream, fault: str) -> None:
    """A key, a name, a request: asking again changes none of them."""
    gateway = await start(chain(provider("a", upstream, f"{fault}+ok")))
    assert (await gateway.ask()).status not in {200, 401, 402}
    assert len(upstream.seen) == 1


@STREAM
async def test_a_last_resort_is_asked_once(start: Start, upstream: FakeUpstream, stream: bool) -> None:
    """What was known to be down is tried, but not twice: an outage must not be met with twice the load."""
    gateway = await start(chain(provider("a", upstream, "status-500+status-500+ok")))
    failure = Failure(FailureKind.SERVER_ERROR, "down", 500)
    gateway.state.health.failed("a", "status-500+status-500+ok", failure, FAST.breaker, time.monotonic())
    reply = await gateway.ask(stream=stream)
    assert reply.status == 503
    assert len(upstream.seen) == 1


async def test_attempts_are_counted_against_the_budget(start: Start, upstream: FakeUpstream) -> None:
    """A policy of one attempt has one."""
    gateway = await start(chain(provider("a", upstream, "status-500+ok"), policy=replace(PATIENT, max_attempts=1)))
    assert (await gateway.ask()).status == 503
    assert len(upstream.seen) == 1


@EVERY
async def test_a_cut_stream_is_asked_again_at_the_only_target(
    start: Start, upstream: FakeUpstream, dialect: str
) -> None:
    """Better than half an answer: the same target takes its own answer up."""
    gateway = await start(chain(provider("a", upstream, "cut-mid+ok")))
    reply = await gateway.ask(dialect, stream=True)
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)
    assert len(upstream.seen) == 2
