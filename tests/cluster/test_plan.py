"""What `pointsman plan` prints, shown to a real API server, and held to what a running operator applies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from fleet import pod_fields
from pointsman.__main__ import main
from pointsman.controller.covered import APPLIED, stamped
from pointsman.controller.kinds import BY_NAME
from pointsman.fleet.workload_pod import KEY_ANNOTATION
from pointsman.names import API_VERSION, REVISION_ANNOTATION
from testbed.api import Api, Object
from testbed.controlplane import ControlPlane
from testbed.operatorprocess import OperatorProcess, install_rbac, kubeconfig_for
from testbed.waiting import until

SAMPLES = sorted((Path(__file__).parent.parent.parent / "manifests" / "samples").glob("*.yaml"))
Capture = pytest.CaptureFixture[str]

PROVIDER = """
apiVersion: pointsman.dev/v1alpha1
kind: ModelProvider
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  type: VLLM
  deploy: {deploy}
---
"""
DEPLOYS = {
    "one": '{model: {source: "pvc://weights/m"}}',
    "many": '{model: {source: "pvc://weights/m"}, gpus: 4, replicas: 3, cache: {size: 1000Gi}, disruption: Protect}',
    "own": '{model: {source: "pvc://weights/m"}, resources: {cpu: 1500m, memory: 1024Mi}, networkPolicy: {mode: None}}',
    "bare": '{model: {source: "pvc://weights/m"}, gpus: 0, podTemplate: {spec: {hostNetwork: false, priority: null}}}',
    "unprobed": (
        '{model: {source: "pvc://weights/m"}, podTemplate: {spec: {containers: [{name: vllm, livenessProbe: null}]}}}'
    ),
}


def planned(path: Path, capsys: Capture) -> list[Object]:
    assert main(["plan", "-o", "json", str(path)]) == 0
    return [*json.loads(capsys.readouterr().out)["items"]]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_the_samples_plans_pass_a_dry_run(path: Path, cluster: ControlPlane, capsys: Capture) -> None:
    """By `kubectl apply --dry-run=server --validate=strict`; a kind of an extension that is not there is left out."""
    assert main(["plan", str(path)]) == 0
    documents = capsys.readouterr().out.split("---\n")
    known = [each for each in documents[1:] if "kind: LeaderWorkerSet" not in each]
    if not known:
        assert "kind: ModelProvider" not in path.read_text() or "deploy:" not in path.read_text()
        return
    command = ("apply", "--dry-run=server", "--validate=strict", "-f", "-")
    said = cluster.kubectl(*command, stdin="---\n".join([documents[0], *known]))
    assert said.count("created (server dry run)") == len(known)


DRY_RUN = ("apply", "--dry-run=server", "--validate=strict", "-f", "-")


def plan_of(fields: Object, tmp_path: Path) -> int:
    """The plan's exit code, of a provider with these fields of `deploy`."""
    deploy = {"model": {"source": "hf://o/m"}} | fields
    body = {"apiVersion": API_VERSION, "kind": "ModelProvider", "metadata": {"name": "one", "namespace": "default"}}
    path = tmp_path / "one.yaml"
    path.write_text(json.dumps(body | {"spec": {"type": "VLLM", "deploy": deploy}}))
    return main(["plan", str(path)])


@pytest.mark.parametrize("name", pod_fields.GOOD)
def test_what_is_judged_sound_the_api_server_takes(
    name: str, cluster: ControlPlane, tmp_path: Path, capsys: Capture
) -> None:
    """So that nothing sound is refused, and nothing that passes is refused later."""
    code = plan_of(pod_fields.GOOD[name], tmp_path)
    out, err = capsys.readouterr()
    assert code == 0, err
    assert "created (server dry run)" in cluster.kubectl(*DRY_RUN, stdin=out)


@pytest.fixture(scope="module")
def operator(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    account = install_rbac(cluster.api)
    folder = tmp_path_factory.mktemp("operator")
    with OperatorProcess(kubeconfig_for(cluster.api, cluster.kubeconfig, account, folder)) as process:
        yield process


def completed(printed: Object, live: Object) -> Object:
    """With what only the cluster knows: the owner, and the annotations of the Pods that the plan says are added."""
    metadata = printed["metadata"] | {"ownerReferences": live["metadata"]["ownerReferences"]}
    out = printed | {"metadata": metadata}
    if printed["kind"] != "Deployment":
        return out
    template = printed["spec"]["template"]
    notes = template["metadata"].get("annotations", {})
    told = live["spec"]["template"]["metadata"]["annotations"]
    added = {key: told[key] for key in (REVISION_ANNOTATION, KEY_ANNOTATION)}
    marked = template | {"metadata": template["metadata"] | {"annotations": notes | added}}
    return out | {"spec": printed["spec"] | {"template": marked}}


def test_it_is_what_a_running_operator_applied(
    cluster: ControlPlane, operator: OperatorProcess, namespace: str, tmp_path: Path, capsys: Capture
) -> None:
    """To the byte: the hash of what the operator applied is the hash of what was printed, once it is completed."""
    path = tmp_path / "providers.yaml"
    text = "".join(PROVIDER.format(name=name, namespace=namespace, deploy=deploy) for name, deploy in DEPLOYS.items())
    path.write_text(text)
    cluster.kubectl("apply", "--server-side", "-f", str(path))  # without it, kubectl sends no nulls
    printed = planned(path, capsys)
    assert {each["kind"] for each in printed} >= {"Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget"}
    for each in printed:
        until(partial(stored, cluster.api, each), 60, what=f"{each['kind']} {each['metadata']['name']}")
        live = stored(cluster.api, each)
        assert live
        hashed = stamped(completed(each, live))["metadata"]["annotations"][APPLIED]
        assert live["metadata"]["annotations"][APPLIED] == hashed, each["metadata"]["name"]
    there = [item for kind in {each["kind"] for each in printed} for item in owned(cluster.api, kind, namespace)]
    assert len(there) == len(printed)


def stored(api: Api, body: Object) -> Object | None:
    found = [
        each
        for each in owned(api, body["kind"], body["metadata"]["namespace"])
        if each["metadata"]["name"] == body["metadata"]["name"]
    ]
    return found[0] if found else None


def owned(api: Api, kind: str, namespace: str) -> list[Object]:
    """What is there of providers."""
    found = api.items(BY_NAME[kind].path(namespace))
    return [each for each in found if each["metadata"].get("ownerReferences")]
