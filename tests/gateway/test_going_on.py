"""Responses clients that go on from a response: the gateway sends the whole conversation, to whatever target."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import httpx2
import openai
import pytest
from msgspec.structs import replace

from gateway.conftest import FAST, TEXT, Gateway, Reply, Start, chain, provider, until
from gateway.fakeupstream import BIG, FakeUpstream
from pointsman.table import Model
from testbed.llama import LlamaServer

KEPT = {"store_bytes": 1 << 20}
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


async def say(gateway: Gateway, text: str, previous: str = "", **more: Any) -> Reply:
    named = {"previous_response_id": previous} if previous else {}
    return await gateway.ask("responses", **{"input": text, **named, **more})


def ident(reply: Reply) -> str:
    """The id of the response; all events that have one say the same."""
    if reply.fields["content-type"].startswith("application/json"):
        return str(reply.json["id"])
    [found] = {event["response"]["id"] for event in reply.events if "response" in event}
    return str(found)


def texts(body: dict[str, Any]) -> list[str]:
    """The words of a request's input items."""
    return [item["content"][0]["text"] for item in body["input"]]


@BOTH
async def test_a_conversation_goes_on(start: Start, upstream: FakeUpstream, stream: bool) -> None:
    """Three turns: each target is sent all that was said, under no id; instructions are not carried over."""
    gateway = await start(chain(provider("a", upstream)), **KEPT)
    first = await say(gateway, "one", stream=stream, instructions="old")
    second = await say(gateway, "two", ident(first), stream=stream)
    third = await say(gateway, "three", ident(second), stream=stream, instructions="new")
    assert [reply.text for reply in (first, second, third)] == [TEXT] * 3
    assert len({ident(reply) for reply in (first, second, third)}) == 3
    bodies = [seen.body for seen in upstream.seen]
    assert bodies[0]["input"] == "one"
    assert texts(bodies[1]) == ["one", TEXT, "two"]
    assert texts(bodies[2]) == ["one", TEXT, "two", TEXT, "three"]
    assert not any("previous_response_id" in body for body in bodies)
    assert [body.get("instructions") for body in bodies] == ["old", None, "new"]


@BOTH
async def test_it_goes_on_elsewhere_when_its_target_is_gone(
    start: Start, upstream: FakeUpstream, second: FakeUpstream, stream: bool
) -> None:
    """The next target needs no state of its own: it is told all."""
    gateway = await start(chain(provider("a", upstream), provider("b", second)), **KEPT)
    first = await say(gateway, "one", stream=stream)
    await upstream.stop()
    later = await say(gateway, "two", ident(first), stream=stream)
    assert later.decision.startswith("assistant; answered=b/ok; attempts=2")
    assert texts(second.seen[0].body) == ["one", TEXT, "two"]


@pytest.mark.parametrize("fault", ["cut-mid", "error-mid"])
async def test_an_answer_that_was_taken_up_is_kept_whole(start: Start, upstream: FakeUpstream, fault: str) -> None:
    """Under one id from its first event to its last."""
    gateway = await start(chain(provider("a", upstream, fault), provider("b", upstream)), **KEPT)
    first = await say(gateway, "one", stream=True)
    assert (first.whole, first.text) == (True, TEXT)
    await say(gateway, "two", ident(first), model="b/ok")
    assert texts(upstream.seen[-1].body) == ["one", TEXT, "two"]


async def test_an_answer_that_broke_is_not_kept(start: Start, upstream: FakeUpstream) -> None:
    """It ends with the same id, and nobody can go on from half of it."""
    policy = replace(FAST, mid_stream="Fail")
    gateway = await start(chain(provider("a", upstream, "cut-mid"), policy=policy), **KEPT)
    broken = await say(gateway, "one", stream=True)
    assert broken.events[-1]["type"] == "response.failed"
    assert (await say(gateway, "two", ident(broken))).json["error"]["code"] == "previous_response_not_found"
    assert len(gateway.state.store) == 0


