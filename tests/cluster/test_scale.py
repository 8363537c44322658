"""Scale on a real control plane: by kubectl, by a HorizontalPodAutoscaler, to zero, and back with the first request."""

import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx
import pytest
import yaml

from testbed import gpunodes
from testbed.api import Api, ApiError, Object
from testbed.controlplane import ControlPlane
from testbed.gatewaypod import GatewayPod
from testbed.llama import LlamaServer
from testbed.operatorprocess import OperatorProcess, install_rbac, kubeconfig_for
from testbed.podservers import PodServers
from testbed.tinymodel import TinyModel
from testbed.waiting import until
from testbed.watched import Watched

MODEL = TinyModel("long")
NAME = "Qwen/Qwen3-32B"
IDLE = 60.0  # seconds: the shortest that is allowed
ASKED = 2.0  # seconds between two questions of the operator to a gateway
BODY: Object = {"model": "assistant", "messages": [{"role": "user", "content": "Count."}], "max_tokens": 8}


@pytest.fixture
def operator(cluster: ControlPlane, tmp_path: Path) -> Iterator[OperatorProcess]:
    """The operator, with exactly the shipped rights; each test has its own, as one kills it."""
    account = install_rbac(cluster.api)
    with OperatorProcess(kubeconfig_for(cluster.api, cluster.kubeconfig, account, tmp_path)) as process:
        yield process


class Space:
    """A namespace with the provider `qwen`, and what is looked at in it."""

    def __init__(self, control_plane: ControlPlane, name: str) -> None:
        self._plane, self.name = control_plane, name
        self.api: Api = control_plane.api

    def provider(self, **deploy: object) -> Object:
        """`qwen`, deployed from one GPU a replica."""
        spec = {"type": "VLLM", "deploy": {"model": {"source": f"hf://{NAME}"}, "gpus": 1, **deploy}}
        return _object("ModelProvider", "qwen", spec)

    def apply(self, *objects: Object) -> None:
        self._plane.kubectl("-n", self.name, "apply", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def kubectl(self, *words: str) -> str:
        return self._plane.kubectl("-n", self.name, *words)

    def patch(self, spec: Object) -> None:
        self.api.patch(self._path("modelproviders", "qwen"), {"spec": spec})

    def get(self, plural: str, name: str) -> Object:
        return self.api.get(self._path(plural, name))

    def phase(self) -> str:
        return str(self.get("modelproviders", "qwen").get("status", {}).get("phase", ""))

    def replicas(self) -> int | None:
        """Of the Deployment's spec; None while there is none."""
        try:
            path = f"/apis/apps/v1/namespaces/{self.name}/deployments/qwen"
            return int(self.api.get(path)["spec"]["replicas"])
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    def is_true(self, plural: str, name: str, condition: str) -> bool:
        said = self.get(plural, name).get("status", {}).get("conditions", [])
        return any(each["type"] == condition and each["status"] == "True" for each in said)

    def _path(self, plural: str, name: str) -> str:
        return f"/apis/pointsman.dev/v1alpha1/namespaces/{self.name}/{plural}/{name}"


def _object(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": "pointsman.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


@pytest.mark.timeout(180)
def test_scale_subresource(simulated: ControlPlane, operator: OperatorProcess, namespace: str) -> None:
    """`kubectl scale` and a HorizontalPodAutoscaler write spec.deploy.replicas, and the Deployment follows.

    Suspended, nothing runs; after it, as many as before.
    """
    space = Space(simulated, namespace)
    with gpunodes.present(space.api, f"gpu-{namespace}", gpus=4):
        space.apply(space.provider())
        until(lambda: space.replicas() == 1, 30, what="the Deployment")

        space.kubectl("scale", "lmp/qwen", "--replicas=2")
        until(lambda: space.replicas() == 2, 30, what="two replicas")
        until(lambda: space.get("modelproviders", "qwen")["status"].get("readyReplicas") == 2, 30)
        scale = space.api.get(space._path("modelproviders", "qwen/scale"))
        assert (scale["spec"]["replicas"], scale["status"]["replicas"]) == (2, 2)
        pods = space.api.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=scale["status"]["selector"])
        assert len(pods) == 2, "an autoscaler finds the Pods by it"

        space.api.post(f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers", autoscaler(3, 4))
        until(lambda: space.replicas() == 3, 60, what="the HorizontalPodAutoscaler's three")
        assert space.get("modelproviders", "qwen")["spec"]["deploy"]["replicas"] == 3

        space.patch({"suspend": True})
        until(lambda: space.replicas() == 0, 30, what="nothing while suspended")
        until(lambda: space.phase() == "Suspended", 30)
        space.patch({"suspend": False})
        until(lambda: space.replicas() == 3, 30, what="as many as before")


def autoscaler(least: int, most: int) -> Object:
    """One that needs no metrics to know that there are too few."""
    target = {"apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelProvider", "name": "qwen"}
    spec = {"scaleTargetRef": target, "minReplicas": least, "maxReplicas": most}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "qwen"},
        "spec": spec,
    }


