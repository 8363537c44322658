"""A real engine takes up its own answer: llama-server, which goes on from a prefix and says it again first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from dialects.answers import read
from pointsman import dialects
from pointsman.dialects.resume import Joint, Step, body, steps
from pointsman.dialects.told import Told
from pointsman.dialects.translation import Translation
from pointsman.exchange import Head
from pointsman.failover.choose import Candidate
from pointsman.names import Dialect, Way
from pointsman.sse import Frame, Splitter
from pointsman.table import Model, Provider
from testbed.llama import LlamaServer
from testbed.tinymodel import TEXT

TOKENS = 20
TURNS: Any = [{"role": "user", "content": "Say it."}]
ASKED: dict[Dialect, dict[str, Any]] = {
    Dialect.CHAT: {"messages": TURNS, "max_tokens": 64, "stream_options": {"include_usage": True}},
    Dialect.MESSAGES: {"messages": TURNS, "max_tokens": 64},
    Dialect.RESPONSES: {"input": "Say it.", "max_output_tokens": 64},
}
PLACE = Provider("llama", "LlamaCpp", "http://127.0.0.1", tuple(Dialect))
every = pytest.mark.parametrize("dialect", list(Dialect))
cuts = pytest.mark.parametrize("cut", [1, 2, 5, 9, 18, 19])


@pytest.fixture(scope="module")
def llama() -> Iterator[LlamaServer]:
    """One server for the module."""
    with LlamaServer() as server:
        yield server


def target(dialect: Dialect) -> Candidate:
    return Candidate(PLACE, Model("tiny"), dialect=dialect)


def ask(server: LlamaServer, dialect: Dialect, content: bytes) -> list[Frame]:
    """The frames of a streamed answer, put together from what came off the wire."""
    splitter, found = Splitter(), []
    url = server.base_url + dialects.ALL[dialect].PATH
    with httpx.Client(trust_env=False, timeout=30) as client, client.stream("POST", url, content=content) as reply:
        assert reply.status_code == 200, reply.read()
        for chunk in reply.iter_raw():
            found += splitter.feed(chunk)
    return found


def head_of(dialect: Dialect) -> Head:
    return dialects.ALL[dialect].read_head(
        msgspec.json.encode({"model": "assistant", "stream": True, **ASKED[dialect]})
    )


def cut_after(dialect: Dialect, stream: list[Frame], pieces: int) -> list[Frame]:
    """The frames up to and with that many pieces of text."""
    said = 0
    for i, frame in enumerate(stream):
        one = dialects.ALL[dialect].said(msgspec.json.decode(frame.data)) if frame.data.startswith(b"{") else None
        said += len([piece for _, piece in one.texts if piece]) if one else 0
        if said == pieces:
            return stream[: i + 1]
    raise AssertionError("the answer is shorter")


def joined(dialect: Dialect, told: Told, step: Step, stream: list[Frame]) -> bytes:
    """What a client gets of the second stream."""
    joint, got = Joint(dialect, told, step), b""
    for frame in stream:
        passed = joint.feed(frame)
        assert isinstance(passed, bytes)
        assert not passed or joint.caught_up
        got += passed
    closed = joint.close()
    assert isinstance(closed, bytes)
    return got + closed


@every
@cuts
@pytest.mark.parametrize("way", [Way.PREFILL, Way.TRY, Way.REPLAY])
def test_the_answer_is_whole(llama: LlamaServer, dialect: Dialect, cut: int, way: Way) -> None:
    """Wherever it is cut, and however it is taken up: the whole text once, its own ids, and the tokens of all of it."""
    head = head_of(dialect)
    first = ask(llama, dialect, body(Step(dialect, Way.REPLAY, dialect), head, target(dialect)))
    whole = read(dialect, b"".join(frame.raw for frame in first))
    sent = cut_after(dialect, first, cut)
    told = Told(dialects.ALL[dialect])
    for frame in sent:
        told.add(frame.raw)
    step, *_ = steps(way, Translation(dialect, head.fields), told, head, target(dialect))
    again = ask(llama, step.spoken, body(step, head, target(dialect)))
    answer = read(dialect, b"".join(frame.raw for frame in sent) + joined(dialect, told, step, again))
    assert (answer.text, answer.stop) == (TEXT, whole.stop)
    assert answer.ids <= whole.ids  # it dates each chunk anew: an answer may be of two seconds
    assert answer.usage is not None
    assert whole.usage is not None
    assert answer.usage[1] == pytest.approx(whole.usage[1], abs=1)
    if dialect is not Dialect.MESSAGES:  # there the input counts without what came out of the cache
        assert answer.usage[0] == pytest.approx(whole.usage[0], abs=3)


def test_what_is_asked_of_it() -> None:
    """The prefix is the last turn, and the bound on tokens is for the rest."""
    sent = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n'
    told = Told(dialects.ALL[Dialect.CHAT])
    for piece in TEXT.split(" ")[:6]:
        told.add(sent % f"{piece} ".encode())
    head, place = head_of(Dialect.CHAT), target(Dialect.CHAT)
    step, again = steps(Way.PREFILL, Translation(Dialect.CHAT, head.fields), told, head, place)
    asked = msgspec.json.decode(body(step, head, place))
    turn = {"role": "assistant", "content": "Hello from the tiny test model:"}
    assert asked["messages"] == [*TURNS, turn]
    assert (asked["max_tokens"], asked["model"]) == (64 - 6, "tiny")
    assert again == Step(Dialect.CHAT, Way.REPLAY, Dialect.CHAT)
