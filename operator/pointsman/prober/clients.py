"""HTTP clients for probes: one a provider, on TLS settings that are read once and shared."""

from __future__ import annotations

import ssl
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import httpx

if TYPE_CHECKING:
    from pointsman.prober.ask import ProbeRequest, TlsSettings

_CONTEXTS: Final = 64
# Longer than the period of hosted providers, so that their TLS sessions live on from one probe to the next.
_IDLE: Final = 90.0
_LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=4, keepalive_expiry=_IDLE)


class Clients:
    """Makes clients. Each has a pool of its own, as httpx looks at all of a pool's connections for each request.

    Proxies of the environment are not used: the gateway, for which a probe stands in, does not use them either.
    """

    def __init__(self) -> None:
        self._contexts: OrderedDict[TlsSettings, ssl.SSLContext] = OrderedDict()

    def make(self, request: ProbeRequest) -> httpx.AsyncClient:
        """A client for one provider. ssl.SSLError or ValueError: the CA bundle holds no certificate."""
        # Without TLS there is nothing to verify, and the system's authorities need not be read.
        secure = any(url.lower().startswith("https:") for url in request.base_urls)
        verify = self._context(request.tls) if secure else False
        return httpx.AsyncClient(verify=verify, trust_env=False, limits=_LIMITS)

    def _context(self, tls: TlsSettings) -> ssl.SSLContext:
        key = replace(tls, server_name="")
        if key not in self._contexts:
            self._contexts[key] = _context(key)
            if len(self._contexts) > _CONTEXTS:
                self._contexts.popitem(last=False)
        self._contexts.move_to_end(key)
        return self._contexts[key]


def _context(tls: TlsSettings) -> ssl.SSLContext:
    # Reading the system's authorities takes 10 ms and more; with a bundle of the user's own they do not count.
    context = ssl.create_default_context(cadata=tls.ca_bundle or None)
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
