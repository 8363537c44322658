"""What the gateway tells of itself: models, metrics, the story of a request."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gateway.conftest import Start, chain, provider
from gateway.fakeupstream import FakeUpstream
from pointsman.exchange import Failure, FailureKind
from pointsman.failover.choose import Candidate, Passed
from pointsman.failover.machine import Attempt
from pointsman.gateway import decision, metrics
from pointsman.table import Model, Provider, Route, Target


async def test_models_are_merged(start: Start, upstream: FakeUpstream) -> None:
    """Routes, aliases and provider/model, in the shape that the client speaks; what all of a chain holds is told."""
    small = provider("a", upstream, models=(Model(id="ok", context_window=8192, max_tokens=1024),))
    large = provider("b", upstream, models=(Model(id="ok", context_window=32768),))
    table = chain(small, large)
    route = Route(name="r", model_name="other", aliases=("Local",), targets=(Target(provider="b", model="ok"),))
    gateway = await start(type(table)(providers=table.providers, routes=(*table.routes, route)))
    openai = (await gateway.get("/v1/models")).json
    assert [entry["id"] for entry in openai["data"]] == ["assistant", "other", "Local", "a/ok", "b/ok"]
    assert openai["data"][0]["context_window"] == 8192
    anthropic = (await gateway.get("/v1/models", anthropic_version="2023-06-01")).json
    assert (anthropic["has_more"], anthropic["first_id"], anthropic["last_id"]) == (False, "assistant", "b/ok")
    assert anthropic["data"][1] == {
        "type": "model", "id": "other", "display_name": "other", "created_at": "1970-01-01T00:00:00Z", "max_input_tokens": 32768,
    }  # fmt: skip
    assert (await gateway.get("/v1/models/a%2Fok")).json["id"] == "a/ok"
    assert (await gateway.get("/v1/models/b/ok")).json["id"] == "b/ok"
    assert (await gateway.get("/v1/models/nope")).status == 404


async def test_replace_hides_what_is_no_route(start: Start, upstream: FakeUpstream) -> None:
    """With mode Replace only routes exist."""
    gateway = await start(chain(provider("a", upstream), mode="Replace"))
    assert [entry["id"] for entry in (await gateway.get("/v1/models")).json["data"]] == ["assistant"]
    assert (await gateway.ask(model="a/ok")).status == 404


async def test_explains_a_request(start: Start, upstream: FakeUpstream) -> None:
    """By its id, the client's own if it sent a sane one: who failed, who was passed over, who answered."""
    gateway = await start(chain(provider("a", upstream, "status-500"), provider("b", upstream)))
    reply = await gateway.ask(headers={"x-request-id": "mine-1"})
    assert reply.fields["x-request-id"] == "mine-1"
    story = (await gateway.get("/-/explain/mine-1")).json
    assert (story["answered"], story["provider"], story["status"]) == ("ok", "b", 200)
    assert story["failed"][0]["reason"] == "ServerError"
    plain = await gateway.ask(headers={"x-request-id": 'not "sane"'})
    given = plain.fields["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", given)
    story = (await gateway.get(f"/-/explain/{given}")).json
    assert (story["passed"][0]["reason"], story["first_us"] > 0) == ("cooling-ServerError", True)
    assert (await gateway.get("/-/explain/unknown")).status == 404


async def test_metrics_are_counted(start: Start, upstream: FakeUpstream) -> None:
    """Requests, attempts, failovers, times, cooling and configuration, as Prometheus reads them."""
    gateway = await start(chain(provider("a", upstream, "status-500"), provider("b", upstream)))
    for stream in (False, True, False):
        await gateway.ask(stream=stream)
    await gateway.ask(model="nope")
    text = (await gateway.get("/metrics")).body.decode()
    found = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    def value(name: str, **labels: str) -> float:
        return found[name, tuple(sorted(labels.items()))]

    answered = {"provider": "b", "model": "ok"}
    assert (
        value(
            "pointsman_gateway_requests_total", route="assistant", dialect="openai-completions", code="200", **answered
        )
        == 3
    )
    assert value("pointsman_gateway_attempts_total", outcome="ok", **answered) == 3
    assert value("pointsman_gateway_attempts_total", outcome="ServerError", provider="a", model="status-500") == 1
    assert (
        value(
            "pointsman_gateway_failovers_total",
            **{"route": "assistant", "from": "a/status-500", "to": "b/ok", "reason": "ServerError"},
        )
        == 1
    )
    assert value("pointsman_gateway_refused_total", code="model_not_found") == 1
    assert 0 < value("pointsman_gateway_target_cooling", provider="a", model="status-500", reason="ServerError") <= 5.1
    assert value("pointsman_gateway_config_info", hash=gateway.state.routing.table.hash, namespace="default") == 1
    labels = {"gen_ai_provider_name": "b", "gen_ai_response_model": "ok", "gen_ai_operation_name": "openai-completions"}
    assert value("gen_ai_server_time_to_first_token_seconds_count", **labels) == 3
    assert value("gen_ai_client_operation_duration_seconds_bucket", le="+Inf", **labels) == 3


