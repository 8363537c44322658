"""Service, disruption budget and network policy of a provider that runs here."""

from __future__ import annotations

import pytest

from fleet.workloads import CASES, beside, container, rendered
from fleet.worlds import Json


def test_engine_pods_are_told_by_the_providers_label_and_get_the_traffic_alone() -> None:
    """The selector is a part of the Pod's labels, and of no label set of the Job that fetches."""
    made = rendered(**CASES["cache"])
    template = made.engine["spec"]["template"]["metadata"]["labels"]
    selector = made.engine["spec"]["selector"]["matchLabels"]
    service = made.beside[0]
    assert selector == {"app.kubernetes.io/name": "vllm", "pointsman.dev/provider": "qwen"}
    assert selector.items() <= template.items()
    assert template["pointsman.dev/role"] == "engine"
    assert service["spec"]["selector"] == selector
    assert service["metadata"]["labels"]["pointsman.dev/provider"] == "qwen"
    assert made.prefetch
    fetching = made.prefetch["spec"]["template"]["metadata"]["labels"]
    assert fetching["pointsman.dev/provider"] == "qwen"
    assert fetching["pointsman.dev/role"] == "prefetch"
    assert not selector.items() <= fetching.items()
    assert service["spec"]["ports"][0]["targetPort"] == container()["ports"][0]["name"]


@pytest.mark.parametrize(
    ("deploy", "now", "budget"),
    [
        ({}, 1, None),
        ({"disruption": "Auto"}, 1, None),
        ({"replicas": 2}, 2, {"maxUnavailable": 1}),
        ({"replicas": 2}, 0, {"maxUnavailable": 1}),
        ({"replicas": 2}, 1, None),
        ({"disruption": "Protect"}, 1, {"minAvailable": 1}),
        ({"disruption": "Protect", "replicas": 3}, 3, {"maxUnavailable": 1}),
        ({"disruption": "Protect", "replicas": 3}, 1, {"minAvailable": 1}),
        ({"disruption": "Protect", "parallelism": {"nodes": 2}}, 1, {"minAvailable": 2}),
        ({"disruption": "Protect", "replicas": 0}, 0, None),
    ],
)
def test_a_drain_takes_one_replica_at_a_time(deploy: Json, now: int, budget: Json | None) -> None:
    """The only one is guarded where that is asked for; what is not ready holds no drain up."""
    made = beside("PodDisruptionBudget", now=now, **deploy)
    assert (made is None) == (budget is None)
    if made and budget:
        assert budget.items() <= made["spec"].items()
        assert made["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_only_gateways_the_operator_and_prometheus_reach_an_engine() -> None:
    """Unless more peers are named, or the policy is left out."""
    policy = beside("NetworkPolicy")
    assert policy
    (rule,) = policy["spec"]["ingress"]
    assert rule["ports"] == [{"port": 8000, "protocol": "TCP"}]
    gateway, operator, _ = rule["from"]
    assert gateway == {"podSelector": {"matchLabels": {"pointsman.dev/gateway": "true"}}}
    assert operator["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "pointsman-system"}}
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    more = beside("NetworkPolicy", networkPolicy={"allowFrom": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": []}}]})
    assert more
    assert more["spec"]["ingress"][0]["from"][3:] == [{"ipBlock": {"cidr": "10.0.0.0/8"}}]
    assert beside("NetworkPolicy", networkPolicy={"mode": "None"}) is None


def test_prometheus_is_let_in_from_its_namespace_where_that_is_stated() -> None:
    """A label alone could be put on a Pod of any namespace by anybody who may make one there."""
    found = []
    for stated in ({}, {"prometheusNamespace": "monitoring"}):
        policy = beside("NetworkPolicy", networkPolicy=stated)
        assert policy
        found.append(policy["spec"]["ingress"][0]["from"][2]["namespaceSelector"])
    assert found == [{}, {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}]
