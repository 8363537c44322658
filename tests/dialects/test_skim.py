"""The cheap look at runs of plain frames, for what it must not let pass."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.corpus import CHAT, MESSAGES, RESPONSES
from pointsman.dialects import chat, messages, responses
from pointsman.exchange import Failure, Head, Signal
from pointsman.sse import frames

if TYPE_CHECKING:
    from pointsman.dialects import Wire

HEAD = Head("m", stream=True, fields={})
PLAIN = [
    (chat, CHAT["vllm"][1][0]),
    (responses, RESPONSES["vllm"][4][0]),
    (responses, RESPONSES["litellm"][2][0]),
    (messages, MESSAGES["vllm"][2][0]),
]


def is_json(data: bytes) -> bool:
    try:
        json.loads(data.decode())
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(("wire", "raw"), PLAIN)
@given(before=st.integers(0, 2), after=st.integers(0, 2), data=st.data())
def test_what_is_no_json_is_found(wire: Wire, raw: str, before: int, after: int, data: st.DataObject) -> None:
    """A byte that is lost, changed or added anywhere in a frame of a run: it is JSON still, or the run is not plain."""
    good = raw.encode() + b"\n\n"
    start = good.index(b"data: ") + 6
    place = data.draw(st.integers(start, len(good) - 3))
    put = data.draw(
        st.binary(max_size=2) | st.sampled_from([b"{", b"}", b'"', b"\\", b",", b"\xff", b"\r", b"\n", b"\0"])
    )
    bad = good[:place] + put + good[place + data.draw(st.integers(0, 1)) :]
    run = good * before + bad + good * after
    if wire.Scanner(HEAD).quiet(run):
        assert all(is_json(frame.data) for frame in frames(run))
        assert len(frames(run)) == before + 1 + after


@pytest.mark.parametrize(("wire", "raw"), PLAIN)
def test_broken_frames_are_failures(wire: Wire, raw: str) -> None:
    """Every frame that is cut before its end, or not UTF-8, is a Failure when it is looked at."""
    good = raw.encode() + b"\n\n"
    start = good.index(b"data: ") + 6
    for bad in [*(good[:end] + b"\n\n" for end in range(start + 1, len(good) - 2)), good.replace(b"Hello", b"\xff")]:
        scanner = wire.Scanner(HEAD)
        assert not scanner.quiet(bad)
        assert not scanner.quiet(good + bad)
        [frame] = frames(bad)
        assert isinstance(scanner.feed(frame), Failure)


@pytest.mark.parametrize(("wire", "raw"), PLAIN)
def test_many_words_in_one_read_are_plain(wire: Wire, raw: str) -> None:
    """However many frames come at once, and whatever language they are in."""
    good = raw.encode() + b"\n\n"
    assert wire.Scanner(HEAD).quiet(good * 50)
    assert wire.Scanner(HEAD).quiet(good + good.replace(b"Hello", "你好 \\n\\ud83d\\ude00".encode()))


@pytest.mark.parametrize(("wire", "raw"), PLAIN)
def test_torn_characters_are_words(wire: Wire, raw: str) -> None:
    """Half of a pair of surrogates is something to look at, and no reason to give up an answer."""
    torn = (raw.replace("Hello", "\\ud83d") + "\n\n").encode()
    assert not wire.Scanner(HEAD).quiet(torn)
    assert wire.Scanner(HEAD).feed(frames(torn)[0]) is Signal.OUTPUT


@pytest.mark.parametrize(("wire", "raw"), PLAIN)
def test_odd_framing_is_looked_at(wire: Wire, raw: str) -> None:
    """Comments, CRLF, data in two lines, no blank line at the end: not plain, whatever they say."""
    text = raw + "\n\n"
    for odd in (
        ": x\n\n" + text,
        text.replace("\n", "\r\n"),
        text.replace("data: {", "data: {\ndata: "),
        text[:-1],
        text + "\n",
    ):
        assert not wire.Scanner(HEAD).quiet(odd.encode()), odd
