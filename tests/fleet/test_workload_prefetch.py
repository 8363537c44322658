"""The Job that fetches a model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.test_strategicmerge import ANYTHING, PATCHES
from fleet.workloads import CASES, container, rendered
from fleet.worlds import Json, deployed
from pointsman.fleet import podtemplate
from pointsman.fleet.workload_prefetch import name as job_name


def test_one_job_fetches_with_the_engines_cache_and_without_a_gpu() -> None:
    """On the nodes that engines run on; the hub's token is the Job's alone."""
    made = rendered(**CASES["cache"])
    assert made.prefetch
    spec = made.prefetch["spec"]["template"]["spec"]
    (fetching,) = spec["containers"]
    assert fetching["resources"] == {
        "requests": {"cpu": "500m", "memory": "1Gi"},
        "limits": {"cpu": "4", "memory": "8Gi"},
    }
    assert spec["restartPolicy"] == "Never"
    assert fetching["terminationMessagePolicy"] == "FallbackToLogsOnError"
    engine = made.engine["spec"]["template"]["spec"]
    for key in ("tolerations", "securityContext", "automountServiceAccountToken"):
        assert spec[key] == engine[key]
    caches = [[each for each in of["volumes"] if each["name"] == "cache"] for of in (spec, engine)]
    assert caches[0] == caches[1]
    tokens = [
        [each["name"] for each in of["env"] if each["name"] == "HF_TOKEN"] for of in (fetching, engine["containers"][0])
    ]
    assert tokens == [["HF_TOKEN"], []]


def test_without_a_cache_that_is_shared_nothing_is_fetched_ahead() -> None:
    """Each engine fetches for itself, with the token."""
    made = rendered(model=CASES["cache"]["model"])
    assert made.prefetch is None
    assert any(each["name"] == "HF_TOKEN" for each in container(model=CASES["cache"]["model"])["env"])


@given(
    st.from_regex(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", fullmatch=True),
    st.from_regex(r"[0-9a-f]{8,12}", fullmatch=True),
)
def test_a_jobs_name_fits_and_tells_provider_and_model(provider: str, digest: str) -> None:
    """A label of its Pods holds 63 characters; long names differ in more than their end."""
    made = job_name(provider, digest)
    assert len(made) <= 63
    assert made.endswith(f"-prefetch-{digest}")
    assert job_name(f"{provider[:51]}0", digest) != job_name(f"{provider[:51]}1", digest)


def fetching(pod_template: Json | None = None, **deploy: Any) -> Json:
    """The Job's Pod template."""
    stated = {"podTemplate": pod_template} if pod_template is not None else {}
    made = rendered(**{"cache": {"claimName": "weights"}, **stated, **deploy}).prefetch
    assert made
    template: Json = made["spec"]["template"]
    return template


def test_resources_that_are_stated_are_requested_and_the_limit() -> None:
    """Of what is not stated, the defaults stay: a namespace with a quota wants all of them."""
    (made,) = fetching(cache={"claimName": "weights", "resources": {"memory": "2048Mi"}})["spec"]["containers"]
    assert made["resources"] == {
        "requests": {"cpu": "500m", "memory": "2Gi"},
        "limits": {"cpu": "4", "memory": "2Gi"},
    }


def test_proxies_of_a_config_map_reach_the_job() -> None:
    """As they reach the engine."""
    (made,) = fetching(engine={"envFrom": [{"configMapRef": {"name": "proxy"}, "prefix": ""}]})["spec"]["containers"]
    assert made["envFrom"] == [{"configMapRef": {"name": "proxy"}}]


CA: Json = {"name": "ca", "configMap": {"name": "ca"}}
PREPARES: Json = {"name": "certs", "image": "i", "volumeMounts": [{"name": "ca", "mountPath": "/ca"}]}
POD: Json = {
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["hub"]}],
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": ["10.0.0.2"]},
    "imagePullSecrets": [{"name": "pull"}],
    "securityContext": {"fsGroup": 7},
    "priorityClassName": "batch",
}


