"""What a client has been sent, kept small and read late."""

from __future__ import annotations

import json

import pytest

from dialects.speakers import speak
from pointsman import dialects
from pointsman.dialects.told import BLOCK, LIMIT, Told
from pointsman.names import Dialect
from pointsman.sse import frames

WORDS = [f"word{i} " for i in range(1000)]


@pytest.mark.parametrize("dialect", list(Dialect))
def test_it_is_all_there_in_the_end(dialect: Dialect) -> None:
    """However much was packed: every piece, in order."""
    told = Told(dialects.ALL[dialect])
    for frame in frames(speak(dialect, WORDS, "first")):
        told.add(frame.raw)
    told.fold()
    assert list(told.texts.values()) == [WORDS]
    assert told.count() == len(WORDS)
    told.fold()
    assert told.count() == len(WORDS)


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_stream_takes_little_memory(dialect: Dialect) -> None:
    """2,000 streams of a thousand events each stay within 64 MB."""
    told, size = Told(dialects.ALL[dialect]), 0
    for frame in frames(speak(dialect, WORDS, "first")[:-1]):
        told.add(frame.raw)
        size += len(frame.raw)
        assert told.size < BLOCK + size // 8
    assert told.size <= 32 * 1024


def test_what_is_too_long_is_let_go() -> None:
    """Beyond the limit an answer cannot be taken up, and costs nothing."""
    told = Told(dialects.ALL[Dialect.CHAT])
    run = b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": "x" * 1_000_000}}]}).encode() + b"\n\n"
    for _ in range(LIMIT // len(run) + 2):
        told.add(run)
    assert told.lost
    assert told.size == 0
    told.fold()
    assert told.texts == {}


STRANGE = [{"choices": "x"}, {"choices": [1]}, {"choices": [{"delta": []}]}, {"choices": {"a": 1}}]


@pytest.mark.parametrize("event", STRANGE)
def test_a_strange_event_is_no_text(event: object) -> None:
    """What no reader knows was passed on, but cannot be gone on from."""
    told = Told(dialects.ALL[Dialect.CHAT])
    told.add(b"data: " + json.dumps(event).encode() + b"\n\n")
    told.fold()
    assert told.texts == {}
