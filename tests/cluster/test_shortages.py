"""What a cluster lacks, as a stranger with `kubectl` reads it: what is missing, how much of it, and what to do."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from testbed import gpunodes, podstatus, standin
from testbed.api import Object
from testbed.controlplane import ControlPlane
from testbed.images import WORDS
from testbed.llama import LlamaServer
from testbed.operatorprocess import OperatorProcess
from testbed.podservers import PodServers
from testbed.space import MODEL, Space, provider, route
from testbed.waiting import until

_numbers = itertools.count(1)


@pytest.fixture
def space(simulated: ControlPlane, operator: OperatorProcess, namespace: str) -> Space:
    return Space(simulated, namespace)


@pytest.fixture
def node(space: Space) -> Callable[..., Any]:
    """Makes GPU nodes, each with a name that nobody had, for a `with`."""
    return lambda prefix="gpu", **kind: gpunodes.present(space.api, f"{prefix}-{next(_numbers)}", **kind)


def test_too_few_gpus(space: Space, node: Callable[..., Any]) -> None:
    """How many are asked for, of how many nodes; a larger node mends it without another word."""
    with node(gpus=2), node(gpus=1):
        space.deploy(gpus=4)
        space.stranger.learns("qwen", "InsufficientGPU", "4 nvidia.com/gpu", "2 nodes", "spec.deploy.gpus")
        with node(gpus=8):
            until(lambda: space.condition("modelproviders", "qwen", "WorkloadReady")[0] == "True", 30)


def test_a_taint_that_is_not_tolerated(space: Space, node: Callable[..., Any]) -> None:
    """Which field mends it, and it does. The scheduler of 1.36 names taints no more, and nodes we do not read."""
    team = {"key": "team", "value": "vision", "effect": "NoSchedule"}
    with node(taints=[team]):
        space.deploy()
        space.stranger.learns("qwen", "UntoleratedTaint", "of 1 nodes 1", "spec.deploy.tolerations")
        space.deploy(tolerations=[{"key": "team", "operator": "Exists"}])
        until(lambda: space.condition("modelproviders", "qwen", "WorkloadReady")[0] == "True", 30)


def test_a_node_that_nobody_has(space: Space, node: Callable[..., Any]) -> None:
    """A node selector that fits no node."""
    with node(labels={"gpu.product": "L4"}):
        space.deploy(nodeSelector={"gpu.product": "H100"})
        space.stranger.learns("qwen", "NoMatchingNode", "spec.deploy.nodeSelector")


def test_a_quota(space: Space, node: Callable[..., Any]) -> None:
    """No Pod is there to be asked: what the Deployment says counts, with the quota's name and figures."""
    space.apply({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few-gpus"},
        "spec": {"hard": {"requests.nvidia.com/gpu": "1"}},
    })  # fmt: skip
    with node():
        space.deploy(gpus=2)
        space.stranger.learns("qwen", "ReplicaFailure", "few-gpus", "requests.nvidia.com/gpu=1")


def test_a_runtime_class_that_is_missing(space: Space, node: Callable[..., Any]) -> None:
    """Its name, as the API server says it when it refuses the Pod."""
    with node():
        space.deploy(runtimeClassName="nvidia-missing")
        space.stranger.learns("qwen", "ReplicaFailure", 'RuntimeClass "nvidia-missing" not found')


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (None, ('"weights" not found',)),
        ({"storageClassName": "no-such-class"}, ("unbound", "PersistentVolumeClaim")),
    ],
    ids=["missing", "unbound"],
)
def test_a_claim_without_a_volume(
    space: Space, node: Callable[..., Any], claim: Object | None, words: tuple[str, ...]
) -> None:
    """The claim of the weights is not there, or has no volume."""
    if claim is not None:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}} | claim
        space.apply({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "weights"}, "spec": spec,
        })  # fmt: skip
    with node():
        space.deploy(model={"source": "pvc://weights/qwen"})
        space.stranger.learns("qwen", "VolumeNotBound", *words)


def test_a_load_takes_its_time(space: Space) -> None:
    """That is no failure: the phase says what it does, and how long it took is kept."""
    slow = {"env": [{"name": "STANDIN_LOAD_SECONDS", "value": "4"}]}
    with (
        PodServers(space.api, space.name, "pointsman.dev/provider=qwen", standin.of_pod(space.api)),
        gpunodes.present(space.api, "engine-slow"),
    ):
        space.deploy(engine=slow)
        until(lambda: space.status("modelproviders", "qwen").get("phase") == "Loading", 15, what="phase Loading")
        until(space.is_ready, 40)
        took = until(lambda: space.status("modelproviders", "qwen").get("startup", {}).get("loadSeconds"), 15)
        assert 3 <= took <= 30


