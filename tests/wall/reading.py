"""From what was received to what it says: text, calls, terminal events, troubles."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from wall import documents
from wall.client import Received
from wall.frames import CHAT, MESSAGES, RESPONSES
from wall.seen import Reading, frames
from wall.walks import Chat, Messages, Responses, Walk

_WALKS: Final[dict[str, Callable[[Reading], Walk]]] = {CHAT: Chat, RESPONSES: Responses, MESSAGES: Messages}


def read(dialect: str, received: Received, *, streamed: bool) -> Reading:
    """A streamed or a whole answer of status 200; never raises."""
    reading = Reading()
    try:
        if streamed:
            _stream(dialect, received, reading)
        else:
            document = json.loads(received.body)
            {CHAT: documents.completion, RESPONSES: documents.response}.get(dialect, documents.message)(
                document, reading
            )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        reading.wrong(f"cannot be read: {type(error).__name__}: {error}")
    return reading


def _stream(dialect: str, received: Received, reading: Reading) -> None:
    found, rest = frames(received.body)
    if rest.strip():
        reading.wrong(f"half an event at the end: {rest[:60]!r}")
    walk = _WALKS[dialect](reading)
    for frame in found:
        before = walk.spoken
        if reading.error is not None:
            reading.wrong(f"an event after the error: {frame.data[:60]}")
        if reading.terminals:
            reading.wrong(f"an event after the end: {frame.data[:60]}")
        walk.take(frame)
        if not reading.first_output and before != walk.spoken:
            reading.first_output = received.came(frame.end)
    walk.close()
    reading.error_at_end = reading.error is not None
