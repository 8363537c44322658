"""Fields that cross the gateway."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.gateway.fields import passed_on, read_retry_after
from pointsman.names import Dialect

NOW = 1_795_242_513.0  # Sat, 21 Nov 2026 06:28:33 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"7", 7), (b"0.5", 0.5), (b"", 0), (b"soon", 0), (b"-3", 0), (b"Sat, 21 Nov 2026 06:29:33 GMT", 60),
     (b"Sat, 21 Nov 2026 06:00:00 GMT", 0), (b"Sat, 99 Nov 2026", 0)],
)  # fmt: skip
def test_retry_after_in_seconds_or_as_a_date(value: bytes, seconds: float) -> None:
    """Both ways to write it; what cannot be read says nothing."""
    assert read_retry_after(value, NOW) == pytest.approx(seconds, abs=1)


@given(st.binary(max_size=30))
def test_no_retry_after_is_too_odd(value: bytes) -> None:
    """Never negative, never an error."""
    assert read_retry_after(value, NOW) >= 0


def test_anthropic_fields_go_to_anthropic_paths_alone() -> None:
    """Version and beta belong to Messages; what the provider sets itself is not sent twice."""
    fields = {b"anthropic-beta": b"b", b"accept": b"a"}
    assert passed_on(Dialect.CHAT, fields, ()) == b"Accept: a\r\n"
    assert (
        passed_on(Dialect.MESSAGES, fields, ())
        == b"Accept: a\r\nanthropic-version: 2023-06-01\r\nanthropic-beta: b\r\n"
    )
    assert passed_on(Dialect.MESSAGES, fields, {b"anthropic-version", b"accept"}) == b"anthropic-beta: b\r\n"
