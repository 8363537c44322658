"""What is told and counted of answers: tokens and their cost, what was wasted, dropped, taken up, passed over."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from gateway.acts import BILL
from gateway.conftest import ALL_APIS, DIALECTS, FAST, TEXT, Gateway, Start, chain, provider
from gateway.fakeupstream import FakeUpstream
from pointsman.table import Fence, Model, Provider

EVERY = pytest.mark.parametrize("dialect", DIALECTS)
STREAM = pytest.mark.parametrize("stream", [True, False])
PRICES = {"input": 3.0, "output": 15.0, "cacheRead": 0.3}
COST = (600 * 3.0 + 400 * 0.3 + 5 * 15.0) / 1e6
NAMED = {"x-request-id": "told"}


def priced(name: str, upstream: FakeUpstream, model: str, **more: Any) -> Provider:
    return provider(name, upstream, models=(Model(id=model, cost=PRICES),), **more)


async def explain(gateway: Gateway) -> Any:
    return (await gateway.get("/-/explain/told")).json


async def samples(gateway: Gateway) -> dict[str, list[tuple[dict[str, str], float]]]:
    """The metrics as Prometheus reads them."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families((await gateway.get("/metrics")).body.decode()):
        assert family.documentation
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


@EVERY
@STREAM
async def test_tokens_and_their_cost(start: Start, upstream: FakeUpstream, dialect: str, stream: bool) -> None:
    """As the target counted them, by the model's prices, those from a cache by theirs."""
    gateway = await start(chain(priced("a", upstream, "bill")))
    reply = await gateway.ask(dialect, stream=stream, headers=NAMED)
    assert reply.text == TEXT
    told = await explain(gateway)
    assert (told["input_tokens"], told["cached_tokens"], told["output_tokens"]) == BILL
    assert told["cost_usd"] == pytest.approx(COST)
    found = await samples(gateway)
    [(labels, cost)] = found["pointsman_gateway_cost_usd_total"]
    assert labels == {"route": "assistant", "provider": "a", "model": "bill"}
    assert cost == pytest.approx(COST)
    api = dict(zip(DIALECTS, ALL_APIS, strict=True))[dialect]
    sums = {labels["gen_ai_token_type"]: value for labels, value in found["gen_ai_client_token_usage_sum"]}
    assert sums == {"input": BILL[0], "output": BILL[2]}
    assert {labels["gen_ai_operation_name"] for labels, _ in found["gen_ai_client_token_usage_sum"]} == {api}


@EVERY
@STREAM
async def test_after_a_failover_as_well(start: Start, upstream: FakeUpstream, dialect: str, stream: bool) -> None:
    """The one that answered is charged; the one that failed before it began cost nothing."""
    gateway = await start(chain(priced("a", upstream, "status-500"), priced("b", upstream, "bill")))
    await gateway.ask(dialect, stream=stream, headers=NAMED)
    told = await explain(gateway)
    assert (told["provider"], told["input_tokens"], told["output_tokens"]) == ("b", BILL[0], BILL[2])
    assert told["cost_usd"] == pytest.approx(COST)
    [step] = told["failed"]
    assert (step["provider"], step["reason"], step["status"]) == ("a", "ServerError", 500)
    assert "cost_usd" not in step


