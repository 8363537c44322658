"""The operator's metrics. What is of an object is read from the store when scraped: no series outlives its object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pointsman.fleet.scale import SCALED_TO_ZERO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sized

    from pointsman.controller.store import Store
    from pointsman.fleet.world import Gateway, Json, World

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which nobody reads
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counters of this process. `forget` drops the series of a provider or a namespace that is gone."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        here, named = self.registry, ("namespace", "provider")
        self.probe_latency = Gauge("pointsman_probe_latency_seconds", "Of the last probe", named, registry=here)
        self.probe_results = Counter("pointsman_probe_results", "Probes by result", (*named, "result"), registry=here)
        self.renders = Gauge(
            "pointsman_config_last_render_timestamp_seconds", "Of the last good table", ("namespace",), registry=here
        )
        self.render_failures = Counter(
            "pointsman_config_render_failures", "Tables that could not be made", ("namespace",), registry=here
        )
        self.config_bytes = Gauge("pointsman_config_bytes", "Of the ConfigMap's data", ("namespace",), registry=here)
        self.writes = Counter("pointsman_api_writes", "Writes sent to the API server", ("kind", "verb"), registry=here)
        self.errors = Counter("pointsman_reconcile_errors", "Reconciliations that failed", ("kind",), registry=here)
        self.seconds = Histogram(
            "pointsman_reconcile_seconds", "Of one reconciliation", ("kind",), registry=here, buckets=_SECONDS
        )
        self.resyncs = Counter("pointsman_resyncs", "Full listings, by result", ("result",), registry=here)

    def watch(self, store: Store, gateways: Callable[[str], tuple[Gateway, ...]], queue: Sized) -> None:
        """Report also what is in these, as they are when scraped."""
        self.registry.register(_Fleet(store, gateways))
        depth = Gauge("pointsman_queue_depth", "Keys waiting or worked on", registry=self.registry)
        depth.set_function(lambda: len(queue))

    def probed(self, namespace: str, provider: str, result: str, latency: float) -> None:
        self.probe_results.labels(namespace, provider, result).inc()
        self.probe_latency.labels(namespace, provider).set(latency)

    def forget_provider(self, namespace: str, provider: str) -> None:
        labels = {"namespace": namespace, "provider": provider}
        self.probe_latency.remove_by_labels(labels)
        self.probe_results.remove_by_labels(labels)

    def forget_table(self, namespace: str) -> None:
        for metric in (self.renders, self.render_failures, self.config_bytes):
            metric.remove_by_labels({"namespace": namespace})


class _Fleet(Collector):
    """One sample for each object there is now."""

    def __init__(self, store: Store, gateways: Callable[[str], tuple[Gateway, ...]]) -> None:
        self._store, self._gateways = store, gateways

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        families = _families()
        for namespace in sorted(self._store.namespaces()):
            world = self._store.snapshot(namespace)
            _add_providers(families, world)
            _add_routes(families, world)
            self._add_table(families, world)
        return families.values()

    def _add_table(self, families: dict[str, GaugeMetricFamily], world: World) -> None:
        if not world.published_hash:
            return
        gateways = self._gateways(world.namespace)
        same = sum(gateway.hash == world.published_hash for gateway in gateways)
        families["config_info"].add_metric((world.namespace, world.published_hash), 1)
        families["config_gateways"].add_metric((world.namespace,), len(gateways))
        families["config_gateways_acknowledged"].add_metric((world.namespace,), same)


def _families() -> dict[str, GaugeMetricFamily]:
    provider, route, table = ("namespace", "provider"), ("namespace", "route"), ("namespace",)
    shapes: dict[str, tuple[str, tuple[str, ...]]] = {
        "provider_ready": ("1 when the provider serves", provider),
        "provider_suspended": ("1 when spec.suspend is true", provider),
        "provider_condition": ("1 for each condition as it stands", (*provider, "type", "status", "reason")),
        "route_ready": ("1 when a target of the route serves", route),
        "route_targets": ("Targets of the route", route),
        "route_healthy_targets": ("Targets that serve or would", route),
        "route_active_target_index": ("0: the primary serves, 1 and more: a fallback, -1: nobody", route),
        "route_resting": ("1 when what would serve first is scaled to zero, as nobody asks", route),
        "config_info": ("The published table", (*table, "hash")),
        "config_gateways": ("Gateways of the namespace", table),
        "config_gateways_acknowledged": ("Gateways that run the published table", table),
    }
    return {
        name: GaugeMetricFamily(f"pointsman_{name}", text, labels=labels) for name, (text, labels) in shapes.items()
    }


def _add_providers(families: dict[str, GaugeMetricFamily], world: World) -> None:
    for name, provider in world.providers.items():
        labels = (world.namespace, name)
        families["provider_ready"].add_metric(labels, _is_true(provider.status, "Ready"))
        families["provider_suspended"].add_metric(labels, bool(provider.spec and provider.spec.suspend))
        for condition in provider.status.get("conditions") or ():
            said = (condition["type"], condition["status"], condition["reason"])
            families["provider_condition"].add_metric((*labels, *said), 1)


def _add_routes(families: dict[str, GaugeMetricFamily], world: World) -> None:
    for name, route in world.routes.items():
        labels = (world.namespace, name)
        chain = route.status.get("effectiveChain") or ()
        healthy, _, targets = str(route.status.get("healthyTargets") or "0/0").partition("/")
        active = next((i for i, target in enumerate(chain) if target.get("state") == "Active"), -1)
        families["route_ready"].add_metric(labels, _is_true(route.status, "Ready"))
        families["route_targets"].add_metric(labels, float(targets or 0))
        families["route_healthy_targets"].add_metric(labels, float(healthy or 0))
        families["route_active_target_index"].add_metric(labels, active)
        before = chain if active < 0 else chain[:active]
        families["route_resting"].add_metric(labels, any(each.get("reason") == SCALED_TO_ZERO for each in before))


def _is_true(status: Json, kind: str) -> bool:
    return any(c.get("type") == kind and c.get("status") == "True" for c in status.get("conditions") or ())