@pytest.mark.parametrize(
    ("end", "last_words", "reason", "word"),
    [
        ((137, "OOMKilled"), "", "OOMKilled", "spec.deploy.resources"),
        (
            (1, "Error"),
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
            "OutOfMemory",
            "2.00",
        ),
        ((2, "Error"), "vllm serve: error: unrecognized arguments: --no-such", "InvalidArguments", "--no-such"),
        ((1, "Error"), (WORDS / "gated.txt").read_text()[-2048:], "ModelAccessDenied", "tokenSecretRef"),
    ],
    ids=["memory", "GPU memory", "arguments", "gated"],
)
def test_an_engine_that_crashes(space: Space, end: tuple[int, str], last_words: str, reason: str, word: str) -> None:
    """What it said last, and what mends it."""
    with gpunodes.present(space.api, f"engine-{next(_numbers)}"):
        space.deploy()
        until(lambda: [pod for pod in space.pods() if pod["status"].get("podIP")], 20, what="a running Pod")
        pod = space.pods()[0]["metadata"]["name"]
        podstatus.set_crashed(space.api, space.name, pod, end[0], reason=end[1], message=last_words)
        space.stranger.learns("qwen", reason, word)


def test_a_node_that_is_lost(space: Space, node: Callable[..., Any]) -> None:
    """While it serves: the route moves to its fallback, the status names the node, and another node mends it all."""
    with (
        LlamaServer(alias="nearby") as nearby,
        PodServers(space.api, space.name, "pointsman.dev/provider=qwen", standin.of_pod(space.api)) as engines,
        # Where most nodes are lost, the node controller takes it for a fault of the network and evicts nothing.
        node("cpu", gpus=0),
        node("cpu", gpus=0),
        node("engine") as first,
    ):
        space.deploy(gpus=2)
        space.apply(
            provider("nearby", {"type": "LlamaCpp", "endpoint": {"baseUrl": nearby.base_url}}),
            route("assistant", {"provider": "qwen", "model": MODEL}, {"provider": "nearby", "model": "nearby"}),
        )
        until(lambda: space.status("modelroutes", "assistant").get("activeTarget") == f"qwen/{MODEL}", 40)

        engines.lose(space.pods()[0]["metadata"]["name"])
        gpunodes.lose(space.api, first)
        until(lambda: space.status("modelroutes", "assistant").get("activeTarget") == "nearby/nearby", 15)
        space.stranger.learns("qwen", "NodeLost", first)
        # Its Pod is evicted, and the next one finds no node.
        until(lambda: [pod for pod in space.pods() if not pod["spec"].get("nodeName")], 30, what="an evicted Pod")
        until(lambda: space.stranger.reason("qwen") in {"InsufficientGPU", "UntoleratedTaint"}, 30)

        with node("engine"):
            until(space.is_ready, 40)
            until(lambda: space.status("modelroutes", "assistant").get("activeTarget") == f"qwen/{MODEL}", 15)
            assert space.stranger.reason("qwen") == "Ready"


def test_a_rollout_on_full_gpus(space: Space, node: Callable[..., Any]) -> None:
    """Three replicas hold all three GPUs: one after another gives its own to its successor, and it ends."""
    with node(gpus=3):
        space.deploy(replicas=3)
        path = f"/apis/apps/v1/namespaces/{space.name}/deployments/qwen"
        until(lambda: len(space.pods()) == 3 and space.api.get(path)["status"].get("readyReplicas") == 3, 30)
        before = {pod["metadata"]["uid"] for pod in space.pods()}
        fewest = 3
        space.deploy(replicas=3, engine={"maxModelLen": 2048})

        def rolled() -> bool:
            nonlocal fewest
            status = space.api.get(path)["status"]
            fewest = min(fewest, status.get("readyReplicas", 0))
            assert status["replicas"] <= 3, "a surge would need GPUs that nobody has free"
            return {pod["metadata"]["uid"] for pod in space.pods()}.isdisjoint(before) and status["readyReplicas"] == 3

        until(rolled, 60, what="three new replicas")
        assert fewest >= 2
        until(lambda: space.condition("modelproviders", "qwen", "WorkloadReady") == ("True", "ReplicasReady"), 15)
