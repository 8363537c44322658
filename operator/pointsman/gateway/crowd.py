"""A connection too many, told so."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from pointsman.dialects import chat

if TYPE_CHECKING:
    from pointsman.gateway.state import State


class Crowd(asyncio.Protocol):
    """A connection too many: it is told so and closed, before it costs what those that are there need."""

    def __init__(self, state: State) -> None:
        self._state = state

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        code = "too_many_connections"
        self._state.metrics.refused[code,].n += 1
        body = chat.write_error(503, code, "the gateway has as many connections as it may: try again soon")
        stream = cast("asyncio.Transport", transport)
        stream.write(
            b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(body), body)
        )
        stream.close()
