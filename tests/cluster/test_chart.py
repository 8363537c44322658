"""The chart and the manifests before a real API server: accepted, admitted as restricted Pods, few rights."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.rendering import NAMESPACE, ROOT, render
from testbed.controlplane import ControlPlane
from testbed.waiting import until

SAMPLES = sorted((ROOT / "manifests" / "samples").glob("*.yaml"))


def pods_of(objects: list[dict[str, Any]], kind: str = "Deployment") -> dict[str, dict[str, Any]]:
    """Name -> a Pod as the workload's controller would create it."""
    found = {body["metadata"]["name"]: body for body in objects if body["kind"] == kind}
    templates = {name: body["spec"]["template"] if kind == "Deployment" else body for name, body in found.items()}
    return {
        name: {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": template["spec"]}
        for name, template in templates.items()
    }


@pytest.fixture
def restricted(cluster: ControlPlane, namespace: str) -> str:
    """A namespace that admits only restricted Pods, with the operator's ServiceAccount in it."""
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    for name in ("pointsman-operator", "default"):
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        cluster.api.apply(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}", body)
    return namespace


def dry_run(cluster: ControlPlane, namespace: str, *bodies: dict[str, Any]) -> str:
    words = ["-n", namespace, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict"]
    return cluster.kubectl(*words, "-f", "-", stdin=yaml.safe_dump_all(bodies))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_accepted(cluster: ControlPlane, namespace: str, path: Path) -> None:
    """By the CRDs' schema and rules, with unknown fields refused."""
    words = ["apply", "--dry-run=server", "--validate=strict", "-f", str(path)]
    if path.stem == "sidecar":
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        cluster.api.apply(f"/api/v1/namespaces/{namespace}/serviceaccounts/default", account)
    assert "created" in cluster.kubectl("-n", namespace, *words)


def test_a_misspelt_field_of_a_sample_would_be_refused(cluster: ControlPlane, namespace: str) -> None:
    """The test above is no decoration."""
    text = (ROOT / "manifests/samples/route.yaml").read_text().replace("fallbacks:", "fallback:")
    with pytest.raises(subprocess.CalledProcessError) as failure:
        cluster.kubectl("-n", namespace, "apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)
    assert 'unknown field "spec.fallback"' in failure.value.__notes__[0]


def test_install_yaml_is_accepted(cluster: ControlPlane, namespace: str) -> None:
    """Every object of it, here in a namespace that is there already."""
    text = (ROOT / "manifests" / "install.yaml").read_text().replace(NAMESPACE, namespace)
    bodies = [body for body in yaml.safe_load_all(text) if body]
    answer = dry_run(cluster, namespace, *bodies)
    assert len(answer.splitlines()) == len(bodies)


@pytest.mark.parametrize(
    "sets",
    [
        [],
        ['watchNamespaces=["a","b"]'],
        ["networkPolicy.enabled=true", "gateway.service.type=LoadBalancer", "gateway.pdb.maxUnavailable=25%"],
        ["gateway.enabled=false", "gateway.replicas=0"],
    ],
    ids=["default", "namespaced", "network policy", "no gateway"],
)
def test_what_values_make_is_accepted(cluster: ControlPlane, namespace: str, sets: list[str]) -> None:
    """The chart for several values; objects of other namespaces are moved here."""
    bodies = render(*sets, namespace=namespace, tests=True).objects
    for body in bodies:
        if "namespace" in body["metadata"]:
            body["metadata"]["namespace"] = namespace
    assert dry_run(cluster, namespace, *bodies)


@pytest.mark.parametrize("name", ["pointsman-operator", "pointsman-gateway", "pointsman-test", "sidecar"])
def test_pods_are_admitted_as_restricted(cluster: ControlPlane, restricted: str, name: str) -> None:
    """The API server's own Pod Security admission says so."""
    objects = render(namespace=restricted, tests=True).objects
    sidecar = yaml.safe_load((ROOT / "manifests/samples/sidecar.yaml").read_text())
    pods = pods_of(objects) | pods_of(objects, "Pod") | {"sidecar": sidecar}
    assert "serverside-applied" in dry_run(cluster, restricted, pods[name])


def test_a_pod_with_more_rights_is_not_admitted(cluster: ControlPlane, restricted: str) -> None:
    """Else the test above would say nothing."""
    pod = pods_of(render(namespace=restricted, tests=True).objects)["pointsman-gateway"]
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(subprocess.CalledProcessError) as failure:
        dry_run(cluster, restricted, pod)
    assert 'violates PodSecurity "restricted' in failure.value.__notes__[0]


# What the operator asks for: verb, resource, group, subresource, name.
MAY = [
    ("list", "modelproviders", "pointsman.dev", "", ""),
    ("patch", "modelroutes", "pointsman.dev", "status", ""),
    ("create", "deployments", "apps", "", ""),
    ("get", "secrets", "", "", "any"),
    ("patch", "secrets", "", "", "pointsman-credentials"),
    ("delete", "configmaps", "", "", "pointsman-routing"),
    ("patch", "pods", "", "", ""),
    ("create", "events", "events.k8s.io", "", ""),
]
MAY_NOT = [
    ("list", "secrets", "", "", ""),
    ("watch", "secrets", "", "", ""),
    ("create", "secrets", "", "", "any"),
    ("get", "configmaps", "", "", "any"),
    ("create", "pods", "", "", ""),
    ("delete", "pods", "", "", ""),
    ("create", "pods", "", "exec", ""),
    ("patch", "deployments", "apps", "scale", ""),
    ("patch", "modelproviders", "pointsman.dev", "", ""),
    ("delete", "modelroutes", "pointsman.dev", "", ""),
    ("create", "clusterroles", "rbac.authorization.k8s.io", "", ""),
    ("get", "nodes", "", "", ""),
]


@pytest.fixture
def allowed(cluster: ControlPlane, namespace: str) -> Callable[..., bool]:
    """Whether the operator, with rights in this namespace only, may do something; in a namespace."""
    for body in render(f"watchNamespaces={json.dumps([namespace])}", namespace=namespace).objects:
        if body["kind"] in {"Role", "RoleBinding", "ServiceAccount"}:
            cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(body))
    user = f"system:serviceaccount:{namespace}:pointsman-operator"

    def may(*asked_of: str, where: str = namespace) -> bool:
        asked = dict(zip(("verb", "resource", "group", "subresource", "name"), asked_of, strict=True))
        spec = {"user": user, "resourceAttributes": asked | {"namespace": where}}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        answer = cluster.api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    return may


def test_the_operator_may_do_its_work_and_no_more(cluster: ControlPlane, allowed: Callable[..., bool]) -> None:
    """Asked of the API server's own authorizer; outside its namespaces it may do nothing."""
    until(lambda: allowed(*MAY[0]))
    assert [case for case in MAY if not allowed(*case)] == []
    assert [case for case in MAY_NOT if allowed(*case)] == []
    assert [case for case in MAY if allowed(*case, where="kube-system")] == []
