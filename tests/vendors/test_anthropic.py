"""Anthropic: a list of its own, with limits and capabilities."""

import json

from pointsman.names import Dialect
from pointsman.served import Answer, ServedModel
from pointsman.vendors import anthropic


def test_limits_and_capabilities_are_read() -> None:
    """Names, windows, images and thinking as told; nothing is made up for a model that tells nothing."""
    full = {
        "type": "model",
        "id": "claude-sonnet-4-6",
        "display_name": "Claude Sonnet 4.6",
        "max_input_tokens": 200000,
        "max_tokens": 64000,
        "capabilities": {"image_input": {"supported": True}, "thinking": {"supported": True}},
    }
    body = json.dumps({"data": [full, {"id": "old", "capabilities": None}], "has_more": False}).encode()
    (path,) = anthropic.KIND.paths
    found = anthropic.read({path: Answer(200, body)})
    assert found.models == (
        ServedModel("claude-sonnet-4-6", "Claude Sonnet 4.6", 200000, 64000, ("text", "image"), reasoning=True),
        ServedModel("old"),
    )
    assert found.credentials_valid


def test_it_is_asked_for_all_models_with_its_own_header() -> None:
    """A page has 20 models unless more are asked for; the key goes into x-api-key."""
    assert anthropic.KIND.paths == ("/v1/models?limit=1000",)
    assert (anthropic.KIND.auth, anthropic.KIND.api) == ("XApiKey", (Dialect.MESSAGES,))