def test_what_pod_template_says_of_the_pod_holds_for_the_job() -> None:
    """Names, certificates, another user: whoever needs them to start an engine needs them to download."""
    engine = {
        "name": "vllm",
        "env": [{"name": "SSL_CERT_FILE", "value": "/ca/ca.pem"}],
        "volumeMounts": [{"name": "ca", "mountPath": "/ca"}, {"mountPath": "/tmp", "name": "tmp", "subPath": "x"}],
        "securityContext": {"readOnlyRootFilesystem": True},
    }
    patch = {
        "metadata": {"labels": {"team": "ml"}, "annotations": {"sidecar.istio.io/inject": "false"}},
        "spec": {**POD, "volumes": [CA], "initContainers": [PREPARES], "containers": [engine]},
    }
    made = fetching(patch)
    assert made["metadata"]["labels"].items() >= {"team": "ml", "pointsman.dev/role": "prefetch"}.items()
    assert made["metadata"]["annotations"] == {"sidecar.istio.io/inject": "false"}
    spec = made["spec"]
    for key in POD.keys() - {"securityContext"}:
        assert spec[key] == POD[key]
    assert (spec["securityContext"]["fsGroup"], spec["securityContext"]["runAsUser"]) == (7, 1000)
    assert CA in spec["volumes"]
    assert spec["initContainers"] == [PREPARES]
    (container,) = spec["containers"]
    assert container["name"] == "prefetch"
    assert {"name": "SSL_CERT_FILE", "value": "/ca/ca.pem"} in container["env"]
    assert {"name": "ca", "mountPath": "/ca"} in container["volumeMounts"]
    assert {"name": "tmp", "mountPath": "/tmp", "subPath": "x"} in container["volumeMounts"]
    assert container["securityContext"].items() >= {"readOnlyRootFilesystem": True}.items()


APART: Json = {
    "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname"}]}
}


@pytest.mark.parametrize(
    "spec",
    [
        {"restartPolicy": "Always", "topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 1}]},
        {"resources": {"limits": {"cpu": "64"}}, "resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]},
        {"affinity": APART},
        {"containers": [{"name": "proxy", "image": "i"}], "readinessGates": [{"conditionType": "x"}]},
        {"volumes": [{"name": "shm", "emptyDir": {"sizeLimit": "9Gi"}}]},
        {"initContainers": [{"name": "gpu", "image": "i", "resources": {"limits": {"nvidia.com/gpu": "1"}}}]},
        {"initContainers": [{"name": "shm", "image": "i", "volumeMounts": [{"name": "shm", "mountPath": "/x"}]}]},
        *(
            {"containers": [{"name": "vllm", **fields}]}
            for fields in (
                {"command": ["sh"], "resources": {"limits": {"nvidia.com/mig-1g.5gb": "1"}}, "stopSignal": None},
                {"ports": [{"containerPort": 9, "name": "nine"}], "livenessProbe": {"periodSeconds": 3}},
                {"lifecycle": {"postStart": {"exec": {"command": ["x"]}}}},
                {"env": [{"name": "VLLM_USE_V1", "value": "1"}, {"name": "HF_HUB_OFFLINE", "value": "1"}]},
                {"volumeMounts": [{"mountPath": "/dev/shm", "readOnly": True}]},
            )
        ),
    ],
)
def test_what_belongs_to_an_engine_does_not_reach_the_job(spec: Json) -> None:
    """It ends, asks for no GPU, and may run beside the engine, where a claim of one node is."""
    assert fetching({"spec": spec}) == fetching()


def test_an_affinity_that_keeps_engines_apart_keeps_no_job_from_its_claim() -> None:
    """Nodes to choose from are the same."""
    nodes = {"nodeAffinity": {"x": "y"}}
    assert fetching(affinity={**nodes, **APART})["spec"]["affinity"] == fetching(affinity=nodes)["spec"]["affinity"]


@given(st.one_of(PATCHES, st.dictionaries(st.sampled_from(["metadata", "spec", "$patch"]), ANYTHING)))
def test_whatever_pod_template_says_the_job_stays_one(patch: Json) -> None:
    """One container, its command, the cache, and no GPU."""
    found = deployed("qwen", podTemplate=patch, cache={"claimName": "weights"})
    assert found.spec
    assert found.spec.deploy
    if list(podtemplate.refusals(found.spec.deploy)):
        return
    made, ours = fetching(patch)["spec"], fetching()["spec"]
    (container,), (plain,) = made["containers"], ours["containers"]
    for key in ("name", "command", "image", "resources"):
        assert container[key] == plain[key]
    assert "ports" not in container
    assert made["restartPolicy"] == "Never"
    assert next(each for each in made["volumes"] if each["name"] == "cache") in ours["volumes"]
    assert {"name": "cache", "mountPath": "/cache"} in container["volumeMounts"]
    # Whoever deletes a volume of ours and leaves its mount has no engine either.
    mounted = {each["name"] for each in container["volumeMounts"]} - {each["name"] for each in ours["volumes"]}
    assert mounted <= {each["name"] for each in made["volumes"]}
