"""The side towards the clients: HTTP/1.1 parsed strictly, one request at a time, limits on everything.

llhttp refuses what smuggling is made of: both lengths, a length given twice, bad chunks, folded lines, bare LF;
`framing` what is left of it, such as other transfer codings or a Host that is missing or given twice. Sizes and times
are limited here. Requests that come while another is being answered (pipelining) wait in a queue, and the socket is not
read until it is empty; nor is any answered while the client does not read what it was sent.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

import httptools
import msgspec

from pointsman import dialects
from pointsman.dialects import chat
from pointsman.gateway import admin, counts, framing, habit, intake
from pointsman.gateway.answers import Answer
from pointsman.gateway.framing import Unwanted

if TYPE_CHECKING:
    from pointsman.gateway.counts import Count
    from pointsman.gateway.habit import Habit
    from pointsman.gateway.relay import Exchange
    from pointsman.gateway.state import State

HEAD_LIMIT: Final = 64 * 1024  # bytes of a request's head
_LINGER: Final = 2.0  # seconds in which a refused client may read why
_PIECES: Final = 1024  # of a body, after which they are joined: a byte a piece must not cost forty

_NO_LINGER: Final = struct.pack("ii", 1, 0)
_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_JSON: Final = b"application/json"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Request(msgspec.Struct, frozen=True):
    """A request that is all there. Field names are lower case, repeated fields joined; `path` is without query."""

    method: bytes
    path: str
    fields: dict[bytes, bytes]
    body: bytes
    keep: bool  # the connection may be used again
    chunks: bool = True  # its client reads chunks: HTTP/1.1
    query: str = ""


class Client(asyncio.Protocol):
    """One client connection. State: the request being read, those that wait, and the exchange under way."""

    __slots__ = (
        "_again", "_body", "_chunked", "_chunks", "_count", "_deaf", "_fields", "_full", "_habit", "_head", "_keep",
        "_method", "_missing", "_opening", "_origin", "_parser", "_parts", "_piece", "_queue", "_read", "_refusal",
        "_seen", "_state", "_url", "_version", "exchange", "on_body", "on_url", "reading", "since", "transport",
    )  # fmt: skip

    def __init__(self, state: State) -> None:
        self._state = state
        self._fields: dict[bytes, bytes] = {}  # of the head while it comes, then of the trailer
        self._head: dict[bytes, bytes] = {}  # the same, once complete
        self._count = 0  # fields so far
        self._parts: list[bytes] = []
        self._url: list[bytes] = []
        # The parser calls these two straight into C: no Python frame for a piece of body.
        self.on_body = self._parts.append
        self.on_url = self._url.append
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Request | Answer] = deque()
        self._body = bytearray()  # the joined pieces of a long body
        self._seen = 0  # bytes of the request being read
        self._piece = self._origin = b""  # what comes, and with what the request began, if at its first byte
        self._habit: Habit | None = None  # the head that came last
        self._again: Request | None = None  # with that head, and a body of which so many bytes are missing:
        self._missing = 0
        self._read = False  # its head is here
        self._refusal: Answer | None = None  # what is wrong with the request being read
        self._deaf = False  # what still comes is not read: it follows a refusal
        self._full = False  # the client does not read what it was sent
        self._chunks = True  # the request being answered is of HTTP/1.1
        self._method = self._opening = b""
        self._version = ""  # of the request being read
        self._keep = True
        self._chunked = False
        self.reading = False  # a request has begun and is not all there
        self.exchange: Exchange | Count | None = None
        self.since = state.now  # when the last thing began: a request, or the wait for one
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)  # until connection_made

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._state.clients.add(self)
        if self._state.draining:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter
        self._state.clients.discard(self)
        exchange, self.exchange = self.exchange, None
        self._queue.clear()
        if exchange is not None:
            exchange.left()

    def pause_writing(self) -> None:
        self._full = True
        if self.exchange is not None:
            self.exchange.hold_back(slow=True)

    def resume_writing(self) -> None:
        self._full = False
        if self.exchange is not None:
            self.exchange.hold_back(slow=False)
        elif self._queue:
            self._state.loop.call_soon(self._next)

    def data_received(self, data: bytes) -> None:
        habit = self._habit
        if habit is not None and not self.reading and data.startswith(habit.before) and self._repeats(habit, data):
            return
        if self._again is not None:
            self._go_on(self._again, data)
        elif not self._deaf:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        self._seen += len(data)
        self._piece = b"" if self.reading else data
        rest = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            self._reject_for(error)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            self._reject(400, "bad_http", f"not valid HTTP/1.1: {error}")
        if rest is not None:
            self._stay(rest)
            return
        if self.reading:
            self._check_size()
        queue = self._queue
        if queue:
            if self.exchange is None and not self._full:
                self._serve(queue.popleft())
            if queue and not self._deaf:
                self.transport.pause_reading()

    # What the parser calls

    def on_message_begin(self) -> None:
        self.reading = True
        self.since = self._state.now
        self._origin, self._piece = self._piece, b""

    def on_header(self, name: bytes, value: bytes) -> None:
        fields, name = self._fields, name.lower()
        twice = name in fields
        self._count += 1
        if twice or self._read or self._count > framing.FIELDS_LIMIT:
            framing.check_field(name, count=self._count, twice=twice, trailing=self._read)
        fields[name] = fields[name] + b", " + value if twice else value

    def on_headers_complete(self) -> None:
        self._read = True
        self._head, self._fields = self._fields, {}
        fields, parser = self._head, self._parser
        self._version = version = parser.get_http_version()
        framing.check_version(version)
        if parser.should_upgrade():
            framing.check_upgrade(parser.get_method(), fields)
            return  # to come back: see _stay
        framing.check_head(fields, version, self._state.options.max_body)
        if self._seen > HEAD_LIMIT and sum(map(len, (*fields, *fields.values(), *self._url))) > HEAD_LIMIT:
            raise Unwanted(431, "head_too_large", f"a head of more than {HEAD_LIMIT} bytes")
        # Not in front of an answer that is due before this one's; whoever waits for it in vain sends the body anyway.
        if b"expect" in fields and version == "1.1" and self.exchange is None and not self._queue:
            self.transport.write(_CONTINUE)

    def on_message_complete(self) -> None:
        parts, parser, url = self._parts, self._parser, self._url
        if b"upgrade" in self._head and parser.should_upgrade():
            return
        target = url[0] if len(url) == 1 else b"".join(url)
        body = self._take_body()
        framing.check_size(len(body), self._state.options.max_body)
        method, path, keep = parser.get_method(), framing.path_of(target), parser.should_keep_alive()
        chunks, query = self._version == "1.1", framing.query_of(target)
        self._queue.append(Request(method, path, self._head, body, keep, chunks, query))
        if keep and self._origin and method == b"POST" and self._version == "1.1":
            self._habit = habit.read(self._origin, path, self._head)
        self.reading = self._read = False
        self._origin, self._seen, self._count = b"", 0, 0
        self._fields.clear()
        parts.clear()
        url.clear()

    # What an exchange calls

    def reply(self, status: int, content_type: bytes, body: bytes, extra: bytes) -> None:
        """Send a whole answer; `finished` is to follow."""
        state = self._state
        if status == 200 and self._keep and not state.draining and content_type == _JSON and self._method == b"POST":
            self.transport.write(b"%b%d\r\n%b\r\n%b" % (state.opening, len(body), extra, body))
            return
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ndate: %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b%b\r\n%b" % (
                status, _REASONS.get(status, b"Status"), self._state.date, content_type, len(body), extra,
                b"" if self._keep and not self._state.draining else b"connection: close\r\n",
                body if self._method != b"HEAD" else b"",
            )
        )  # fmt: skip

    def open(self, status: int, content_type: bytes, extra: bytes, length: bytes = b"") -> None:
        """Begin an answer that comes in pieces, of a length that is known or not. It is sent with the first of them."""
        # HTTP/1.0 knows no chunks: there the end of the connection is the end of the answer.
        self._chunked = not length and self._chunks
        self._keep = self._keep and (self._chunked or bool(length))
        if self._chunked:
            framing = b"cache-control: no-cache\r\nx-accel-buffering: no\r\ntransfer-encoding: chunked\r\n"
        else:
            framing = b"content-length: %b\r\n" % length if length else b""
        self._opening = b"HTTP/1.1 %d %b\r\ndate: %b\r\ncontent-type: %b\r\n%b%b%b\r\n" % (
            status, _REASONS.get(status, b"Status"), self._state.date, content_type, framing, extra, self._closing(),
        )  # fmt: skip

    def pass_on(self, run: bytes, last: bool) -> None:
        """Send a piece; `finished` is to follow the last."""
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(run), run) if run else b""
            if last:
                data += b"0\r\n\r\n"
        else:
            data = run
        if self._opening:
            data = self._opening + data
            self._opening = b""
        if data:
            self.transport.write(data)

    def end_broken(self, data: bytes) -> None:
        """Send what there is and close without the end that would make it whole."""
        self._keep = False
        if data:
            self.pass_on(data, last=False)
        if not self._chunked:
            # Without chunks or with a length of which much is missing, only a reset tells a cut from an end.
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.transport.abort()
        self.transport.close()

    def refuse(self, answer: Answer) -> None:
        """Answer a request that never became an exchange."""
        if answer.status >= 400:
            self._state.metrics.refused[answer.code,].n += 1
        self.reply(answer.status, answer.content_type, answer.body, answer.extra)
        self._after()

    def finished(self, exchange: object) -> None:
        """The answer is on its way: the next request, if the connection lives."""
        if self.exchange is exchange:
            self.exchange = None
            self._after()

    # Parts of the above

    def _repeats(self, habit: Habit, data: bytes) -> bool:
        """Whether a request that begins is another one with the last one's head; if so, it is taken."""
        digits, start = habit.measure(data)
        if not start or self.exchange is not None or self._queue or self._full or self._deaf:
            return False
        length = int(digits)
        missing = start + length - len(data)
        if missing < 0 or length > self._state.options.max_body:
            return False
        if not missing:
            self._keep, self._chunks, self._method = True, True, b"POST"
            fields = habit.fields if digits == habit.length else habit.fields_with(digits)
            request = Request(b"POST", habit.path, fields, data[start:], keep=True)
            intake.begin(self._state, self, request, habit.dialect)
            return True
        self._again = Request(b"POST", habit.path, habit.fields_with(digits), b"", keep=True)
        self._seen, self._missing = len(data), missing
        self._parts.append(memoryview(data)[start:])  # type: ignore[arg-type]  # to be joined, so not copied here
        self.reading = self._read = True
        self.since = self._state.now
        return True

    def _go_on(self, request: Request, data: bytes) -> None:
        """A further piece of the body of a request with a known head, and maybe what follows it."""
        missing = self._missing = self._missing - len(data)
        self._parts.append(data if missing >= 0 else data[:missing])
        if missing > 0:
            self._check_size()
            return
        body = self._take_body()
        self._again, self._seen, self._missing = None, 0, 0
        self.reading = self._read = False
        self._parts.clear()
        self._serve(msgspec.structs.replace(request, body=body))
        if missing < 0:
            self.data_received(data[missing:])

    def _take_body(self) -> bytes:
        parts = self._parts
        if self._body:
            parts.insert(0, bytes(self._body))
            self._body.clear()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _serve(self, request: Request | Answer) -> None:
        if isinstance(request, Answer):
            self._keep = False
            self.refuse(request)
            return
        self._keep, self._chunks, self._method = request.keep, request.chunks, request.method
        dialect = dialects.for_path(request.path)
        if dialect is not None and request.method == b"POST":
            intake.begin(self._state, self, request, dialect)
        elif request.path in counts.PATHS and request.method == b"POST":
            counts.begin(self._state, self, request)
        else:
            self.refuse(admin.answer(self._state, request))

    def _after(self) -> None:
        self.since = self._state.now
        if self._queue and self._keep and not self._state.draining:
            # Not from here: a thousand pipelined requests would be as many frames deep.
            self._state.loop.call_soon(self._next)
        elif self._refusal is not None and self.transport.can_write_eof() and not self.transport.is_closing():
            # What the client is still sending is read and dropped: closing now would reset the connection, and with
            # it what the client was just told.
            self.transport.write_eof()
            self.transport.resume_reading()
        elif not self._keep or self._state.draining:
            self.transport.close()

    def _next(self) -> None:
        if self._queue and self.exchange is None and not self._full and not self.transport.is_closing():
            self._serve(self._queue.popleft())
            if not self._queue and self._refusal is None and not self.transport.is_closing():
                self.transport.resume_reading()

    def _stay(self, rest: bytes) -> None:
        """Go on with HTTP/1.1 although the client would also speak HTTP/2, as Java's does.

        The parser takes what follows such a head for another protocol; a fresh one is given the head without that.
        """
        old, self._parser = self._parser, httptools.HttpRequestParser(self)
        head = framing.without_upgrade(old.get_method(), b"".join(self._url), self._head)
        self._read, self._seen, self._count = False, 0, 0
        self._url.clear()
        self.data_received(head + rest)

    def _closing(self) -> bytes:
        return b"" if self._keep and not self._state.draining else b"connection: close\r\n"

    def _check_size(self) -> None:
        if not self._read:
            if self._seen > HEAD_LIMIT:
                self._reject(431, "head_too_large", f"a head of more than {HEAD_LIMIT} bytes")
        elif self._seen > self._state.options.max_body + HEAD_LIMIT:
            self._reject(413, "body_too_large", f"a body of more than {self._state.options.max_body} bytes")
        elif len(self._parts) > _PIECES:
            self._body += b"".join(self._parts)
            self._parts.clear()

    def _reject_for(self, error: httptools.HttpParserCallbackError) -> None:
        cause = error.__context__
        if not isinstance(cause, Unwanted):
            raise error
        self._reject(cause.status, cause.code, str(cause))

    def _reject(self, status: int, code: str, message: str) -> None:
        self.reading = False
        self._deaf = True
        body = chat.write_error(status, code, message)
        self._refusal = Answer(status, code, body)
        self._queue.append(self._refusal)

    def time_out(self, now: float) -> None:
        """The sweep looks: a request that does not come, or a connection that nobody uses, is closed."""
        options = self._state.options
        if self.exchange is not None:
            return
        waited = now - self.since
        if not self.reading:
            if waited > (_LINGER if self._refusal is not None else options.idle_time):
                self.transport.abort()
        elif waited > (options.body_time if self._read else options.header_time):
            if self._full:
                self.transport.abort()  # it would not read that either
                return
            self._reject(408, "request_timeout", "the request did not come in time")
            self._serve(self._queue.popleft())
