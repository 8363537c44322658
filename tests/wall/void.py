"""Two ports of loopback where no answer comes from: one refuses connections, one lets them vanish."""

from __future__ import annotations

import contextlib
import socket

from testbed.ports import free_port


class Void:
    """`closed` refuses at once. Behind `deaf` the queue of connections is full, so the kernel drops further SYNs."""

    def __init__(self) -> None:
        self.closed = free_port()
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self.deaf: int = self._listener.getsockname()[1]
        self._queued = [self._knock() for _ in range(4)]

    def _knock(self) -> socket.socket:
        knocking = socket.socket()
        knocking.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            knocking.connect(("127.0.0.1", self.deaf))
        return knocking

    def close(self) -> None:
        for one in (*self._queued, self._listener):
            one.close()
