"""What vLLM says that a prompt has is what it then counts, and what it refuses as too long teaches its window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from gateway.conftest import chain, provider
from gateway.fakeupstream import FakeUpstream
from gateway.process import GatewayProcess, gateway_process
from pointsman import counting, dialects
from pointsman.names import Counting, Dialect
from pointsman.table import Model
from real.asking import PATIENT
from testbed.vllm import VllmServer

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
JSON = {"content-type": "application/json"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "description": "where to look"}}}
TOOL = {"name": "get_weather", "description": "The weather in a city."}
CHAT_TOOL = {"type": "function", "function": {**TOOL, "parameters": SCHEMA}}
FLAT_TOOL = {"type": "function", **TOOL, "parameters": SCHEMA}
SAID = [{"role": "user", "content": "one two three"}, {"role": "assistant", "content": "four"}]
LAST = {"role": "user", "content": "Grüße aus Köln, 漢字 and 12345 words."}
REQUESTS: dict[str, tuple[Dialect, dict[str, Any]]] = {
    "chat": (Dialect.CHAT, {"messages": [{"role": "system", "content": "Be brief."}, *SAID, LAST]}),
    "chat-tools": (Dialect.CHAT, {"messages": [LAST], "tools": [CHAT_TOOL]}),
    "chat-long": (Dialect.CHAT, {"messages": [{"role": "user", "content": "word " * 2000}]}),
    "responses": (Dialect.RESPONSES, {"input": "one two three"}),
    "responses-turns": (Dialect.RESPONSES, {"instructions": "Be brief.", "input": [*SAID, LAST]}),
    "responses-tools": (Dialect.RESPONSES, {"input": "hi", "tools": [FLAT_TOOL]}),
    "responses-long": (Dialect.RESPONSES, {"input": "word " * 2000}),
    "messages": (Dialect.MESSAGES, {"messages": [*SAID, LAST], "system": "Be brief."}),
    "messages-tools": (Dialect.MESSAGES, {"messages": [LAST], "tools": [{**TOOL, "input_schema": SCHEMA}]}),
    "messages-long": (Dialect.MESSAGES, {"messages": [{"role": "user", "content": "word " * 2000}]}),
}  # fmt: skip


every = pytest.mark.parametrize("dialect", list(Dialect))


@pytest.mark.parametrize("name", REQUESTS)
def test_the_count_is_that_of_the_usage(vllm: VllmServer, name: str) -> None:
    """To the token where vLLM applies its template; of Responses it counts the texts, so that little is lacking."""
    dialect, fields = REQUESTS[name]
    raw = msgspec.json.decode(msgspec.json.encode(fields), type=dict[str, msgspec.Raw])
    question = counting.request(Counting.VLLM, dialect, raw, "tiny")
    assert question
    path, body = question
    told = httpx.post(vllm.base_url + path, content=body, headers=JSON, timeout=30, trust_env=False)
    counted = counting.read(Counting.VLLM, told.content)
    usage = vllm.post(dialects.ALL[dialect].PATH, {"model": "tiny", **fields, **bound(dialect)}).json()["usage"]
    used = usage.get("prompt_tokens") or usage["input_tokens"]
    print(f"{name}: counted {counted}, used {used}")
    if dialect is Dialect.RESPONSES:
        assert abs(counted - used) <= 8 + 120 * ("tools" in fields)
    else:
        assert counted == used


@every
async def test_a_prompt_near_the_window_is_counted_first(
    tmp_path: Path, vllm: VllmServer, upstream: FakeUpstream, dialect: Dialect
) -> None:
    """What is too long by some tokens goes to the next target; this tokenizer makes a token of each byte."""
    small = (Model(id="tiny", context_window=4096),)
    table = chain(
        provider("vllm", vllm.base_url, models=small, type="VLLM"), provider("next", upstream), policy=PATIENT
    )
    async with gateway_process(tmp_path, table) as gateway:
        decisions = [await words(gateway, dialect, count) for count in (500, 800, 830)]
    assert "answered=vllm/tiny" in decisions[0]
    assert "answered=vllm/tiny" in decisions[1]
    assert decisions[2].endswith("answered=next/ok; attempts=1; passed=vllm/tiny:context")


@every
@pytest.mark.parametrize("count", [7_000, 100_000])
async def test_a_refusal_teaches_the_window(
    tmp_path: Path, vllm: VllmServer, upstream: FakeUpstream, dialect: Dialect, count: int
) -> None:
    """It is sent once; the next that is as long goes to the next target at once.

    A shorter one taught before how many tokens a byte makes.
    """
    table = chain(provider("vllm", vllm.base_url, "tiny", type="VLLM"), provider("next", upstream), policy=PATIENT)
    async with gateway_process(tmp_path, table) as gateway:
        short = await words(gateway, dialect, 500)
        first, again = await words(gateway, dialect, count), await words(gateway, dialect, count)
    assert "answered=next/ok; attempts=2" in first
    assert "answered=next/ok; attempts=1; passed=vllm/tiny:context" in again
    assert "answered=vllm/tiny" in short


async def words(gateway: GatewayProcess, dialect: Dialect, count: int) -> str:
    """Ask with so many words of five tokens each; the decision."""
    text = "word " * count
    asked = {"input": text} if dialect is Dialect.RESPONSES else {"messages": [{"role": "user", "content": text}]}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        url = f"http://127.0.0.1:{gateway.port}{dialects.ALL[dialect].PATH}"
        reply = await client.post(url, json={"model": "assistant", **asked, **bound(dialect)})
    assert reply.status_code == 200, reply.text
    return reply.headers["x-pointsman-decision"]


def bound(dialect: Dialect) -> dict[str, int]:
    return {"max_output_tokens": 16} if dialect is Dialect.RESPONSES else {"max_tokens": 16}
