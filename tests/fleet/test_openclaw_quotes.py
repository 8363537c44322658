# ruff: noqa: RUF001 - typographic quotes are what this is about
"""Typographic quotes in pasted configurations."""

from __future__ import annotations

import json
from typing import Any

import json5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.fleet.quotes import repair

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
_PAIRS = ["“”", "„“", "«»", "””", "‘’", "‚‘", "‹›", "＂＂"]


def curled(text: str, pair: str) -> str:
    """JSON text with its string delimiters replaced by a pair of typographic quotes."""
    out, inside, escaped = [], False, False
    for char in text:
        if char == '"' and not escaped:
            inside = not inside
            out.append(pair[0] if inside else pair[1])
        else:
            out.append(char)
        escaped = char == "\\" and not escaped
    return "".join(out)


@given(_JSON, st.sampled_from(_PAIRS), st.sampled_from([None, 2]))
def test_a_repaired_config_has_the_value_of_the_original(value: Any, pair: str, indent: int | None) -> None:
    """Whatever the strings hold: curly delimiters, repaired, give the same value."""
    assert json.loads(repair(curled(json.dumps(value, indent=indent), pair)).text) == value


@given(_JSON)
def test_a_sound_config_is_left_alone(value: Any) -> None:
    """Nothing inside a properly quoted string is touched, typographic quotes included."""
    text = json.dumps(value, ensure_ascii=False)
    repaired = repair(text)
    assert json.loads(repaired.text) == value
    assert repaired.count == 0


@given(st.text(alphabet="{}[]:,\"'“”‘’„«»` \n\\/*ab1", max_size=60))
def test_no_text_is_too_broken_to_be_repaired(text: str) -> None:
    """Repair never fails, and what it repaired once it does not repair again."""
    once = repair(text)
    assert once.count >= 0
    assert (once.line > 0) == (once.count > 0)


@pytest.mark.parametrize(
    ("broken", "value"),
    [
        ("{a: “b”}", {"a": "b"}),
        ("{“a”: ‘it’s’}", {"a": "it’s"}),
        ("{a: “say “hi” now”}", {"a": "say “hi” now"}),
        ('{a: “say "hi", now”}', {"a": 'say "hi", now'}),
        ('{a: “half"}', {"a": "half"}),
        ('{a: "half”}', {"a": "half"}),
        ('{a: “half", b: “whole”}', {"a": "half", "b": "whole"}),
        ("{a: „deutsch“, b: «français»}", {"a": "deutsch", "b": "français"}),
        ("{a: “x”, // “a comment”\n b: “y” /* ‘too’ */}", {"a": "x", "b": "y"}),
        ('{a: "“kept”", b: “new”}', {"a": "“kept”", "b": "new"}),
        ("{a: “with \\” escaped”}", {"a": "with ” escaped"}),
        ("{a:\u200b“x”}", {"a": "x"}),
        ("{a: “http://127.0.0.1:1234/v1”}", {"a": "http://127.0.0.1:1234/v1"}),
    ],
)
def test_delimiters_are_told_from_content(broken: str, value: Any) -> None:
    """A quote delimits where only a comma, colon, bracket or comment can follow; elsewhere it is content."""
    assert json5.loads(repair(broken).text) == value


def test_the_first_line_and_the_number_are_told() -> None:
    """So that a warning can name them."""
    repaired = repair('{\n a: "x",\n b: “y”,\n c: ‘z’}')
    assert (repaired.line, repaired.count) == (3, 4)
