"""Embeddings, reranking, scores and legacy completions: passed on to the very model, failed over to no other."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import openai
import pytest
from msgspec.structs import replace

from gateway.conftest import FAST, Gateway, Reply, Start, chain, provider
from gateway.fakeupstream import ACTS, Answer, FakeUpstream
from pointsman.table import Context, Fence, Model, Policy
from testbed.llama import LlamaServer

ASKED = {
    "/v1/embeddings": {"input": ["one", "two"], "dimensions": 2, "odd": {"a": [1.50]}},
    "/v1/rerank": {"query": "q", "documents": ["a", "b"], "top_n": 1},
    "/v1/score": {"text_1": "a", "text_2": ["b"]},
    "/v1/completions": {"prompt": "once", "max_tokens": 5, "logprobs": 1},
}
GIVEN = {
    "/v1/embeddings": {"object": "list", "data": [{"index": 0, "embedding": [0.5]}],
                       "usage": {"prompt_tokens": 7, "total_tokens": 7}},
    "/v1/rerank": {"results": [{"index": 1, "relevance_score": 0.9}]},
    "/v1/score": {"data": [{"index": 0, "score": 0.9}]},
    "/v1/completions": {"object": "text_completion", "choices": [{"text": " upon", "finish_reason": "stop"}]},
}  # fmt: skip
EVERY = pytest.mark.parametrize("path", sorted(ASKED))


async def _serve(answer: Answer) -> bool:
    if answer.streamed:
        return await answer.stream()
    return await answer.whole(200, json.dumps(GIVEN[answer.seen.path]).encode())


async def _unserved(answer: Answer) -> bool:
    return await answer.error(501, "This server does not support embeddings", "not_supported_error")


async def _write(answer: Answer) -> bool:
    answer.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for word, finish in ((" upon", None), (" a", None), (" time", "stop")):
        choice = {"index": 0, "text": word, "finish_reason": finish}
        await answer.event(b"data: %b\n\n" % json.dumps({"object": "text_completion", "choices": [choice]}).encode())
        if word == " a" and answer.fault == "write-cut":
            return False
    await answer.event(b"data: [DONE]\n\n")
    answer.writer.write(b"0\r\n\r\n")
    await answer.writer.drain()
    return True


ACTS |= {"serve": _serve, "unserved": _unserved, "write": _write, "write-cut": _write}


async def ask(gateway: Gateway, path: str, model: str = "assistant", **more: Any) -> Reply:
    headers = more.pop("headers", {})
    body = json.dumps({"model": model, **ASKED.get(path, ASKED["/v1/embeddings"]), **more}).encode()
    return await gateway.send("POST", path, body, headers)


@EVERY
async def test_a_request_goes_through_unchanged_but_for_the_model(
    start: Start, upstream: FakeUpstream, path: str
) -> None:
    """And its answer byte for byte; who answered is told, and counted as such work."""
    gateway = await start(chain(provider("a", upstream, "serve")))
    reply = await ask(gateway, path, headers={"Authorization": "Bearer client", "User-Agent": "sdk"})
    assert (reply.status, reply.json) == (200, GIVEN[path])
    assert reply.decision == "assistant; answered=a/serve; attempts=1"
    [seen] = upstream.seen
    assert (seen.path, seen.body) == (path, {**ASKED[path], "model": "serve"})
    assert "authorization" not in seen.fields
    assert seen.fields["user-agent"].startswith("pointsman/")
    metrics = (await gateway.get("/metrics")).body.decode()
    assert f'model="serve",dialect="{path.rpartition("/")[2]}",code="200"}} 1' in metrics


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("/embeddings", "/v1/embeddings"),
        ("/rerank", "/v1/rerank"),
        ("/v2/rerank", "/v1/rerank"),
        ("/score", "/v1/score"),
    ],
)
async def test_every_way_to_ask_leads_there(start: Start, upstream: FakeUpstream, asked: str, sent: str) -> None:
    """Clients put /v1 into the base URL or leave it out; Cohere's say v2."""
    gateway = await start(chain(provider("a", upstream, "serve")))
    assert (await ask(gateway, asked)).status == 200
    assert upstream.seen[0].path == sent


