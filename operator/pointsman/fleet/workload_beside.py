"""What stands beside a provider's engine: its Service, its cache's claim, its disruption budget, its network policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.engines import vllm_container
from pointsman.engines.vllm_parallelism import nodes
from pointsman.fleet import workload_volumes
from pointsman.fleet.workload_metadata import APP_LABEL, metadata, pruned, selector
from pointsman.names import GATEWAY_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Deploy
    from pointsman.fleet.world import Meta

Json = dict[str, Any]

WORKER_INDEX: Final = "leaderworkerset.sigs.k8s.io/worker-index"  # on Pods of a LeaderWorkerSet; the leader's is 0
# The chart's labels of the operator's Pods, and what Prometheus' usual charts put on its own.
_OPERATOR: Final = {APP_LABEL: "pointsman", "app.kubernetes.io/component": "operator"}
_PROMETHEUS: Final = {APP_LABEL: "prometheus"}


def beside(meta: Meta, deploy: Deploy, replicas: int, operator_namespace: str) -> Iterator[Json]:
    """In the order in which they are needed."""
    yield service(meta, deploy)
    optional = (
        workload_volumes.claim(meta, deploy),
        _budget(meta, deploy, replicas or deploy.replicas),
        _policy(meta, deploy, operator_namespace),
    )
    yield from (each for each in optional if each)


def service(meta: Meta, deploy: Deploy) -> Json:
    """Its EndpointSlices copy its labels: by them the operator finds the replicas' addresses."""
    port = {"name": "http", "port": vllm_container.PORT, "targetPort": "http", "protocol": "TCP"}
    leaders = {WORKER_INDEX: "0"} if nodes(deploy) > 1 else {}
    spec = {"selector": selector(meta) | leaders, "ports": [port]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(meta), "spec": spec}


def _budget(meta: Meta, deploy: Deploy, replicas: int) -> Json | None:
    """One replica alone is not guarded unless that is asked for: its node could never be drained."""
    if replicas >= 2:
        allowed = {"maxUnavailable": 1}
    elif replicas == 1 and deploy.disruption == "Protect":
        allowed = {"minAvailable": nodes(deploy)}
    else:
        return None
    # A Pod that is not ready serves nobody: it must not hold a drain up.
    spec = {"selector": {"matchLabels": selector(meta)}, "unhealthyPodEvictionPolicy": "AlwaysAllow", **allowed}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata(meta), "spec": spec}


def _policy(meta: Meta, deploy: Deploy, operator_namespace: str) -> Json | None:
    """An API key guards /v1 alone, so that only those who need an engine may reach it. Egress is left alone."""
    access = deploy.network_policy
    if access and access.mode == "None":
        return None
    prometheus = access.prometheus_namespace if access else None
    peers = [
        {"podSelector": {"matchLabels": {GATEWAY_LABEL: "true"}}},
        {"namespaceSelector": _namespace(operator_namespace), "podSelector": {"matchLabels": _OPERATOR}},
        {"namespaceSelector": _namespace(prometheus), "podSelector": {"matchLabels": _PROMETHEUS}},
        *(pruned(each) for each in (access.allow_from if access else None) or ()),
    ]
    ingress: list[Json] = [{"ports": [{"port": vllm_container.PORT, "protocol": "TCP"}], "from": peers}]
    if nodes(deploy) > 1:
        ingress.append({"from": [{"podSelector": {"matchLabels": selector(meta)}}]})
    spec = {"podSelector": {"matchLabels": selector(meta)}, "policyTypes": ["Ingress"], "ingress": ingress}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata(meta), "spec": spec}


def _namespace(name: str | None) -> Json:
    """A selector of this namespace, of all when it is not known."""
    return {"matchLabels": {"kubernetes.io/metadata.name": name}} if name else {}
