"""What holds for all dialects alike: what is not named as lost arrives, and every stream is its dialect's own."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from dialects.exchanges import MODEL, PAIRS, answered, replies, requests, targets, told
from pointsman import dialects
from pointsman.dialects import codecs, features
from pointsman.dialects.fold import fold, unfold
from pointsman.dialects.translation import Crossing
from pointsman.exchange import Head, Signal
from pointsman.gateway.reading import Streamed
from pointsman.names import Dialect
from pointsman.neutral import Event, Finish, Reply, Request, ToolMode
from pointsman.sse import Frame, Splitter, frames

LAW = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
ways = pytest.mark.parametrize("dialect", list(Dialect))
pairs = pytest.mark.parametrize(("first", "second"), PAIRS)
ASKED = {dialect: Request(dialect, "m") for dialect in Dialect}
_ENCODE = msgspec.json.Encoder().encode
PLAIN = (
    "stream", "temperature", "top_p", "top_k", "seed", "presence_penalty", "max_tokens", "stop", "user", "parallel",
)  # fmt: skip


def asked(request: Request, dialect: Dialect, provider: Any) -> Request:
    """The request as a target reads it."""
    written = codecs.ALL[dialect].write_request(request, MODEL, provider)
    return codecs.ALL[dialect].read_request({name: Raw(_ENCODE(value)) for name, value in written.items()})


@ways
@LAW
@given(request=requests(), data=st.data())
def test_what_is_not_named_as_lost_arrives(dialect: Dialect, request: Request, data: st.DataObject) -> None:
    """Content, in order; tools; and every knob that is not among the dropped."""
    assume(request.home is not dialect)
    provider = data.draw(st.sampled_from(targets(dialect)))
    loss = codecs.ALL[dialect].loss(request, MODEL, provider)
    assume(not loss.refused)
    read = asked(request, dialect, provider)
    marked = dialect is Dialect.MESSAGES
    assert told(read, errors=marked) == told(request, errors=marked)
    for field in PLAIN:
        if features.name(request.home, field) not in loss.dropped and getattr(request, field) not in {None, "", ()}:
            assert getattr(read, field) == getattr(request, field), field


@ways
@LAW
@given(request=requests(), data=st.data())
def test_tools_arrive(dialect: Dialect, request: Request, data: st.DataObject) -> None:
    """With their names, descriptions and schemas; and which of them must be called."""
    assume(request.home is not dialect and request.tools)
    provider = data.draw(st.sampled_from(targets(dialect)))
    loss = codecs.ALL[dialect].loss(request, MODEL, provider)
    assume(not loss.refused)
    read = asked(request, dialect, provider)
    assert [(tool.name, tool.description, tool.schema) for tool in read.tools] == [
        (tool.name, tool.description, tool.schema) for tool in request.tools
    ]
    if request.choice is not None and request.choice.mode is not ToolMode.AUTO:
        assert read.choice is not None
        assert (read.choice.mode, read.choice.name) == (request.choice.mode, request.choice.name)
    if request.form is not None:
        assert read.form is not None
        assert read.form.schema == request.form.schema


def whole(reply: Reply, dialect: Dialect) -> Reply:
    """An answer as a client of a dialect reads it."""
    return codecs.ALL[dialect].read_reply(codecs.ALL[dialect].write_reply(reply, ASKED[dialect], 7))


def stream(reply: Reply, dialect: Dialect) -> bytes:
    """The same as a stream."""
    writer = codecs.ALL[dialect].StreamWriter(ASKED[dialect], 7)
    return b"".join(writer.feed(event) for event in unfold(reply))


def followed(said: list[Frame], dialect: Dialect) -> list[Event]:
    """What the frames mean."""
    reader = codecs.ALL[dialect].StreamReader()
    return [event for frame in said for event in reader.feed(frame)]


@ways
@LAW
@given(reply=replies())
def test_an_answer_is_read_as_it_was_written(dialect: Dialect, reply: Reply) -> None:
    """Whole."""
    assert answered(whole(reply, dialect)) == answered(reply)


@ways
@LAW
@given(reply=replies())
def test_a_stream_amounts_to_the_whole(dialect: Dialect, reply: Reply) -> None:
    """As its own reader follows it."""
    assert answered(fold(followed(frames(stream(reply, dialect)), dialect))) == answered(reply)


@pairs
@LAW
@given(reply=replies())
def test_an_answer_arrives_by_way_of_two(first: Dialect, second: Dialect, reply: Reply) -> None:
    """As where one gateway stands behind another: whole, and streamed."""
    assert answered(whole(whole(reply, first), second)) == answered(reply)
    events = followed(frames(stream(reply, first)), first)
    writer = codecs.ALL[second].StreamWriter(ASKED[second], 7)
    again = b"".join(writer.feed(event) for event in events)
    assert answered(fold(followed(frames(again), second))) == answered(reply)


@ways
@LAW
@given(reply=replies(), cuts=st.lists(st.integers(0, 4000), max_size=6))
def test_it_does_not_matter_where_bytes_are_torn(dialect: Dialect, reply: Reply, cuts: list[int]) -> None:
    """The same events."""
    said = stream(reply, dialect)
    places = [0, *sorted(min(cut, len(said)) for cut in cuts), len(said)]
    splitter = Splitter()
    torn = [frame for a, b in itertools.pairwise(places) for frame in splitter.feed(said[a:b])]
    assert not splitter.tail
    assert followed(torn, dialect) == followed(frames(said), dialect)


@ways
@LAW
@given(reply=replies())
def test_more_of_a_text_is_what_it_is_when_fed(dialect: Dialect, reply: Reply) -> None:
    """The way that nearly all frames go gives the events that the other does."""
    said = frames(stream(reply, dialect))
    reader = codecs.ALL[dialect].StreamReader()
    found: list[Event] = []
    for frame in said:
        more = reader.more(frame.raw)
        found += reader.feed(frame) if more is None else [more]
    assert found == followed(said, dialect)


@pairs
@LAW
@given(reply=replies(), cuts=st.lists(st.integers(0, 4000), max_size=6))
def test_a_translated_stream_is_the_same_however_torn(
    first: Dialect, second: Dialect, reply: Reply, cuts: list[int]
) -> None:
    """As the gateway reads it: not a byte differs."""
    assume(answerable(reply))
    said = stream(reply, second)
    places = [0, *sorted(min(cut, len(said)) for cut in cuts), len(said)]
    assert crossed([said], first, second) == crossed(
        [said[a:b] for a, b in itertools.pairwise(places)], first, second
    ), reply


def crossed(pieces: list[bytes], home: Dialect, spoken: Dialect) -> bytes:
    """What the client gets of these pieces of a target's stream."""
    head = Head(model="m", stream=True, fields={})
    way = Crossing(home, spoken, ASKED[home], "p", 7)
    reading, out = Streamed(dialects.ALL[spoken], head, way.translator()), b""
    for i, piece in enumerate(pieces):
        assert reading.feed(piece, last=i == len(pieces) - 1) is None
        out += reading.take()
    return out


def answerable(reply: Reply) -> bool:
    """Whether it says anything but thoughts, and is not filtered: scanners pass others over."""
    said = any(getattr(part, "text", "") or hasattr(part, "arguments") for part in reply.parts)
    return said and reply.finish is not Finish.FILTER


@ways
@LAW
@given(reply=replies())
def test_every_stream_passes_the_scanner(dialect: Dialect, reply: Reply) -> None:
    """It is a good answer of its dialect, to its last event, and no further."""
    assume(answerable(reply))
    scanner = dialects.ALL[dialect].Scanner(Head(model="m", stream=True, fields={}))
    signals = [scanner.feed(frame) for frame in frames(stream(reply, dialect))]
    assert all(isinstance(signal, Signal) for signal in signals), signals
    assert signals.index(Signal.TERMINAL) == len(signals) - 1