@pytest.mark.parametrize("fault", ["torn", "crlf", "comments"])
async def test_odd_framing_changes_nothing(start: Start, upstream: FakeUpstream, fault: str) -> None:
    """However a stream comes, it is kept."""
    policy = replace(FAST, timeouts=replace(FAST.timeouts, first_token=5.0, stall=5.0))
    gateway = await start(chain(provider("a", upstream, fault), policy=policy), **KEPT)
    first = await say(gateway, "one", stream=True)
    await say(gateway, "two", ident(first))
    assert texts(upstream.seen[-1].body) == ["one", TEXT, "two"]


async def test_unknown_and_off(start: Start, upstream: FakeUpstream) -> None:
    """An id that is not kept is refused and sent nowhere; with the store off it is the target's own, as it came."""
    gateway = await start(chain(provider("a", upstream)), **KEPT)
    refused = await say(gateway, "two", "resp_nobody")
    error = refused.json["error"]
    assert (refused.status, error["code"], error["param"]) == (
        400, "previous_response_not_found", "previous_response_id",
    )  # fmt: skip
    assert not upstream.seen
    off = await start(chain(provider("a", upstream)))
    first = await say(off, "one")
    assert (ident(first), len(off.state.store)) == ("r1", 0)
    await say(off, "two", "resp_theirs")
    assert upstream.seen[-1].body["previous_response_id"] == "resp_theirs"


@pytest.mark.parametrize("more", [{"conversation": "c"}, {"background": True}, {"prompt": {"id": "p"}}])
@pytest.mark.parametrize("options", [{}, KEPT], ids=["off", "kept"])
async def test_what_only_the_vendor_keeps_goes_to_the_vendor_alone(
    start: Start, upstream: FakeUpstream, second: FakeUpstream, more: dict[str, Any], options: dict[str, int]
) -> None:
    """Another server would answer without it, and nobody would know."""
    vendor = provider("v", second, type="OpenAI", native=True)
    gateway = await start(chain(provider("a", upstream), vendor), **options)
    reply = await say(gateway, "one", **more)
    assert reply.decision == "assistant; answered=v/ok; attempts=1; passed=a/ok:state"
    assert second.seen[0].body.items() >= more.items()
    assert len(gateway.state.store) == 0
    refused = await say(gateway, "one", model="a/ok", **more)
    assert (refused.status, refused.json["error"]["code"]) == (400, "no_candidate")
    assert next(iter(more)) in refused.json["error"]["message"]
    assert not upstream.seen


