"""Agents through the gateway onto a real server: llama-server, in the one dialect that it is said to speak."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from clients.test_openclaw import APIS
from matrix.speech import CHAT, DIALECTS, MESSAGES, RESPONSES
from testbed import codex
from testbed.llama import LlamaServer
from testbed.openclaw import OpenClaw
from testbed.ports import free_port
from testbed.tinymodel import TEXT, TinyModel
from wall.program import ready, started

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(200)]
NATIVE = {dialect: api for api, dialect in APIS.items()}
WINDOW = 131_072  # an agent's first request has some 25,000 tokens of the tiny vocabulary


def objects(server: LlamaServer) -> list[Any]:
    """A route for each dialect, whose primary is dead and speaks all three."""
    gone = f"http://127.0.0.1:{free_port()}"
    made = [provider("gone", gone, list(APIS))]
    for dialect, api in NATIVE.items():
        made.append(provider(f"llama-{dialect}", server.base_url, [api]))
        targets: list[Any] = [{"provider": name, "model": "tiny"} for name in ("gone", f"llama-{dialect}")]
        spec: Any = {"modelName": dialect, "primary": targets[0], "fallbacks": targets[1:]}
        metadata = {"name": dialect}
        made.append({"apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelRoute", "metadata": metadata, "spec": spec})
    return made


def provider(name: str, url: str, api: list[str]) -> Any:
    spec: Any = {"type": "LlamaCpp", "endpoint": {"baseUrl": url}, "api": api, "dataPolicy": {"location": "OnPremises"}}
    spec |= {"discovery": "Static", "models": [{"id": "tiny", "contextWindow": WINDOW, "maxTokens": 4096}]}
    return {"apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelProvider", "metadata": {"name": name}, "spec": spec}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The gateway before a llama-server."""
    with LlamaServer(TinyModel("text", ctx=WINDOW, vocab=4096), slots=1, ctx=WINDOW) as server:
        text = yaml.safe_dump_all(objects(server))
        async with started(tmp_path_factory.mktemp("llama"), text) as program:
            await ready(program, set(DIALECTS))
            yield f"http://127.0.0.1:{program.port}"


@pytest.mark.parametrize(("client", "backend"), [(CHAT, RESPONSES), (RESPONSES, MESSAGES), (MESSAGES, CHAT)])
async def test_openclaw_asks_a_model(url: str, tmp_path: Path, client: str, backend: str) -> None:
    """`infer model run`, each of its dialects onto another."""
    base = url if client == MESSAGES else f"{url}/v1"
    model = {"id": backend, "name": backend, "input": ["text"], "contextWindow": WINDOW, "maxTokens": 4096}
    here = {"baseUrl": base, "apiKey": "x", "api": NATIVE[client], "models": [model]}
    config = {"models": {"mode": "replace", "providers": {"here": here}}}
    ran = await OpenClaw(tmp_path, config).infer(f"here/{backend}", "Say hello.")
    assert ran.status == 0, str(ran)
    assert [output["text"] for output in ran.document["outputs"]] == [TEXT]


async def test_codex_speaks_with_a_chat_server(url: str, tmp_path: Path) -> None:
    """`codex exec` with all its tools, onto chat completions."""
    ran = await codex.execute(tmp_path, url, CHAT, "Say hello.")
    assert ran.status == 0, str(ran)
    messages = [line["item"]["text"] for line in ran.lines if line.get("item", {}).get("type") == "agent_message"]
    assert messages == [TEXT]
    [usage] = [line["usage"] for line in ran.lines if line["type"] == "turn.completed"]
    assert usage["input_tokens"] > 10_000
    assert usage["output_tokens"] == 20
