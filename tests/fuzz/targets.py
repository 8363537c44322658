"""What is fuzzed: each target takes any bytes, and raises where the reader that it drives breaks its word."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec

from fuzz import seeds
from fuzz.fakeedge import FakeEdge, FakeTransport, new_edge
from fuzz.mutation import tear
from pointsman import dialects, neutral
from pointsman.dialects import codecs
from pointsman.dialects.fold import fold
from pointsman.dialects.translation import UNREADABLE, Translation
from pointsman.exchange import BadRequestError, Failure, Head, Signal
from pointsman.gateway.edge import Request
from pointsman.gateway.upstream import Address, Connection, Dial, Fields
from pointsman.names import Dialect
from pointsman.neutral import Loss, StreamError
from pointsman.sse import Frame, FrameTooLongError, Splitter, frames
from pointsman.table import Model, Provider

LIMIT: Final = 300  # bytes of an event, in the half of the inputs for which that is set
BODY_LIMIT: Final = 1000


@dataclass(frozen=True)
class Target:
    """`run` raises on a finding. `share`: of the inputs."""

    run: Callable[[bytes], None]
    seeds: Sequence[bytes]
    tokens: Sequence[bytes]
    share: int = 1


# The edge towards clients


def _fed(pieces: Sequence[bytes]) -> FakeEdge:
    edge = new_edge(max_body=BODY_LIMIT)
    for piece in pieces:
        edge.feed(piece)
    return edge


def edge(data: bytes) -> None:
    """The same requests however torn; one length each; every answer in its turn; what was refused ends."""
    whole, torn = _fed([data]), _fed(tear(data))
    seen = [(each.method, each.path, each.fields, each.body) for each in whole.requests]
    assert seen == [(each.method, each.path, each.fields, each.body) for each in torn.requests], "tearing matters"
    for request in whole.requests:
        _is_clean(request.fields, request.body)
    for each in (whole, torn):
        written = b"".join(each.transport.written)
        assert written.count(b"HTTP/1.1 200 OK\r\n") >= len(each.requests), "an answer is missing"
        assert not each.refused or b"connection: close" in written, "a refusal that closes nothing"
        assert not any(isinstance(waiting, Request) for waiting in each.client._queue), "a request that nobody answers"


def _is_clean(fields: dict[bytes, bytes], body: bytes) -> None:
    length, coding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
    assert length is None or coding is None, "two lengths"
    assert length is None or int(length) == len(body), "another length than its own"
    assert length is not None or coding is not None or not body, "a body from nowhere"
    assert len(body) <= BODY_LIMIT, "too long"
    for name, value in fields.items():
        assert not set(name) & set(b"\0\r\n :"), "a field that is two"
        assert not set(value) & set(b"\0\r\n"), "a value that is two"


# The edge towards targets


class _Call:
    """A caller. State: what it was told."""

    def __init__(self) -> None:
        self.line: Connection | Dial | None = None
        self.status = 0
        self.body = b""
        self.end = ""  # how it ended

    def connected(self) -> None:
        raise AssertionError("not asked for")

    def whole(self, status: int, fields: Fields, body: bytes) -> None:
        assert (self.end, self.status) == ("", 0), "an answer after the answer"
        assert all(isinstance(name, bytes) for name in fields)
        self.status, self.body, self.end = status, body, "whole"

    def answered(self, status: int, _fields: Fields) -> None:
        assert (self.end, self.status) == ("", 0), "a second head"
        assert status >= 200, "an interim answer"
        self.status = status

    def received(self, body: bytes, last: bool) -> None:
        assert self.status, "a body without its head"
        assert not self.end, "a body after its end"
        self.body += body
        if last:
            self.end = "whole"

    def broke(self, _message: str, stale: bool) -> None:
        assert not self.end, "broken after its end"
        self.end = "stale" if stale else "broken"


def _called(pieces: Sequence[bytes]) -> _Call:
    address = Address("host", 1, None, "")
    connection, transport, call = Connection(address), FakeTransport(), _Call()
    connection.connection_made(cast("asyncio.BaseTransport", transport))
    connection.carry(cast("Any", call), b"")
    for piece in pieces:
        if transport.closing:
            break
        connection.data_received(piece)
    if not transport.closing and call.end:
        assert connection in address.idle, "neither kept nor closed"
    connection.connection_lost(None)
    assert call.end, "left without a word"
    assert (address.busy, address.idle) == (0, []), "the pool has lost count"
    return call


def answer(data: bytes) -> None:
    """One answer or one failure, the same however torn; the pool's count is right."""
    whole, torn = _called([data]), _called(tear(data))
    # Torn behind its end, an answer is whole before the garbage behind it comes; in one piece they come together.
    if whole.end == "whole":
        assert (torn.end, torn.status, torn.body) == (whole.end, whole.status, whole.body), "tearing matters"


# Events


def _events(pieces: Sequence[bytes], splitter: Splitter) -> tuple[list[tuple[bytes, bytes]], bytes]:
    found: list[Frame] = []
    raw = b""
    for piece in pieces:
        run = splitter.take(piece)
        raw += run
        read = frames(run)
        assert b"".join(frame.raw for frame in read) == run, "a byte is lost"
        found += read
    return [(frame.event, frame.data) for frame in found if frame.event or frame.data], raw