@EVERY
@pytest.mark.parametrize("fault", ["status-500", "rate-limited", "cut-before", "status-401"])
async def test_it_fails_over_to_the_very_model_alone(
    start: Start, upstream: FakeUpstream, second: FakeUpstream, path: str, fault: str
) -> None:
    """A target of another model in between is passed over, whatever the route's chain says."""
    model = f"{fault}+serve"  # the first request for it fails, the second is answered
    places = [provider("a", upstream, model), provider("b", second, "serve"), provider("c", upstream, model)]
    reply = await ask(await start(chain(*places)), path)
    assert (reply.status, reply.json) == (200, GIVEN[path])
    assert "; answered=c/" in reply.decision
    assert "b/serve:other-model" in reply.decision
    assert not second.seen


@EVERY
async def test_another_model_never_answers(
    start: Start, upstream: FakeUpstream, second: FakeUpstream, path: str
) -> None:
    """With the primary down the client is told so, and nothing else is tried."""
    gateway = await start(chain(provider("a", upstream, "status-500"), provider("b", second, "serve")))
    reply = await ask(gateway, path)
    assert (reply.status, reply.json["error"]["code"]) == (503, "all_candidates_failed")
    assert reply.decision.endswith("a/status-500:ServerError,b/serve:other-model")
    assert not second.seen


@pytest.mark.parametrize("kind", ["Anthropic", "OpenAICompatible"])
async def test_who_cannot_is_not_asked(start: Start, upstream: FakeUpstream, kind: str) -> None:
    """A server that only speaks Messages has no embeddings; that is said, with 400."""
    place = replace(provider("a", upstream, "serve"), type=kind, api=("anthropic-messages",))
    reply = await ask(await start(chain(place)), "/v1/embeddings")
    assert (reply.status, reply.json["error"]["code"]) == (400, "no_candidate")
    assert reply.decision.endswith("passed=a/serve:no-service")
    assert not upstream.seen


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/rerank"])
async def test_a_wrong_request_takes_no_chat_model_from_others(start: Start, upstream: FakeUpstream, path: str) -> None:
    """A server without such a path, or model, refuses; it chats on, and its words are passed on."""
    gateway = await start(chain(provider("a", upstream, "unserved+status-404+ok")))
    refused = await ask(gateway, path)
    assert refused.status == 400
    assert "does not support embeddings" in refused.json["error"]["message"]
    assert (await ask(gateway, path)).status == 404
    assert not gateway.state.health.entries
    assert (await gateway.ask()).status == 200


async def test_the_fence_holds(start: Start, upstream: FakeUpstream) -> None:
    """No text leaves it to be embedded either; OpenRouter's pins are not promised for embeddings."""
    far = provider("far", upstream, "serve", location="External")
    gateway = await start(chain(far, policy=Policy(timeouts=FAST.timeouts, fence=Fence(locations=("OnPremises",)))))
    reply = await ask(gateway, "/v1/embeddings")
    assert (reply.status, reply.json["error"]["code"]) == (403, "policy_no_candidate")
    pinned = Model(id="serve", compat={"openRouterRouting": {"only": ["mistral"]}})
    router = replace(far, type="OpenRouter", region="eu", models=(pinned,))
    gateway = await start(chain(router, policy=Policy(timeouts=FAST.timeouts, fence=Fence(regions=("eu",)))))
    assert (await ask(gateway, "/v1/embeddings")).status == 403
    assert not upstream.seen


