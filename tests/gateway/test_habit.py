"""A head that comes again is not parsed again: with or without it, the same requests are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuzz.fakeedge import FakeEdge, new_edge, taken_on
from pointsman.gateway import habit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LIMIT = 100
HEAD = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nX-Y: z\r\n\r\n"
GET = b"GET /-/healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def post(body: bytes, head: bytes = HEAD) -> bytes:
    return head % len(body) + body


FIRST = post(b"{}")
ODD = st.sampled_from([
    GET,
    FIRST.replace(b"X-Y: z", b"X-Y: zz"),
    FIRST.replace(b"X-Y: z", b"Transfer-Encoding: chunked"),
    FIRST.replace(b"X-Y: z", b"Expect: 100-continue"),
    FIRST.replace(b"X-Y: z", b"Connection: close"),
    FIRST.replace(b"X-Y: z", b"Content-Length: 2"),
    FIRST.replace(b"Length: 2", b"Length: +2"),
    FIRST.replace(b"Length: 2", b"Length: 2 "),
    FIRST.replace(b"Length: 2", b"Length: 02"),
    FIRST.replace(b"Length: 2", b"Length: "),
    FIRST.replace(b"Length: 2", b"Length: 2\n"),
    FIRST.replace(b"Length: 2", b"Length: " + b"0" * 19 + b"2"),
    b"\r\n" + FIRST,
    FIRST[:-3],
    post(FIRST),
    post(b"a" * (LIMIT + 1)),
])  # fmt: skip


@pytest.fixture(autouse=True)
def _taken_on() -> Iterator[None]:
    with taken_on():
        yield


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False) if start < end]


def outcome(pieces: Sequence[bytes]) -> tuple[Any, ...]:
    edge = new_edge(max_body=LIMIT)
    for piece in pieces:
        edge.feed(piece)
    return edge.outcome()


class Forgetful(FakeEdge):
    """One that parses every head."""

    def feed(self, data: bytes) -> None:
        self.client._habit = None
        super().feed(data)


def parsed(pieces: Sequence[bytes]) -> tuple[Any, ...]:
    edge = new_edge(max_body=LIMIT)
    edge.__class__ = Forgetful
    for piece in pieces:
        edge.feed(piece)
    return edge.outcome()


@given(st.lists(st.one_of(st.binary(max_size=40).map(post), ODD), max_size=5), st.lists(st.integers(0, 999)))
@example([post(b"[1]"), FIRST], [])
@example([FIRST.replace(b"Length: 2", b"Length: +2")], [len(FIRST)])
def test_the_same_requests_are_taken(requests: list[bytes], places: list[int]) -> None:
    """Whatever follows a request, and wherever it is cut, it is read as if its head had never been seen."""
    pieces = [FIRST, *cut(b"".join(requests), places)]
    assert outcome(pieces) == parsed(pieces)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
def test_each_in_a_piece_of_its_own_is_taken_by_its_head(bodies: list[bytes]) -> None:
    """The parser sees the first of them alone."""
    edge = new_edge(max_body=LIMIT)
    edge.feed(FIRST)
    edge.client._parser = None  # type: ignore[assignment]
    for body in bodies:
        edge.feed(post(body))
    assert [request.body for request in edge.requests] == [b"{}", *bodies]
    for request, body in zip(edge.requests, [b"{}", *bodies], strict=True):
        assert request.fields == {b"host": b"x", b"content-length": b"%d" % len(body), b"x-y": b"z"}


def test_a_body_in_pieces_is_put_together() -> None:
    """So is one that comes after a known head, without the parser."""
    edge = new_edge(max_body=LIMIT)
    edge.feed(FIRST)
    edge.client._parser = None  # type: ignore[assignment]
    for piece in cut(post(b"0123456789"), [len(HEAD) + 2, len(HEAD) + 5]):
        edge.feed(piece)
    assert edge.requests[-1].body == b"0123456789"
    assert not edge.client.reading


@pytest.mark.parametrize(
    ("path", "fields", "head"),
    [
        ("/-/healthz", {}, FIRST),
        ("/v1/messages", {b"expect": b"100-continue"}, FIRST),
        ("/v1/messages", {b"transfer-encoding": b"chunked"}, FIRST),
        ("/v1/messages", {}, FIRST[:40]),
        ("/v1/messages", {}, FIRST.replace(b"X-Y: z", b"X-Y: " + b"z" * 5000)),
        ("/v1/messages", {}, b"\r\n\r\n" + FIRST),
    ],
    ids=["no dialect", "expects", "chunks", "half a head", "a long one", "after empty lines"],
)
def test_what_is_no_habit(path: str, fields: dict[bytes, bytes], head: bytes) -> None:
    """Only the whole head of a plain request to a dialect's path is remembered."""
    assert habit.read(head, path, fields) is None
