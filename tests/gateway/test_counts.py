"""POST /v1/messages/count_tokens: counted by a server that can, else estimated and told so; refused as a request is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anthropic
import pytest
from msgspec.structs import replace

from gateway.conftest import FAST, Gateway, Reply, Start, chain, provider, until
from gateway.fakeupstream import ACTS, Answer, FakeUpstream
from pointsman.table import Fence, Model, Policy
from testbed.llama import LlamaServer

COUNT = "/v1/messages/count_tokens"
ASK: dict[str, Any] = {"model": "assistant", "messages": [{"role": "user", "content": "How long is this?"}]}
ESTIMATED = "assistant; estimated"


async def _count(answer: Answer) -> bool:
    return await answer.whole(200, b'{"input_tokens":77}', "application/json")


async def _count_late(answer: Answer) -> bool:
    await answer.upstream.gate.wait()
    return await _count(answer)


ACTS |= {"count": _count, "count-late": _count_late}


async def ask(gateway: Gateway, path: str = COUNT, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    return await gateway.send("POST", path, json.dumps({**ASK, **more}).encode(), headers or {})


@pytest.mark.parametrize("path", [COUNT, "/messages/count_tokens"])
async def test_the_first_that_can_count_is_asked(
    start: Start, upstream: FakeUpstream, second: FakeUpstream, path: str
) -> None:
    """With what it reads of the prompt, under its own name for the model; the others are not troubled."""
    places = (
        provider("a", upstream),
        provider("b", second, "count", type="LlamaCpp"),
        provider("c", second, type="VLLM"),
    )
    gateway = await start(chain(*places))
    reply = await ask(gateway, path, system="Be brief.", stream=True)
    assert (reply.status, reply.json) == (200, {"input_tokens": 77})
    assert reply.decision == "assistant; answered=b/count; attempts=1"
    assert [(seen.path, seen.body) for seen in second.seen] == [
        (COUNT, {"model": "count", "messages": ASK["messages"], "system": "Be brief."})
    ]
    assert not upstream.seen


@pytest.mark.parametrize("fault", ["status-500", "status-400", "garbage", "cut-before", "ok"])
async def test_what_does_not_count_is_estimated(start: Start, upstream: FakeUpstream, fault: str) -> None:
    """A server that fails, or says something else, is in nobody's way; and nothing cools for it."""
    gateway = await start(chain(provider("a", upstream, fault, type="LlamaCpp")))
    reply = await ask(gateway)
    assert (reply.status, reply.decision) == (200, ESTIMATED)
    assert 1 < reply.json["input_tokens"] < 100
    assert len(upstream.seen) == 1
    assert not gateway.state.health.entries
    long = await ask(gateway, messages=[{"role": "user", "content": "word " * 8000}])
    assert 8000 < long.json["input_tokens"] < 16000


async def test_nobody_is_asked_that_cannot_count_or_is_down(start: Start, upstream: FakeUpstream) -> None:
    """The estimate costs no time."""
    down = provider("b", upstream, "count", type="VLLM", state="Down")
    gateway = await start(chain(provider("a", upstream, type="Ollama"), down))
    assert (await ask(gateway)).decision == ESTIMATED
    assert not upstream.seen


