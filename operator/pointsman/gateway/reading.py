"""Reading one target's answer, as bytes that come in pieces: streamed, whole, or a refusal. No IO.

Each gives `feed(body, last) -> Failure | None` and says in its attributes how far the answer has come:

    spoke      there is real output: what is held may go to the client
    complete   nothing is missing any more, even if the connection stays open
    ending     nothing more than its formal end is likely to come
    calling    a tool call is coming, of which nothing may go to the client before the answer is whole
    usage      what the answer says that it cost, once it has

`take()` gives what may be passed on and has not been yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pointsman.dialects.joint import Joint
from pointsman.exchange import Failure, FailureKind, Signal
from pointsman.gateway import fields
from pointsman.gateway.upstream import field
from pointsman.neutral import StreamError
from pointsman.sse import FrameTooLongError, Splitter, frames

if TYPE_CHECKING:
    from pointsman.dialects import Wire
    from pointsman.dialects.resume import Step
    from pointsman.dialects.told import Told
    from pointsman.dialects.translation import Crossing, Translator
    from pointsman.exchange import Head, Usage
    from pointsman.gateway.upstream import Fields
    from pointsman.names import Dialect

HOLD_LIMIT: Final = 8 * 1024 * 1024  # bytes of an answer that are held to see whether it is one
_BLANK: Final = b"\n\n"
ERROR_LIMIT: Final = 1024 * 1024  # bytes of an error that are read
_NUMBER: Final = b'"sequence_number"'  # in every event of Responses, but for those of servers that forget it


class Streamed:
    """A stream of events: whole frames are passed on, half ones wait, and so does all from a tool call on."""

    __slots__ = (
        "_began", "_calls", "_crossed", "_held", "_mend", "_scanner", "_size", "_splitter", "_translator", "complete",
        "spoke", "terminal",
    )  # fmt: skip

    def __init__(self, wire: Wire, head: Head, translator: Translator | None = None, mend: Mend | None = None) -> None:
        self._scanner = wire.Scanner(head)
        self._translator = translator  # into the client's dialect, if the target speaks another
        self._mend = mend if translator is None else None  # until the first event has shown whether it is needed
        self._splitter = Splitter()
        self._held: list[bytes] = []
        self._crossed: list[bytes] = []  # what was held, in the client's dialect
        self._calls: list[bytes] | None = None  # what has come since a tool call began, until the answer is whole
        self._size = 0
        self._began = False
        self.spoke = self.complete = self.terminal = False

    @property
    def calling(self) -> bool:
        """Whether a tool call is coming, and held."""
        return self._calls is not None

    @property
    def ending(self) -> bool:
        """Whether nothing more than its last event is likely to come."""
        return self._scanner.ending

    @property
    def usage(self) -> Usage | None:
        """What the answer says that it cost, if it has said so."""
        return self._scanner.usage

    def feed(self, body: bytes, last: bool) -> Failure | None:
        """The next piece. A Failure: an error in the stream, no stream at all, or its end before its end."""
        if self._translator is not None and not last:
            body = self._beyond(self._translator, body)
            if not body:
                return None
        failure = self._read(body, last)
        if self._mend is not None and self._held:
            self._look(self._mend)
        return failure if self._translator is None else self._translate(self._translator) or failure

    def _beyond(self, translator: Translator, body: bytes) -> bytes:
        """What is left of a piece when the frames at its head that are more of a text have been translated.

        That is nearly all there is: they need not be looked at, split and read one after the other.
        """
        if not self.spoke or self._calls is not None or self._held or not self._splitter.passes(body):
            return body
        more = translator.more(body)
        if more is not None:
            self._crossed.append(more)
            return b""
        start = 0
        while (end := body.find(_BLANK, start) + len(_BLANK)) >= len(_BLANK):
            more = translator.more(body[start:end]) if end - start < len(body) else None
            if more is None:
                break
            self._crossed.append(more)
            start = end
        return body[start:]

    def _read(self, body: bytes, last: bool) -> Failure | None:
        try:
            run = self._splitter.take(body)
        except FrameTooLongError as error:
            return Failure(FailureKind.INVALID_RESPONSE, str(error))
        if run:
            self._began = True
            if not (self.spoke and self._calls is None and self._scanner.quiet(run)):
                failure = self._scan(run)
                if failure is not None and not self.terminal:
                    return failure
            else:
                self._held.append(run)
        return self._end() if last else None

    def flows(self, body: bytes) -> bool:
        """Whether the next piece is whole frames with nothing to look at, as most are, and nothing waits before it.

        It can then be passed on as it is, and need not be fed.
        """
        return (
            self.spoke and self._calls is None and not (self._held or self.complete or self._scanner.ending)
            and self._splitter.passes(body) and self._scanner.quiet(body) and self._translator is None
        )  # fmt: skip

    def take(self) -> bytes:
        held = self._held if self._translator is None else self._crossed
        run = held.pop() if len(held) == 1 else b"".join(held)
        held.clear()
        return run

    def _look(self, mend: Mend) -> None:
        first = next((frame for frame in frames(self._held[0]) if frame.data), None)
        if first is not None:
            self._mend = None
            self._translator = None if _NUMBER in first.data else mend()

    def _translate(self, translator: Translator) -> Failure | None:
        """Put what is held into the client's dialect. A Failure: it cannot be read, although it looked well."""
        if self._held:
            run, self._held = b"".join(self._held), []
            try:
                self._crossed.append(translator.feed(run))
            except StreamError as error:
                return Failure(FailureKind.INVALID_RESPONSE, str(error))
        self.spoke = (self.spoke and translator.spoke) or self.terminal
        return None

    def _scan(self, run: bytes) -> Failure | None:
        scanned: list[bytes] = []
        for frame in frames(run):
            signal = self._scanner.feed(frame)
            if isinstance(signal, Failure):
                if self._calls is None:
                    self._held.append(b"".join(scanned))
                return signal
            if signal is Signal.CALL and self._calls is None:
                self._held.append(b"".join(scanned))
                scanned.clear()
                self._calls = []
            scanned.append(frame.raw)
            if signal is Signal.TERMINAL:
                self._let_go()
                self.spoke = self.terminal = True
            elif signal is Signal.OUTPUT and self._calls is None:
                self.spoke = True
        (self._held if self._calls is None else self._calls).append(b"".join(scanned))
        self.complete = self.terminal or self._scanner.closing() is not None
        if not self.spoke or self._calls is not None:
            self._size += len(run)
            if self._size > HOLD_LIMIT:
                return Failure(FailureKind.INVALID_RESPONSE, f"{HOLD_LIMIT} bytes of a stream without output")
        return None

    def _let_go(self) -> None:
        calls, self._calls = self._calls, None
        if calls:
            self._held += calls

    def _end(self) -> Failure | None:
        if self.terminal:
            return None
        if self._splitter.tail.strip() and not self._tail_is_whole():
            return Failure(FailureKind.CONNECT_FAILURE, "the stream was cut")
        closing = self._scanner.closing()
        if not self._began:
            return Failure(FailureKind.INVALID_RESPONSE, "no event stream")
        if not self.terminal and closing is None:
            return Failure(FailureKind.CONNECT_FAILURE, "the stream ended before its end")
        self._let_go()
        if not self.terminal and closing is not None:
            self._held.append(closing)
        self.terminal = self.spoke = True
        return None

    def _tail_is_whole(self) -> bool:
        """Whether what is left is an event that only lacks its blank line, as some servers forget the last one."""
        begun = self._began
        run = self._splitter.take(b"\n\n")
        # Half of one must not reach the client: an event that was cut has no data, or none that can be read.
        if not all(frame.data for frame in frames(run)):
            return not begun
        return self._scan(run) is None or not begun


