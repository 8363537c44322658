"""A stream that breaks off after its first output is taken up by the next target: one unbroken answer."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from gateway.conftest import DIALECTS, FAST, TEXT, Start, chain, provider
from gateway.fakeupstream import FakeUpstream

EVERY = pytest.mark.parametrize("dialect", DIALECTS)
BREAKS = pytest.mark.parametrize("fault", ["cut-mid", "reset-mid", "end-mid", "stall-mid", "error-mid", "malformed"])


@EVERY
@BREAKS
async def test_the_client_gets_one_unbroken_answer(
    start: Start, upstream: FakeUpstream, dialect: str, fault: str
) -> None:
    """The whole text once, one beginning, one end, and the truth in metrics."""
    gateway = await start(chain(provider("a", upstream, fault), provider("b", upstream)))
    reply = await gateway.ask(dialect, stream=True)
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)
    kinds = [event.get("type") for event in reply.events]
    assert kinds.count("message_start") <= 1
    assert kinds.count("response.created") <= 1
    assert [seen.body["model"] for seen in upstream.seen] == [fault, "ok"]
    assert upstream.seen[0].body | {"model": "ok"} == upstream.seen[1].body
    metrics = (await gateway.get("/metrics")).body.decode()
    assert 'pointsman_gateway_streams_resumed_total{route="assistant"} 1' in metrics


@EVERY
async def test_a_target_that_breaks_off_in_turn_is_taken_up_too(
    start: Start, upstream: FakeUpstream, dialect: str
) -> None:
    """Three targets, two cuts, one answer."""
    places = [provider("a", upstream, "cut-mid"), provider("b", upstream, "reset-mid"), provider("c", upstream)]
    reply = await (await start(chain(*places))).ask(dialect, stream=True)
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)


@EVERY
@pytest.mark.parametrize("second", ["status-500", "empty", "html-200", "stall-preamble", "cut-before", "garbage"])
async def test_a_second_that_cannot_is_passed_over(
    start: Start, upstream: FakeUpstream, dialect: str, second: str
) -> None:
    """Nothing of what it says reaches the client."""
    places = [provider("a", upstream, "cut-mid"), provider("b", upstream, second), provider("c", upstream)]
    reply = await (await start(chain(*places))).ask(dialect, stream=True)
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)


@EVERY
async def test_with_nobody_left_it_ends_in_the_dialects_error(
    start: Start, upstream: FakeUpstream, dialect: str
) -> None:
    """A truncated answer is never presented as a whole one."""
    gateway = await start(chain(provider("a", upstream, "cut-mid"), provider("b", upstream, "status-500")))
    reply = await gateway.ask(dialect, stream=True)
    assert (reply.status, reply.whole, reply.text) == (200, False, "one two ")
    assert reply.events[-1].get("error") or reply.events[-1]["type"] in {"error", "response.failed"}


async def test_a_fenced_target_takes_nothing_up(start: Start, upstream: FakeUpstream, second: FakeUpstream) -> None:
    """The fence holds after the commit as before it."""
    from pointsman.table import Fence

    policy = replace(FAST, fence=Fence(locations=("OnPremises",)))
    near = provider("near", upstream, "cut-mid", location="OnPremises")
    far = provider("far", second, location="External")
    reply = await (await start(chain(near, far, policy=policy))).ask(stream=True)
    assert (reply.whole, reply.text) == (False, "one two ")
    assert second.seen == []
    assert second.opened == 0


async def test_a_cut_tool_call_is_not_put_together_from_two_answers(start: Start, upstream: FakeUpstream) -> None:
    """Half a call from one target and half from another would be executed: nothing of it is sent before it is whole."""
    gateway = await start(chain(provider("a", upstream, "cut-tool"), provider("b", upstream, "tool")))
    reply, alone = await gateway.ask(stream=True), await gateway.ask(stream=True)
    assert reply.whole
    assert reply.body == alone.body


async def test_a_target_that_says_something_else_is_not_left_alone(start: Start, upstream: FakeUpstream) -> None:
    """It answers well, only otherwise: the next request may go to it at once."""
    places = [provider("a", upstream, "cut-mid"), provider("b", upstream, "tool"), provider("c", upstream)]
    gateway = await start(chain(*places))
    reply = await gateway.ask(stream=True)
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)
    assert gateway.state.health.until("a", "cut-mid") > 0
    assert gateway.state.health.until("b", "tool") == 0
    metrics = (await gateway.get("/metrics")).body.decode()
    assert 'to="c/ok",reason="Diverged"' in metrics


async def test_ids_stay_those_of_the_first(start: Start, upstream: FakeUpstream) -> None:
    """A client that keeps the id of an answer keeps one."""
    gateway = await start(chain(provider("a", upstream, "cut-mid"), provider("b", upstream)))
    reply = await gateway.ask(stream=True)
    assert len({(event["id"], event["model"], event["created"]) for event in reply.events if "id" in event}) == 1
    assert json.dumps(reply.events[-1]).count("error") == 0