async def test_a_server_has_two_seconds(start: Start, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the estimate is told, and requests that were pipelined behind it are answered in their turn."""
    monkeypatch.setattr("pointsman.gateway.counts._SECONDS", 0.3)
    gateway = await start(chain(provider("a", upstream, "count-late", type="LlamaCpp")))
    body = json.dumps(ASK).encode()
    head = b"POST /v1/messages/count_tokens HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    came = await gateway.raw(head + b"GET /-/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    first, _, second = came.partition(b"HTTP/1.1 200 OK\r\n")[2].partition(b"HTTP/1.1 200 OK\r\n")
    assert b"x-pointsman-decision: assistant; estimated\r\n" in first
    assert second.endswith(b"ok\n")


async def test_a_client_that_leaves_ends_the_question(start: Start, upstream: FakeUpstream) -> None:
    """The server is told by the closing of its connection."""
    gateway = await start(chain(provider("a", upstream, "stall-head", type="LlamaCpp")))
    asking = asyncio.ensure_future(ask(gateway))
    await until(lambda: bool(upstream.seen))
    gateway.opened[-1].close()
    await until(lambda: not gateway.state.askings and not gateway.state.clients and upstream.seen[0].gone.is_set())
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await asking


async def test_a_count_is_finished_before_the_gateway_ends(start: Start, upstream: FakeUpstream) -> None:
    """As any request is."""
    gateway = await start(chain(provider("a", upstream, "count-late", type="LlamaCpp")))
    asking = asyncio.ensure_future(ask(gateway))
    await until(lambda: bool(upstream.seen))
    gateway.stop.set()
    await until(lambda: gateway.state.draining)
    upstream.gate.set()
    assert (await asking).json == {"input_tokens": 77}


async def test_it_is_refused_as_a_request_would_be(start: Start, upstream: FakeUpstream) -> None:
    """In Anthropic's shape, with nothing sent: bad bodies, unknown names, the fence, wrong dialects and methods."""
    far = provider("far", upstream, "count", type="LlamaCpp", location="External")
    gateway = await start(chain(far, policy=Policy(timeouts=FAST.timeouts, fence=Fence(locations=("OnPremises",)))))
    fenced = await ask(gateway)
    assert (fenced.status, fenced.json["type"]) == (403, "error")
    assert fenced.decision == "assistant; attempts=0; passed=far/count:fence"
    local = await start(chain(far))
    assert (await ask(local, headers={"x-pointsman-data-policy": "local-only"})).status == 403
    assert (await ask(local, headers={"x-pointsman-data-policy": "nonsense"})).status == 400
    unknown = await ask(local, model="nope")
    assert (unknown.status, unknown.json["error"]["type"]) == (404, "not_found_error")
    assert (await local.send("POST", COUNT, b"[]", {})).status == 400
    wrong = await local.get(COUNT)
    assert (wrong.status, wrong.fields["allow"]) == (405, "POST, OPTIONS")
    mute = await start(chain(replace(far, api=("telepathy",))))
    assert (await ask(mute)).json["error"]["type"] == "invalid_request_error"
    assert not upstream.seen


async def test_the_sdk_is_told(start: Start, upstream: FakeUpstream) -> None:
    """A real server's count, and errors as the SDK knows them."""
    with LlamaServer() as server:
        gateway = await start(chain(provider("local", server.base_url, models=(Model(id="tiny"),), type="LlamaCpp")))
        async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key="none", max_retries=0) as client:
            counted = await client.messages.count_tokens(**ASK)
            answer = await client.messages.create(max_tokens=4, **ASK)
            with pytest.raises(anthropic.NotFoundError):
                await client.messages.count_tokens(**{**ASK, "model": "nope"})
    assert counted.input_tokens == answer.usage.input_tokens > 0


@pytest.mark.parametrize("native", [True, False])
async def test_a_count_is_asked_with_the_clients_betas(start: Start, upstream: FakeUpstream, native: bool) -> None:
    """As the request itself is: Anthropic counts otherwise with some of them, and others do not have them."""
    gateway = await start(chain(provider("a", upstream, "count", type="Anthropic", native=native)))
    said = {"anthropic-beta": "context-1m-2025-08-07", "anthropic-version": "2024-01-01", "x-api-key": "client"}
    assert (await ask(gateway, headers=said)).json == {"input_tokens": 77}
    [seen] = upstream.seen
    assert seen.fields.get("anthropic-beta") == ("context-1m-2025-08-07" if native else None)
    assert seen.fields["anthropic-version"] == "2024-01-01"
    assert "x-api-key" not in seen.fields
