"""llmock in a hosted vendor's place: faults by chance, and its verdict on how the gateway bore them."""

from __future__ import annotations

import pytest

from servers.conftest import Starting
from servers.upprocess import Object, provider, route
from testbed.llama import LlamaServer
from testbed.llmock import Llmock
from testbed.tinymodel import TEXT

ASKED = 10


def asked_of(url: str, kind: str = "OpenAI", model: str = "gpt-4o") -> list[Object]:
    """A vendor that is not probed, so that all it judges is the gateway."""
    return provider("far", kind, url, "any", probe={"mode": "None"}, models=[{"id": model}])


@pytest.mark.parametrize("dialect", ["completions", "responses", "messages"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_chance_errors_reach_nobody_and_are_borne_well(
    up: Starting, llama: LlamaServer, dialect: str, stream: bool
) -> None:
    """Of its answers, a third are 429 with Retry-After or 503: clients see none, and it is never asked too early."""
    with Llmock(errors={429: 0.2, 503: 0.15}) as vendor:
        kind, url, model = (
            ("Anthropic", vendor.messages_url, "claude-opus-4-6")
            if dialect == "messages"
            else ("OpenAI", f"{vendor.base_url}/v1", "gpt-4o")
        )
        far = asked_of(url, kind, model)
        objects = [*far, *provider("near", "LlamaCpp", llama.base_url), route("assistant", f"far/{model}", "near/tiny")]
        gateway = up(objects)
        for _ in range(ASKED):
            reply = gateway.ask(dialect, stream=stream)
            assert (reply.status, reply.whole) == (200, True)
            assert reply.text == TEXT or "answered=far/" in reply.decision
        verdict = vendor.verdict()
    assert [each for each in verdict["findings"] if each["severity"] == "error"] == []
    assert verdict["faults_injected"] > 0


@pytest.mark.parametrize("fault", ["disconnect", "truncate", "malformed"])
def test_broken_streams_are_made_whole(up: Starting, llama: LlamaServer, fault: str) -> None:
    """Half of its streams break: no client is given half an answer for a whole one."""
    with Llmock(faults={fault: 0.5}) as vendor:
        far = asked_of(f"{vendor.base_url}/v1")
        near = provider("near", "LlamaCpp", llama.base_url)
        gateway = up([*far, *near, route("assistant", "far/gpt-4o", "near/tiny")])
        for _ in range(ASKED):
            reply = gateway.ask("completions", stream=True)
            assert reply.status == 200
            told = b'"error"' in reply.body
            assert told or reply.body.rstrip().endswith(b"data: [DONE]")


def test_its_window_is_learnt(up: Starting, llama: LlamaServer) -> None:
    """A refusal that names the window moves the request on to a place that is large enough."""
    with Llmock(window=50) as vendor:
        far = asked_of(f"{vendor.base_url}/v1")
        near = provider("near", "LlamaCpp", llama.base_url)
        gateway = up([*far, *near, route("assistant", "far/gpt-4o", "near/tiny")])
        long = [{"role": "user", "content": "words and words " * 200}]
        reply = gateway.ask("completions", messages=long)
        assert (reply.status, reply.text) == (200, TEXT)
        assert "answered=near/tiny" in reply.decision
