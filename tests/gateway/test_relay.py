"""The heart: what the client sees when targets fail, before and after the commit, in every dialect."""

from __future__ import annotations

import asyncio
import json

import pytest
from msgspec.structs import replace

from gateway.conftest import DIALECTS, FAST, TEXT, Start, chain, provider, until
from gateway.fakeupstream import BIG, FakeUpstream
from pointsman.exchange import FailureKind
from pointsman.failover.policy import Scope
from pointsman.table import Breaker, Fence, Model, Timeouts

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
PASSING = ("status-500", "cut-before", "html-502")
EVERY = pytest.mark.parametrize("dialect", DIALECTS)

INVISIBLE = (
    ("status-500", "ServerError"), ("status-503", "ServerError"), ("status-529", "ServerError"),
    ("status-401", "Authentication"), ("status-402", "Authentication"), ("status-403", "Authentication"),
    ("status-404", "ModelNotFound"), ("status-408", "Timeout"), ("rate-limited", "RateLimited"),
    ("html-200", "InvalidResponse"), ("html-502", "ServerError"), ("garbage", "InvalidResponse"),
    ("context", "ContextLengthExceeded"), ("empty", "InvalidResponse"), ("cut-before", "ConnectFailure"),
    ("cut-preamble", "ConnectFailure"), ("stall-head", "Timeout"),
)  # fmt: skip
INVISIBLE_IN_STREAMS = (
    ("error-first", "ServerError"), ("preamble-error", "ServerError"), ("stall-preamble", "Timeout"),
)  # fmt: skip


@EVERY
@BOTH
async def test_passes_a_good_answer_through(start: Start, upstream: FakeUpstream, dialect: str, stream: bool) -> None:
    """What a target answers is what the client gets, and it is told who answered."""
    gateway = await start(chain(provider("a", upstream)))
    reply = await gateway.ask(dialect, stream=stream)
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)
    assert reply.decision == "assistant; answered=a/ok; attempts=1"
    assert upstream.seen[0].body["model"] == "ok"


@EVERY
@BOTH
@pytest.mark.parametrize(("fault", "reason"), INVISIBLE)
async def test_a_failure_before_the_first_output_is_invisible(
    start: Start, upstream: FakeUpstream, dialect: str, stream: bool, fault: str, reason: str
) -> None:
    """Before the first real output every failure moves on to the next target; the client sees one good answer."""
    policy = replace(FAST, timeouts=replace(FAST.timeouts, total=3.0))
    gateway = await start(chain(provider("a", upstream, fault), provider("b", upstream), policy=policy))
    reply = await gateway.ask(dialect, stream=stream)
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)
    assert reply.decision == f"assistant; answered=b/ok; attempts=2; passed=a/{fault}:{reason}"


@EVERY
@pytest.mark.parametrize(("fault", "reason"), INVISIBLE_IN_STREAMS)
async def test_a_preamble_commits_to_nothing(
    start: Start, upstream: FakeUpstream, dialect: str, fault: str, reason: str
) -> None:
    """The role chunk, response.created, message_start and pings are held: an error after them is still invisible."""
    gateway = await start(chain(provider("a", upstream, fault), provider("b", upstream)))
    reply = await gateway.ask(dialect, stream=True)
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)
    assert reply.decision == f"assistant; answered=b/ok; attempts=2; passed=a/{fault}:{reason}"
    starts = [event for event in reply.events if event.get("type") in {"message_start", "response.created"}]
    assert len(starts) <= 1


@EVERY
@pytest.mark.parametrize("fault", ["cut-mid", "reset-mid", "end-mid", "stall-mid", "error-mid", "malformed"])
async def test_a_broken_stream_is_never_presented_as_whole(
    start: Start, upstream: FakeUpstream, dialect: str, fault: str
) -> None:
    """Not resumed, a failure after the first output ends in the dialect's own error, and no end of the body."""
    policy = replace(FAST, mid_stream="Fail")
    gateway = await start(chain(provider("a", upstream, fault), provider("b", upstream), policy=policy))
    reply = await gateway.ask(dialect, stream=True)
    assert (reply.status, reply.whole, reply.text) == (200, False, "one two ")
    last = reply.events[-1]
    assert last.get("error") or last["type"] in {"error", "response.failed"}
    assert [seen.body["model"] for seen in upstream.seen] == [fault]


@EVERY
@pytest.mark.parametrize("fault", ["crlf", "torn", "comments", "eof", "slow"])
async def test_odd_framing_is_no_fault(start: Start, upstream: FakeUpstream, dialect: str, fault: str) -> None:
    """CRLF, comments, bytes one by one and a body that ends by closing are all right."""
    policy = replace(FAST, timeouts=replace(FAST.timeouts, first_token=5.0, stall=5.0))
    gateway = await start(chain(provider("a", upstream, fault), policy=policy))
    reply = await gateway.ask(dialect, stream=True)
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)


