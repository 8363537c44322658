"""What came over the wire, kept beside what the SDK makes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx2


@dataclass
class Exchange:
    status: int
    fields: dict[str, str]
    body: bytearray = field(default_factory=bytearray)


class _Tee(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, body: bytearray) -> None:
        self._stream, self._body = stream, body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._stream:
            self._body += data
            yield data

    async def aclose(self) -> None:
        await self._stream.aclose()


class Wire(httpx2.AsyncBaseTransport):
    """The transport of an SDK's client. State: the exchanges so far."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self._transport = httpx2.AsyncHTTPTransport(
            verify=False
        )  # all is on loopback, and authorities take long to load

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._transport.handle_async_request(request)
        fields = {name.lower(): value for name, value in response.headers.items()}
        exchange = Exchange(response.status_code, fields)
        self.exchanges.append(exchange)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Tee(response.stream, exchange.body)
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=self, timeout=30)