@given(st.text(), st.lists(st.floats(0, 200)))
def test_any_label_and_time_can_be_read_back(label: str, times: list[float]) -> None:
    """Names come from users: they are escaped. Buckets add up."""
    count, histogram = metrics.Count(), metrics.Histogram()
    count.n = 7
    histogram.fresh.extend(times)
    lines = [*metrics.counter("c_total", "C.", ("name",), {(label,): count}),
             *metrics.histogram("h", "H.", ("name",), {(label,): histogram})]  # fmt: skip
    families = list(text_string_to_metric_families("\n".join(lines) + "\n"))
    assert families[0].samples[0].labels == {"name": label}
    buckets = [sample.value for sample in families[1].samples if sample.name == "h_bucket"]
    assert buckets == sorted(buckets)
    assert buckets[-1] == len(times)


@given(st.text(min_size=1), st.text(min_size=1))
def test_the_decision_is_a_header_whatever_the_names(route: str, model: str) -> None:
    """Percent-encoded: no name can break the grammar or the head."""
    candidate = Candidate(Provider(name="p", type="VLLM", base_url="http://p", api=()), Model(id=model))
    attempts = [Attempt(candidate, Failure(FailureKind.TIMEOUT))]
    told = decision.header(route, candidate, attempts, [Passed("q", model, "fence", "")])
    assert re.fullmatch(
        r"[\w.\-~/@+%]+; answered=p/[\w.\-~/@+%]+; attempts=2; passed=p/[\w.\-~/@+%]+:Timeout,q/[\w.\-~/@+%]+:fence",
        told,
        re.ASCII,
    )
    assert json.dumps(told).isascii()


def test_each_target_is_told_once() -> None:
    """Who answered was not passed over, and who failed is told by that; what was Busy was sent nothing."""
    doubtful, failed, full = (
        Candidate(Provider(name=name, type="VLLM", base_url="http://p", api=()), Model(id="m")) for name in "abc"
    )
    attempts = [Attempt(full, Failure(FailureKind.BUSY)), Attempt(failed, Failure(FailureKind.TIMEOUT))]
    passed = [
        Passed(name, "m", reason, "") for name, reason in [("a", "context"), ("b", "cooling-Timeout"), ("d", "cold")]
    ]
    told = decision.header("r", doubtful, attempts, passed)
    assert told == "r; answered=a/m; attempts=2; passed=c/m:Busy,b/m:Timeout,d/m:cold"
    assert decision.header("r", None, attempts[:1], passed[1:2]) == "r; attempts=0; passed=c/m:Busy,b/m:cooling-Timeout"
    assert [place.reason for place in decision.untried(doubtful, attempts, passed)] == ["cold"]


async def test_a_last_resort_is_told_once(start: Start, upstream: FakeUpstream) -> None:
    """In the header and in the record: that it was left alone is no news once it was tried."""
    gateway = await start(chain(provider("a", upstream, "status-500+status-500+status-500+ok")))
    name = "a/status-500+status-500+status-500+ok"
    first = await gateway.ask()
    assert first.decision == f"assistant; attempts=2; passed={name}:ServerError,{name}:ServerError"
    again = await gateway.ask(headers={"x-request-id": "again"})
    assert again.decision == f"assistant; attempts=1; passed={name}:ServerError"
    assert "passed" not in (await gateway.get("/-/explain/again")).json
    assert (await gateway.ask()).decision == f"assistant; answered={name}; attempts=1"
