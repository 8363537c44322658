"""The operator with a Role in one namespace and no right anywhere else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from testbed.api import Api, Object
from testbed.controlplane import ControlPlane
from testbed.operatorprocess import INSTALL, OperatorProcess, kubeconfig_for
from testbed.waiting import until

RBAC = "/apis/rbac.authorization.k8s.io/v1"


def role(namespace: str) -> Object:
    """The shipped ClusterRole as a Role; Namespaces cannot be listed then, only one's own be read."""
    objects = [body for body in yaml.safe_load_all(INSTALL.read_text()) if body]
    shipped = next(b for b in objects if b["kind"] == "ClusterRole" and "operator" in b["metadata"]["name"])
    rules = [rule for rule in shipped["rules"] if rule["resources"] != ["namespaces"]]
    rules.append({"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]})
    return {"kind": "Role", "metadata": {"name": "operator", "namespace": namespace}, "rules": rules}


@pytest.fixture
def operator(cluster: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[OperatorProcess]:
    api, roles = cluster.api, f"{RBAC}/namespaces/{namespace}"
    api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "operator"}})
    api.post(f"{roles}/roles", role(namespace))
    binding = {
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": namespace}],
    }
    api.post(f"{roles}/rolebindings", binding)
    config = kubeconfig_for(api, cluster.kubeconfig, (namespace, "operator"), tmp_path)
    with OperatorProcess(config, "--namespace", namespace, "--resync", "2") as process:
        yield process


def create(api: Api, namespace: str) -> None:
    path = f"/apis/pointsman.dev/v1alpha1/namespaces/{namespace}"
    provider = {"type": "OpenAICompatible", "endpoint": {"baseUrl": "http://127.0.0.1:9"}}
    route = {"modelName": "m", "primary": {"provider": "one", "model": "m"}}
    for kind, plural, name, spec in (
        ("ModelProvider", "modelproviders", "one", provider),
        ("ModelRoute", "modelroutes", "route", route),
    ):
        body = {"apiVersion": "pointsman.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        api.post(f"{path}/{plural}", body)


def test_one_namespace_is_served_and_no_other(operator: OperatorProcess, cluster: ControlPlane, namespace: str) -> None:
    """Nothing is forbidden that it tries, and another namespace's objects are none of its business."""
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": f"{namespace}-other"}})
    create(cluster.api, f"{namespace}-other")
    create(cluster.api, namespace)

    def maps(space: str) -> list[str]:
        return [each["metadata"]["name"] for each in cluster.api.items(f"/api/v1/namespaces/{space}/configmaps")]

    until(lambda: "pointsman-routing" in maps(namespace), what="a table")
    failed = r'pointsman_resyncs_total\{result="failed"'
    assert operator.metric(failed) == 0
    until(lambda: operator.metric(r'pointsman_resyncs_total\{result="ok"') >= 3, what="three listings")
    assert operator.metric(failed) == 0
    assert "pointsman-routing" not in maps(f"{namespace}-other")
    assert "403" not in operator.log()
    cluster.api.delete(f"/api/v1/namespaces/{namespace}-other")


def test_the_mode_of_a_namespace_is_read_with_the_listings(
    operator: OperatorProcess, cluster: ControlPlane, namespace: str
) -> None:
    """Without the right to watch Namespaces an annotation counts from the next listing on."""
    create(cluster.api, namespace)
    path = f"/api/v1/namespaces/{namespace}"

    def text() -> str:
        maps = {each["metadata"]["name"]: each for each in cluster.api.items(f"{path}/configmaps")}
        return str(maps.get("pointsman-routing", {}).get("data", {}).get("routing.json", ""))

    until(lambda: '"mode": "Merge"' in text(), what="a table")
    cluster.api.patch(path, {"metadata": {"annotations": {"pointsman.dev/mode": "Replace"}}})
    until(lambda: '"mode": "Replace"' in text(), what="the other mode")
