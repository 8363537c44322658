"""An answer that was cut is gone on with, in the way that its target knows: all of the text, one end, usage that fits.

What each way asks of a target, and what is made of its answer, is tested beside `dialects.resume`; here is the way
there and back through the gateway.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.conftest import DIALECTS, TEXT, Reply, Start, chain, provider
from gateway.fakeupstream import FakeUpstream, Seen

EVERY = pytest.mark.parametrize("dialect", DIALECTS)
BREAKS = pytest.mark.parametrize("fault", ["cut-mid", "reset-mid", "stall-mid", "error-mid", "end-mid"])
TOLD = "one two"


def last_turn(seen: Seen) -> Any:
    turns = seen.body["input" if seen.path.endswith("responses") else "messages"]
    return turns[-1] if isinstance(turns, list) else {}


def goes_on(seen: Seen) -> bool:
    """Whether a request ends with what the assistant has said."""
    turn = last_turn(seen)
    content = turn.get("content")
    text = content if isinstance(content, str) else "".join(part["text"] for part in content or ())
    return turn.get("role") == "assistant" and text == TOLD


def ends(dialect: str, reply: Reply) -> int:
    """How many terminals an answer has."""
    if dialect == "completions":
        return reply.body.count(b"data: [DONE]")
    kinds = [event["type"] for event in reply.events]
    return kinds.count("response.completed" if dialect == "responses" else "message_stop")


def whole(dialect: str, reply: Reply) -> bool:
    """The whole text, one beginning, one end, nothing after it, no error, and one id."""
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)
    assert ends(dialect, reply) == 1
    kinds = [event.get("type") for event in reply.events]
    assert kinds.count("message_start") == (dialect == "messages")
    assert kinds.count("response.created") == (dialect == "responses")
    assert "error" not in kinds
    if dialect == "completions":
        assert reply.body.rstrip().endswith(b"[DONE]")
        assert len({event["id"] for event in reply.events}) == 1
        finishes = [event["choices"][0]["finish_reason"] for event in reply.events if event["choices"]]
        assert [finish for finish in finishes if finish] == ["stop"]
    if dialect == "responses":
        numbers = [event["sequence_number"] for event in reply.events]
        assert numbers == sorted(set(numbers))
        output = reply.events[-1]["response"]["output"]
        assert "".join(part["text"] for item in output for part in item["content"]) == TEXT
    return True


def output_tokens(dialect: str, reply: Reply) -> int:
    """What the answer says at its end of its own length."""
    if dialect == "completions":
        return int(next(event["usage"] for event in reply.events if event.get("usage"))["completion_tokens"])
    if dialect == "responses":
        return int(reply.events[-1]["response"]["usage"]["output_tokens"])
    return int(next(event["usage"] for event in reply.events if event["type"] == "message_delta")["output_tokens"])


@EVERY
@BREAKS
@pytest.mark.parametrize("model", ["prefill", "echo"])
async def test_by_prefill(start: Start, upstream: FakeUpstream, dialect: str, fault: str, model: str) -> None:
    """The target gives the rest, or says again first what was said; usage is of the whole."""
    gateway = await start(chain(provider("a", upstream, fault), provider("b", upstream, model, type="LlamaCpp")))
    reply = await gateway.ask(dialect, stream=True)
    assert whole(dialect, reply)
    [seen] = upstream.asked(model)
    assert goes_on(seen)
    assert output_tokens(dialect, reply) == 5
    told = (await gateway.get(f"/-/explain/{reply.fields['x-request-id']}")).json
    assert (told["status"], told["resumed"], told["provider"], told["output_tokens"]) == (200, 1, "b", 3)
    assert b": taken up by b/%b; a/%b broke off: " % (model.encode(), fault.encode()) in reply.body


@EVERY
@BREAKS
async def test_by_flags(start: Start, upstream: FakeUpstream, dialect: str, fault: str) -> None:
    """VLLM goes on exactly, in chat; its rest is told in the client's dialect."""
    gateway = await start(chain(provider("a", upstream, fault), provider("b", upstream, "flags", type="VLLM")))
    reply = await gateway.ask(dialect, stream=True)
    assert whole(dialect, reply)
    [seen] = upstream.asked("flags")
    assert seen.path == "/v1/chat/completions"
    assert goes_on(seen)
    assert (seen.body["continue_final_message"], seen.body["add_generation_prompt"]) == (True, False)
    assert output_tokens(dialect, reply) == 5


