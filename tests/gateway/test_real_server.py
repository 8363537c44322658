"""A real engine behind the gateway: llama-server in all three dialects, streamed and whole, killed and replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from msgspec.structs import replace

from gateway.conftest import DIALECTS, Gateway, Start, chain, provider
from pointsman.table import Policy, Timeouts
from testbed.llama import LlamaServer
from testbed.tinymodel import TEXT, TinyModel

PATIENT = Policy(timeouts=Timeouts(connect=2, first_token=20, stall=20, total=60))
ASK: Any = {"model": "assistant", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def llama() -> Iterator[LlamaServer]:
    """One server for the module."""
    with LlamaServer() as server:
        yield server


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_answers_pass_through(start: Start, llama: LlamaServer, dialect: str, stream: bool) -> None:
    """Its answers are what the client gets, whole and streamed, in every dialect."""
    gateway = await start(chain(provider("llama", llama.base_url, "tiny"), policy=PATIENT))
    reply = await gateway.ask(dialect, stream=stream)
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)


async def test_the_sdks_are_content(start: Start, llama: LlamaServer) -> None:
    """The official SDKs, streamed and whole, over a primary that is not there."""
    dead = provider("dead", "http://127.0.0.1:9", "tiny")
    gateway: Gateway = await start(chain(dead, provider("llama", llama.base_url, "tiny"), policy=PATIENT))
    plain = httpx2.AsyncClient(trust_env=False)
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="x", http_client=plain) as client:
        assert (await client.chat.completions.create(**ASK)).choices[0].message.content == TEXT
        chunks = [chunk async for chunk in await client.chat.completions.create(**ASK, stream=True)]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
        assert (await client.responses.create(model="assistant", input="hi")).output_text == TEXT
    async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key="x") as claude:
        assert (await claude.messages.create(max_tokens=100, **ASK)).content[0].text == TEXT
        async with claude.messages.stream(max_tokens=100, **ASK) as stream:
            assert await stream.get_final_text() == TEXT


async def test_its_errors_are_understood(start: Start, llama: LlamaServer) -> None:
    """An overflow is a 400 about context in the client's dialect; a loading server is passed over."""
    gateway = await start(chain(provider("llama", llama.base_url, "tiny"), policy=PATIENT))
    long = [{"role": "user", "content": "zqx " * 20_000}]
    for dialect in ("completions", "messages"):
        reply = await gateway.ask(dialect, messages=long)
        assert (reply.status, reply.json["error"]["code"]) == (400, "context_length_exceeded")


async def test_a_killed_primary_costs_nobody_an_answer(start: Start, llama: LlamaServer) -> None:
    """The primary is killed under twenty requests of which none has seen a word: all are answered by the other."""
    with LlamaServer(TinyModel("long", ctx=8192), alias="tiny") as primary:
        policy = replace(PATIENT, failover_on=Policy().failover_on)
        gateway = await start(
            chain(
                provider("primary", primary.base_url, "tiny"), provider("llama", llama.base_url, "tiny"), policy=policy
            )
        )
        asked = [asyncio.ensure_future(gateway.ask()) for _ in range(20)]
        await asyncio.sleep(0.05)
        primary.kill()
        replies = await asyncio.gather(*asked)
    assert {(reply.status, reply.text) for reply in replies} == {(200, TEXT)}
