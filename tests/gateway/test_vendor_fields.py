"""What a hosted vendor says in its answer's head of limits, times and its own request goes to the client."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.conftest import DIALECTS, FAST, Start, chain, provider
from gateway.fakeupstream import ACTS, TEXT, Answer, FakeUpstream, stream_events, whole
from pointsman.gateway.fields import told

SAID = (
    "X-RateLimit-Remaining-Tokens: 12\r\nanthropic-ratelimit-requests-limit: 50\r\nopenai-processing-ms: 31\r\n"
    "openai-version: 2020-10-01\r\nrequest-id: req_011\r\nx-request-id: req_up\r\nset-cookie: a=b\r\nserver: s\r\n"
    "x-ratelimit-odd: \xff\r\nopenai-organization: org-1\r\n"
)
TOLD = {
    "x-ratelimit-remaining-tokens": "12", "anthropic-ratelimit-requests-limit": "50", "openai-processing-ms": "31",
    "openai-version": "2020-10-01", "request-id": "req_011", "x-upstream-request-id": "req_up",
}  # fmt: skip
NEVER = {"set-cookie", "server", "x-ratelimit-odd", "openai-organization"}


async def _vendor(answer: Answer) -> bool:
    if not answer.streamed:
        return await answer.whole(200, json.dumps(whole(answer.dialect, TEXT)).encode(), extra=SAID)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{SAID}Connection: close\r\n\r\n"
    body = b"".join(event for event in stream_events(answer.dialect, "ok") if event is not None)
    answer.writer.write(head.encode("latin-1") + body)
    await answer.writer.drain()
    return False


async def _vendor_wrong(answer: Answer) -> bool:
    return await answer.error(400, "messages[0].role: unknown", "invalid_request_error", SAID)


async def _vendor_full(answer: Answer) -> bool:
    return await answer.error(429, "slow down", "rate_limit_exceeded", SAID)


ACTS |= {"vendor": _vendor, "vendor-wrong": _vendor_wrong, "vendor-full": _vendor_full}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("first", ["", "status-500"])
async def test_the_client_is_told(start: Start, upstream: FakeUpstream, dialect: str, stream: bool, first: str) -> None:
    """Streamed or whole, at the first attempt or after a failover; the gateway's own id of the request stays."""
    places = [provider("a", upstream, first)] if first else []
    gateway = await start(chain(*places, provider("b", upstream, "vendor")))
    reply = await gateway.ask(dialect, stream=stream, headers={"x-request-id": "mine"})
    assert (reply.status, reply.text) == (200, TEXT)
    assert {name: reply.fields.get(name) for name in TOLD} == TOLD
    assert reply.fields["x-request-id"] == "mine"
    assert not NEVER & reply.fields.keys()


async def test_a_translated_answer_tells_it_as_well(start: Start, upstream: FakeUpstream) -> None:
    """It is that target's own answer, in other words."""
    gateway = await start(chain(provider("a", upstream, "vendor", api=("anthropic-messages",))))
    reply = await gateway.ask("completions")
    assert reply.fields["request-id"] == "req_011"


async def test_a_refusal_of_the_request_itself_tells_it(start: Start, upstream: FakeUpstream) -> None:
    """The vendor's id of the request is what its support asks for."""
    gateway = await start(chain(provider("a", upstream, "vendor-wrong")))
    reply = await gateway.ask()
    assert (reply.status, reply.fields["x-upstream-request-id"]) == (400, "req_up")


async def test_servers_of_ones_own_and_exhausted_chains_tell_nothing(start: Start, upstream: FakeUpstream) -> None:
    """The first have no limits to tell of; the second is the gateway's own answer."""
    near = await start(chain(provider("a", upstream, "vendor", location="OnPremises")))
    far = await start(chain(provider("b", upstream, "vendor-full"), policy=FAST))
    for gateway, status in ((near, 200), (far, 429)):
        reply = await gateway.ask()
        assert reply.status == status
        assert not TOLD.keys() & reply.fields.keys()


@given(st.dictionaries(st.sampled_from([b"request-id", b"X-RateLimit-A", b"cookie"]) | st.binary(max_size=60),
                       st.binary(max_size=400), max_size=60))  # fmt: skip
def test_no_vendor_can_write_what_it_likes(answer: dict[bytes, bytes]) -> None:
    """Few fields, short, printable, by list: nothing that another proxy or a terminal could take for something else."""
    lines = told(answer).split(b"\r\n")[:-1]
    assert len(lines) <= 32
    for line in lines:
        name, _, value = line.partition(b": ")
        assert name.startswith((b"x-ratelimit-", b"anthropic-ratelimit-", b"openai-")) or name.endswith(b"request-id")
        assert 0 < len(value) <= 256
        assert value.isascii()
        assert value.decode().isprintable()


def test_their_number_is_bounded() -> None:
    """A head of thousands of fields is not passed on."""
    assert told({b"x-ratelimit-%d" % i: b"1" for i in range(100)}).count(b"\r\n") == 32
