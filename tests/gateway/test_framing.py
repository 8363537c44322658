"""Which heads are taken; the smuggling corpus looks at the same through the parser."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.gateway import framing
from pointsman.gateway.framing import Unwanted

NAMES = st.from_regex(rb"[a-z][a-z-]{0,10}", fullmatch=True)
VALUES = st.from_regex(rb"[!-~]([ -~]{0,10}[!-~])?", fullmatch=True)
HOST = {b"host": b"x"}


@pytest.mark.parametrize(
    ("target", "path"),
    [(b"/v1/models?limit=3", "/v1/models"), (b"http://x:80/v1/models", "/v1/models"), (b"HTTPS://u@x/a?b", "/a"),
     (b"http://x", ""), (b"*", "*"), (b"x:443", "x:443"), (b"//x/y", "//x/y"), (b"/http://x/", "/http://x/")],
)  # fmt: skip
def test_paths(target: bytes, path: str) -> None:
    """A target in absolute form leads where its path does (RFC 9112, 3.2.2)."""
    assert framing.path_of(target) == path


@given(st.dictionaries(NAMES, VALUES, max_size=5), st.booleans())
def test_a_head_without_its_offer_is_the_same_request(fields: dict[bytes, bytes], closing: bool) -> None:
    """Method, target and all other fields stay; the connection closes if that was asked for; no upgrade is left."""
    offer = {b"upgrade": b"h2c", b"connection": b"Upgrade, close" if closing else b"Upgrade"}
    seen: dict[bytes, bytes] = {}
    fields.pop(b"content-length", None)
    fields.pop(b"transfer-encoding", None)

    class Reader:
        on_header = seen.__setitem__

    parser = httptools.HttpRequestParser(Reader())
    parser.feed_data(framing.without_upgrade(b"POST", b"/a?b", fields | offer))
    assert parser.get_method() == b"POST"
    assert not parser.should_upgrade()
    told = {b"connection": b"close"} if closing else {}
    kept = {name: value for name, value in fields.items() if name not in {b"upgrade", b"http2-settings", b"connection"}}
    assert seen == kept | told


@pytest.mark.parametrize(
    ("fields", "version", "status"),
    [({}, "1.1", 400), (HOST | {b"content-length": b"11"}, "1.1", 413),
     (HOST | {b"content-length": b"0" * 19}, "1.1", 400), (HOST | {b"content-length": b"1_0"}, "1.1", 400),
     (HOST | {b"transfer-encoding": b"gzip"}, "1.1", 501), ({b"transfer-encoding": b"chunked"}, "1.0", 400),
     (HOST | {b"expect": b"more"}, "1.1", 417)],
)  # fmt: skip
def test_heads_that_are_not_taken(fields: dict[bytes, bytes], version: str, status: int) -> None:
    """Each with the status that says why."""
    with pytest.raises(Unwanted) as caught:
        framing.check_head(fields, version, max_body=10)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("fields", "version"),
    [(HOST, "1.1"), ({}, "1.0"), (HOST | {b"content-length": b"10"}, "1.1"),
     (HOST | {b"transfer-encoding": b"Chunked"}, "1.1"), (HOST | {b"expect": b"100-Continue"}, "1.1")],
)  # fmt: skip
def test_heads_that_are_taken(fields: dict[bytes, bytes], version: str) -> None:
    """What is clear is fine."""
    framing.check_head(fields, version, max_body=10)
