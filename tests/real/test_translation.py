"""A real vLLM behind clients of every dialect, spoken to in each of its own."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from dialects.answers import read
from gateway.conftest import chain, provider
from gateway.process import gateway_process
from pointsman.names import Dialect
from real.asking import ASKED, PATIENT, ask
from testbed.tinymodel import LONG
from testbed.vllm import VllmServer

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
LIMIT = {Dialect.CHAT: "max_tokens", Dialect.RESPONSES: "max_output_tokens", Dialect.MESSAGES: "max_tokens"}
CUT = {Dialect.CHAT: "length", Dialect.RESPONSES: "incomplete", Dialect.MESSAGES: "max_tokens"}


@pytest.mark.parametrize(("client", "spoken"), list(permutations(Dialect, 2)))
async def test_any_client_is_answered(tmp_path: Path, vllm: VllmServer, client: Dialect, spoken: Dialect) -> None:
    """The words that it says, why they end, and its own count of them."""
    table = chain(provider("vllm", vllm.base_url, "tiny", type="VLLM", api=(spoken.value,)), policy=PATIENT)
    fields: dict[str, Any] = {**ASKED[client], LIMIT[client]: 64}
    async with gateway_process(tmp_path, table) as gateway:
        frames = await ask(f"http://127.0.0.1:{gateway.port}", client, "assistant", fields)
    answer = read(client, b"".join(frame.raw for frame in frames))
    assert answer.text
    assert LONG.startswith(answer.text)
    assert answer.stop == CUT[client]
    assert answer.usage is not None
    assert answer.usage[1] == 64
    assert answer.usage[0] > 0
