"""OpenRouter: windows of the top provider, and a key that the list does not ask for."""

import json
from typing import Any

from pointsman.served import Answer, Finding, ServedModel
from pointsman.vendors import openrouter

MODEL: dict[str, Any] = {
    "id": "qwen/qwen3-32b",
    "name": "Qwen: Qwen3 32B",
    "context_length": 131072,
    "architecture": {"input_modalities": ["file", "image", "text"]},
    "top_provider": {"context_length": 40960, "max_completion_tokens": 16384},
    "supported_parameters": ["reasoning", "tools"],
}


def read(entry: dict[str, Any], key: Answer | None = None) -> Finding:
    listed = Answer(200, json.dumps({"data": [entry]}).encode())
    return openrouter.read({"/v1/models": listed} | ({"/v1/key": key} if key else {}))


def test_the_top_providers_window_counts() -> None:
    """It is what a request meets; the model's own is taken where no provider tells."""
    assert read(MODEL).models == (
        ServedModel("qwen/qwen3-32b", "Qwen: Qwen3 32B", 40960, 16384, ("text", "image"), reasoning=True),
    )
    assert read(MODEL | {"top_provider": {"context_length": None}}).models[0].context_window == 131072


def test_the_key_is_asked_about() -> None:
    """The list is open to everybody, so /v1/key tells whether the key is good, and whether credit is left."""
    assert read(MODEL).credentials_valid is None
    assert read(MODEL, Answer(200, b'{"data":{"limit_remaining":null}}')).credentials_valid is True
    assert read(MODEL, Answer(401, b"{}")).reason == "Unauthorized"
    spent = read(MODEL, Answer(200, b'{"data":{"limit":5,"limit_remaining":0}}'))
    assert (spent.ok, spent.reason, spent.credentials_valid) == (False, "QuotaExceeded", True)


def test_a_silent_key_path_is_no_failure() -> None:
    """Not told is not refused."""
    found = read(MODEL, Answer(0, error="Timeout"))
    assert found.ok
    assert found.credentials_valid is None
