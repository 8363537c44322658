"""Quantities as the API server writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.fleet.quantity import canonical


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        (1, "1"), ("1", "1"), ("0", "0"), ("0.5", "500m"), ("1.5", "1500m"), ("1000m", "1"), ("1000", "1k"),
        ("1500", "1500"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("1000Mi", "1000Mi"), ("0.5Ki", "512"),
        ("1Gi", "1Gi"),
        ("0.1Mi", "104858"), ("100M", "100M"), ("1e3", "1e3"), ("1E3", "1e3"), ("12e2", "1200"), ("1E", "1E"),
        ("1Ei", "1Ei"), ("0.1n", "1n"), ("+2", "2"), (".5", "500m"), ("010", "10"), ("100u", "100u"),
    ],
)  # fmt: skip
def test_the_canonical_form(written: int | str, stored: str) -> None:
    """What is applied is what reads back."""
    assert canonical(written) == stored


@pytest.mark.parametrize(
    "text", ["", "a", "1 Gi", "-1", "1KiB", "1e999", "9" * 30, "9" * 5000, "1Zi", "NaN", "inf", "٣"]
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    """With an example of how one is written, or that it is too large."""
    with pytest.raises(ValueError, match="quantity"):
        canonical(text)


@given(st.integers(0, 10**15), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi"]))
def test_the_canonical_form_is_its_own(number: int, suffix: str) -> None:
    """Read back and written again, nothing changes; hostile sizes are refused, not crashed on."""
    try:
        once = canonical(f"{number}{suffix}")
    except ValueError:
        return
    assert canonical(once) == once