class Joined(Streamed):
    """A stream that takes up one that broke off: what the client has been sent already is left out.

    `spoke` is set when it has come to where the first broke off; a Failure: this is another answer.
    """

    __slots__ = ("_joint", "_ready")

    def __init__(  # noqa: PLR0913, PLR0917 - a stream, what it is compared with, and how it was asked for
        self, home: Dialect, wire: Wire, head: Head, told: Told, step: Step, translator: Translator | None,
        mend: Mend | None,
    ) -> None:  # fmt: skip
        super().__init__(wire, head, translator, mend)
        if step.prefix:
            self._scanner.go_on()
        self._joint = Joint(home, told, step)
        self._ready: list[bytes] = []

    def flows(self, body: bytes) -> bool:  # noqa: ARG002 - as a Streamed's: all of it is compared
        return False

    def feed(self, body: bytes, last: bool) -> Failure | None:
        """The next piece. A Failure as of any stream, and where it differs from what was sent."""
        before = self.terminal
        failure = super().feed(body, last)
        for frame in frames(super().take()):
            passed = self._joint.feed(frame)
            if isinstance(passed, Failure):
                return passed
            self._ready.append(passed)
        if self.terminal and not before:
            rest = self._joint.close()
            if isinstance(rest, Failure):
                return rest  # it ends before it has come to what was sent last
            self._ready.append(rest)
        self.spoke = self._joint.caught_up
        return failure

    def take(self) -> bytes:
        run = b"".join(self._ready)
        self._ready.clear()
        return run


