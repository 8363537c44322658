"""The engine's Pod: resources, probes, its end, its place, what people add."""

from __future__ import annotations

import pytest

from fleet.workloads import container, pod, rendered
from fleet.worlds import Json
from pointsman.api.fields import seconds


def test_gpus_are_limits_and_requests_and_tolerated() -> None:
    """As texts, in canonical form: what is applied reads back the same."""
    amounts = {"cpu": "4", "memory": "1Gi", "nvidia.com/gpu": "2"}
    stated: Json = {"gpus": 2, "resources": {"memory": "1024Mi", "cpu": 4}}
    assert container(**stated)["resources"] == {"requests": amounts, "limits": amounts}
    assert pod(**stated)["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_without_gpus_nothing_of_them_is_asked_for() -> None:
    """CPU servers exist."""
    assert container(gpus=0)["resources"].keys() == {"requests"}
    assert "tolerations" not in pod(gpus=0)


@pytest.mark.parametrize(
    ("stated", "requests", "limits"),
    [
        ({}, {"cpu": "1", "memory": "4Gi", "nvidia.com/gpu": "1"}, {"nvidia.com/gpu": "1"}),
        ({"gpus": 0}, {"cpu": "1", "memory": "4Gi"}, None),
        ({"gpus": 0, "resources": {"memory": "1Gi"}}, {"memory": "1Gi"}, {"memory": "1Gi"}),
        ({"gpus": 0, "resources": {"cpu": 2}}, {"cpu": "2"}, {"cpu": "2"}),
        (
            {"gpus": 0, "resources": {"ephemeral-storage": "9Gi"}},
            {"cpu": "1", "memory": "4Gi", "ephemeral-storage": "9Gi"},
            {"ephemeral-storage": "9Gi"},
        ),
    ],
)
def test_an_engine_always_requests_something(stated: Json, requests: Json, limits: Json | None) -> None:
    """A Pod that requests neither memory nor CPU is the first one to be evicted; a limit is for people to state."""
    found = container(**stated)["resources"]
    assert found == {"requests": requests} | ({"limits": limits} if limits else {})


@pytest.mark.parametrize("of", ["container", "pod"])
def test_what_pod_template_states_of_resources_stands_alone(of: str) -> None:
    """A request of ours that is more than their limit would be refused."""
    amounts: Json = {"resources": {"limits": {"memory": "2Gi"}}}
    spec = amounts if of == "pod" else {"containers": [{"name": "vllm", **amounts}]}
    made = container(gpus=0, podTemplate={"spec": spec})
    assert made.get("resources") == (amounts["resources"] if of == "container" else None)
    beside = {"containers": [{"name": "proxy", "image": "i", **amounts}]}
    assert container(gpus=0, podTemplate={"spec": beside})["resources"]["requests"]["memory"] == "4Gi"


def test_probes_are_overridden_in_what_is_said() -> None:
    """The rest stays, as does the startup probe."""
    stated = container(probes={"readiness": {"periodSeconds": 3}, "liveness": {"failureThreshold": 9}})
    ours = container()
    assert stated["readinessProbe"] == ours["readinessProbe"] | {"periodSeconds": 3}
    assert stated["livenessProbe"] == ours["livenessProbe"] | {"failureThreshold": 9}
    assert stated["startupProbe"] == ours["startupProbe"]


@pytest.mark.parametrize("grace", [None, "10s", "20s", "10m"])
def test_the_grace_outlasts_the_pause_and_the_engines_own_shutdown(grace: str | None) -> None:
    """Otherwise streams are cut that could have ended; and a longer pause than the grace is refused."""
    stated = {"terminationGracePeriod": grace} if grace else {}
    whole = pod(**stated)["terminationGracePeriodSeconds"]
    assert whole == (seconds(grace) if grace else 75)
    pause = container(**stated)["lifecycle"]["preStop"]["sleep"]["seconds"]
    flag = next(word for word in container(**stated)["args"] if word.startswith("--shutdown-timeout="))
    assert pause <= whole
    assert whole >= pause + int(flag.split("=")[1])


def test_replicas_keep_apart_unless_it_is_said_how() -> None:
    """Softly: a cluster with one node runs them all. What is stated is taken in place of it."""
    soft = "preferredDuringSchedulingIgnoredDuringExecution"
    (term,) = pod()["affinity"]["podAntiAffinity"][soft]
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    stated = pod(topologySpreadConstraints=[constraint])
    assert stated["topologySpreadConstraints"] == [constraint]
    assert "affinity" not in stated
    assert pod(affinity={"nodeAffinity": {"x": "y"}})["affinity"] == {"nodeAffinity": {"x": "y"}}


def test_autoscalers_are_asked_to_leave_a_protected_pod() -> None:
    """In the words of both."""
    keep = {"karpenter.sh/do-not-disrupt": "true", "cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    notes = rendered(disruption="Protect").engine["spec"]["template"]["metadata"]["annotations"]
    assert keep.items() <= notes.items()
    assert not keep.keys() & rendered().engine["spec"]["template"]["metadata"]["annotations"].keys()


def test_an_empty_value_of_a_label_is_kept() -> None:
    """In a selector it means something."""
    affinity = {"podAntiAffinity": {"labelSelector": {"matchLabels": {"a": ""}}, "namespaces": []}}
    assert pod(affinity=affinity)["affinity"] == {"podAntiAffinity": {"labelSelector": {"matchLabels": {"a": ""}}}}