@pytest.mark.parametrize("dialect", ["completions", "messages"])
@pytest.mark.parametrize("fault", ["no-done", "no-done-open"])
async def test_a_forgotten_last_event_is_supplied(
    start: Start, upstream: FakeUpstream, dialect: str, fault: str
) -> None:
    """When every choice has ended, a stream without its last event is whole, and the client gets that event."""
    gateway = await start(chain(provider("a", upstream, fault)))
    reply = await gateway.ask(dialect, stream=True)
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)
    assert reply.body.endswith((b"data: [DONE]\n\n", b'data: {"type":"message_stop"}\n\n'))


async def test_a_tool_call_is_output(start: Start, upstream: FakeUpstream) -> None:
    """A stream of a tool call alone is an answer."""
    gateway = await start(chain(provider("a", upstream, "tool")))
    reply = await gateway.ask(stream=True)
    assert (reply.status, reply.whole) == (200, True)
    assert "Paris" in reply.body.decode()


@EVERY
@BOTH
async def test_a_wrong_request_is_not_tried_elsewhere(
    start: Start, upstream: FakeUpstream, dialect: str, stream: bool
) -> None:
    """A 400 for the request itself comes back at once, cools nothing, and in the client's own error shape."""
    gateway = await start(chain(provider("a", upstream, "wrong"), provider("b", upstream)))
    reply = await gateway.ask(dialect, stream=stream)
    assert reply.status == 400
    assert "messages[0].role" in reply.json["error"]["message"]
    assert (reply.json.get("type") == "error") == (dialect == "messages")
    assert len(upstream.seen) == 1
    assert not gateway.state.health.entries


async def test_a_refusal_by_content_policy_is_an_answer(start: Start, upstream: FakeUpstream) -> None:
    """Content policy is not shopped around."""
    gateway = await start(chain(provider("a", upstream, "policy"), provider("b", upstream)))
    reply = await gateway.ask()
    assert (reply.status, len(upstream.seen)) == (400, 1)


@EVERY
@BOTH
@pytest.mark.parametrize("fault", ["status-401", "status-402", "status-403", "status-500", "cut-before", "html-502"])
async def test_exhausted_tells_the_truth(
    start: Start, upstream: FakeUpstream, dialect: str, stream: bool, fault: str
) -> None:
    """When all fail: 503, never the upstream's own 401, 402 or 403; a real Retry-After; every attempt named."""
    gateway = await start(chain(provider("a", upstream, fault), provider("b", upstream, fault)))
    reply = await gateway.ask(dialect, stream=stream)
    assert reply.status == 503
    error = reply.json["error"]
    assert error["code"] == "all_candidates_failed"
    again = [f"a/{fault}"] if fault in PASSING else []  # once more, as it may have passed
    assert [attempt["target"] for attempt in error["attempts"]] == [f"a/{fault}", f"b/{fault}", *again]
    assert int(reply.fields["retry-after"]) >= 1
    assert reply.decision.startswith(f"assistant; attempts={2 + len(again)}; passed=")


async def test_exhausted_by_rate_limits_is_429(start: Start, upstream: FakeUpstream) -> None:
    """All were 429: so is the answer, with the soonest Retry-After."""
    gateway = await start(chain(provider("a", upstream, "rate-limited"), provider("b", upstream, "rate-limited")))
    reply = await gateway.ask()
    assert (reply.status, reply.fields["retry-after"]) == (429, "7")


