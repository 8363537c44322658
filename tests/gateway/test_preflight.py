"""Before a request is sent: what it needs, whether it fits, what is left out of it; and all of that is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.conftest import DIALECTS, FAST, Start, chain, provider, request
from gateway.fakeupstream import TEXT, FakeUpstream
from pointsman.table import Context, Fence, Model, Policy, Route, RoutingTable, Target
from testbed.llama import LlamaServer

IMAGE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/y.png"}}]}
LONG = [{"role": "user", "content": "word " * 8000}]


def model(name: str = "ok", **more: Any) -> tuple[Model]:
    return (Model(id=name, **more),)


async def test_what_a_target_was_not_sent_is_told(start: Start, upstream: FakeUpstream) -> None:
    """In the header and in the record; a request that lost nothing says nothing."""
    gateway = await start(chain(provider("p", upstream)))
    reply = await gateway.ask(store=True, reasoning_effort="low", headers={"x-request-id": "lost"})
    assert reply.decision == "assistant; answered=p/ok; attempts=1; dropped=reasoning_effort,store"
    assert not {"store", "reasoning_effort"} & set(upstream.seen[0].body)
    assert (await gateway.get("/-/explain/lost")).json["dropped"] == ["reasoning_effort", "store"]
    assert "dropped" not in (await gateway.ask(store=False)).decision


async def test_an_image_goes_to_who_takes_images(start: Start, upstream: FakeUpstream) -> None:
    """A model that takes text alone is passed over, and is tried for a text that speaks of images."""
    blind, seeing = provider("blind", upstream, models=model(input=("text",))), provider("seeing", upstream)
    gateway = await start(chain(blind, seeing))
    assert (await gateway.ask(messages=[IMAGE])).decision.endswith(
        "answered=seeing/ok; attempts=1; passed=blind/ok:image"
    )
    spoken = [{"role": "user", "content": json.dumps(IMAGE)}]
    assert "answered=blind/ok" in (await gateway.ask(messages=spoken)).decision
    alone = await start(chain(blind))
    reply = await alone.ask(messages=[IMAGE])
    assert (reply.status, reply.json["error"]["code"]) == (400, "no_candidate")
    assert "takes no images" in reply.json["error"]["message"]


async def test_a_policy_that_leaves_no_window_is_no_outage(start: Start, upstream: FakeUpstream) -> None:
    """400 and no Retry-After: it would be the same at another time. The window and the policy are named."""
    policy = Policy(timeouts=FAST.timeouts, context=Context(block_below=16_000))
    gateway = await start(chain(provider("p", upstream, models=model(context_window=8192)), policy=policy))
    reply = await gateway.ask()
    assert (reply.status, reply.json["error"]["code"]) == (400, "no_candidate")
    assert "its window of 8192 tokens is under policy.context.blockBelow (16000)" in reply.json["error"]["message"]
    assert "retry-after" not in reply.fields


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_long_answer_goes_to_who_writes_it(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """Who writes less is passed over, is tried when nobody else is left, and is then told as what it was."""
    brief, roomy = (
        provider("brief", upstream, models=model(max_tokens=1024)),
        provider("roomy", upstream, "status-500+ok"),
    )
    gateway = await start(chain(brief, roomy))
    limit = {"responses": "max_output_tokens", "completions": "max_completion_tokens"}.get(dialect, "max_tokens")
    short = await gateway.ask(dialect, **{limit: 1024})
    assert short.decision == "assistant; answered=brief/ok; attempts=1"
    rescued = await gateway.ask(dialect, **{limit: 4096})
    assert (rescued.status, rescued.text) == (200, TEXT)
    assert rescued.decision == "assistant; answered=brief/ok; attempts=2; passed=roomy/status-500+ok:ServerError"
    gateway.state.health.forget("roomy")
    passed = await gateway.ask(dialect, **{limit: 4096})
    assert passed.decision == "assistant; answered=roomy/status-500+ok; attempts=1; passed=brief/ok:max-tokens"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_too_long_for_one_goes_to_the_next(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """Nothing is sent to a target that cannot hold it."""
    small, large = provider("small", upstream, models=model("small", context_window=4096)), provider("large", upstream)
    gateway = await start(chain(small, large))
    more = {"input": LONG} if dialect == "responses" else {"messages": LONG}
    reply = await gateway.ask(dialect, **more)
    assert (reply.status, reply.text) == (200, TEXT)
    assert "passed=small/small:context" in reply.decision
    assert [seen.body["model"] for seen in upstream.seen] == ["ok"]
    assert "answered=small/small" in (await gateway.ask(dialect)).decision or upstream.seen[1].body["model"] == "small"


async def test_too_long_for_all_names_the_largest_window(start: Start, upstream: FakeUpstream) -> None:
    """400, as servers say it, without asking any."""
    places = [
        provider(f"p{window}", upstream, models=model(context_window=window), type=kind)
        for window, kind in ((4096, "OpenAICompatible"), (8000, "LMStudio"), (0, "Ollama"))
    ]
    gateway = await start(chain(*places))
    reply = await gateway.ask(messages=LONG)
    assert (reply.status, reply.json["error"]["code"]) == (400, "context_length_exceeded")
    assert "maximum context length is 8000 tokens" in reply.json["error"]["message"]
    assert not upstream.seen


async def test_a_real_server_is_asked_near_its_limit(start: Start, upstream: FakeUpstream) -> None:
    """llama-server's tiny tokenizer makes a token of nearly each letter: no estimate knows, but it says so."""
    with LlamaServer(ctx=8192, slots=4) as server:
        local = provider("local", server.base_url, models=model("tiny", context_window=2048), type="LlamaCpp")
        gateway = await start(chain(local, provider("next", upstream)))
        fits = await gateway.ask(messages=[{"role": "user", "content": "word " * 400}], max_tokens=16)
        reply = await gateway.ask(messages=[{"role": "user", "content": "word " * 500}], max_tokens=16)
    assert "answered=local/tiny" in fits.decision
    assert reply.text == TEXT
    assert reply.decision.endswith("answered=next/ok; attempts=1; passed=local/tiny:context")


