"""What the API server does not take: said where a stranger looks, and nothing else waits for it."""

from collections.abc import Iterator
from typing import Any

import pytest

from testbed import gpunodes
from testbed.controlplane import ControlPlane
from testbed.llama import LlamaServer
from testbed.operatorprocess import OperatorProcess
from testbed.podservers import PodServers
from testbed.space import MODEL, Space, provider, route
from testbed.tinymodel import TinyModel
from testbed.waiting import until

Json = dict[str, Any]
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
WORDS = "this house takes no team called rivals"


@pytest.fixture
def space(simulated: ControlPlane, operator: OperatorProcess, namespace: str) -> Space:
    return Space(simulated, namespace)


@pytest.fixture
def forbidden(space: Space) -> Iterator[Json]:
    """A policy of this namespace's, as clusters have them: no Deployment whose Pods are labelled so."""
    name = f"no-rivals-{space.name}"
    rule = "!has(object.spec.template.metadata.labels.team) || object.spec.template.metadata.labels.team != 'rivals'"
    match = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["deployments"],
    }
    policy: Json = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail", "matchConstraints": {"resourceRules": [match]},
            "validations": [{"expression": rule, "message": WORDS}],
        },
    }  # fmt: skip
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name}}}
    binding: Json = {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"], "matchResources": here},
    }  # fmt: skip
    space.apply(policy, binding)
    labelled = {"metadata": {"labels": {"team": "rivals"}}}
    until(lambda: _is_denied(space, labelled), 30, 0.3, what="the policy to be in force")
    yield labelled
    for plural in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
        space.api.delete(f"{ADMISSION}/{plural}/{name}")


def _is_denied(space: Space, template: Json) -> bool:
    pod = {
        "metadata": {"labels": {"app": "x", **template["metadata"]["labels"]}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    body = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "probe", "namespace": space.name},
        "spec": {"selector": {"matchLabels": {"app": "x"}}, "template": pod},
    }  # fmt: skip
    path = f"/apis/apps/v1/namespaces/{space.name}/deployments?dryRun=All"
    return bool(space.api.http.post(path, json=body).status_code == 422)


def test_a_new_provider_says_what_was_refused(space: Space, forbidden: Json) -> None:
    """The policy's own words, in REASON, the description and an Event; mended, it runs."""
    with gpunodes.present(space.api, f"gpu-{space.name}"):
        space.deploy(podTemplate=forbidden)
        space.stranger.learns("qwen", "ObjectRefused", WORDS, "Deployment qwen")
        assert space.kubectl("get", "service", "qwen", "--output=name").strip() == "service/qwen"
        space.deploy()
        until(lambda: space.condition("modelproviders", "qwen", "WorkloadReady")[0] == "True", 30)


def test_a_running_engine_stays_in_its_routes(space: Space, forbidden: Json) -> None:
    """It is tried first: no drain begins, REASON says that the edit is refused, and a dead engine is still noticed."""

    def engine(_: Json, address: str, port: int) -> LlamaServer:
        return LlamaServer(TinyModel("long"), host=address, port=port, alias=MODEL, slots=4, ctx=8192)

    with (
        gpunodes.present(space.api, f"gpu-{space.name}"),
        LlamaServer(TinyModel("long"), alias="near", slots=4, ctx=8192) as near,
        PodServers(space.api, space.name, "pointsman.dev/provider=qwen", engine) as engines,
    ):
        endpoint = {
            "type": "LlamaCpp",
            "endpoint": {"baseUrl": near.base_url},
            "dataPolicy": {"location": "OnPremises"},
        }
        space.apply(
            provider("near", endpoint),
            route("r", {"provider": "qwen", "model": MODEL}, {"provider": "near", "model": "near"}),
        )
        space.deploy()
        until(lambda: space.is_ready() and space.is_ready("near"), 40)
        space.deploy(podTemplate=forbidden)
        space.stranger.learns("qwen", "EditRefused", WORDS)
        assert space.condition("modelproviders", "qwen", "Maintenance") == ("False", "NotInMaintenance")
        until(lambda: space.status("modelroutes", "r").get("activeTarget") == f"qwen/{MODEL}", 20)
        engines.lose(space.pods()[0]["metadata"]["name"])
        until(lambda: not space.is_ready(), 40, what="the dead engine to be noticed all the same")


def test_it_is_stopped_whatever_else_is_refused(space: Space, forbidden: Json) -> None:
    """Who suspends a provider gets the GPUs back."""
    with gpunodes.present(space.api, f"gpu-{space.name}"):
        space.deploy()
        until(lambda: len(space.pods()) == 1, 30)
        space.deploy(podTemplate=forbidden)
        until(lambda: space.condition("modelproviders", "qwen", "WorkloadReady") == ("True", "EditRefused"), 30)
        space.kubectl("patch", "lmp", "qwen", "--type=merge", '--patch={"spec": {"suspend": true}}')
        until(lambda: not space.pods(), 30, what="no Pod of it")


def test_somebody_elses_service_is_left_alone(space: Space) -> None:
    """The first thing that a migrating user meets: it keeps its selector, and outlives the provider."""
    space.kubectl("create", "service", "clusterip", "qwen", "--tcp=80:8080")
    with gpunodes.present(space.api, f"gpu-{space.name}"):
        space.deploy()
        words = ("Service qwen", "rename the provider", "Refused ")
        until(lambda: all(word in space.stranger.described("qwen") for word in words), 30)
        space.kubectl("delete", "lmp", "qwen")
        until(lambda: not space.pods(), 30)
    kept = space.api.get(f"/api/v1/namespaces/{space.name}/services/qwen")
    assert kept["spec"]["selector"] == {"app": "qwen"}
    assert "ownerReferences" not in kept["metadata"]


def test_a_claim_that_a_quota_forbids(space: Space) -> None:
    """The quota's name and figures."""
    hard = {"persistentvolumeclaims": "0"}
    space.apply(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "no-claims"}, "spec": {"hard": hard}}
    )
    until(lambda: "0" in space.kubectl("get", "quota", "no-claims", "--output=jsonpath={.status.hard}"), 20)
    space.deploy(cache={"size": "1Gi"})
    space.stranger.learns("qwen", "ObjectRefused", "PersistentVolumeClaim qwen-cache", "no-claims")