class Whole:
    """An answer in one piece, held until it is all there and is one; a very large one is passed on from 8 MiB on."""

    __slots__ = ("_head", "_parts", "_size", "_status", "_translate", "_wire", "complete", "spoke", "terminal", "usage")
    calling = ending = False

    def __init__(self, wire: Wire, head: Head, status: int, translate: Translate | None = None) -> None:
        self._wire, self._head, self._status = wire, head, status
        self._translate = translate  # into the client's dialect, if the target speaks another
        self._parts: list[bytes] = []
        self._size = 0
        self.usage: Usage | None = None
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
            if self._head.stream or self._translate is not None or not self._parts[0].lstrip().startswith(b"{"):
                return Failure(FailureKind.INVALID_RESPONSE, f"{HOLD_LIMIT} bytes that are no answer", self._status)
            self.spoke = True
        return None

    def take(self) -> bytes:
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        return body

    def look(self) -> bool:
        """Whether what has come is a whole answer, although its end was not said."""
        self._parts = [b"".join(self._parts)]
        body = self._parts[0].rstrip()
        self.complete = (
            not self._head.stream and body.endswith(b"}") and self._wire.whole_ok(self._status, body) is None
        )
        return self.complete

    def _end(self) -> Failure | None:
        body = b"".join(self._parts) if len(self._parts) != 1 else self._parts[0]
        self._parts = [body]
        found = self._wire.read_whole(self._status, body)
        if isinstance(found, Failure):
            return found
        if self._head.stream:
            return Failure(FailureKind.INVALID_RESPONSE, "no stream, although one was asked for", self._status)
        self.usage = found
        if self._translate is not None:
            try:
                self._parts = [self._translate(body)]
            except ValueError as error:
                return Failure(FailureKind.INVALID_RESPONSE, str(error), self._status)
        return None


class Refused:
    """An error's body, read to find out what it means."""

    __slots__ = ("_parts", "_retry_after", "_size", "_status", "_wire", "complete", "spoke", "terminal")
    calling = ending = False
    usage: Usage | None = None

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


Translate = Callable[[bytes], bytes]
Mend = Callable[[], "Translator | None"]
Reading = Streamed | Joined | Whole | Refused


def begin(  # noqa: PLR0913, PLR0917 - what was asked, of whom, and how the answer begins
    wire: Wire,
    head: Head,
    status: int,
    answer: Fields,
    date: float,
    crossing: Crossing | None,
    mend: Mend | None,
) -> Reading:
    """How to read a target's answer that begins with this status and these fields.

    `wire`: the target's dialect; `crossing`: the way to the client's, if that is another; `mend`: what makes up for
    what a stream lacks, where they are the same; `date`: seconds of the epoch.
    """
    if not 200 <= status < 300:
        return Refused(wire, status, fields.read_wait(status, answer, date))
    kind = field(answer, b"content-type")
    if head.stream and b"json" not in kind and b"html" not in kind:
        return Streamed(wire, head, crossing.translator() if crossing is not None else None, mend)
    return Whole(wire, head, status, crossing.answer if crossing is not None else None)
