"""One HTTP request of a probe: errors of sockets, TLS and HTTP become reasons here and nowhere else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import httpx

from pointsman import __version__
from pointsman.prober.reasons import reason_of
from pointsman.served import Answer

if TYPE_CHECKING:
    from pointsman.prober.ask import ProbeRequest

BODY_LIMIT: Final = 4 << 20  # bytes; the longest lists of hosted vendors are under 1 MiB
_ANTHROPIC_VERSION: Final = "2023-06-01"
# Compression is not asked for: a small body could become a large one.
_HEADERS: Final = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": f"pointsman/{__version__}",
}


async def get(client: httpx.AsyncClient, request: ProbeRequest, url: str, deadline: float) -> Answer:
    """The answer to a GET, or why there is none by `deadline`, in seconds of the loop's clock."""
    return await _send(client, request, url, deadline, None)


async def post(  # noqa: PLR0913, PLR0917 - a GET's arguments, and two more
    client: httpx.AsyncClient,
    request: ProbeRequest,
    url: str,
    deadline: float,
    body: bytes,
    limit: int = BODY_LIMIT,
) -> Answer:
    """The same for a POST of JSON, of whose answer `limit` bytes are kept.

    A request that runs out of time is cancelled with its connection.
    """
    return await _send(client, request, url, deadline, body, limit)


async def _send(  # noqa: PLR0913, PLR0917 - likewise
    client: httpx.AsyncClient,
    request: ProbeRequest,
    url: str,
    deadline: float,
    body: bytes | None,
    limit: int = BODY_LIMIT,
) -> Answer:
    extensions = {"sni_hostname": request.tls.server_name} if request.tls.server_name else {}
    # Half for TCP, half for TLS: cancelled from outside in a TLS handshake, httpcore would leave the socket open.
    left = max(deadline - asyncio.get_running_loop().time(), 0.0)
    timeout = httpx.Timeout(left, connect=0.49 * left)
    headers = _headers(request) | ({"content-type": "application/json"} if body is not None else {})
    method = "GET" if body is None else "POST"
    try:
        async with (
            asyncio.timeout_at(deadline),
            client.stream(
                method,
                url,
                headers=headers,
                content=body,
                extensions=extensions,
                timeout=timeout,
                follow_redirects=False,
            ) as response,
        ):
            return await _answer(response, limit)
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


async def _answer(response: httpx.Response, limit: int) -> Answer:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk[: limit - len(body)]
        if len(body) >= limit:
            break
    return Answer(
        status=response.status_code,
        body=bytes(body),
        content_type=response.headers.get("content-type", ""),
        message=response.headers.get("location", ""),
    )
