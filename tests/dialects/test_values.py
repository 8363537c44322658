"""JSON values of a request, checked as they are read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.chat_speech import values as json_values
from pointsman.dialects import values
from pointsman.exchange import BadRequestError


@settings(deadline=None)
@given(json_values)
def test_what_is_json_is_read(value: Any) -> None:
    """As it is."""
    assert values.read("x", msgspec.Raw(msgspec.json.encode(value))) == value


@settings(deadline=None)
@given(st.binary(max_size=40) | st.integers(0, 2000).map(lambda depth: b"[" * depth + b"]" * depth))
def test_anything_else_is_a_bad_request(data: bytes) -> None:
    """Torn, no UTF-8, nested without end: whatever can be read can be written."""
    try:
        found = values.read("x", msgspec.Raw(data))
    except BadRequestError:
        return
    assert msgspec.json.encode([[found]])


@pytest.mark.parametrize("depth", [201, 500, 100_000])
def test_deep_values_are_refused(depth: int) -> None:
    """Whoever reads them after us could fall over them."""
    with pytest.raises(BadRequestError, match="x: nested deeper than 200 levels"):
        values.read("x", msgspec.Raw(b'{"a":[' * depth + b"]}" * depth))


def test_many_brackets_are_not_deep() -> None:
    """A long conversation has many."""
    flat = [{"a": "[[[["}] * 500
    assert values.read("x", msgspec.Raw(msgspec.json.encode(flat))) == flat


@pytest.mark.parametrize(
    ("check", "value", "due"),
    [
        (values.mapping, [], "an object, not a list"),
        (values.items, {}, "a list, not an object"),
        (values.text, None, "a string, not null"),
        (values.flag, 1, "true or false, not a number"),
        (values.number, True, "a number, not true or false"),
        (values.count, 1.5, "a whole number of 64 bits, not another number"),
        (values.count, 2**63, "a whole number of 64 bits, not another number"),
        (values.count, "7", "a whole number of 64 bits, not a string"),
    ],
)
def test_values_of_another_kind_are_named(check: Any, value: Any, due: str) -> None:
    """What was expected, what is there, and where."""
    with pytest.raises(BadRequestError) as told:
        check(value, "a[1].b")
    assert str(told.value) == f"a[1].b: expected {due}"


def test_values_of_the_right_kind_pass() -> None:
    """A whole number may be written with a point."""
    assert values.fields({"a": msgspec.Raw(b"1")}) == {"a": 1}
    assert (values.count(7.0, "x"), values.number(7, "x"), values.flag(value=True, path="x")) == (7, 7, True)
