"""What is rendered for a deployed provider, before a real API server: accepted, admitted, settled once applied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fleet.workloads import CASES, KEY_HASH, OPERATOR, objects
from pointsman.controller.covered import is_applied, stamped
from pointsman.controller.kinds import BY_NAME, GROUP_OF_PODS
from pointsman.fleet import workload
from pointsman.fleet.world import read_provider
from testbed import gpunodes
from testbed.api import Api, ApiError, Object
from testbed.controlplane import ControlPlane
from testbed.waiting import until

LEVELS = {"host-path": "privileged"}  # what has a folder of its node is no longer bound to its Pod
FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
GROUPS: Object = {
    "metadata": {"name": "leaderworkersets.leaderworkerset.x-k8s.io"},
    "spec": {
        "group": "leaderworkerset.x-k8s.io",
        "scope": "Namespaced",
        "names": {"kind": "LeaderWorkerSet", "plural": "leaderworkersets"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": FREE, "status": FREE}}},
            }
        ],
    },
}


@pytest.fixture(scope="module")
def api(cluster: ControlPlane) -> Iterator[Api]:
    """With what Pods may name beyond their namespace, and the kind of a group of Pods."""
    made: dict[str, Object] = {
        "/apis/scheduling.k8s.io/v1/priorityclasses": {"metadata": {"name": "serving"}, "value": 1000},
        "/apis/node.k8s.io/v1/runtimeclasses": {"metadata": {"name": "nvidia"}, "handler": "nvidia"},
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": GROUPS,
    }
    for path, body in made.items():
        cluster.api.post(path, body)
    until(lambda: served(cluster.api))
    yield cluster.api
    for path, body in made.items():
        cluster.api.delete(f"{path}/{body['metadata']['name']}")


def served(api: Api) -> bool:
    """Whether the API server has taken up the new kind (until then its answer is no JSON)."""
    return bool(api.http.get(GROUP_OF_PODS.path()).is_success)


def guard(api: Api, namespace: str, level: str) -> None:
    """Pods of the namespace are held to a Pod Security Standard."""
    labels = {"pod-security.kubernetes.io/enforce": level}
    api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})


def rendered(api: Api, namespace: str, deploy: Object) -> workload.Rendered:
    """Of a provider that is there, so that nothing is collected as an orphan."""
    spec = {"type": "VLLM", "deploy": {"model": {"source": "hf://Qwen/Qwen3-32B"}, **deploy}}
    body = {"apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelProvider", "metadata": {"name": "qwen"}, "spec": spec}
    found = read_provider(api.post(f"/apis/pointsman.dev/v1alpha1/namespaces/{namespace}/modelproviders", body))
    assert found.spec
    assert found.spec.deploy
    count = found.spec.deploy.replicas
    return workload.render(
        found.meta, found.spec, found.spec.deploy, replicas=count, key_hash=KEY_HASH, operator_namespace=OPERATOR
    )


def path_of(body: Object) -> str:
    return BY_NAME[body["kind"]].path(body["metadata"]["namespace"], body["metadata"]["name"])


def dry_run(api: Api, method: str, path: str, body: Object, **query: str) -> None:
    """The whole way through the API server, admission included, but for the store; unknown fields are errors."""
    media = "application/apply-patch+yaml" if method == "PATCH" else "application/json"
    query = {"dryRun": "All", "fieldValidation": "Strict", "fieldManager": "pointsman", **query}
    answer = api.http.request(method, path, params=query, json=body, headers={"content-type": media})
    assert answer.is_success, answer.text
    assert "warning" not in answer.headers, answer.headers["warning"]


def templates(made: workload.Rendered) -> list[Object]:
    spec = made.engine["spec"]
    groups = spec.get("leaderWorkerTemplate") or {}
    found = [spec.get("template"), groups.get("leaderTemplate"), groups.get("workerTemplate")]
    return [each for each in [*found, made.prefetch and made.prefetch["spec"]["template"]] if each]


@pytest.mark.parametrize("case", CASES)
def test_every_object_is_accepted_and_its_pods_are_admitted(api: Api, namespace: str, case: str) -> None:
    """In a namespace that enforces the restricted standard, with no warning and no field that is not known."""
    guard(api, namespace, LEVELS.get(case, "restricted"))
    api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "engines"}})
    until(lambda: len(api.items(f"/api/v1/namespaces/{namespace}/serviceaccounts")) == 2)
    made = rendered(api, namespace, CASES[case])
    for each in objects(made):
        dry_run(api, "PATCH", path_of(each), stamped(each), force="true")
    for template in templates(made):
        pod = {"metadata": template["metadata"] | {"name": "one"}, "spec": template["spec"]}
        dry_run(api, "POST", f"/api/v1/namespaces/{namespace}/pods", pod)


def test_a_folder_of_the_node_is_not_within_the_restricted_standard(api: Api, namespace: str) -> None:
    """So that whoever states one hears of it; nothing else of ours is refused there."""
    guard(api, namespace, "restricted")
    until(lambda: api.items(f"/api/v1/namespaces/{namespace}/serviceaccounts"))
    [template] = templates(rendered(api, namespace, CASES["host-path"]))
    pod = {"metadata": {"name": "one"}, "spec": template["spec"]}
    with pytest.raises(
        ApiError, match='restricted volume types \\(volume "cache" uses restricted volume type "hostPath"\\)'
    ):
        api.post(f"/api/v1/namespaces/{namespace}/pods", pod)


def test_a_namespace_with_a_quota_admits_the_job_that_fetches(api: Api, namespace: str) -> None:
    """A quota on limits refuses every Pod that states none; of engines, their limits are for people to state."""
    hard = {"requests.cpu": "64", "requests.memory": "512Gi", "limits.cpu": "64", "limits.memory": "512Gi"}
    at = f"/api/v1/namespaces/{namespace}/resourcequotas"
    api.post(at, {"metadata": {"name": "all"}, "spec": {"hard": hard}})
    api.patch(f"{at}/all/status", {"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}})
    until(lambda: api.items(f"/api/v1/namespaces/{namespace}/serviceaccounts"))
    engine, job = templates(rendered(api, namespace, CASES["claim"]))
    pods = f"/api/v1/namespaces/{namespace}/pods"
    dry_run(api, "POST", pods, {"metadata": {"name": "job"}, "spec": job["spec"]})
    with pytest.raises(ApiError, match=r"must specify limits\.cpu for: vllm"):
        api.post(pods, {"metadata": {"name": "engine"}, "spec": engine["spec"]})


@pytest.mark.parametrize("case", CASES)
def test_what_was_applied_reads_back_as_applied(api: Api, namespace: str, case: str) -> None:
    """So that a settled cluster is never written to; a second apply changes nothing either."""
    bodies = [stamped(each) for each in objects(rendered(api, namespace, CASES[case]))]
    for body in bodies:
        answer = api.apply(path_of(body), body, manager="pointsman")
        assert is_applied(body, answer), body["kind"]
        again = api.apply(path_of(body), body, manager="pointsman")
        assert (
            answer["metadata"]["generation" if "generation" in answer["metadata"] else "uid"]
            == (again["metadata"]["generation" if "generation" in again["metadata"] else "uid"])
        )
    for body in bodies:
        assert is_applied(body, api.get(path_of(body))), body["kind"]


def pods(api: Api, namespace: str, role: str) -> list[Object]:
    chosen = f"pointsman.dev/provider=qwen,pointsman.dev/role={role}"
    return api.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=chosen)


def placed(api: Api, namespace: str, role: str) -> set[Any]:
    return {each["spec"].get("nodeName") for each in pods(api, namespace, role)}


def ready(api: Api, node: str) -> bool:
    taints = api.get(f"/api/v1/nodes/{node}")["spec"].get("taints") or []
    return not any(each["key"].startswith("node.kubernetes.io/") for each in taints)


def test_a_provider_becomes_pods_on_gpu_nodes(api: Api, simulated: ControlPlane, namespace: str) -> None:
    """Each replica on a node of its own, the Job that fetches beside them, and the Service counts engines alone."""
    guard(api, namespace, "restricted")
    # Nodes of its own: what other tests left going would take its room.
    taint, labels = {"key": "only", "value": "rendered", "effect": "NoSchedule"}, {"only": "rendered"}
    with (
        gpunodes.present(api, "gpu-a", labels=labels, taints=[taint]),
        gpunodes.present(api, "gpu-b", labels=labels, taints=[taint]),
    ):
        until(lambda: ready(api, "gpu-a") and ready(api, "gpu-b"))
        tolerations = [{"key": "only", "operator": "Exists"}]
        stated = {"replicas": 2, "cache": {"size": "100Gi"}, "nodeSelector": labels, "tolerations": tolerations}
        made = rendered(api, namespace, stated)
        for each in objects(made):
            api.apply(path_of(each), stamped(each), manager="pointsman")
        until(lambda: placed(api, namespace, "engine") == {"gpu-a", "gpu-b"}, 30)
        until(lambda: placed(api, namespace, "prefetch") <= {"gpu-a", "gpu-b"} and pods(api, namespace, "prefetch"), 30)
        budget = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/qwen"
        until(lambda: api.get(budget)["status"].get("expectedPods") == 2, 30)
        assert "qwen" in simulated.kubectl("-n", namespace, "get", "deployments,networkpolicies,pvc", "-o", "name")
