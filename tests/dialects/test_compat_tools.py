"""Tool definitions as a server's reader of JSON Schema takes them, in all dialects."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.fitting import Json, fitted
from pointsman import dialects
from pointsman.dialects import chat, compat_tools, messages, responses

WAYS = {
    chat: lambda schema: {"type": "function", "function": {"name": "f", "parameters": schema}},
    responses: lambda schema: {"type": "function", "name": "f", "parameters": schema},
    messages: lambda schema: {"name": "f", "input_schema": schema},
}
SCHEMA = {
    "type": "object",
    "$schema": "x",
    "additionalProperties": False,
    "properties": {
        "pattern": {"type": "string", "pattern": "^a$", "maxLength": 2000, "minLength": 1},
        "short": {"type": "string", "maxLength": 1999, "enum": ["pattern"], "default": {"pattern": "x"}},
        "list": {"type": "array", "items": {"anyOf": [{"type": "string", "pattern": "b"}, {"type": "number"}]}},
    },
    "required": ["pattern"],
}


def schema_of(wire: Any, compat: Json, schema: Any = SCHEMA) -> Any:
    """The schema as it is sent, of which nothing is named."""
    sent, dropped = fitted(wire, compat, {"tools": [WAYS[wire](schema)]})
    assert dropped == ()
    (tool,) = sent["tools"]
    function = tool.get("function", tool)
    return function.get("parameters", function.get("input_schema"))


@pytest.mark.parametrize("wire", WAYS)
def test_llama_cpp_builds_no_grammar_of_patterns_and_long_strings(wire: Any) -> None:
    """`toolSchemaProfile: llamacpp`; a property, a value and a default of that name stay."""
    expected = {
        **SCHEMA,
        "properties": {
            "pattern": {"type": "string", "minLength": 1},
            "short": SCHEMA["properties"]["short"],  # type: ignore[index]
            "list": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "number"}]}},
        },
    }
    assert schema_of(wire, {"toolSchemaProfile": "llamacpp"}) == expected


@pytest.mark.parametrize("wire", WAYS)
def test_gemini_reads_few_keywords(wire: Any) -> None:
    """`toolSchemaProfile: gemini`; what a tool takes and must be given stays."""
    sent = schema_of(wire, {"toolSchemaProfile": "gemini"})
    assert sent.keys() == {"type", "properties", "required"}
    assert sent["properties"]["pattern"] == {"type": "string"}
    assert sent["properties"]["short"]["enum"] == ["pattern"]


@pytest.mark.parametrize("wire", WAYS)
def test_keywords_that_are_stated_go(wire: Any) -> None:
    """`unsupportedToolSchemaKeywords`: these and no others."""
    sent = schema_of(wire, {"unsupportedToolSchemaKeywords": ["additionalProperties", "minLength"]})
    assert sent == {key: value for key, value in SCHEMA.items() if key != "additionalProperties"} | {
        "properties": {
            **SCHEMA["properties"],  # type: ignore[dict-item]
            "pattern": {"type": "string", "pattern": "^a$", "maxLength": 2000},
        }
    }


@pytest.mark.parametrize("wire", WAYS)
@pytest.mark.parametrize("schema", [None, {}, "x", [], True])
def test_schemas_that_are_none_stay(wire: Any, schema: Any) -> None:
    """The target will say what is wrong with them."""
    assert schema_of(wire, {"toolSchemaProfile": "gemini"}, schema) == schema


def test_hosted_tools_stay() -> None:
    """They have no schema."""
    tools = [{"type": "web_search"}, {"type": "custom", "name": "x"}]
    for wire in dialects.ALL.values():
        assert fitted(wire, {"toolSchemaProfile": "gemini"}, {"tools": tools}) == ({"tools": tools}, ())


NAMES = st.sampled_from(["pattern", "format", "type", "a"])
SCHEMAS = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["pattern", "format", "items", "anyOf", "properties", "enum"]), inner, max_size=3
        )
        | st.fixed_dictionaries({"properties": st.dictionaries(NAMES, inner, max_size=3)})
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["items", "anyOf", "not", "pattern"]), SCHEMAS))
def test_no_keyword_is_left_where_it_is_one(schema: Json) -> None:
    """Names of properties and plain values are no keywords; nothing else is touched."""
    sent = schema_of(chat, {"unsupportedToolSchemaKeywords": ["pattern"]}, schema)
    assert "pattern" not in set(keywords(sent))
    assert schema_of(chat, {"unsupportedToolSchemaKeywords": ["pattern"]}, sent) == sent
    assert schema_of(chat, {"unsupportedToolSchemaKeywords": ["unheard-of"]}, schema) == schema


def keywords(node: Any) -> list[str]:
    """All keywords of a schema."""
    if isinstance(node, list):
        return [key for item in node for key in keywords(item)]
    if not isinstance(node, dict):
        return []
    found = list(node)
    for key, inner in node.items():
        if key in compat_tools._NAMED and isinstance(inner, dict):
            found += [each for schema in inner.values() for each in keywords(schema)]
        elif key not in compat_tools._PLAIN:
            found += keywords(inner)
    return found
