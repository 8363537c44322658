"""Schemas of answers, as Anthropic takes them."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic import transform_schema
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects.messages import forms

TEXT = {"type": "string"}


def closed(**members: Any) -> dict[str, Any]:
    """An object of these members."""
    return {"type": "object", "properties": members, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "integer", "minimum": 1}, {"type": "integer", "description": '{"minimum":1}'}),
        (
            {"type": "string", "description": "A", "maxLength": 9, "pattern": "^a$"},
            {"type": "string", "description": 'A\n\n{"maxLength":9,"pattern":"^a$"}'},
        ),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "format": "color"}, {"type": "string", "description": '{"format":"color"}'}),
        ({"type": "array", "items": TEXT, "minItems": 1}, {"type": "array", "items": TEXT, "minItems": 1}),
        (
            {"type": "array", "items": TEXT, "minItems": 2},
            {"type": "array", "items": TEXT, "description": '{"minItems":2}'},
        ),
        ({"type": "object", "properties": {"a": TEXT}}, closed(a=TEXT)),
        ({"oneOf": [TEXT, {"type": "null"}]}, {"anyOf": [TEXT, {"type": "null"}]}),
        ({"type": ["string", "null"], "maxLength": 2},
         {"anyOf": [{"type": "string", "description": '{"maxLength":2}'}, {"type": "null"}]}),
        ({"type": "string", "enum": ["a", "b"]}, {"enum": ["a", "b"]}),
        ({"const": 1}, {"const": 1}),
        ({"$schema": "x", "type": "boolean", "default": True}, {"type": "boolean"}),
        ({"$ref": "#/$defs/a", "$defs": {"a": TEXT}}, {"$ref": "#/$defs/a", "$defs": {"a": TEXT}}),
    ],
)  # fmt: skip
def test_bounds_are_told_and_objects_closed(schema: Any, told: Any) -> None:
    """Anthropic refuses the keywords themselves."""
    assert forms.fitted(schema) == told


LOOP = {"type": "object", "properties": {"next": {"$ref": "#/$defs/a"}}}


@pytest.mark.parametrize(
    "schema",
    [
        True, {}, [], {"type": "object"}, {"type": "array"}, {"type": "strange"}, {"description": "anything"},
        {"type": "object", "additionalProperties": TEXT}, {"type": "object", "properties": {"a": {}}},
        {"type": "object", "properties": {"a": TEXT}, "patternProperties": {"b": TEXT}},
        {"enum": [{"a": 1}]}, {"$ref": "https://x/y"}, {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": LOOP}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": LOOP}},
    ],
)  # fmt: skip
def test_what_anthropic_cannot_hold_an_answer_to(schema: Any) -> None:
    """Schemas of anything, and those that refer to themselves: the target is passed over."""
    with pytest.raises(forms.UnfitError, match=r"\w"):
        forms.fitted(schema)


def test_a_schema_without_end_is_none() -> None:
    """It is an error of ours, and not a stack that overflows."""
    schema: Any = TEXT
    for _ in range(900):
        schema = {"type": "array", "items": schema}
    with pytest.raises(forms.UnfitError):
        forms.fitted(schema)


_leaves = st.sampled_from([TEXT, {"type": "integer"}, {"type": "boolean"}, {"enum": ["a", 1, None]}, {"const": True}])
_schemas = st.recursive(
    _leaves,
    lambda inner: (
        st.dictionaries(st.sampled_from("abc"), inner, min_size=1).map(
            lambda members: {"type": "object", "properties": members, "required": [*members], "title": "T"}
        )
        | inner.map(lambda each: {"type": "array", "items": each, "minItems": 1, "description": "D"})
        | st.lists(inner, min_size=1, max_size=3).map(lambda each: {"anyOf": each})
    ),
    max_leaves=6,
)


@given(_schemas)
def test_anthropics_own_sdk_says_the_same(schema: Any) -> None:
    """Where no keyword has to be told in words."""
    assert forms.fitted(schema) == transform_schema(schema)
    assert forms.fitted(forms.fitted(schema)) == forms.fitted(schema)
