"""What Prometheus and the kubelet are told."""

from __future__ import annotations

from typing import Any

import aiohttp

from pointsman.controller import kinds
from pointsman.controller.endpoints import served
from pointsman.controller.metrics import Metrics
from pointsman.controller.store import Store
from pointsman.fleet.world import Gateway
from testbed.ports import free_port

LABELS = {"namespace": "ns", "provider": "a"}


def condition(kind: str, status: str, reason: str) -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason}


def body(name: str, spec: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    meta = {"namespace": "ns", "name": name, "uid": f"u{name}", "resourceVersion": "1"}
    return {"metadata": meta, "spec": spec, "status": status}


def filled() -> tuple[Metrics, Store]:
    metrics, store = Metrics(), Store(lambda _: None)
    metrics.watch(store, lambda _: (Gateway("g", "other"),), [])
    provider = {"type": "VLLM", "endpoint": {"baseUrl": "http://h"}, "suspend": True}
    store.put(kinds.PROVIDER, body("a", provider, {"conditions": [condition("Ready", "False", "Suspended")]}))
    chain = [{"state": "Skipped"}, {"state": "Active"}]
    told = {"effectiveChain": chain, "healthyTargets": "1/2", "conditions": [condition("Ready", "True", "Ready")]}
    store.put(kinds.ROUTE, body("r", {"modelName": "m", "primary": {"provider": "a", "model": "m"}}, told))
    return metrics, store


def test_each_object_has_its_series() -> None:
    """By the names that alerts use."""
    value = filled()[0].registry.get_sample_value
    assert value("pointsman_provider_ready", LABELS) == 0
    assert value("pointsman_provider_suspended", LABELS) == 1
    said = LABELS | {"type": "Ready", "status": "False", "reason": "Suspended"}
    assert value("pointsman_provider_condition", said) == 1
    route = {"namespace": "ns", "route": "r"}
    assert value("pointsman_route_ready", route) == 1
    assert value("pointsman_route_targets", route) == 2
    assert value("pointsman_route_healthy_targets", route) == 1
    assert value("pointsman_route_active_target_index", route) == 1
    assert value("pointsman_queue_depth") == 0


def test_a_route_rests_while_what_comes_first_sleeps() -> None:
    """No alert is to wake anybody for it; a sleeping fallback behind a primary that serves changes nothing."""
    metrics, store = filled()
    asleep, active = {"state": "Down", "reason": "ScaledToZero"}, {"state": "Active"}
    chains = {"first": [asleep, active], "alone": [asleep], "behind": [active, asleep]}
    for name, chain in chains.items():
        spec = {"modelName": name, "primary": {"provider": "a", "model": "m"}}
        store.put(kinds.ROUTE, body(name, spec, {"effectiveChain": chain}))
    said = {
        name: metrics.registry.get_sample_value("pointsman_route_resting", {"namespace": "ns", "route": name})
        for name in (*chains, "r")
    }
    assert said == {"first": 1, "alone": 1, "behind": 0, "r": 0}


def test_a_series_goes_with_its_object() -> None:
    """Those of the process too, once they are told to."""
    metrics, store = filled()
    metrics.probed("ns", "a", "ok", 0.2)
    store.drop(kinds.PROVIDER, "ns", "a", "ua", "2")
    metrics.forget_provider("ns", "a")
    assert metrics.registry.get_sample_value("pointsman_provider_ready", LABELS) is None
    assert metrics.registry.get_sample_value("pointsman_probe_latency_seconds", LABELS) is None


async def test_ready_only_when_everything_is_listed() -> None:
    """Live from the start; metrics beside it."""
    metrics, ready = filled()[0], False
    ports = free_port(), free_port()
    async with served(metrics.registry, lambda: ready, *ports), aiohttp.ClientSession() as session:

        async def ask(port: int, path: str) -> tuple[int, str]:
            async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                return response.status, await response.text()

        assert (await ask(ports[1], "/healthz"))[0] == 200
        assert (await ask(ports[1], "/readyz"))[0] == 503
        ready = True
        assert (await ask(ports[1], "/readyz"))[0] == 200
        status, text = await ask(ports[0], "/metrics")
        assert status == 200
        assert 'pointsman_provider_ready{namespace="ns",provider="a"} 0.0' in text
        assert "_created" not in text
