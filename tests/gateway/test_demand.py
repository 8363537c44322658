"""What /-/config tells of demand, and what a client hears while the engine that it wants is started."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.conftest import DIALECTS, FAST, TEXT, Gateway, Start, chain, provider, until
from gateway.fakeupstream import FakeUpstream
from gateway.process import gateway_process
from pointsman.gateway import waking
from pointsman.gateway.demand import Board, Told, Want, note
from pointsman.table import Fence, Model, Provider, Route, Target
from testbed.ports import free_port

COUNT: dict[str, Any] = {"model": "assistant", "messages": [{"role": "user", "content": "How long is this?"}]}


def down(name: str, reason: str = "ScaledToZero", **more: Any) -> Provider:
    """One of which nothing runs: whoever dialled would be refused."""
    return provider(name, "http://127.0.0.1:9", state="Down", reason=reason, **more)


async def wanted(gateway: Gateway) -> set[str]:
    """The providers that a request has wanted."""
    told = (await gateway.get("/-/config")).json["providers"]
    return {name for name, each in told.items() if each["wantedAgo"] is not None}


async def in_flight(gateway: Gateway) -> dict[str, int]:
    told = (await gateway.get("/-/config")).json["providers"]
    return {name: each["inFlight"] for name, each in told.items() if each["inFlight"]}


async def test_before_any_request(start: Start, upstream: FakeUpstream) -> None:
    """Every provider of the table is named, and how long the gateway would have heard of a request."""
    gateway = await start(chain(provider("a", upstream), down("b")))
    gateway.state.demand.began -= 100.0
    told = (await gateway.get("/-/config")).json
    assert told["providers"] == {name: {"inFlight": 0, "wantedAgo": None} for name in ("a", "b")}
    assert 100.0 <= told["uptime"] < 200.0
    assert "partial" not in told
    assert (await (await start(None)).get("/-/config")).json["providers"] == {}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_first_that_is_not_down_and_all_before_it_are_wanted(
    start: Start, upstream: FakeUpstream, dialect: str
) -> None:
    """Those before it would have been asked, had they run; those after it are not missed."""
    gateway = await start(chain(down("a"), down("b", "NoReadyReplica"), provider("c", upstream), down("d")))
    assert (await gateway.ask(dialect)).text == TEXT
    assert await wanted(gateway) == {"a", "b", "c"}


async def test_how_long_ago(start: Start, upstream: FakeUpstream) -> None:
    """Seconds, and a later request counts anew."""
    gateway = await start(chain(down("a"), provider("b", upstream)))
    await gateway.ask()
    gateway.state.demand.want("a").at -= 50.0
    assert 50.0 <= (await gateway.get("/-/config")).json["providers"]["a"]["wantedAgo"] < 100.0
    await gateway.ask()
    assert (await gateway.get("/-/config")).json["providers"]["a"]["wantedAgo"] < 50.0


async def test_a_request_by_provider_and_model_wants_it(start: Start, upstream: FakeUpstream) -> None:
    """Not only routes wake; nobody else is wanted by it, and it is told when to come again."""
    gateway = await start(chain(provider("a", upstream), down("b")))
    reply = await gateway.ask(model="b/ok")
    assert (reply.status, reply.fields["retry-after"]) == (503, "30")
    assert await wanted(gateway) == {"b"}


async def test_embeddings_and_counts_want_it_too(start: Start, upstream: FakeUpstream) -> None:
    """Whatever needs the engine; a count is estimated meanwhile."""
    for path, body in (("/v1/embeddings", {"model": "assistant", "input": "Hi"}), ("/v1/messages/count_tokens", COUNT)):
        gateway = await start(chain(down("a", type="VLLM"), provider("b", upstream)))
        await gateway.send("POST", path, json.dumps(body).encode(), {})
        assert "a" in await wanted(gateway), path


async def test_a_count_of_what_sleeps_is_estimated(start: Start) -> None:
    """It costs nothing to tell, and it wakes the engine for what comes next."""
    gateway = await start(chain(down("a")))
    reply = await gateway.send("POST", "/v1/messages/count_tokens", json.dumps(COUNT).encode(), {})
    assert reply.status == 200
    assert reply.json["input_tokens"] > 0
    assert reply.decision == "assistant; estimated"
    assert await wanted(gateway) == {"a"}


async def test_what_the_fence_keeps_out_is_not_wanted(start: Start, upstream: FakeUpstream) -> None:
    """Nor what is suspended, nor what nobody may try: to start it would be for nothing."""
    policy = replace(FAST, fence=Fence(locations=("InCluster",)))
    near = {"location": "InCluster"}
    outside, suspended = down("outside"), down("suspended", suspended=True, **near)
    gateway = await start(chain(outside, suspended, provider("a", upstream, **near), policy=policy))
    assert (await gateway.ask()).status == 200
    assert await wanted(gateway) == {"a"}
    alone = await start(chain(outside, policy=policy))
    assert (await alone.ask()).json["error"]["code"] == "policy_no_candidate"
    assert await wanted(alone) == set()


async def test_a_request_of_no_known_model_wants_nothing(start: Start, upstream: FakeUpstream) -> None:
    """Nor does one that cannot be read, or a look at the models."""
    gateway = await start(chain(provider("a", upstream)))
    assert (await gateway.ask(model="nope")).status == 404
    assert (await gateway.send("POST", "/v1/chat/completions", b"{", {})).status == 400
    await gateway.get("/v1/models")
    assert await wanted(gateway) == set()


async def test_whom_a_request_was_sent_to_is_wanted(start: Start, upstream: FakeUpstream, second: FakeUpstream) -> None:
    """A fallback that answers for one whose probes see nothing wrong must not be taken away."""
    gateway = await start(chain(provider("a", upstream, "status-500"), provider("b", second)))
    assert (await gateway.ask()).text == TEXT
    assert await wanted(gateway) == {"a", "b"}


async def test_the_gateways_own_wake_up_is_no_request(
    start: Start, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    """Asking a cold model to load wants nothing, and what sleeps is not even asked."""
    cold = provider("cold", second, models=(Model(id="ok", loaded=False),), location="OnPremises")
    sleeping = down("sleeping", models=(Model(id="ok", loaded=False),), location="InCluster")
    warm = provider("warm", upstream)
    gateway = await start(chain(sleeping, cold, warm))
    assert (await gateway.ask()).text == TEXT
    await until(lambda: bool(second.seen))
    await until(lambda: not gateway.state.askings)
    assert list(gateway.state.woken) == [("cold", "ok")]
    assert await in_flight(gateway) == {}
    gateway.state.demand.want("cold").at = 0.0
    gateway.state.woken.clear()
    assert gateway.state.routing
    lane = next(iter(gateway.state.routing._lanes.values()))
    waking.wake(gateway.state, lane)
    await until(lambda: not gateway.state.askings)
    assert "cold" not in await wanted(gateway)


@pytest.mark.parametrize("stream", [True, False])
async def test_requests_under_way_are_counted(start: Start, upstream: FakeUpstream, stream: bool) -> None:
    """From when they are sent until the last byte, at the provider that answers; then that was wanted just now."""
    gateway = await start(chain(down("a"), provider("b", upstream, "gated")))
    asked = [asyncio.ensure_future(gateway.ask(stream=stream)) for _ in range(3)]
    await until(lambda: len(upstream.seen) == 3)
    assert await in_flight(gateway) == {"b": 3}
    gateway.state.demand.want("b").at -= 500.0
    upstream.gate.set()
    assert [(await each).text for each in asked] == [TEXT] * 3
    assert await in_flight(gateway) == {}
    assert (await gateway.get("/-/config")).json["providers"]["b"]["wantedAgo"] < 500.0


async def test_a_provider_that_left_the_table_is_told_while_it_answers(start: Start, upstream: FakeUpstream) -> None:
    """Then no more: whoever asks must not take its engine meanwhile."""
    gateway = await start(chain(provider("a", upstream, "gated")))
    asked = asyncio.ensure_future(gateway.ask())
    await until(lambda: len(upstream.seen) == 1)
    await gateway.put_table(chain(provider("b", upstream)))
    told = (await gateway.get("/-/config")).json["providers"]
    assert list(told) == ["b", "a"]
    assert told["a"]["inFlight"] == 1
    upstream.gate.set()
    assert (await asked).text == TEXT
    assert list((await gateway.get("/-/config")).json["providers"]) == ["b"]


async def test_a_new_table_forgets_no_demand(start: Start, upstream: FakeUpstream) -> None:
    """Else every probe that turns would look like silence."""
    gateway = await start(chain(down("a"), provider("b", upstream)))
    await gateway.ask()
    await gateway.put_table(chain(down("a", "Waking"), provider("b", upstream), provider("c", upstream)))
    assert await wanted(gateway) == {"a", "b"}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("reason", "said"),
    [("ScaledToZero", "it is scaled to zero, and is being started"), ("Waking", "it is being started")],
)
async def test_a_client_is_told_when_to_come_again(start: Start, dialect: str, reason: str, said: str) -> None:
    """At once, in its own dialect: nobody is dialled who cannot listen, and nobody waits for minutes."""
    gateway = await start(chain(down("a", reason)))
    reply = await gateway.ask(dialect, stream=True)
    assert (reply.status, reply.fields["retry-after"]) == (503, "30")
    assert "being started for 'assistant' (a/ok): come again in 30 s" in reply.json["error"]["message"]
    assert reply.decision == "assistant; attempts=0; passed=a/ok:asleep"
    story = (await gateway.get(f"/-/explain/{reply.fields['x-request-id']}")).json
    assert story["passed"] == [{"provider": "a", "model": "ok", "reason": "asleep", "message": said}]


async def test_what_is_down_for_another_reason_is_a_last_resort(start: Start) -> None:
    """As ever: only what sleeps on purpose is not even tried."""
    gateway = await start(chain(down("a"), down("b", "NoReadyReplica")))
    reply = await gateway.ask()
    assert (reply.status, reply.json["error"]["code"]) == (503, "all_candidates_failed")
    assert reply.decision.endswith(",a/ok:asleep")


async def test_the_time_to_come_again_is_that_of_the_last_start(start: Start, upstream: FakeUpstream) -> None:
    """Less what has gone by since it was first asked for; and when it is up, it answers."""
    up = chain(provider("a", upstream, state="Up"))
    gateway = await start(chain(down("a")))
    await gateway.ask()
    want = gateway.state.demand.want("a")
    want.asked -= 200.0
    await gateway.put_table(chain(down("a", "Waking")))
    assert (await gateway.ask()).fields["retry-after"] == "30", "no start was seen yet"
    await gateway.put_table(up)
    assert 200.0 <= want.took < 300.0
    assert (await gateway.ask()).text == TEXT
    await gateway.put_table(chain(down("a")))
    assert 190 < int((await gateway.ask()).fields["retry-after"]) <= 300
    want.asked -= 1000.0
    assert (await gateway.ask()).fields["retry-after"] == "5", "it takes longer than the last time"


async def test_the_fallback_covers_the_cold_start(start: Start, upstream: FakeUpstream) -> None:
    """One request after the other, none of which sees that the primary sleeps, but in the header."""
    gateway = await start(chain(down("a"), provider("b", upstream)))
    for stream in (True, False):
        reply = await gateway.ask(stream=stream)
        assert (reply.status, reply.text) == (200, TEXT)
        assert reply.decision == "assistant; answered=b/ok; attempts=1; passed=a/ok:asleep"


async def test_too_long_for_the_fallback_is_not_too_long_for_what_sleeps(start: Start, upstream: FakeUpstream) -> None:
    """A 400 would tell the client never to ask again."""
    small = provider("small", upstream, models=(Model(id="ok", context_window=100),))
    large = down("large", models=(Model(id="ok", context_window=100_000),))
    gateway = await start(chain(large, small))
    words: dict[str, Any] = {"messages": [{"role": "user", "content": "word " * 5000}]}
    assert (await gateway.ask(**words)).json["error"]["code"] == "model_starting"
    tiny = await start(chain(replace(large, models=small.models), small))
    assert (await tiny.ask(**words)).status == 400


async def test_two_routes_want_one_provider(start: Start, upstream: FakeUpstream) -> None:
    """Each in its place in their chains."""
    places = (provider("a", upstream), down("b"))
    table = chain(*places)
    other = Route(
        name="other", model_name="other", targets=(Target(provider="b", model="ok"), table.routes[0].targets[0])
    )
    gateway = await start(replace(table, routes=(*table.routes, other)))
    await gateway.ask()
    assert await wanted(gateway) == {"a"}
    await gateway.ask(model="other")
    assert await wanted(gateway) == {"a", "b"}


async def test_workers_tell_what_all_of_them_know(tmp_path: Path, upstream: FakeUpstream) -> None:
    """Whichever is asked: requests under way are summed, and the last want is that of any."""
    port = free_port("127.0.0.1")
    patient = replace(FAST, timeouts=replace(FAST.timeouts, first_token=30.0, whole=30.0, total=60.0))
    table = chain(down("a"), provider("b", upstream, "gated"), policy=patient)
    body = json.dumps({"model": "assistant", "messages": COUNT["messages"]}).encode()
    asked = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    async with gateway_process(tmp_path, table, workers=3, listen=f"127.0.0.1:{port}") as gateway:
        try:
            await until(lambda: gateway.events().count("listening") == 3)
            for _ in range(8):
                (await gateway.connect())[1].write(asked)
            await until(lambda: len(upstream.seen) == 8)
            await _told(port, lambda each: each["providers"]["b"]["inFlight"] == 8 and not each.get("partial"))
            await _told(port, lambda each: each["providers"]["a"]["wantedAgo"] is not None)
            upstream.gate.set()
            await _told(port, lambda each: each["providers"]["b"]["inFlight"] == 0)
        finally:
            gateway.signal()
            await gateway.ended(10)


async def _told(port: int, holds: Callable[[Any], bool]) -> None:
    """Wait until it is what all say: each new connection reaches any worker."""
    async with asyncio.timeout(15):
        while not all([holds(await asyncio.to_thread(_config, port)) for _ in range(9)]):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)


def _config(port: int) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/config", timeout=5) as answer:
        return json.load(answer)


def test_a_worker_that_does_not_tell_is_missed() -> None:
    """It has not begun, it has hung, it tells too much, or what it wrote is torn: then nobody knows all."""
    board = Board(2)
    assert board.others(100.0) is None
    theirs = Told(100.0, 1.0, {"a": (2, 99.0)})
    board.mine = 1
    board.put(theirs)
    board.mine = 0
    assert board.others(101.0) == [theirs]
    assert board.others(106.0) is None
    board._memory[(1 << 20) + 9] ^= 1
    assert board.others(101.0) is None
    board.mine = 1
    board.put(Told(100.0, 1.0, {"x" * (1 << 20): (1, 1.0)}))
    board.mine = 0
    assert board.others(101.0) is None


@given(st.lists(st.floats(1.0, 1e6), min_size=1, max_size=20), st.floats(0.0, 1e4))
def test_the_time_to_come_again_is_always_one(times: list[float], took: float) -> None:
    """Whole seconds, at least five, and never more than a start takes; the first request of a sleep begins it."""
    want = Want()
    want.asleep, want.took = True, took
    for now in sorted(times):
        note((want,), now)
        assert want.at == now
        assert want.asked == min(times)
        assert 5 <= want.wait(now) <= max(took + 1, 30)
