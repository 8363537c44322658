"""The engine dies in the middle of answers: clients have them whole, from a server of another make."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

import httpx
import pytest

from dialects.answers import read
from gateway.conftest import chain, provider
from gateway.process import gateway_process
from pointsman.names import Dialect
from real.asking import ASKED, PATIENT, ask
from testbed.llama import LlamaServer
from testbed.tinymodel import LONG, TinyModel
from testbed.vllm import VllmServer
from testbed.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


async def test_no_answer_is_lost(tmp_path: Path, vllm: VllmServer) -> None:
    """Twelve under way in three dialects when the engine is killed; llama-server takes them up."""
    before = vllm.metric("generation_tokens_total")
    asked = list(Dialect) * 4
    with LlamaServer(TinyModel("long", ctx=32768), slots=4) as llama:
        table = chain(
            provider("vllm", vllm.base_url, "tiny", type="VLLM"),
            provider("llama", llama.base_url, "tiny", type="LlamaCpp"),
            policy=PATIENT,
        )
        async with gateway_process(tmp_path, table) as gateway:
            url = f"http://127.0.0.1:{gateway.port}"
            under_way = [asyncio.create_task(ask(url, each, "assistant", ASKED[each])) for each in asked]
            enough = before + 100 * len(asked)
            await asyncio.to_thread(until, lambda: vllm.metric("generation_tokens_total") > enough)
            vllm.signal_engine(signal.SIGKILL)
            streams = await asyncio.gather(*under_way)
            async with httpx.AsyncClient(trust_env=False) as client:
                told = (await client.get(f"{url}/metrics")).text
    answers = [read(each, b"".join(frame.raw for frame in stream)) for each, stream in zip(asked, streams, strict=True)]
    whole = [answer.text == LONG for answer in answers]
    resumed = int(re.findall(r'streams_resumed_total{route="assistant"} (\d+)', told)[0])
    print(f"{sum(whole)} of {len(whole)} whole, {resumed} of them taken up")
    assert all(whole)
    assert resumed
