"""OpenClaw through the gateway, in each of its dialects onto each of ours."""

import json
from pathlib import Path
from typing import Any

import pytest

from clients.yard import FILE, HELLO, NOTE, WORD, Yard, errand, greeting
from matrix.speech import CHAT, DIALECTS, MESSAGES, RESPONSES
from testbed.openclaw import OpenClaw

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(150)]
APIS = {"openai-completions": CHAT, "openai-responses": RESPONSES, "anthropic-messages": MESSAGES}


def config(yard: Yard) -> dict[str, Any]:
    """The gateway in all three dialects, with every model."""
    names = [name(backend, dead=dead) for name in (errand, greeting) for backend in DIALECTS for dead in (False, True)]
    models = [
        {
            "id": name, "name": name, "reasoning": False, "input": ["text", "image"], "contextWindow": 131_072,
            "maxTokens": 8192, "compat": {"supportsUsageInStreaming": True},
        }
        for name in names
    ]  # fmt: skip
    providers = {
        dialect: {
            "baseUrl": yard.url if dialect == MESSAGES else f"{yard.url}/v1", "apiKey": "x", "api": api,
            "models": models,
        }
        for api, dialect in APIS.items()
    }  # fmt: skip
    model = {"primary": f"{CHAT}/{names[0]}", "fallbacks": []}
    return {"models": {"mode": "replace", "providers": providers}, "agents": {"defaults": {"model": model}}}


async def test_it_takes_the_rendered_file(yard: Yard, tmp_path: Path) -> None:
    """`config validate` on what `pointsman up` has written, whole and as it is; one unknown key is noticed."""
    rendered = json.loads(yard.openclaw())
    assert {model["id"] for one in rendered["models"]["providers"].values() for model in one["models"]} >= {
        errand(backend) for backend in DIALECTS
    }
    ran = await OpenClaw(tmp_path / "good", rendered).validate()
    assert (ran.status, "Config valid" in ran.out) == (0, True), str(ran)
    next(iter(rendered["models"]["providers"].values()))["bogusKey"] = 1
    assert (await OpenClaw(tmp_path / "bad", rendered).validate()).status == 1


@pytest.mark.parametrize("backend", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
async def test_it_asks_a_model(yard: Yard, tmp_path: Path, client: str, backend: str) -> None:
    """`infer model run`. Where both differ the primary is dead, too."""
    name = greeting(backend, dead=client != backend)
    ran = await OpenClaw(tmp_path, config(yard)).infer(f"{client}/{name}", "Say hello.")
    assert ran.status == 0, str(ran)
    assert [output["text"] for output in ran.document["outputs"]] == [HELLO]
    [seen] = yard.seen(backend, "greeting")
    assert seen.complaints == []


@pytest.mark.parametrize(("client", "backend"), [(CHAT, MESSAGES), (RESPONSES, CHAT), (MESSAGES, RESPONSES)])
async def test_it_takes_a_turn(yard: Yard, tmp_path: Path, client: str, backend: str) -> None:
    """`agent`: 55 kB and a dozen tools, one of them called, while the primary is dead."""
    claw = OpenClaw(tmp_path, config(yard))
    (claw.workspace / FILE).write_text(NOTE)
    ran = await claw.turn(f"{client}/{errand(backend, dead=True)}", "t1", "What does note.txt say?")
    assert ran.status == 0, str(ran)
    meta = ran.document["meta"]
    assert WORD in meta["finalAssistantVisibleText"], str(ran)
    trace = meta["executionTrace"]
    assert (trace["winnerProvider"], trace["fallbackUsed"], len(trace["attempts"])) == (client, False, 1)
    seen = yard.seen(backend)
    assert len(seen) == 2
    assert len(seen[0].ask.tools) >= 10
    assert len(json.dumps(seen[0].body)) > 50_000
    assert [complaint for one in seen for complaint in one.complaints] == []
