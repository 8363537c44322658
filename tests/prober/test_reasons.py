"""What an error is called: the deepest cause decides."""

import ssl

import httpx
import pytest

from pointsman.fleet.reasons import REASONS
from pointsman.prober.reasons import reason_of


def caused(outer: BaseException, inner: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (caused(httpx.ConnectError("x"), ConnectionRefusedError(111, "Connection refused")), "ConnectionRefused"),
        (caused(httpx.ConnectError("x"), OSError(113, "No route to host")), "ConnectionRefused"),
        (caused(httpx.ConnectError("x"), ssl.SSLError(1, "wrong version number")), "TLSFailure"),
        (caused(httpx.ConnectTimeout("x"), caused(TimeoutError(), ssl.SSLWantReadError(2, "retry"))), "Timeout"),
        (caused(httpx.ReadError("x"), ConnectionResetError(104, "reset")), "ConnectionReset"),
        (httpx.ReadError(""), "ConnectionReset"),
        (httpx.RemoteProtocolError("illegal status line"), "NotOpenAICompatible"),
        (caused(OSError("all failed"), ExceptionGroup("several", [ConnectionRefusedError()])), "ConnectionRefused"),
        (UnicodeEncodeError("ascii", "é", 0, 1, "no"), "Unauthorized"),
    ],
)
def test_the_deepest_cause_decides(error: BaseException, reason: str) -> None:
    """Whatever libraries wrap it in; every reason is a documented one, and the message names the address."""
    found, message = reason_of(error, "http://127.0.0.1:1234/v1/models")
    assert found == reason
    assert found in REASONS
    assert "127.0.0.1:1234" in message or "header" in message


def test_a_circle_of_causes_ends() -> None:
    """Exceptions can be each other's causes."""
    one, two = ValueError("1"), ValueError("2")
    one.__cause__, two.__cause__ = two, one
    assert reason_of(one, "http://h")[0] == "ConnectionReset"
