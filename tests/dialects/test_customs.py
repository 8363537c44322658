"""Custom tools as functions of one argument."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects import customs


@given(st.text())
def test_an_input_comes_back(text: str) -> None:
    """Told as a function's arguments, it is the same input again."""
    assert customs.unwrap(customs.wrap(text)) == text
    assert json.loads(customs.wrap(text)) == {customs.ARGUMENT: text}


@pytest.mark.parametrize("arguments", ["", "*** Begin Patch", '{"patch": "x"}', '{"input": 1}', "[" * 5000, '"x"'])
def test_bare_text_is_the_input(arguments: str) -> None:
    """A model that was told not to wrap its input in JSON may well not."""
    assert customs.unwrap(arguments) == arguments


def test_a_grammar_is_told() -> None:
    """In the description of the argument; a tool without one has none."""
    told = customs.schema({"type": "grammar", "syntax": "regex", "definition": "a+"})
    assert told["properties"]["input"]["description"].endswith("regex grammar:\na+")
    assert "grammar" not in customs.schema({"type": "text"})["properties"]["input"]["description"]
