"""Durations as Kubernetes writes them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pointsman.api.fields import Duration, seconds

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_PARTS = st.lists(st.tuples(st.integers(0, 999), st.sampled_from(sorted(_UNITS))), min_size=1, max_size=4)
_DURATION = TypeAdapter(Duration)


@given(_PARTS)
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    """In seconds, whatever the order and number of the units."""
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert seconds(text) == pytest.approx(sum(number * _UNITS[unit] for number, unit in parts))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500ms", 0.5), ("10s", 10), ("1m30s", 90), ("1.5h", 5400), ("0s", 0), ("1h0m0.25s", 3600.25)],
)
def test_common_durations(text: str, expected: float) -> None:
    """As people write them."""
    assert seconds(text) == expected


@given(st.text(alphabet="0123456789.hms -+\n", max_size=12))
def test_seconds_and_the_schema_agree_on_what_a_duration_is(text: str) -> None:
    """What the CRD lets in can be computed, and what it refuses is refused with the text."""
    try:
        _DURATION.validate_python(text)
    except ValidationError:
        with pytest.raises(ValueError, match=re.escape(repr(text))):
            seconds(text)
    else:
        assert seconds(text) >= 0