def events(data: bytes) -> None:
    """The same events however torn, no byte lost; with a limit, no more than that is kept."""
    whole, torn = Splitter(), Splitter()
    first, raw = _events([data], whole)
    assert raw + whole.tail == data, "a byte is lost"
    again, raw = _events(tear(data), torn)
    assert raw + torn.tail == data, "a byte is lost"
    assert first == again, "tearing matters"
    bounded = Splitter(LIMIT)
    try:
        for piece in tear(data):
            bounded.take(piece)
            assert len(bounded.tail) <= LIMIT, "more than the limit"
    except FrameTooLongError:
        pass


# Dialects

_HEAD: Final = Head(model="m", stream=True, fields={})


def dialect(data: bytes) -> None:
    """Requests, answers, errors and frames of any dialect: nothing but what the readers say that they raise."""
    for wire in dialects.ALL.values():
        try:
            head = wire.read_head(data)
            assert isinstance(head, Head)
        except BadRequestError:
            pass
        assert isinstance(wire.whole_ok(200, data), Failure | None)
        assert isinstance(wire.read_error(429, data), Failure)
        assert isinstance(wire.read_error(400, data, 1.0), Failure)
        wire.is_error(data)
        wire.read_usage(data)
        for run in (data, b"data: " + data.replace(b"\n", b" ") + b"\n\n"):
            _scan(wire, run)


def _scan(wire: dialects.Wire, run: bytes) -> None:
    scanner = wire.Scanner(_HEAD)
    for frame in frames(run):
        scanner.quiet(frame.raw)
        signal = scanner.feed(frame)
        if isinstance(signal, Failure):
            return
        assert isinstance(signal, Signal)
        assert isinstance(scanner.closing(), bytes | None)


# Translation

_MODELS: Final = (Model("claude-sonnet-4-5", reasoning=True), Model("m", compat={"requiresThinkingAsText": True}))
_TARGETS: Final = tuple(
    (spoken, model, Provider("p", kind, "http://x", (spoken,), native=model is _MODELS[0]))
    for spoken, vendor in zip(Dialect, ("OpenAI", "OpenAI", "Anthropic"), strict=True)
    for kind, model in zip((vendor, "VLLM"), _MODELS, strict=True)
)


def codec(data: bytes) -> None:
    """What no dialect can say is refused as it is read; what was read can be said, in every dialect."""
    for home, wire in dialects.ALL.items():
        try:
            head = wire.read_head(data)
        except BadRequestError:
            head = None
        if head is not None:
            _ask(home, head)
        _answer(home, data)
        for run in (data, b"data: " + data.replace(b"\n", b" ") + b"\n\n"):
            _stream(home, run)


def _ask(home: Dialect, head: Head) -> None:
    """A request for all targets."""
    for drop in (False, True):
        translation = Translation(home, head.fields, drop_tools=drop)
        for spoken, model, provider in _TARGETS:
            loss = translation.loss(spoken, model, provider)
            assert isinstance(loss, Loss)
            if any(each.reason == UNREADABLE for each in loss.refused):
                return
            fields = translation.fields(spoken, model, provider)
            assert msgspec.json.decode(b"[%b]" % b",".join(map(bytes, fields.values()))) is not None
            body, _ = translation.body(spoken, model, provider)
            assert isinstance(msgspec.json.decode(body), dict)


def _answer(spoken: Dialect, data: bytes) -> None:
    """A whole answer for all clients."""
    try:
        reply = codecs.ALL[spoken].read_reply(data)
    except ValueError:
        return
    for home in Dialect:
        body = codecs.ALL[home].write_reply(reply, neutral.Request(home, "m"), 1)
        codecs.ALL[home].read_reply(body)


def _stream(spoken: Dialect, run: bytes) -> None:
    """A streamed answer for all clients: what is said while it may still be said is well said."""
    reader, quick = codecs.ALL[spoken].StreamReader(), codecs.ALL[spoken].StreamReader()
    writers = [codecs.ALL[home].StreamWriter(neutral.Request(home, "m"), 1) for home in Dialect]
    told: list[neutral.Event] = []
    try:
        for frame in frames(run):
            more = quick.more(frame.raw)
            told += reader.feed(frame)
            if more is None:
                quick.feed(frame)
            else:
                assert told[-1] == more, "more of another text"
    except StreamError:
        pass
    for event in told:
        for writer in writers:
            written = writer.feed(event)
            assert b"".join(frame.raw for frame in frames(written)) == written, "half a frame"
    if told and isinstance(told[-1], neutral.Ended):
        fold(told)


ALL: Final = {
    "edge": Target(edge, seeds.requests(), seeds.HTTP, share=4),
    "answer": Target(answer, seeds.answers(), (*seeds.HTTP, *seeds.ANSWERS), share=3),
    "events": Target(events, seeds.streams(), seeds.EVENTS, share=2),
    "dialect": Target(dialect, seeds.documents(), seeds.JSON, share=1),
    "codec": Target(codec, seeds.conversations(), seeds.JSON, share=1),
}
