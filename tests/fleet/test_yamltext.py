"""YAML as kubectl reads it, with the line of every part."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pointsman.fleet.yamltext import YamlError, documents

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet="abcé <=0"), inner, max_size=3),
    max_leaves=10,
)


def value(text: str) -> Any:
    [document] = documents(text)
    return document.value


@given(st.lists(_JSON.filter(lambda each: each is not None), max_size=3))
def test_what_is_dumped_comes_back(values: list[Any]) -> None:
    """Any JSON values, as several documents."""
    text = yaml.safe_dump_all(values)
    assert [document.value for document in documents(text)] == values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on: [a]", {"on": ["a"]}),
        ("{no: 1, 1: 2, true: 3, null: 4}", {"no": 1, "1": 2, "true": 3, "null": 4}),
        ("a: 2026-11-21", {"a": "2026-11-21"}),
        ("a: 1:30", {"a": "1:30"}),
        ("a: 10s", {"a": "10s"}),
        ("a: 1e3", {"a": 1000.0}),
        ("a: yes", {"a": True}),
        ("a: 0x10", {"a": 16}),
        ("{x: &x {a: 1}, y: {<<: *x, b: 2}}", {"x": {"a": 1}, "y": {"a": 1, "b": 2}}),
    ],
)
def test_scalars_are_read_as_kubernetes_does(text: str, expected: Any) -> None:
    """No dates and no sexagesimal numbers; keys are always text."""
    assert value(text) == expected


def test_lines_are_known() -> None:
    """From 1, in the whole file; of what is not there, the line of what it would be in."""
    first, second = documents("a: 1\n---\n# comment\nb:\n  c:\n  - d: 1\n  - d: 2\n")
    assert (first.number, first.line(("a",))) == (1, 1)
    assert second.number == 2
    assert second.line(("b", "c")) == 5
    assert second.line(("b", "c", 1, "d")) == 7
    assert second.line(("b", "c", 1, "missing")) == 7


def _bomb() -> str:
    names = "abcdefghi"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in itertools.pairwise(names)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "line 1, column 6: not YAML"),
        ("a: 1\na: 2", "line 2, column 1: not YAML: the key 'a' stands twice"),
        ("a: *b", "undefined alias"),
        ("a: !!python/name:os.system x", "could not determine a constructor"),
        ("? [a]\n: 1", "a key must be text"),
        ("a: \x00", "not YAML"),
        ("\ta: 1", "not YAML"),
        (_bomb(), "more than 200000 values"),
        ("a: &a [*a]", "more than 200000 values"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_bad_text_is_refused_with_its_place(text: str, message: str) -> None:
    """Syntax, keys that stand twice, foreign tags, and texts that are small and mean much."""
    with pytest.raises(YamlError, match=r"(?s).+") as caught:
        list(documents(text))
    assert message in str(caught.value)


@given(st.text(alphabet="ab:-[]{}&*!<? \n\"'|>#%@", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Never another exception."""
    with contextlib.suppress(YamlError):
        assert all(document.number >= 1 for document in documents(text))
