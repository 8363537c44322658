"""The Deployment and the Service of a provider that runs here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fleet.worlds import Json, deployed, provider
from pointsman.api.fields import seconds
from pointsman.fleet.workload import objects

GOLDEN = Path(__file__).parent / "golden"
FULL: Json = {
    "model": {
        "source": "hf://Qwen/Qwen3-32B",
        "revision": "9216db5781bf21249d130ec9da846c4624c16137",
        "servedNames": ["qwen", "Qwen/Qwen3-32B"],
        "tokenSecretRef": {"name": "hub"},
    },
    "gpus": 2,
    "replicas": 3,
    "engine": {
        "maxModelLen": 32768,
        "gpuMemoryUtilization": 0.9,
        "toolCallParser": "hermes",
        "extraArgs": ["--seed=1"],
    },
    "resources": {"cpu": "0.5", "memory": "65536Mi"},
    "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-L40S"},
    "tolerations": [{"key": "spot", "operator": "Exists", "value": ""}],
    "sharedMemorySize": "16384Mi",
    "startupTimeout": "45m",
    "runtimeClassName": "nvidia",
}


def made(**deploy: Any) -> tuple[Json, Json]:
    return of(deployed("qwen", **deploy))


def of(found: Any) -> tuple[Json, Json]:
    return objects(found.meta, found.spec, found.spec.deploy)


def pod(**deploy: Any) -> Json:
    spec: Json = made(**deploy)[0]["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize(("name", "deploy"), [("bare", {}), ("full", FULL)])
def test_golden(name: str, deploy: Json) -> None:
    """The whole of what is applied; after a wanted change: python -m fleet.regolden (PYTHONPATH=operator:tests)."""
    assert list(yaml.safe_load_all((GOLDEN / f"{name}.yaml").read_text())) == list(made(**deploy))


def test_gpus_are_limits_and_requests_and_tolerated() -> None:
    """As texts, in canonical form: what is applied reads back the same."""
    spec = pod(gpus=2, resources={"memory": "1024Mi", "cpu": 4})
    amounts = {"cpu": "4", "memory": "1Gi", "nvidia.com/gpu": "2"}
    assert spec["containers"][0]["resources"] == {"requests": amounts, "limits": amounts}
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_without_gpus_nothing_of_them_is_asked_for() -> None:
    """CPU servers exist."""
    spec = pod(gpus=0)
    assert "resources" not in spec["containers"][0]
    assert "tolerations" not in spec


def test_a_rollout_never_needs_a_spare_gpu() -> None:
    """One replica is replaced, several go one by one."""
    assert made(replicas=1)[0]["spec"]["strategy"] == {"type": "Recreate"}
    rolling = {"maxSurge": 0, "maxUnavailable": 1}
    assert made(replicas=2)[0]["spec"]["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}


def test_suspended_means_no_replicas_and_the_rest_as_before() -> None:
    """So that resuming changes one number."""
    spec = {"type": "VLLM", "deploy": {"model": {"source": "hf://Qwen/Qwen3-32B"}}}
    awake, asleep = of(provider("q", spec))[0], of(provider("q", spec | {"suspend": True}))[0]
    assert asleep["spec"].pop("replicas") == 0
    assert awake["spec"].pop("replicas") == 1
    assert asleep == awake


@pytest.mark.parametrize("timeout", [None, "1s", "90s", "3h", "10500ms"])
def test_the_startup_has_its_time_and_the_rollout_outlasts_it(timeout: str | None) -> None:
    """30 minutes unless said otherwise; the deadline of the Deployment is never the shorter one."""
    deployment = made(**({"startupTimeout": timeout} if timeout else {}))[0]["spec"]
    probe = deployment["template"]["spec"]["containers"][0]["startupProbe"]
    wanted = seconds(timeout or "30m")
    assert wanted <= probe["periodSeconds"] * probe["failureThreshold"] < wanted + 10
    assert deployment["progressDeadlineSeconds"] > probe["periodSeconds"] * probe["failureThreshold"]


def test_the_grace_outlasts_the_pause_and_the_engines_own_shutdown() -> None:
    """Otherwise streams are cut that could have ended."""
    spec = pod()
    container = spec["containers"][0]
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    flag = next(word for word in container["args"] if word.startswith("--shutdown-timeout="))
    assert spec["terminationGracePeriodSeconds"] > pause + int(flag.split("=")[1])


def test_service_deployment_and_pods_are_told_by_the_providers_label() -> None:
    """The selector is a part of the Pod's labels; the Service's labels are what EndpointSlices copy."""
    deployment, service = made()
    template = deployment["spec"]["template"]["metadata"]["labels"]
    selector = deployment["spec"]["selector"]["matchLabels"]
    assert selector.items() <= template.items()
    assert service["spec"]["selector"] == selector
    assert service["metadata"]["labels"]["pointsman.dev/provider"] == "qwen"
    assert (
        service["spec"]["ports"][0]["targetPort"]
        == deployment["spec"]["template"]["spec"]["containers"][0]["ports"][0]["name"]
    )


def test_the_provider_owns_both_and_holds_neither_up() -> None:
    """Deleted with it; its own deletion waits for nothing."""
    for each in made():
        (owner,) = each["metadata"]["ownerReferences"]
        assert owner["uid"] == "uid-qwen"
        assert (owner["controller"], owner["blockOwnerDeletion"]) == (True, False)


def rewritten(node: Any) -> list[Any]:
    """What the API server would leave out: nulls, empty texts and lists."""
    if isinstance(node, dict):
        return [value for value in node.values() if value in (None, "", [])] + [
            x for v in node.values() for x in rewritten(v)
        ]
    return [x for item in node for x in rewritten(item)] if isinstance(node, list) else []


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "gpus": st.integers(0, 8),
            "replicas": st.integers(0, 3),
            "tolerations": st.lists(st.sampled_from([{"key": "", "operator": "Exists"}, {"values": []}]), max_size=4),
            "affinity": st.sampled_from([{}, {"nodeAffinity": None}, {"podAffinity": {"x": [{"y": ""}]}}]),
            "engine": st.sampled_from([{}, {"env": [{"name": "A"}]}, {"env": [{"name": "A", "value": ""}]}]),
            "imagePullSecrets": st.just([]),
            "nodeSelector": st.just({}),
            "resources": st.just({}),
        },
    )
)
def test_nothing_is_applied_that_the_api_server_would_leave_out(deploy: Json) -> None:
    """Otherwise a settled cluster would never look settled."""
    for each in made(**deploy):
        assert rewritten(each) == []


def test_an_empty_value_of_a_label_is_kept() -> None:
    """In a selector it means something."""
    affinity = {"podAntiAffinity": {"labelSelector": {"matchLabels": {"a": ""}}, "namespaces": []}}
    assert pod(affinity=affinity)["affinity"] == {"podAntiAffinity": {"labelSelector": {"matchLabels": {"a": ""}}}}
