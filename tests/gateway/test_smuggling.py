"""Request smuggling: what could be read in two ways is refused, what cannot is one request, however it is torn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fuzz.fakeedge import FakeEdge, new_edge, taken_on
from gateway.conftest import Start, chain, provider
from gateway.fakeupstream import FakeUpstream
from gateway.smuggling import ALL, BODY, CANARY, LAST, REFUSALS, SMUGGLED, Case, request

TORN_UP_TO = 3000  # bytes; in a longer one the tears are farther apart


@pytest.fixture(autouse=True)
def taking() -> Iterator[None]:
    with taken_on():
        yield


def told(pieces: list[bytes]) -> FakeEdge:
    edge = new_edge()
    for piece in pieces:
        edge.feed(piece)
    return edge


def bodies(edge: FakeEdge) -> list[bytes]:
    return [request.body for request in edge.requests]


@pytest.mark.parametrize("name", ALL)
def test_it_is_refused_or_one_request(name: str) -> None:
    """A refusal ends the connection; else there are exactly the requests that the data is, and then the canary."""
    case = ALL[name]
    edge = told([case.data + CANARY])
    if not case.bodies:
        assert edge.refused in REFUSALS
        assert bodies(edge) == []
        assert b"connection: close" in b"".join(edge.transport.written)
        return
    expected = [*case.bodies] if name in LAST else [*case.bodies, SMUGGLED]
    answered = b"".join(edge.transport.written).count(b"HTTP/1.1 200 ")
    assert (bodies(edge), answered) == (expected, len(expected))


@pytest.mark.parametrize("name", ALL)
def test_tearing_changes_nothing(name: str) -> None:
    """Torn in two at every byte, and into bytes, it is what it is in one piece."""
    case = ALL[name]
    data = case.data + CANARY
    whole = told([data])
    step = 1 + len(data) // TORN_UP_TO
    tears = [[data[:at], data[at:]] for at in range(1, len(data), step)]
    tears.append([data[at : at + 1] for at in range(len(data))])
    for pieces in tears:
        torn = told(pieces)
        # In which of its faults a request is caught first may depend on the tears, never whether it is.
        assert bodies(torn) == bodies(whole), pieces[0]
        assert name in LAST or bool(torn.refused) == bool(whole.refused), pieces[0]


@pytest.mark.parametrize("name", [name for name, case in ALL.items() if not case.bodies])
async def test_no_target_sees_what_is_refused(start: Start, upstream: FakeUpstream, name: str) -> None:
    """Over a real socket: one refusal that can be read, then the end, and no target was asked."""
    gateway = await start(chain(provider("a", upstream)), max_body=10_000)
    answer = await gateway.raw(ALL[name].data + CANARY)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert int(answer.split(b" ", 2)[1]) in REFUSALS
    assert upstream.opened == 0


async def test_a_request_hidden_in_a_body_stays_there(start: Start, upstream: FakeUpstream) -> None:
    """A body that looks like a request is a body: refused as no JSON, and no target was asked."""
    gateway = await start(chain(provider("a", upstream)))
    for name in ("length: the canary as a body", "length: the canary as a chunk"):
        answer = await gateway.raw(ALL[name].data.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n", 1))
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1 ") == 1
    assert upstream.opened == 0


async def test_the_target_gets_a_request_of_the_gateways_own_framing(start: Start, upstream: FakeUpstream) -> None:
    """Chunks, extensions and trailers end at the gateway: a target sees one length and no coding."""
    gateway = await start(chain(provider("a", upstream)))
    body = b"%x;x=y\r\n%b\r\n0\r\nX-Checksum: y\r\n\r\n" % (len(BODY), BODY)
    await gateway.raw(request(b"Transfer-Encoding: chunked", b"Connection: close", body=body))
    (seen,) = upstream.seen
    assert "transfer-encoding" not in seen.fields
    assert "x-checksum" not in seen.fields
    assert int(seen.fields["content-length"]) > 0


def test_the_corpus_holds_what_it_says() -> None:
    """Each kind of trick is there, refused and, where there is a clean form of it, taken."""
    assert len(ALL) > 140
    assert {name.partition(":")[0] for name, case in ALL.items() if case.bodies} == {
        "length",
        "coding",
        "chunk",
        "head",
    }
    assert all(isinstance(case, Case) for case in ALL.values())
