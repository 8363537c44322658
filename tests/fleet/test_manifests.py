"""What is written as YAML reads back as the same values, by our reader and by others'."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pointsman.fleet.manifests import dump
from pointsman.fleet.yamltext import documents

LEAVES = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abyno1_ ~é", max_size=4), inner, max_size=3),
)


@given(st.dictionaries(st.text("abyno1_", min_size=1), VALUES, min_size=1))
def test_any_value_reads_back(value: dict[str, Any]) -> None:
    """By Kubernetes' rules and by YAML 1.1's."""
    text = dump([value])
    assert [each.value for each in documents(text)] == [value]
    assert yaml.safe_load(text) == value


@pytest.mark.parametrize(
    "text", ["1e3", "0o17", "1_000", "12:30", "no", "On", "y", "~", "2026-11-21", "-", "? x", ".5"]
)
def test_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    """Go's parser takes more for numbers and truth than Python's does."""
    assert f'"{text}"' in dump([{"id": text}])


def test_documents_are_apart_and_a_comment_is_above() -> None:
    """In the order given; an object that stands twice is written twice, without anchors."""
    same = {"a": "b"}
    assert dump([{"p": same}, {"q": same, "r": same}], "one\ntwo") == (
        "# one\n# two\np:\n  a: b\n---\nq:\n  a: b\nr:\n  a: b\n"
    )
