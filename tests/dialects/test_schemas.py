"""JSON Schemas of tools' arguments."""

from __future__ import annotations

from typing import Any

import pytest

from dialects.chat_speech import MODEL, OPENAI, PROXY, abroad
from pointsman.dialects import schemas
from pointsman.dialects.chat import codec as chat_codec
from pointsman.dialects.responses import codec as responses_codec
from pointsman.names import Dialect
from pointsman.neutral import Tool

TEXT = {"type": "string"}
CLOSED: Any = {"type": "object", "properties": {"a": TEXT}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (None, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"type": "object", "properties": None}, {"type": "object", "properties": {}}),
        (CLOSED, CLOSED),
        ({"anyOf": [CLOSED]}, {"anyOf": [CLOSED]}),
    ],
)
def test_objects_state_their_properties(schema: Any, told: Any) -> None:
    """OpenAI refuses a function whose object has none."""
    assert schemas.arguments(schema) == told


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {}},
        {**CLOSED, "required": []},
        {**CLOSED, "additionalProperties": True},
        {**CLOSED, "properties": {"a": {"type": "object"}}},
        {**CLOSED, "properties": {"a": {"type": "array", "items": {"type": "object"}}}},
        {**CLOSED, "properties": {"a": {"anyOf": [TEXT, {"type": ["object", "null"]}]}}},
        {**CLOSED, "$defs": {"b": {"type": "object"}}},
        True,
    ],
)
def test_what_is_open_is_not_strict(schema: Any) -> None:
    """Anywhere within it: OpenAI refuses such a schema, so it is sent as one that the model need not keep to."""
    assert not schemas.strict(schema)
    assert schemas.strict(CLOSED)
    tool = Tool("f", "", schema if isinstance(schema, dict) else {"type": "object"}, strict=True)
    asked = abroad(tools=(tool,), home=Dialect.MESSAGES)
    [function] = chat_codec.write_request(asked, MODEL, PROXY)["tools"]
    assert "strict" not in function["function"]
    assert responses_codec.write_request(asked, MODEL, OPENAI)["tools"][0]["strict"] is False
    for codec in (chat_codec, responses_codec):
        assert codec.loss(asked, MODEL, OPENAI).dropped == ("tools.strict",)


def test_a_schema_without_end_is_not_strict() -> None:
    """It is looked into so far and no further."""
    schema: Any = {"type": "string"}
    for _ in range(500):
        schema = {"type": "array", "items": schema}
    assert not schemas.strict(schema)
