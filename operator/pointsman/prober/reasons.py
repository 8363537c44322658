"""What an error of a probe is called: a reason that is stable, and a message that says what, where, how to mend it."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

_CUT: Final = ("Server disconnected", "peer closed connection")  # as httpcore and h11 say it
_MEND_URL: Final = "mend spec.endpoint.baseUrl"
_MEND_HEADER: Final = "a key and spec.endpoint.headers must be one line of ASCII"

# The first that fits counts, looked for from the deepest cause outwards. {where} is host:port, {why} the error's text.
_REASONS: Final[tuple[tuple[tuple[type[BaseException], ...], str, str], ...]] = (
    ((ssl.SSLError,), "TLSFailure", "no TLS with {where}: {why}"),
    ((socket.gaierror,), "DNSFailure", "the name of {where} has no address: {why}"),
    ((TimeoutError, httpx.TimeoutException), "Timeout", "no whole answer from {where} in time"),
    ((ConnectionResetError, BrokenPipeError), "ConnectionReset", "{where} closed the connection without an answer"),
    ((ConnectionRefusedError,), "ConnectionRefused", "nothing listens at {where}"),
    ((httpx.InvalidURL, httpx.UnsupportedProtocol), "NotFound", f"{{where}} cannot be asked: {{why}}; {_MEND_URL}"),
    ((UnicodeError, httpx.LocalProtocolError), "Unauthorized", f"the key or a header cannot be sent: {_MEND_HEADER}"),
)


def reason_of(error: BaseException, url: str) -> tuple[str, str]:
    """Reason and message for an error that came up while `url` was asked."""
    where = _where(url)
    for cause in _causes(error):
        for types, reason, message in _REASONS:
            if isinstance(cause, types):
                return reason, message.format(where=where, why=_why(cause))
    if isinstance(error, httpx.RemoteProtocolError) and not any(text in str(error) for text in _CUT):
        return "NotOpenAICompatible", f"what answers at {where} does not speak HTTP: {_why(error)}"
    if isinstance(error, httpx.ConnectError | OSError):
        return "ConnectionRefused", f"cannot connect to {where}: {_why(error)}"
    return "ConnectionReset", f"{where} closed the connection without a whole answer"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, the deepest first: libraries wrap sockets' errors more than once.

    That a TLS handshake had to wait for the peer is a step of it, no cause.
    """
    chain: list[BaseException] = []
    rest = [error]
    while rest and len(chain) < 32:
        each = rest.pop(0)
        chain.append(each)
        rest += [cause for cause in (each.__cause__, each.__context__) if cause and cause not in chain]
        if isinstance(each, BaseExceptionGroup):
            rest += each.exceptions
    return (each for each in reversed(chain) if not isinstance(each, ssl.SSLWantReadError | ssl.SSLWantWriteError))


def _where(url: str) -> str:
    try:
        return urlsplit(url).netloc or url
    except ValueError:
        return url


def _why(error: BaseException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"{error.verify_message}; set spec.endpoint.tls.caBundle or serverName"
        case OSError() if error.strerror:
            return error.strerror
    return " ".join(str(error).split())[:120] or type(error).__name__
