"""Which request heads are clean: one version, one host, one way to tell where the body ends (RFC 9112, 6 and 11.2).

llhttp has refused what is no HTTP; this refuses what is HTTP and yet could be read in two ways, or asks for what is not
offered. No IO.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS_LIMIT: Final = 200  # of a request, trailers among them
# What frames or bounds a request must not be said twice, nor after it: who reads the other one reads another request.
SINGLE: Final = frozenset({b"host", b"transfer-encoding", b"content-length", b"expect", b"x-pointsman-data-policy"})
NOT_AFTER: Final = SINGLE | {b"authorization", b"x-api-key", b"content-type", b"connection", b"trailer", b"te"}

LENGTH_DIGITS: Final = 18  # of a Content-Length; more would be an exabyte, or zeros in front
_ABSOLUTE: Final = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)  # what a client says more to a proxy
_UPGRADE: Final = frozenset({b"upgrade", b"http2-settings", b"connection"})
_VERSIONS: Final = frozenset({"1.0", "1.1"})


class Unwanted(Exception):  # noqa: N818 - carried through the parser
    """A request that is not taken, with what to say to its client."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def check_field(name: bytes, *, count: int, twice: bool, trailing: bool) -> None:
    """Unwanted: a field too many, one that must not come `twice`, or not after the body. `name` is in lower case."""
    if count > FIELDS_LIMIT:
        raise Unwanted(431, "head_too_large", f"more than {FIELDS_LIMIT} header fields")
    if trailing and name in NOT_AFTER:
        raise Unwanted(400, "bad_trailer", f"{name.decode('latin-1')} cannot come after the body")
    if twice and name in SINGLE:
        raise Unwanted(400, "field_twice", f"the field {name.decode()} is given twice")


def check_version(version: str) -> None:
    """Unwanted: neither HTTP/1.1 nor HTTP/1.0."""
    if version not in _VERSIONS:
        raise Unwanted(505, "bad_version", "speak HTTP/1.1")


def check_head(fields: Mapping[bytes, bytes], version: str, max_body: int) -> None:
    """Unwanted: no host, an unclear or too long body, an expectation that is not met."""
    length, coding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
    if length is not None and (len(length) > LENGTH_DIGITS or not length.isdigit()):
        raise Unwanted(400, "bad_length", "the Content-Length is no number of bytes")
    if length is not None:
        check_size(int(length), max_body)
    if coding is not None and coding.lower() != b"chunked":
        raise Unwanted(501, "bad_transfer_coding", "no transfer coding but chunked")
    if coding is not None and version == "1.0":
        # RFC 9112, 6.1: an old proxy on the way may have passed on what it did not understand.
        raise Unwanted(400, "bad_transfer_coding", "HTTP/1.0 knows no transfer coding")
    if b"host" not in fields and version == "1.1":
        raise Unwanted(400, "no_host", "the Host field is missing")
    if fields.get(b"expect", b"100-continue").lower() != b"100-continue":
        raise Unwanted(417, "bad_expectation", "nothing can be expected but 100-continue")


def check_size(size: int, max_body: int) -> None:
    """Unwanted: a body of so many bytes is too large."""
    if size > max_body:
        raise Unwanted(413, "body_too_large", f"a body of more than {max_body} bytes")


def check_upgrade(method: bytes, fields: Mapping[bytes, bytes]) -> None:
    """Unwanted: another protocol is asked for that the client would not do without."""
    if fields.get(b"upgrade", b"").lower() != b"h2c" or method == b"CONNECT":
        raise Unwanted(400, "upgrade_refused", "no protocol upgrade here: speak HTTP/1.1")


def without_upgrade(method: bytes, target: bytes, fields: Mapping[bytes, bytes]) -> bytes:
    """The head of a request that offers h2c, as it would be without (RFC 9110, 7.8)."""
    kept = {name: value for name, value in fields.items() if name not in _UPGRADE}
    if b"close" in fields[b"connection"].lower():
        kept[b"connection"] = b"close"
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, b"".join(map(b"%b: %b\r\n".__mod__, kept.items())))


def query_of(target: bytes) -> str:
    """The query of a request's target, without its question mark; "": there is none."""
    return target.partition(b"?")[2].partition(b"#")[0].decode("latin-1")


def path_of(target: bytes) -> str:
    """The path of a request's target in origin or absolute form, without query."""
    if not target.startswith(b"/"):
        target = _ABSOLUTE.sub(b"", target, 1)
    return target.partition(b"?")[0].decode("latin-1")
