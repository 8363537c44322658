"""The SSE splitter: any tearing of the bytes gives the same events, and not a byte is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.sse import Frame, FrameTooLongError, Splitter, frames

ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
WORDS = st.text(st.characters(blacklist_characters="\r\n\ufeff", blacklist_categories=["Cs"]), max_size=12)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """A stream in one line-end style, and the events that a reader must find in it."""
    end, wire, events = draw(ENDS), b"", []
    for _ in range(draw(st.integers(0, 5))):
        name = draw(st.sampled_from(["", "ping", "response.created"]))
        lines = draw(st.lists(WORDS, min_size=1, max_size=3))
        if draw(st.booleans()):
            wire += b": a comment" + end
        if name:
            wire += b"event: " + name.encode() + end
        wire += b"".join(b"data: " + line.encode() + end for line in lines) + end
        events.append((name.encode(), "\n".join(lines).encode()))
    return wire, events


def told(found: list[Frame]) -> list[tuple[bytes, bytes]]:
    return [(frame.event, frame.data) for frame in found if frame.data or frame.event]


@given(streams(), st.data())
def test_any_tearing_gives_the_same_events(
    stream: tuple[bytes, list[tuple[bytes, bytes]]], data: st.DataObject
) -> None:
    """Wherever the bytes are torn apart, between CR and LF or inside a code point, the events are the same."""
    wire, events = stream
    cuts = sorted(data.draw(st.sets(st.integers(0, len(wire)), max_size=8)))
    splitter, found, raw = Splitter(), [], b""
    for start, stop in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        for frame in splitter.feed(wire[start:stop]):
            found.append(frame)
            raw += frame.raw
    assert told(found) == [event for event in events if event[0] or event[1]]
    assert raw + splitter.tail == wire
    assert not splitter.tail.strip()


@given(st.binary(max_size=200), st.integers(1, 7))
def test_no_byte_is_lost(wire: bytes, step: int) -> None:
    """Whatever comes, what is passed on and what is kept back is what came."""
    splitter = Splitter()
    taken = b"".join(splitter.take(wire[i : i + step]) for i in range(0, len(wire), step))
    assert taken + splitter.tail == wire
    assert b"".join(frame.raw for frame in frames(taken)) == taken


def test_a_torn_crlf_does_not_end_two_events() -> None:
    """CR at the end of one read, LF at the start of the next: one line end."""
    splitter = Splitter()
    found = [*splitter.feed(b"data: a\r"), *splitter.feed(b"\ndata: b\r\n\r"), *splitter.feed(b"\ndata: c\r\n\r\n")]
    assert told(found) == [(b"", b"a\nb"), (b"", b"c")]


def test_a_frame_that_never_ends_is_refused() -> None:
    """The frame's size is bounded: an endless line does not fill the memory."""
    splitter = Splitter(limit=100)
    with pytest.raises(FrameTooLongError):
        splitter.feed(b"data: xxxxxxxxxx" * 20)


def test_a_long_frame_in_small_pieces_costs_linear_time() -> None:
    """A megabyte in pieces of a hundred bytes is looked through once, not ten thousand times."""
    splitter = Splitter()
    for _ in range(10_000):
        assert splitter.take(b"x" * 100) == b""
    assert len(splitter.take(b"\n\n")) == 1_000_002


def test_reads_names_comments_and_odd_spacing() -> None:
    """One space after the colon is dropped; a comment has no data; a BOM is no part of a name."""
    run = b"\xef\xbb\xbfevent:a\ndata:x\n\n: hi\n\ndata:  y\nid: 3\nretry: 5\n\ndata\n\n"
    assert told(frames(run)) == [(b"a", b"x"), (b"", b" y")]
