"""Why Pods are not ready, in the words of the real scheduler and controllers."""

from __future__ import annotations

from typing import Any, Final

from pointsman.fleet.podreport import told
from testbed import gpunodes, podstatus
from testbed.controlplane import ControlPlane
from testbed.waiting import until

Json = dict[str, Any]
GPU: Final = "nvidia.com/gpu"
_APART: Final = {"key": "pointsman.test/apart", "effect": "NoSchedule"}


def make(control_plane: ControlPlane, namespace: str, name: str, amounts: Json | None = None, **spec: Any) -> None:
    resources = {GPU: "2", "memory": "1Gi", **(amounts or {})}
    container = {"name": "vllm", "image": "vllm:0.32", "resources": {"limits": resources, "requests": resources}}
    tolerations = [{"key": GPU, "operator": "Exists"}]
    body = {"metadata": {"name": name}, "spec": {"containers": [container], "tolerations": tolerations, **spec}}
    control_plane.api.post(f"/api/v1/namespaces/{namespace}/pods", body)


def said(control_plane: ControlPlane, namespace: str, name: str, reason: str) -> str:
    """The message of a Pod, once it is for that reason that it is not ready."""

    def found() -> str | None:
        pod = control_plane.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
        report = told([pod], GPU, 1800)
        return report.message if report.reason == reason else None

    return until(found, 30, what=f"{name} to be told as {reason}")


def test_the_real_schedulers_words_become_short_ones(simulated: ControlPlane, namespace: str) -> None:
    """With its own numbers, of each of the usual shortages."""
    apart = {"place": f"{namespace}-apart"}
    claim = [{"name": "weights", "persistentVolumeClaim": {"claimName": "weights"}}]
    with gpunodes.present(simulated.api, f"{namespace}-apart", gpus=4, labels=apart, taints=[_APART]):
        make(simulated, namespace, "taint")
        assert "taint that is not tolerated" in said(simulated, namespace, "taint", "UntoleratedTaint")
        with gpunodes.present(simulated.api, f"{namespace}-small", gpus=1):
            make(simulated, namespace, "gpu")
            make(simulated, namespace, "label", nodeSelector={"place": "nowhere"})
            make(simulated, namespace, "memory", {GPU: "1", "memory": "900Ti"})
            make(simulated, namespace, "claim", volumes=claim)
            gpu = said(simulated, namespace, "gpu", "InsufficientGPU")
            assert gpu.startswith("the Pod asks for 2 nvidia.com/gpu; of 2 nodes 1 has ")
            assert "1 has too little nvidia.com/gpu free" in gpu
            assert "not match the nodeSelector" in said(simulated, namespace, "label", "NoMatchingNode")
            assert "900Ti memory" in said(simulated, namespace, "memory", "InsufficientResources")
            assert 'persistentvolumeclaim "weights" not found' in said(simulated, namespace, "claim", "VolumeNotBound")


def test_a_lost_node_is_told_by_name(simulated: ControlPlane, namespace: str) -> None:
    """From what the node controller writes into its Pods."""
    # On a node of such a name kwok leaves a Pod's readiness alone.
    with gpunodes.present(simulated.api, f"engine-{namespace}", gpus=2) as node:
        make(simulated, namespace, "engine")
        path = f"/api/v1/namespaces/{namespace}/pods/engine"
        until(lambda: simulated.api.get(path)["status"]["phase"] == "Running", 30, what="the engine to run")
        podstatus.set_ready(simulated.api, namespace, "engine", ready=True)
        gpunodes.lose(simulated.api, node)
        assert said(simulated, namespace, "engine", "NodeLost") == f"the node {node} does not answer any more"
