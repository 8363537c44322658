"""Asks a server what it serves. A shell: errors of sockets, TLS and HTTP become reasons here and nowhere else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import httpx

from pointsman import __version__
from pointsman.prober.reasons import reason_of
from pointsman.served import Answer, Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

BODY_LIMIT: Final = 4 << 20  # bytes; the longest lists of hosted vendors are under 1 MiB
_ANTHROPIC_VERSION: Final = "2023-06-01"
# Compression is not asked for: a small body could become a large one.
_HEADERS: Final = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": f"pointsman/{__version__}",
}


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How certificates are verified: against these PEM authorities, or the system's where none are given."""

    ca_bundle: str = ""
    server_name: str = ""
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """What to ask of whom. `base_urls` have no /v1 and no final slash; several are replicas, of which one has to do.

    `path` stands in for the first of the kind's paths. `timeout` is in seconds and bounds the whole probe. The client's
    own settings verify certificates: `tls` is for whoever makes that client, but for the server name.
    """

    kind: Kind
    base_urls: tuple[str, ...]
    token: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: TlsSettings = TlsSettings()
    timeout: float = 5.0
    path: str = ""


async def ask(client: httpx.AsyncClient, request: ProbeRequest) -> Finding:
    """Ask all replicas at once: the first in order that serves counts, else the first in order.

    Raises for nothing that a server does.
    """
    if not request.base_urls:
        return Finding(ok=False, reason="ConnectionRefused", message="there is no address to ask")
    if len(request.base_urls) == 1:
        return await _ask_one(client, request, request.base_urls[0])
    findings = await asyncio.gather(*(_ask_one(client, request, base_url) for base_url in request.base_urls))
    return next((finding for finding in findings if finding.ok), findings[0])


async def _ask_one(client: httpx.AsyncClient, request: ProbeRequest, base_url: str) -> Finding:
    deadline = asyncio.get_running_loop().time() + request.timeout
    decisive, *details = request.kind.paths
    answers = {decisive: await _get(client, request, base_url + (request.path or decisive), deadline)}
    if 200 <= answers[decisive].status < 300:
        for path in details:
            answers[path] = await _get(client, request, base_url + path, deadline)
    return request.kind.read(answers)


async def _get(client: httpx.AsyncClient, request: ProbeRequest, url: str, deadline: float) -> Answer:
    extensions = {"sni_hostname": request.tls.server_name} if request.tls.server_name else {}
    # Half for TCP, half for TLS: cancelled from outside in a TLS handshake, httpcore would leave the socket open.
    left = max(deadline - asyncio.get_running_loop().time(), 0.0)
    timeout = httpx.Timeout(left, connect=0.49 * left)
    try:
        async with (
            asyncio.timeout_at(deadline),
            client.stream(
                "GET", url, headers=_headers(request), extensions=extensions, timeout=timeout, follow_redirects=False
            ) as response,
        ):
            return await _answer(response)
    # ValueError: what can be no header and no URL.
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        reason, message = reason_of(error, url)
        return Answer(0, error=reason, message=message)


def _headers(request: ProbeRequest) -> dict[str, str]:
    out = {**_HEADERS, **request.headers}
    if request.kind.auth == "XApiKey":
        out.setdefault("anthropic-version", _ANTHROPIC_VERSION)
    if not request.token:
        return out
    key = (
        {"x-api-key": request.token} if request.kind.auth == "XApiKey" else {"authorization": f"Bearer {request.token}"}
    )
    return out | key


async def _answer(response: httpx.Response) -> Answer:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk[: BODY_LIMIT - len(body)]
        if len(body) >= BODY_LIMIT:
            break
    return Answer(
        status=response.status_code,
        body=bytes(body),
        content_type=response.headers.get("content-type", ""),
        message=response.headers.get("location", ""),
    )
