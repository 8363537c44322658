"""Simulated GPU nodes: real to the API server and the scheduler, while kwok plays the kubelet.

How Pods behave there is written in `tests/controlplane/stages.yaml`. A node whose name begins with `engine-` runs
Pods that become Ready only when the test says so (`podstatus`) or the real server behind them does (`podservers`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from testbed.api import Api, ApiError, Object

GPU = "nvidia.com/gpu"
GPU_TAINT = {"key": GPU, "effect": "NoSchedule"}
STORAGE_CLASS = "simulated"
_SILENT = "Kubelet stopped posting node status."


def create(
    api: Api,
    name: str,
    gpus: int = 8,
    *,
    labels: Mapping[str, str] | None = None,
    taints: list[dict[str, str]] | None = None,
    capacity: Mapping[str, str] | None = None,
) -> Object:
    """A node with `gpus` GPUs, and by default a taint against Pods that do not tolerate it, as GPU nodes have."""
    resources = {"cpu": "64", "memory": "512Gi", "ephemeral-storage": "1Ti", "pods": "110", GPU: str(gpus)}
    resources |= capacity or {}
    body: Object = {
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
            | dict(labels or {}),
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "spec": {"taints": [GPU_TAINT] if taints is None else taints},
        "status": {"capacity": resources, "allocatable": resources},
    }
    return api.post("/api/v1/nodes", body)


def delete(api: Api, name: str) -> None:
    """Remove the node, if it is there, with the Pods on it, which would otherwise linger for a minute."""
    for pod in api.items("/api/v1/pods", fieldSelector=f"spec.nodeName={name}"):
        with suppress(ApiError):
            path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
            api.delete(path, gracePeriodSeconds="0")
    with suppress(ApiError):
        api.delete(f"/api/v1/nodes/{name}")


def patch(api: Api, name: str, body: Object) -> Object:
    """Merge `body` into the node; lists such as taints are replaced."""
    return api.patch(f"/api/v1/nodes/{name}", body)


def resize(api: Api, name: str, gpus: int) -> Object:
    """Change how many GPUs the node has, as when one fails or a device plugin starts late."""
    status = {kind: {GPU: str(gpus)} for kind in ("capacity", "allocatable")}
    return api.patch(f"/api/v1/nodes/{name}/status", {"status": status})


def set_ready(api: Api, name: str, ready: bool) -> Object:
    """What the node's kubelet says of itself; once it is not ready, the controller manager taints it."""
    condition = {"type": "Ready", "status": str(ready), "reason": "KubeletReady" if ready else "KubeletNotReady"}
    return api.patch(f"/api/v1/nodes/{name}/status", {"status": {"conditions": [condition]}}, kind="strategic-merge")


def lose(api: Api, name: str) -> None:
    """The node's kubelet is heard no more. Its Pods are evicted when their toleration ends, if most nodes are well.

    That the Pods are not ready any more is said here, in the node controller's manner: it says so only if it has found
    out by itself that the node is silent, which kwok, who renews the node's lease, keeps it from.
    """
    silent = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": _SILENT}
    api.patch(f"/api/v1/nodes/{name}/status", {"status": {"conditions": [silent]}}, kind="strategic-merge")
    for pod in api.items("/api/v1/pods", fieldSelector=f"spec.nodeName={name}"):
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/status"
        unready = {"type": "Ready", "status": "False"}
        api.patch(path, {"status": {"conditions": [unready]}}, kind="strategic-merge")


@contextmanager
def present(
    api: Api,
    name: str,
    gpus: int = 8,
    labels: Mapping[str, str] | None = None,
    taints: list[dict[str, str]] | None = None,
) -> Iterator[str]:
    """A node for the length of a block, with its name; `taints` beside the one that GPU nodes have."""
    create(api, name, gpus, labels=labels, taints=[GPU_TAINT, *(taints or [])])
    try:
        yield name
    finally:
        delete(api, name)


def create_storage_class(api: Api) -> None:
    """The default class, whose claims get a volume at once (see `stages.yaml`)."""
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    body: Object = {
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "pointsman.test/simulated",
        "metadata": {"name": STORAGE_CLASS, "annotations": annotations},
    }  # fmt: skip
    api.apply(f"/apis/storage.k8s.io/v1/storageclasses/{STORAGE_CLASS}", body)
