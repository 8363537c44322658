"""Structural schemas from pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, create_model

from pointsman.api.schema import LIST_SET, Model, cel, structural


class Inner(Model):
    some_number: Annotated[int, Field(ge=1)] = 5


class Outer(Model):
    """What an Outer is."""

    inner_one: Inner | None = None
    words: Annotated[list[str] | None, Field(max_length=3, json_schema_extra=LIST_SET)] = None
    choice: Literal["A", "B"] | None = None
    size: Annotated[int | str | None, Field(json_schema_extra={"x-kubernetes-int-or-string": True})] = None
    free: Annotated[dict[str, str], Field(default_factory=dict)]
    needed: Annotated[str, Field(json_schema_extra=cel(("self != ''", "must not be empty")))]


def test_a_model_becomes_one_plain_tree() -> None:
    """camelCase, no references, no null, no titles; optional is what is not required."""
    assert structural(Outer) == {
        "description": "What an Outer is.",
        "type": "object",
        "required": ["needed"],
        "properties": {
            "innerOne": {
                "type": "object",
                "properties": {"someNumber": {"type": "integer", "minimum": 1, "default": 5}},
            },
            "words": {"type": "array", "items": {"type": "string"}, "maxItems": 3, "x-kubernetes-list-type": "set"},
            "choice": {"type": "string", "enum": ["A", "B"]},
            "size": {"x-kubernetes-int-or-string": True},
            "free": {"type": "object", "additionalProperties": {"type": "string"}},
            "needed": {
                "type": "string",
                "x-kubernetes-validations": [{"rule": "self != ''", "message": "must not be empty"}],
            },
        },
    }


@pytest.mark.parametrize("kind", [int | str, Inner | int, tuple[int, str], list[int | str]])
def test_what_is_not_structural_is_refused_with_its_path(kind: Any) -> None:
    """At generation, not when a cluster refuses the CRD."""
    model = create_model("Wrong", __base__=Model, odd_one=(kind, ...))
    with pytest.raises(TypeError, match=r"^\$\.oddOne(\[\])?: .*is not structural"):
        structural(model)


class Tree(Model):
    children: list[Tree] | None = None


def test_recursion_is_refused() -> None:
    """A structural schema is finite."""
    with pytest.raises(TypeError, match="recursive model Tree is not structural"):
        structural(Tree)