async def test_the_fence_stays_around_a_conversation(
    start: Start, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    """What was said under a request's fence goes to no place outside, however the next one is asked."""
    near = provider("near", upstream, location="OnPremises")
    far = provider("far", second, location="External")
    gateway = await start(chain(near, far), **KEPT)
    first = await say(gateway, "secret", headers={"x-pointsman-data-policy": "local-only"})
    await upstream.stop()
    later = await say(gateway, "two", ident(first))
    assert (later.status, later.decision.endswith("far/ok:fence")) == (503, True)
    assert (await say(gateway, "three", ident(first), model="far/ok")).status == 403
    assert not second.seen


async def test_a_conversation_too_long_for_a_target_is_not_sent_there(
    start: Start, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    """Its size is that of all that was said."""
    small = provider("s", upstream, models=(Model(id="ok", context_window=2048),))
    gateway = await start(chain(small, provider("l", second)), **KEPT)
    first = await say(gateway, "word " * 3000)
    assert "answered=l/" in first.decision
    later = await say(gateway, "two", ident(first))
    assert "answered=l/" in later.decision
    assert "s/ok:context" in later.decision


async def test_responses_are_shown_and_forgotten(start: Start, upstream: FakeUpstream) -> None:
    """By the SDK: retrieve, input items in pages, delete; with the store off it is said how to turn it on."""
    gateway = await start(chain(provider("a", upstream)), **KEPT)
    http = httpx2.AsyncClient(trust_env=False)
    url = f"{gateway.url}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key="x", max_retries=0, http_client=http) as client:
        made = await client.responses.create(model="assistant", input="one")
        assert await client.responses.retrieve(made.id) == made
        later = await client.responses.create(model="assistant", input="two", previous_response_id=made.id)
        assert later.previous_response_id == made.id
        items = [item async for item in client.responses.input_items.list(later.id, limit=2, order="asc")]
        assert [item.content[0].text for item in items] == ["one", TEXT, "two"]
        await client.responses.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(made.id)
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(model="assistant", input="x", previous_response_id=made.id)
        assert caught.value.code == "previous_response_not_found"
        await client.responses.create(model="assistant", input="x", previous_response_id=later.id)
    assert texts(upstream.seen[-1].body) == ["one", TEXT, "two", TEXT, "x"]
    off = await start(chain(provider("a", upstream)))
    assert "--store-bytes" in (await off.get("/v1/responses/resp_1")).json["error"]["message"]
    assert (await off.send("OPTIONS", "/v1/responses/resp_1", b"", {})).status == 204


async def test_memory_is_bounded_and_forgets(start: Start, upstream: FakeUpstream) -> None:
    """An answer too large is not kept; what is old goes by itself; and metrics tell."""
    gateway = await start(chain(provider("a", upstream, "big"), provider("b", upstream)), store_bytes=100_000)
    big = await say(gateway, "one", model="a/big")
    assert (big.status, len(big.text)) == (200, BIG)
    assert len(gateway.state.store) == 0
    await say(gateway, "x" * 50_000, model="b/ok")
    last = await say(gateway, "y" * 60_000, model="b/ok")
    assert len(gateway.state.store) == 1
    metrics = (await gateway.get("/metrics")).body.decode()
    assert "pointsman_gateway_stored_responses 1\n" in metrics
    assert f"pointsman_gateway_stored_bytes {gateway.state.store.size}\n" in metrics
    assert gateway.state.store.size <= 100_000
    gateway.state.store.seconds = 0.0
    await until(lambda: not len(gateway.state.store))
    assert (await say(gateway, "z", ident(last), model="b/ok")).status == 400


async def test_store_false_is_kept_by_nobody(start: Start, upstream: FakeUpstream) -> None:
    """It may go on, under the id that the target gives it, and nobody goes on from it."""
    gateway = await start(chain(provider("a", upstream)), **KEPT)
    first = await say(gateway, "one")
    second = await say(gateway, "two", ident(first), store=False)
    assert (ident(second), second.json["previous_response_id"]) == ("r1", ident(first))
    assert len(gateway.state.store) == 1
    assert (await say(gateway, "three", "r1")).status == 400


@BOTH
async def test_a_real_server_goes_on(start: Start, stream: bool) -> None:
    """llama-server keeps nothing, and refuses such an id itself: through the gateway it goes on."""
    with LlamaServer() as server:
        place = provider("local", server.base_url, models=(Model(id="tiny"),), type="LlamaCpp")
        gateway = await start(chain(place), **KEPT)
        first = await say(gateway, "hello", stream=stream, max_output_tokens=8)
        later = await say(gateway, "again", ident(first), stream=stream, max_output_tokens=8)
        assert (first.status, later.status) == (200, 200)
        listed = (await gateway.get(f"/v1/responses/{ident(later)}/input_items")).json["data"]
    assert [item.get("role", item["type"]) for item in reversed(listed)] == ["user", "assistant", "user"]


def test_workers_would_each_keep_their_own() -> None:
    """So that is refused, with what to do."""
    command = [sys.executable, "-m", "pointsman", "gateway", "--workers", "2", "--store-bytes", "1000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--workers 1" in done.stderr


async def test_other_dialects_are_left_alone(start: Start, upstream: FakeUpstream) -> None:
    """Chat has a `store` too, and no previous response."""
    gateway = await start(chain(provider("a", upstream)), **KEPT)
    assert (await gateway.ask("completions", store=True)).json["id"] == "c1"
    assert (await gateway.ask("messages")).json["id"] == "m1"
    assert len(gateway.state.store) == 0