@EVERY
@pytest.mark.parametrize("kind", ["LlamaCpp", "OpenAICompatible", "VLLM"])
async def test_who_refuses_a_prefix_is_asked_to_replay(
    start: Start, upstream: FakeUpstream, dialect: str, kind: str
) -> None:
    """On the same target, with the same request as the first; the 400 is told to nobody and cools nothing."""
    gateway = await start(chain(provider("a", upstream, "cut-mid"), provider("b", upstream, "no-prefill", type=kind)))
    reply = await gateway.ask(dialect, stream=True, headers={"x-request-id": "told"})
    assert whole(dialect, reply)
    refused = upstream.asked("no-prefill")[:-1]
    assert [goes_on(seen) for seen in refused] == ([] if kind == "OpenAICompatible" else [True])
    assert upstream.seen[-1].body == upstream.seen[0].body | {"model": "no-prefill"}
    assert gateway.state.health.until("b", "no-prefill") == 0
    assert [step["provider"] for step in (await gateway.get("/-/explain/told")).json["failed"]] == ["a"]


async def test_each_way_has_a_time_of_its_own(start: Start, upstream: FakeUpstream) -> None:
    """What a target took to refuse the first way is not taken from the second, on the connection that was kept."""
    places = [provider("a", upstream, "cut-mid"), provider("b", upstream, "slow-no-prefill", type="LlamaCpp")]
    gateway = await start(chain(*places))  # with 1.5 s for the first output
    reply = await gateway.ask(stream=True, headers={"x-request-id": "told"})
    assert whole("completions", reply)
    assert [step["provider"] for step in (await gateway.get("/-/explain/told")).json["failed"]] == ["a"]


@EVERY
@pytest.mark.parametrize("kind", ["LlamaCpp", "OpenAICompatible", "OpenAI"])
async def test_who_begins_anew_is_understood(start: Start, upstream: FakeUpstream, dialect: str, kind: str) -> None:
    """A target that takes no notice of the prefix says the same again: it is told once, and so are its tokens."""
    gateway = await start(chain(provider("a", upstream, "cut-mid"), provider("b", upstream, "anew", type=kind)))
    reply = await gateway.ask(dialect, stream=True)
    assert whole(dialect, reply)
    assert output_tokens(dialect, reply) == 5


@EVERY
async def test_who_can_only_replay_is_asked_for_that(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """OpenAI's own API takes no prefix: it is sent the request as it was."""
    gateway = await start(chain(provider("a", upstream, "cut-mid"), provider("b", upstream, "ok", type="OpenAI")))
    assert whole(dialect, await gateway.ask(dialect, stream=True))
    [seen] = upstream.asked("ok")
    assert seen.body == upstream.seen[0].body | {"model": "ok"}


@EVERY
async def test_a_target_goes_on_with_its_own_answer(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """The only one there is: asked again, it goes on where it broke off."""
    gateway = await start(chain(provider("a", upstream, "cut-mid+prefill", type="LlamaCpp")))
    assert whole(dialect, await gateway.ask(dialect, stream=True))
    assert goes_on(upstream.seen[1])


@EVERY
async def test_fifty_at_once(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """All streams of a target that dies are gone on with."""
    gateway = await start(
        chain(provider("a", upstream, "cut-mid"), provider("b", upstream, "prefill", type="LlamaCpp"))
    )
    for reply in await asyncio.gather(*(gateway.ask(dialect, stream=True) for _ in range(50))):
        assert whole(dialect, reply)


@EVERY
async def test_a_bound_is_shortened(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """The rest may have the tokens that are left."""
    name = "max_output_tokens" if dialect == "responses" else "max_tokens"
    gateway = await start(
        chain(provider("a", upstream, "cut-mid"), provider("b", upstream, "prefill", type="LlamaCpp"))
    )
    assert whole(dialect, await gateway.ask(dialect, stream=True, **{name: 50}))
    assert upstream.seen[0].body[name] == 50
    assert upstream.seen[1].body[name] == 48