@EVERY
async def test_what_a_broken_stream_may_have_cost(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """Told as an estimate with the attempt that broke, never added to the answer's."""
    gateway = await start(chain(priced("a", upstream, "cut-mid"), priced("b", upstream, "bill", type="OpenAI")))
    reply = await gateway.ask(dialect, stream=True, headers=NAMED)
    assert (reply.whole, reply.text) == (True, TEXT)
    told = await explain(gateway)
    assert (told["status"], told["resumed"], told["provider"]) == (200, 1, "b")
    assert (told["input_tokens"], told["output_tokens"]) == (BILL[0], BILL[2])
    assert told["cost_usd"] == pytest.approx(COST)
    [step] = told["failed"]
    assert step["provider"] == "a"
    assert step["output_tokens"] == 2
    assert 0 < step["input_tokens"] < 200
    assert step["cost_usd"] == pytest.approx((step["input_tokens"] * 3.0 + 2 * 15.0) / 1e6)
    found = await samples(gateway)
    costs = {labels["provider"]: value for labels, value in found["pointsman_gateway_cost_usd_total"]}
    assert costs == {"a": 0.0, "b": pytest.approx(COST)}
    [(_, resumed)] = found["pointsman_gateway_streams_resumed_total"]
    assert resumed == 1


@EVERY
async def test_a_stream_that_nobody_takes_up(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """It has the waste, no tokens of its own, and a code that says what became of it."""
    policy = replace(FAST, mid_stream="Fail")
    gateway = await start(chain(priced("a", upstream, "cut-mid"), policy=policy))
    reply = await gateway.ask(dialect, stream=True, headers=NAMED)
    assert not reply.whole
    told = await explain(gateway)
    assert (told["code"], told["cost_usd"]) == ("upstream_failed", 0.0)
    assert told["failed"][0]["input_tokens"] > 0


@EVERY
@STREAM
async def test_without_prices_tokens_alone(start: Start, upstream: FakeUpstream, dialect: str, stream: bool) -> None:
    """Whose model has no prices costs nothing that is known."""
    gateway = await start(chain(provider("a", upstream, "bill")))
    await gateway.ask(dialect, stream=stream, headers=NAMED)
    told = await explain(gateway)
    assert (told["input_tokens"], told["cost_usd"]) == (BILL[0], 0.0)


@EVERY
async def test_explain_tells_all_of_it(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """Who was passed over and why, what was left out of the request, how often the answer was taken up."""
    policy = replace(FAST, fence=Fence(locations=("OnPremises",)))
    places = [
        provider("out", upstream, location="External"),
        provider("a", upstream, "cut-mid", location="OnPremises"),
        provider("b", upstream, "reset-mid", location="OnPremises"),
        provider("c", upstream, location="OnPremises"),
    ]
    gateway = await start(chain(*places, policy=policy))
    reply = await gateway.ask(dialect, stream=True, service_tier="flex", headers=NAMED)
    assert (reply.whole, reply.text) == (True, TEXT)
    told = await explain(gateway)
    assert [(step["provider"], step["reason"]) for step in told["passed"]] == [("out", "fence")]
    assert [step["provider"] for step in told["failed"]] == ["a", "b"]
    assert (told["provider"], told["answered"], told["resumed"]) == ("c", "ok", 2)
    assert told["dropped"] == ["service_tier"]
    assert 0 < told["first_us"] <= told["total_us"]


async def test_metrics_are_prometheus_own(start: Start, upstream: FakeUpstream) -> None:
    """After answers of all kinds, and names that need escaping, every line is read."""
    odd = 'we"ird\\mo\ndel'
    places = [provider("a", upstream, "status-500"), priced("b", upstream, odd)]
    gateway = await start(chain(*places))
    for dialect in DIALECTS:
        for stream in (True, False):
            assert (await gateway.ask(dialect, stream=stream)).status == 200
    found = await samples(gateway)
    answered = [value for labels, value in found["pointsman_gateway_requests_total"] if labels["model"] == odd]
    assert sum(answered) == 6
    for name in ("gen_ai_client_operation_duration_seconds", "gen_ai_server_time_to_first_token_seconds"):
        counts = [value for labels, value in found[f"{name}_count"] if labels["gen_ai_response_model"] == odd]
        assert sum(counts) == 6
        assert {labels["le"] for labels, _ in found[f"{name}_bucket"]} >= {"+Inf"}


@EVERY
async def test_an_answer_that_ended_open_is_counted_too(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """What it said of its tokens is in it, although its end was not said."""
    gateway = await start(chain(priced("a", upstream, "open-body")))
    reply = await gateway.ask(dialect, headers=NAMED)
    assert reply.text == TEXT
    assert (await explain(gateway))["input_tokens"] == BILL[0]


async def test_a_stream_that_tells_no_usage_is_estimated(start: Start, upstream: FakeUpstream) -> None:
    """Chat tells only who asks: what it cost is told about, and said to be so."""
    gateway = await start(chain(provider("a", upstream)))
    reply = await gateway.ask(stream=True)
    story = (await gateway.get(f"/-/explain/{reply.fields['x-request-id']}")).json
    assert story["estimated"] is True
    assert 5 <= story["output_tokens"] <= 8
    assert story["input_tokens"] > 0
