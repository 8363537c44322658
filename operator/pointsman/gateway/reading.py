"""Reading one target's answer, as bytes that come in pieces: streamed, whole, or a refusal. No IO.

Each gives `feed(body, last) -> Failure | None` and says in its attributes how far the answer has come:

    spoke      there is real output: what is held may go to the client
    complete   nothing is missing any more, even if the connection stays open

`take()` gives what may be passed on and has not been yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.dialects.replay import DIVERGED, Replay
from pointsman.exchange import Failure, FailureKind, Signal
from pointsman.sse import FrameTooLongError, Splitter, frames

if TYPE_CHECKING:
    from pointsman.dialects import Wire
    from pointsman.dialects.replay import Told
    from pointsman.exchange import Head

HOLD_LIMIT: Final = 8 * 1024 * 1024  # bytes of an answer that are held to see whether it is one
ERROR_LIMIT: Final = 1024 * 1024  # bytes of an error that are read


class Streamed:
    """A stream of events: whole frames are passed on, half ones wait."""

    __slots__ = ("_began", "_held", "_scanner", "_size", "_splitter", "complete", "spoke", "terminal")

    def __init__(self, wire: Wire, head: Head) -> None:
        self._scanner = wire.Scanner(head)
        self._splitter = Splitter()
        self._held: list[bytes] = []
        self._size = 0
        self._began = False
        self.spoke = self.complete = self.terminal = False

    def feed(self, body: bytes, last: bool) -> Failure | None:
        """The next piece. A Failure: an error in the stream, no stream at all, or its end before its end."""
        try:
            run = self._splitter.take(body)
        except FrameTooLongError as error:
            return Failure(FailureKind.INVALID_RESPONSE, str(error))
        if run:
            self._began = True
            if not (self.spoke and self._scanner.quiet(run)):
                failure = self._scan(run)
                if failure is not None and not self.terminal:
                    return failure
            else:
                self._held.append(run)
        return self._end() if last else None

    def take(self) -> bytes:
        held = self._held
        run = held[0] if len(held) == 1 else b"".join(held)
        held.clear()
        return run

    def _scan(self, run: bytes) -> Failure | None:
        scanned: list[bytes] = []
        for frame in frames(run):
            signal = self._scanner.feed(frame)
            if isinstance(signal, Failure):
                self._held.append(b"".join(scanned))
                return signal
            scanned.append(frame.raw)
            if signal is not Signal.PREAMBLE:
                self.spoke = True
                self.terminal = self.terminal or signal is Signal.TERMINAL
        self._held.append(run)
        self.complete = self.terminal or self._scanner.closing() is not None
        if not self.spoke:
            self._size += len(run)
            if self._size > HOLD_LIMIT:
                return Failure(FailureKind.INVALID_RESPONSE, f"{HOLD_LIMIT} bytes of a stream without output")
        return None

    def _end(self) -> Failure | None:
        if self.terminal:
            return None
        if self._splitter.tail.strip():
            # Some servers forget the last blank line. If the frame was cut, it cannot be read, which is as good.
            failure = self._scan(self._splitter.take(b"\n\n"))
            if failure is not None and self._began:
                return Failure(FailureKind.CONNECT_FAILURE, "the stream was cut")
        closing = self._scanner.closing()
        if not self._began:
            return Failure(FailureKind.INVALID_RESPONSE, "no event stream")
        if not self.terminal and closing is None:
            return Failure(FailureKind.CONNECT_FAILURE, "the stream ended before its end")
        if not self.terminal and closing is not None:
            self._held.append(closing)
        self.terminal = self.spoke = True
        return None


class Replayed(Streamed):
    """A stream that takes up one that broke off: what the client has been sent already is left out.

    `spoke` is set when all of that has been said again; a Failure: this is another answer.
    """

    __slots__ = ("_ready", "_replay")

    def __init__(self, wire: Wire, head: Head, told: Told) -> None:
        super().__init__(wire, head)
        self._replay = Replay(wire, told)
        self._ready: list[bytes] = []

    def feed(self, body: bytes, last: bool) -> Failure | None:
        """The next piece. A Failure as of any stream, and where it differs from what was sent."""
        failure = super().feed(body, last)
        for frame in frames(super().take()):
            passed = self._replay.feed(frame)
            if isinstance(passed, Failure):
                return passed
            self._ready.append(passed)
        self.spoke = self._replay.caught_up
        if self.terminal and not self.spoke:
            return DIVERGED  # it ends before it has said all that was sent
        return failure

    def take(self) -> bytes:
        run = b"".join(self._ready)
        self._ready.clear()
        return run


class Whole:
    """An answer in one piece, held until it is all there and is one; a very large one is passed on from 8 MiB on."""

    __slots__ = ("_head", "_parts", "_size", "_status", "_wire", "complete", "spoke", "terminal")

    def __init__(self, wire: Wire, head: Head, status: int) -> None:
        self._wire, self._head, self._status = wire, head, status
        self._parts: list[bytes] = []
        self._size = 0
        self.spoke = self.complete = self.terminal = False

    def feed(self, body: bytes, last: bool) -> Failure | None:
        """The next piece. A Failure: it is no answer."""
        if body:
            self._parts.append(body)
            self._size += len(body)
        if self.spoke:
            return None
        if last:
            return self._end()
        if self._size > HOLD_LIMIT:
            self._parts = [b"".join(self._parts)]
            if self._head.stream or not self._parts[0].lstrip().startswith(b"{"):
                return Failure(FailureKind.INVALID_RESPONSE, f"{HOLD_LIMIT} bytes that are no answer", self._status)
            self.spoke = True
        return None

    def take(self) -> bytes:
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        return body

    def _end(self) -> Failure | None:
        body = b"".join(self._parts) if len(self._parts) != 1 else self._parts[0]
        self._parts = [body]
        failure = self._wire.whole_ok(self._status, body)
        if failure is None and self._head.stream:
            return Failure(FailureKind.INVALID_RESPONSE, "no stream, although one was asked for", self._status)
        return failure


class Refused:
    """An error's body, read to find out what it means."""

    __slots__ = ("_parts", "_retry_after", "_size", "_status", "_wire", "complete", "spoke", "terminal")

    def __init__(self, wire: Wire, status: int, retry_after: float) -> None:
        self._wire, self._status, self._retry_after = wire, status, retry_after
        self._parts: list[bytes] = []
        self._size = 0
        self.spoke = self.complete = self.terminal = False

    def feed(self, body: bytes, last: bool) -> Failure | None:
        """The next piece. Always a Failure when enough has come to know which."""
        self._parts.append(body)
        self._size += len(body)
        if last or self._size > ERROR_LIMIT:
            self._parts = [b"".join(self._parts)]
            return self._wire.read_error(self._status, self._parts[0], self._retry_after)
        return None

    def take(self) -> bytes:
        return b"".join(self._parts)


Reading = Streamed | Replayed | Whole | Refused