async def test_what_a_route_asks_of_models_that_write_is_nothing_to_one_that_embeds(
    start: Start, upstream: FakeUpstream
) -> None:
    """Small windows, required tools, a body far longer than the window: each text is short."""
    policy = Policy(timeouts=FAST.timeouts, context=Context(block_below=16000), required=("tools",))
    small = Model(id="serve", context_window=512, compat={"supportsTools": False})
    for kind in ("Ollama", "LlamaCpp"):
        place = provider("a", upstream, "serve", models=(small,), type=kind)
        reply = await ask(await start(chain(place, policy=policy)), "/v1/embeddings", input=["word " * 300] * 50)
        assert reply.status == 200
    assert {seen.path for seen in upstream.seen} == {"/v1/embeddings"}  # nobody was asked to count


async def test_a_completion_is_streamed(start: Start, upstream: FakeUpstream) -> None:
    """Event for event; cut before its first word, the same model elsewhere is asked."""
    gateway = await start(
        chain(provider("a", upstream, "cut-before+write"), provider("b", upstream, "cut-before+write"))
    )
    reply = await ask(gateway, "/v1/completions", stream=True)
    assert (reply.status, reply.whole) == (200, True)
    assert "".join(event["choices"][0]["text"] for event in reply.events) == " upon a time"
    assert "answered=b/" in reply.decision


async def test_a_completion_that_breaks_off_is_never_presented_as_whole(start: Start, upstream: FakeUpstream) -> None:
    """Nobody takes it up: it ends with an error event, and without the end of its body."""
    places = [provider("a", upstream, "write-cut"), provider("b", upstream, "write-cut")]
    reply = await ask(await start(chain(*places)), "/v1/completions", stream=True)
    assert (reply.status, reply.whole) == (200, False)
    assert [event["choices"][0]["text"] for event in reply.events[:-1]] == [" upon", " a"]
    assert reply.events[-1]["error"]["code"] == "upstream_failed"
    assert len(upstream.seen) == 1


async def test_names_and_bodies_are_checked_as_ever(start: Start, upstream: FakeUpstream) -> None:
    """In OpenAI's shape, before anything is sent."""
    gateway = await start(chain(provider("a", upstream, "serve")))
    assert (await ask(gateway, "/v1/embeddings", model="nope")).status == 404
    assert (await ask(gateway, "/v1/embeddings", model="a/serve")).status == 200
    assert (await gateway.send("POST", "/v1/rerank", b"[]", {})).status == 400
    wrong = await gateway.get("/v1/rerank")
    assert (wrong.status, wrong.fields["allow"]) == (405, "POST, OPTIONS")
    assert len(upstream.seen) == 1


@asynccontextmanager
async def sdk(gateway: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    http = httpx2.AsyncClient(trust_env=False)
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0, http_client=http) as client:
        yield client


async def test_a_real_server_embeds_and_completes_for_the_sdk(start: Start) -> None:
    """llama-server; the SDK asks for base64 and decodes it. Without --embeddings it refuses, and chats on."""
    with LlamaServer(arguments=["--embeddings", "--pooling", "mean"]) as embedder, LlamaServer() as writer:
        tiny = (Model(id="tiny"),)
        places = [provider("e", embedder.base_url, models=tiny, type="LlamaCpp"),
                  provider("w", writer.base_url, models=tiny, type="LlamaCpp")]  # fmt: skip
        gateway = await start(chain(*places))
        async with sdk(gateway) as client:
            found = await client.embeddings.create(model="assistant", input=["one", "two"])
            assert len(found.data) == 2
            assert len(found.data[0].embedding) > 1
            with pytest.raises(openai.APIStatusError):
                await client.embeddings.create(model="w/tiny", input="one")
            done = await client.completions.create(model="w/tiny", prompt="Hello", max_tokens=4)
            assert done.choices[0].finish_reason in {"stop", "length"}
            stream = await client.completions.create(model="w/tiny", prompt="Hello", max_tokens=4, stream=True)
            assert [chunk async for chunk in stream][-1].choices[0].finish_reason in {"stop", "length"}
            answer = await client.chat.completions.create(
                model="w/tiny", messages=[{"role": "user", "content": "hi"}], max_tokens=4
            )
            assert answer.choices
        assert not gateway.state.health.entries