async def test_too_long_for_all_is_400(start: Start, upstream: FakeUpstream) -> None:
    """A prompt that fits nowhere is the client's to shorten: 400 context_length_exceeded, and nothing cools."""
    gateway = await start(chain(provider("a", upstream, "context"), provider("b", upstream, "context")))
    reply = await gateway.ask()
    assert (reply.status, reply.json["error"]["code"]) == (400, "context_length_exceeded")
    assert not gateway.state.health.entries


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_too_large_for_all_is_413(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """It is this request's bytes: the next is tried, and what fits into the windows is sent as before."""
    models = [(Model(id="too-large+too-large+ok", context_window=window),) for window in (0, 8192)]
    gateway = await start(
        chain(*(provider(name, upstream, models=each) for name, each in zip("ab", models, strict=True)))
    )
    reply = await gateway.ask(dialect)
    told = reply.json["error"]
    assert (reply.status, told["type" if dialect == "messages" else "code"]) == (413, "request_too_large")
    assert len(upstream.seen) == 2
    assert (await gateway.ask(dialect)).status == 200
    assert not gateway.state.health.entries


async def test_a_context_error_without_a_number_teaches_nothing(start: Start, upstream: FakeUpstream) -> None:
    """The next request goes to the same target, however much longer it is."""
    gateway = await start(chain(provider("a", upstream, "context-unsaid+ok"), provider("b", upstream)))
    assert "answered=b/ok" in (await gateway.ask()).decision
    reply = await gateway.ask(messages=[{"role": "user", "content": "word " * 3000}])
    assert "answered=a/context-unsaid+ok" in reply.decision


async def test_the_upstreams_words_on_our_key_are_not_told(start: Start, upstream: FakeUpstream) -> None:
    """An upstream's text about the gateway's own credential does not reach the client."""
    upstream.key = "Bearer right"
    gateway = await start(chain(provider("a", upstream)))
    reply = await gateway.ask()
    assert reply.status == 503
    assert b"sk-secret" not in reply.body


async def test_what_failed_cools_and_comes_back(start: Start, upstream: FakeUpstream, second: FakeUpstream) -> None:
    """A target that failed is left alone, and is first again when it is well and its time is over."""
    policy = replace(FAST, breaker=Breaker(open_seconds=0.3))
    gateway = await start(chain(provider("a", upstream), provider("b", second), policy=policy))
    port = upstream.port
    await upstream.stop()
    assert (await gateway.ask()).decision == "assistant; answered=b/ok; attempts=2; passed=a/ok:ConnectFailure"
    assert (await gateway.ask()).decision.startswith("assistant; answered=b/ok; attempts=1; passed=a/ok:cooling")
    await upstream.start(port)
    await until(lambda: gateway.state.health.cooling("a", "ok", gateway.state.now) is None)
    assert (await gateway.ask()).decision == "assistant; answered=a/ok; attempts=1"


async def test_all_cooling_the_least_bad_is_tried(start: Start, upstream: FakeUpstream) -> None:
    """When everything cools, one target is tried all the same."""
    gateway = await start(chain(provider("a", upstream, "status-401"), provider("b", upstream, "status-500")))
    await gateway.ask()
    reply = await gateway.ask()
    assert [attempt["target"] for attempt in reply.json["error"]["attempts"]] == ["b/status-500"]


async def test_a_client_that_leaves_ends_the_call(start: Start, upstream: FakeUpstream) -> None:
    """When the client goes, the backend's connection is closed at once, and no other target is tried."""
    gateway = await start(chain(provider("a", upstream, "stall-mid"), provider("b", upstream)))
    reader, writer = await gateway.connect()
    body = json.dumps({"model": "assistant", "stream": True, "messages": []}).encode()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    await reader.readuntil(b"two ")
    writer.close()
    await asyncio.wait_for(upstream.seen[0].gone.wait(), 5)
    assert not gateway.state.exchanges
    assert b'"status":499' in gateway.state.journal.recent[-1]
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("fault", ["stall-head", "stall-preamble"])
async def test_a_client_that_leaves_early_ends_the_call(start: Start, upstream: FakeUpstream, fault: str) -> None:
    """The same before anything was sent."""
    policy = replace(FAST, timeouts=Timeouts(first_token=30.0))
    gateway = await start(chain(provider("a", upstream, fault), provider("b", upstream), policy=policy))
    _, writer = await gateway.connect()
    body = json.dumps({"model": "assistant", "stream": True, "messages": []}).encode()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    await until(lambda: len(upstream.seen) == 1)
    writer.close()
    await asyncio.wait_for(upstream.seen[0].gone.wait(), 5)
    assert len(upstream.seen) == 1


async def test_a_slow_client_holds_the_target_back(start: Start, upstream: FakeUpstream) -> None:
    """Memory does not grow with what a client does not read, and its slowness is not the target's fault."""
    gateway = await start(chain(provider("a", upstream, "big")))
    reader, writer = await gateway.connect()
    body = json.dumps({"model": "assistant", "messages": []}).encode()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    head = await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(1.0)
    assert b" 200 " in head
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert length > BIG
    assert len(await reader.readexactly(length)) == length


async def test_a_kept_connection_that_died_is_replaced(start: Start, upstream: FakeUpstream) -> None:
    """A kept connection that the server has closed costs nothing: a fresh one is made, and it is no failure."""
    upstream.serves = 1
    gateway = await start(chain(provider("a", upstream)))
    for _ in range(3):
        reply = await gateway.ask()
        assert (reply.status, reply.decision) == (200, "assistant; answered=a/ok; attempts=1")
    assert upstream.opened == 3
    assert not gateway.state.health.entries


async def test_connections_are_kept(start: Start, upstream: FakeUpstream) -> None:
    """Requests one after another share one connection to the target, also after errors that came whole."""
    gateway = await start(chain(provider("z", upstream, "wrong"), provider("a", upstream), mode="Merge"))
    for model in ("a/ok", "z/wrong", "a/ok"):
        await gateway.ask(model=model)
        await gateway.ask(model=model, stream=True)
    assert upstream.opened == 1


async def test_replicas_share_the_work_and_cover_each_other(
    start: Start, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    """A provider's addresses replace its host; one that is down is no failure of the provider.

    Prompts that begin alike go to the same replica, others are spread.
    """
    places = tuple(f"127.0.0.1:{fake.port}" for fake in (upstream, second))
    gateway = await start(chain(provider("a", "http://nowhere.invalid", addresses=places)))
    for number in range(32):
        await gateway.ask(messages=[{"role": "user", "content": f"{number}"}])
        await gateway.ask(messages=[{"role": "user", "content": f"{number}"}])
    told = [[str(seen.body["messages"]) for seen in fake.seen] for fake in (upstream, second)]
    assert all(told)
    assert not set(told[0]) & set(told[1])
    await second.stop()
    for number in range(32):
        reply = await gateway.ask(messages=[{"role": "user", "content": f"{number}"}])
        assert reply.decision == "assistant; answered=a/ok; attempts=1"


@EVERY
async def test_no_byte_leaves_the_fence(
    start: Start, upstream: FakeUpstream, second: FakeUpstream, dialect: str
) -> None:
    """Outside the fence nothing is tried, even when all within fails; a fence that leaves nothing is a typed refusal."""
    inside = provider("in", upstream, "status-500", location="OnPremises", region="eu")
    outside = provider("out", second, location="External", region="us")
    policy = replace(FAST, fence=Fence(locations=("OnPremises",), regions=("eu",)))
    gateway = await start(chain(inside, outside, policy=policy))
    reply = await gateway.ask(dialect)
    assert reply.status == 503
    assert (
        reply.decision
        == "assistant; attempts=2; passed=in/status-500:ServerError,in/status-500:ServerError,out/ok:fence"
    )
    refused = await gateway.ask(dialect, headers={"x-pointsman-data-policy": "locations=InCluster"})
    assert (refused.status, refused.json["error"]["code"]) == (403, "policy_no_candidate")
    assert second.opened == 0
    assert gateway.state.metrics.blocked["assistant",].n == 1


async def test_a_header_cannot_widen_the_fence(start: Start, upstream: FakeUpstream) -> None:
    """The request's own fence is met with the route's; one that cannot be read is refused."""
    policy = replace(FAST, fence=Fence(locations=("OnPremises",)))
    gateway = await start(chain(provider("out", upstream, location="External"), policy=policy))
    wider = await gateway.ask(headers={"x-pointsman-data-policy": "locations=External,OnPremises"})
    wrong = await gateway.ask(headers={"x-pointsman-data-policy": "anywhere"})
    assert (wider.status, wrong.status, upstream.opened) == (403, 400, 0)


async def test_a_dialect_that_nobody_knows_is_passed_over(start: Start, upstream: FakeUpstream) -> None:
    """A newer table may name one: its target is passed over, with the reason."""
    newer = provider("newer", upstream, api=("telepathy",))
    gateway = await start(chain(newer, provider("all", upstream)))
    reply = await gateway.ask("messages")
    assert reply.decision == "assistant; answered=all/ok; attempts=1; passed=newer/ok:dialect"
    alone = await gateway.ask("messages", model="newer/ok")
    assert (alone.status, alone.json["error"]["code"]) == (400, "no_candidate")
    assert "speaks telepathy" in alone.json["error"]["message"]


async def test_a_dying_primary_under_parallel_streams(
    start: Start, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    """Fifty requests at once on a primary that dies before its first word: all are answered by the fallback."""
    policy = replace(FAST, timeouts=Timeouts(first_token=20.0))
    gateway = await start(chain(provider("a", upstream, "stall-preamble"), provider("b", second), policy=policy))
    asked = [asyncio.ensure_future(gateway.ask(stream=True)) for _ in range(50)]
    await until(lambda: len(upstream.seen) == 50)
    await upstream.stop()
    replies = await asyncio.gather(*asked)
    assert {(reply.status, reply.whole, reply.text) for reply in replies} == {(200, True, TEXT)}
    rungs = gateway.state.health.entries["a", "stall-preamble", Scope.MODEL].rungs
    assert rungs[FailureKind.CONNECT_FAILURE].opened == 1


async def test_the_total_time_ends_a_stream(start: Start, upstream: FakeUpstream) -> None:
    """The budget of time holds after the commit, too."""
    policy = replace(FAST, timeouts=Timeouts(first_token=5.0, stall=5.0, total=0.12))
    gateway = await start(chain(provider("a", upstream, "slow"), policy=policy))
    reply = await gateway.ask(stream=True)
    assert not reply.whole
    assert "time for the request is spent" in reply.body.decode()
