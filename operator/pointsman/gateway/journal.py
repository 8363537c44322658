"""One JSON line a request to standard error, and the last thousand for /-/explain.

Lines are gathered and written by the sweep. A reader that does not keep up must not stop the gateway: a pipe is only
written while it has room, and when too much has gathered, the oldest lines are lost and counted.
"""

from __future__ import annotations

import os
import select
from collections import deque
from typing import Final

import msgspec

_REMEMBERED: Final = 1000
_LIMIT: Final = 50_000  # lines that wait to be written
_SLICE: Final = 4096  # what a pipe that is ready to be written takes without blocking


class Journal:
    """State: the records of late, and the lines not yet written."""

    __slots__ = ("_fd", "_lines", "_poll", "_rest", "lost", "recent")

    def __init__(self, fd: int = 2) -> None:
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self.lost = 0
        self.recent: deque[bytes] = deque(maxlen=_REMEMBERED)

    def add(self, line: bytes) -> None:
        """Remember the line of a request (a Record as JSON) and log it at the next flush."""
        self.recent.append(line)
        lines = self._lines
        lines.append(line)
        if len(lines) > _LIMIT:
            lines.popleft()
            self.lost += 1

    def event(self, message: str, **more: str | float) -> None:
        """Log something that is not a request."""
        self._lines.append(msgspec.json.encode({"event": message, **more}))

    def find(self, request: str) -> bytes | None:
        """The line of a request by its id."""
        mark = b'"id":%b,' % msgspec.json.encode(request)
        return next((line for line in reversed(self.recent) if mark in line), None)

    def flush(self) -> None:
        """Write what can be written now."""
        if self._lines:
            self._rest += b"\n".join(self._lines) + b"\n"
            self._lines.clear()
        at, rest = 0, self._rest
        while at < len(rest) and self._ready():
            at += os.write(self._fd, rest[at : at + _SLICE])
        self._rest = rest[at:]
        if len(self._rest) > _LIMIT * 300:
            self.lost += self._rest.count(b"\n")
            self._rest = b""

    def _ready(self) -> bool:
        return any(events & select.POLLOUT for _, events in self._poll.poll(0))