async def test_openrouter_carries_the_pin(start: Start, upstream: FakeUpstream) -> None:
    """Whatever the client says; and without one it is outside of a fence of regions."""
    pinned = model(compat={"openRouterRouting": {"only": ["mistral"], "zdr": True}})
    policy = Policy(timeouts=FAST.timeouts, fence=Fence(regions=("eu",)))
    router = provider("router", upstream, models=pinned, type="OpenRouter", region="eu")
    gateway = await start(chain(router, policy=policy))
    loose = {"provider": {"only": ["evil"], "data_collection": "allow"}, "models": ["evil/m"]}
    reply = await gateway.ask(**loose)
    assert reply.decision.endswith("; dropped=models,provider")
    assert upstream.seen[0].body["provider"] == {
        "only": ["mistral"], "zdr": True, "allow_fallbacks": False, "data_collection": "deny",
    }  # fmt: skip
    assert "models" not in upstream.seen[0].body
    bare = await start(chain(provider("bare", upstream, type="OpenRouter", region="eu"), policy=policy))
    refused = await bare.ask(**request("completions"))
    assert (refused.status, refused.json["error"]["code"]) == (403, "policy_no_candidate")
    assert "compat.openRouterRouting.only" in refused.json["error"]["message"]
    assert len(upstream.seen) == 1


async def test_a_route_without_targets_says_who_is_missing(start: Start) -> None:
    """503 with the provider's name, and not to be asked again soon: it waits for its object to be mended."""
    missing = (Target(provider="bad", model="m", skip="ProviderNotAccepted"),)
    empty = Route(name="assistant", model_name="assistant", missing=missing)
    reply = await (await start(RoutingTable(routes=(empty,)))).ask()
    assert (reply.status, reply.fields["retry-after"]) == (503, "300")
    assert "bad/m: the provider is not accepted" in reply.json["error"]["message"]
    assert "pointsman explain" in reply.json["error"]["message"]