class Restartable(GatewayPod):
    """A gateway whose container ends and is started again, in the same Pod."""

    def restart(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        log: IO[bytes] = self._log
        self._process = subprocess.Popen(self._process.args, stdout=log, stderr=subprocess.STDOUT)
        until(self.ready, 30, what="the gateway after its restart")


class Load:
    """A client that asks one request after another for as long as the block lasts; none may fail."""

    def __init__(self, url: str) -> None:
        self._url, self._ended = url, threading.Event()
        self.answered: list[str] = []  # the provider of each answer
        self.failures: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(60)

    def _run(self) -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not self._ended.wait(0.1):
                reply = client.post(f"{self._url}/v1/chat/completions", json=BODY)
                found = re.search(r"answered=([^/;, ]+)/", reply.headers.get("x-pointsman-decision", ""))
                if reply.status_code == 200 and found:
                    self.answered.append(found[1])
                else:
                    self.failures.append(f"{reply.status_code}: {reply.text[:300]}")


def _around(nearby: str) -> tuple[Object, Object]:
    """The server nearby, and the route over both."""
    near = {"type": "LlamaCpp", "endpoint": {"baseUrl": nearby}, "dataPolicy": {"location": "OnPremises"}}
    route: Object = {
        "modelName": "assistant",
        "primary": {"provider": "qwen", "model": NAME},
        "fallbacks": [{"provider": "nearby", "model": "nearby-model"}],
    }
    return _object("ModelProvider", "nearby", near), _object("ModelRoute", "assistant", route)


@pytest.mark.timeout(420)
def test_to_zero_and_back(simulated: ControlPlane, operator: OperatorProcess, namespace: str, tmp_path: Path) -> None:
    """Idle, it goes; the first request wakes it, and is answered by the fallback, as are all until it is ready.

    An operator and a gateway that start anew change nothing of it, neither before it sleeps nor while it does.
    """
    space = Space(simulated, namespace)

    def engine(pod: Object, address: str, port: int) -> LlamaServer:
        return LlamaServer(MODEL, host=address, port=port, alias=NAME, slots=4, ctx=16384)

    def restart_both() -> None:
        operator.kill()
        operator.start()
        gateway.restart()

    with ExitStack() as stack:
        enter = stack.enter_context
        node = enter(gpunodes.present(space.api, f"engine-{namespace}", gpus=1))
        nearby = enter(LlamaServer(MODEL, alias="nearby-model", slots=4, ctx=16384))
        enter(PodServers(space.api, namespace, "pointsman.dev/provider=qwen", engine))
        space.apply(space.provider(scaling={"idle": "1m"}), *_around(nearby.base_url))
        until(lambda: space.is_true("modelproviders", "qwen", "Ready"), 60, what="the engine")
        gateway = enter(Restartable(space.api, namespace, node, tmp_path))
        until(lambda: space.is_true("modelroutes", "assistant", "Programmed"), 30)
        watched = enter(Watched(space.replicas))
        with Load(gateway.url) as load:
            until(lambda: len(load.answered) >= 3, 30)
        assert set(load.answered) == {"qwen"}
        assert not load.failures

        asked = time.monotonic()
        restart_both()
        until(lambda: space.replicas() == 0, 3 * IDLE, what="no replica once it is idle")
        assert time.monotonic() - asked >= IDLE - 5.0, "not before its time"
        until(lambda: space.phase() == "Idle", 30)
        assert space.is_true("modelroutes", "assistant", "Ready"), "the fallback covers it"

        restart_both()
        until(lambda: space.is_true("modelroutes", "assistant", "Programmed"), 30)
        time.sleep(4 * ASKED)  # what must not happen has no condition to wait for
        assert watched.seen == [1, 0]

        with Load(gateway.url) as load:
            until(lambda: space.replicas() == 1, 30, what="the first request to wake it")
            until(lambda: load.answered.count("qwen") >= 10, 90, what="answers of the engine that woke")
        assert not load.failures
        assert [provider for provider, _ in groupby(load.answered)] == ["nearby", "qwen"]
        assert watched.seen == [1, 0, 1]
