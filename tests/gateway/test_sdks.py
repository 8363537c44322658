"""The official SDKs as judges: good streams, failovers and broken streams look to them as they must."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from msgspec.structs import replace

from gateway.conftest import FAST, TEXT, Gateway, Start, chain, provider
from gateway.fakeupstream import FakeUpstream

ASK: Any = {"model": "assistant", "messages": [{"role": "user", "content": "hi"}]}
SLOW = replace(FAST, timeouts=replace(FAST.timeouts, first_token=5.0, stall=5.0))


def oai(gateway: Gateway) -> openai.AsyncOpenAI:
    client = httpx2.AsyncClient(trust_env=False)
    return openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0, http_client=client)


def claude(gateway: Gateway) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=gateway.url, api_key="none", max_retries=0)


async def test_openai_chat(start: Start, upstream: FakeUpstream) -> None:
    """Whole and streamed, over a dead primary."""
    gateway = await start(chain(provider("a", upstream, "status-503"), provider("b", upstream)))
    async with oai(gateway) as client:
        answer = await client.chat.completions.create(**ASK)
        assert answer.choices[0].message.content == TEXT
        words = [
            chunk.choices[0].delta.content or ""
            async for chunk in await client.chat.completions.create(**ASK, stream=True)
        ]
        assert "".join(words) == TEXT
        assert "assistant" in [model.id async for model in client.models.list()]


async def test_openai_responses(start: Start, upstream: FakeUpstream) -> None:
    """Whole, and by the stream helper, which checks the grammar."""
    gateway = await start(chain(provider("a", upstream, "preamble-error"), provider("b", upstream)))
    async with oai(gateway) as client:
        answer = await client.responses.create(model="assistant", input="hi")
        assert answer.output_text == TEXT
        async with client.responses.stream(model="assistant", input="hi") as stream:
            assert (await stream.get_final_response()).output_text == TEXT


async def test_anthropic_messages(start: Start, upstream: FakeUpstream) -> None:
    """Whole, and by the stream helper."""
    gateway = await start(chain(provider("a", upstream, "preamble-error"), provider("b", upstream)))
    async with claude(gateway) as client:
        answer = await client.messages.create(max_tokens=10, **ASK)
        assert answer.content[0].text == TEXT
        async with client.messages.stream(max_tokens=10, **ASK) as stream:
            assert await stream.get_final_text() == TEXT
        assert "assistant" in [model.id async for model in client.models.list()]


@pytest.mark.parametrize("fault", ["cut-mid", "error-mid", "stall-mid"])
async def test_the_sdks_see_a_broken_stream(start: Start, upstream: FakeUpstream, fault: str) -> None:
    """None of them takes a part for the whole."""
    gateway = await start(chain(provider("a", upstream, fault)))
    async with oai(gateway) as client:
        with pytest.raises((openai.APIError, httpx2.RemoteProtocolError)):
            _ = [chunk async for chunk in await client.chat.completions.create(**ASK, stream=True)]
        with pytest.raises((openai.APIError, httpx2.RemoteProtocolError)):
            _ = [event async for event in await client.responses.create(model="assistant", input="hi", stream=True)]
    async with claude(gateway) as judge:
        with pytest.raises((anthropic.APIError, httpx.RemoteProtocolError)):
            async with judge.messages.stream(max_tokens=10, **ASK) as stream:
                await stream.get_final_text()


async def test_the_sdks_see_true_errors(start: Start, upstream: FakeUpstream) -> None:
    """An exhausted chain, an unknown model and a wrong request are what they are, in both worlds."""
    gateway = await start(chain(provider("a", upstream, "status-401"), provider("w", upstream, "wrong")))
    async with oai(gateway) as client:
        with pytest.raises(openai.InternalServerError) as exhausted:
            await client.chat.completions.create(**{**ASK, "model": "a/status-401"})
        assert exhausted.value.code == "all_candidates_failed"
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(**{**ASK, "model": "nope"})
        with pytest.raises(openai.BadRequestError):
            await client.chat.completions.create(**{**ASK, "model": "w/wrong"})
    async with claude(gateway) as judge:
        with pytest.raises(anthropic.InternalServerError):
            await judge.messages.create(max_tokens=10, **{**ASK, "model": "a/status-401"})
        with pytest.raises(anthropic.NotFoundError):
            await judge.messages.create(max_tokens=10, **{**ASK, "model": "nope"})
