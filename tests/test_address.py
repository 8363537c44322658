"""Where a server of ours is to listen: read, or refused with the reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman import address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080), ("[::1]:0", "::1", 0), (":65535", "", 65535), ("box:80", "box", 80),
    ],
)  # fmt: skip
def test_host_and_port(text: str, host: str, port: int) -> None:
    """IPv6 in brackets; without a host every address is meant."""
    assert address.parse(text) == (host, port)


@pytest.mark.parametrize(
    "text", ["bogus", "127.0.0.1", "127.0.0.1:", "a:http", "a:99999", "a:-1", "::1:80", "a b:1", "a:²"]
)
def test_what_is_no_address(text: str) -> None:
    """What is wrong and how it is written instead."""
    with pytest.raises(ValueError, match=r"HOST:PORT|from 0 to 65535"):
        address.parse(text)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No port is out of range, whatever is written."""
    try:
        _, port = address.parse(text)
    except ValueError:
        return
    assert 0 <= port <= 65535
