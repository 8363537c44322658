"""One GPU, one replica, a new version: on a real control plane, with real engines behind simulated Pods.

Streams are under way all the time. None may fail, none may be cut or taken up elsewhere, and the old engine must be
idle when it goes.
"""

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import openai
import pytest
import yaml

from testbed import gpunodes
from testbed.api import Api, Object
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
PROVIDER: Object = {
    "apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelProvider", "metadata": {"name": "qwen"},
    "spec": {"type": "VLLM", "deploy": {"model": {"source": f"hf://{NAME}"}, "gpus": 1}},
}  # fmt: skip


@pytest.fixture
def operator(cluster: ControlPlane, tmp_path: Path) -> Iterator[OperatorProcess]:
    """The operator, with exactly the shipped rights; each test has its own, as some kill it."""
    account = install_rbac(cluster.api)
    with OperatorProcess(kubeconfig_for(cluster.api, cluster.kubeconfig, account, tmp_path)) as process:
        yield process


class Engine(LlamaServer):
    """A Pod's engine that tells how many requests it had in work when it was ended."""

    cut: int | None = None

    def close(self) -> None:
        if self.alive:
            self.cut = self.requests()
        super().close()

    def requests(self) -> int:
        headers = {"authorization": f"Bearer {self.api_key}"}
        slots = httpx.get(f"{self.base_url}/slots", headers=headers, timeout=5, trust_env=False).json()
        return sum(bool(slot["is_processing"]) for slot in slots)


class Mute(Engine):
    """An engine that is ready, lists its models and gives no answer: it refuses the key."""

    def __init__(self, address: str, port: int) -> None:
        super().__init__(MODEL, host=address, port=port, alias="another-model", slots=1, ctx=2048, api_key="not-yours")


class Load:
    """Clients that stream answers, one after another, for as long as the block lasts; none may fail."""

    def __init__(self, url: str, clients: int = 3, tokens: int = 600) -> None:
        self._url, self._clients, self._tokens = url, clients, tokens
        self.answered: list[tuple[float, str]] = []  # when an answer began, and which provider gave it
        self.failures: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def by(self, provider: str, since: float = 0.0) -> int:
        return sum(name == provider for began, name in self.answered if began >= since)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(60)

    async def _run(self) -> None:
        async with openai.AsyncOpenAI(base_url=f"{self._url}/v1", api_key="none", max_retries=0, timeout=60) as client:
            await asyncio.gather(*(self._client(client) for _ in range(self._clients)))

    async def _client(self, client: openai.AsyncOpenAI) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                self.answered.append((began, await self._stream(client)))
            except (openai.OpenAIError, httpx.HTTPError, ValueError) as error:
                self.failures.append(f"{type(error).__name__}: {error}")

    async def _stream(self, client: openai.AsyncOpenAI) -> str:
        raw = await client.chat.completions.with_raw_response.create(
            model="assistant",
            messages=[{"role": "user", "content": "Count."}],
            max_tokens=self._tokens,
            stream=True,
        )
        text, finish = "", None
        async for chunk in raw.parse():
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
        if finish != "length" or not MODEL.answer.startswith(text) or not text:
            raise ValueError(f"a stream ended with {finish} after {text[-80:]!r}")
        found = re.search(r"answered=([^/;, ]+)/", raw.headers["x-pointsman-decision"])
        assert found, raw.headers["x-pointsman-decision"]
        return found[1]


class Yard:
    """One GPU node, one engine on it, a server nearby as the fallback, a route over both, and a gateway."""

    def __init__(self, control_plane: ControlPlane, operator: OperatorProcess, namespace: str, folder: Path) -> None:
        self._plane, self._operator, self.namespace, self._folder = control_plane, operator, namespace, folder
        self.api: Api = control_plane.api
        self.engines: dict[str, Engine] = {}  # by Pod, those that ended included
        self.mute = False  # engines that are started from now on give no answer
        self._stack = ExitStack()

    def start(self, fallback: bool = True) -> Self:
        """Until the route is served by the engine."""
        enter = self._stack.enter_context
        enter(gpunodes.present(self.api, f"engine-{self.namespace}", gpus=1))
        nearby = enter(LlamaServer(MODEL, alias="nearby-model", slots=8, ctx=65536))
        self._servers = enter(PodServers(self.api, self.namespace, "pointsman.dev/provider=qwen", self._engine))
        self.apply(PROVIDER, *_around(nearby.base_url, fallback))
        until(lambda: self.condition("Ready").get("status") == "True", 60, what="the engine")
        self.gateway = enter(GatewayPod(self.api, self.namespace, f"engine-{self.namespace}", self._folder))
        until(self._programmed, 30, what="a gateway that runs the table")
        return self

    def until(
        self, predicate: Callable[[], object], timeout: float = 30.0, what: str = "", every: float = 0.05
    ) -> None:
        """As `waiting.until`; in vain, with all that the provider's status and the operator say."""
        try:
            until(lambda: bool(predicate()), timeout, every, what)
        except TimeoutError as error:
            error.add_note(f"the provider's status:\n{yaml.safe_dump(self.status())}")
            error.add_note(f"its Pods:\n{yaml.safe_dump([each['status'] for each in self.pods()])}")
            error.add_note(f"the operator said:\n{self._operator.log()[-4000:]}")
            raise

    def apply(self, *objects: Object) -> None:
        self._plane.kubectl("-n", self.namespace, "apply", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def change(self, **deploy: object) -> None:
        """Merge into spec.deploy."""
        self.api.patch(self._path("modelproviders", "qwen"), {"spec": {"deploy": deploy}})

    def lengthen(self, tokens: int | None) -> None:
        self.change(engine={"maxModelLen": tokens})

    def status(self) -> Object:
        return dict(self.api.get(self._path("modelproviders", "qwen")).get("status") or {})

    def phase(self) -> str:
        return str((self.status().get("maintenance") or {}).get("phase") or "")

    def condition(self, kind: str = "Maintenance") -> Object:
        return next((each for each in self.status().get("conditions") or [] if each["type"] == kind), {})

    def pods(self) -> list[Object]:
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        return self.api.items(path, labelSelector="pointsman.dev/provider=qwen")

    def args(self) -> list[str]:
        """Of the Pod that there is; nothing while there is none or more than one."""
        pods = self.pods()
        return list(pods[0]["spec"]["containers"][0]["args"]) if len(pods) == 1 else []

    def resumed(self) -> bool:
        text = httpx.get(f"{self.gateway.url}/metrics", trust_env=False).text
        return re.search(r"pointsman_gateway_streams_resumed_total\{[^}]*\} [1-9]", text) is not None

    def done(self, tokens: int) -> bool:
        """The version with that length runs, and no maintenance is left."""
        return f"--max-model-len={tokens}" in self.args() and self.condition().get("status") == "False"

    def _engine(self, pod: Object, address: str, port: int) -> Engine:
        made = (
            Mute(address, port) if self.mute else Engine(MODEL, host=address, port=port, alias=NAME, slots=8, ctx=65536)
        )
        self.engines[pod["metadata"]["name"]] = made
        return made

    def _programmed(self) -> bool:
        status = self.api.get(self._path("modelroutes", "assistant")).get("status") or {}
        said = {each["type"]: each["status"] for each in status.get("conditions") or []}
        return said.get("Programmed") == "True" and str(status.get("activeTarget", "")).startswith("qwen/")

    def _path(self, plural: str, name: str) -> str:
        return f"/apis/pointsman.dev/v1alpha1/namespaces/{self.namespace}/{plural}/{name}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def _around(nearby: str, fallback: bool) -> tuple[Object, Object]:
    """The server nearby and the route; without `fallback` the fence keeps the route away from it."""
    near: Object = {
        "apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelProvider", "metadata": {"name": "nearby"},
        "spec": {"type": "LlamaCpp", "endpoint": {"baseUrl": nearby}, "dataPolicy": {"location": "OnPremises"}},
    }  # fmt: skip
    allowed = ["InCluster", "OnPremises"] if fallback else ["InCluster"]
    route: Object = {
        "apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelRoute", "metadata": {"name": "assistant"},
        "spec": {"modelName": "assistant", "primary": {"provider": "qwen", "model": NAME},
                 "fallbacks": [{"provider": "nearby", "model": "nearby-model"}],
                 "policy": {"dataPolicy": {"allowedLocations": allowed}}},
    }  # fmt: skip
    return near, route


@pytest.fixture
def yard(simulated: ControlPlane, operator: OperatorProcess, namespace: str, tmp_path: Path) -> Iterator[Yard]:
    with Yard(simulated, operator, namespace, tmp_path) as made:
        yield made


def check_nothing_was_lost(yard: Yard, load: Load, old: Engine) -> None:
    """No request failed, none was cut, none had to be taken up elsewhere, the old engine was idle when it went."""
    print(f"answers: {dict(Counter(name for _, name in load.answered))}, failures: {load.failures}")
    assert not load.failures
    assert not yard.resumed()
    assert old.cut == 0


@pytest.mark.timeout(240)
def test_hand_over(yard: Yard) -> None:
    """The route moves to its fallback, the engine drains, rolls and proves itself, the route moves back."""
    yard.start()
    [old] = yard.engines.values()
    with Load(yard.gateway.url) as load:
        yard.until(lambda: load.by("qwen") >= 3, 30, what="answers of the engine")
        yard.until(old.requests, 10, what="streams under way")
        yard.lengthen(4096)
        yard.until(lambda: yard.condition().get("status") == "True", 30, what="Maintenance=True")
        began = time.monotonic()
        yard.until(lambda: load.by("nearby", began) >= 3, 60, what="answers of the fallback meanwhile")
        yard.until(lambda: yard.done(4096), 40, what="the end of the maintenance")
        ended = time.monotonic()
        yard.until(lambda: load.by("qwen", ended) >= 3, 30, what="answers of the new engine")
    print(f"out of its routes for {ended - began:.1f} s")
    check_nothing_was_lost(yard, load, old)
    assert yard.condition()["reason"] == "NotInMaintenance"
    assert yard.phase() == ""


@pytest.mark.timeout(240)
def test_no_fallback_inside_the_fence(yard: Yard) -> None:
    """Where no other target may be tried, it is rolled at once, without maintenance."""
    yard.start(fallback=False)
    phases = Watched(yard.phase)
    with phases:
        yard.lengthen(4096)
        yard.until(lambda: yard.done(4096), 60, what="the new version")
        yard.until(lambda: yard.condition("Ready")["status"] == "True", 60)
    assert phases.seen == [""]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("phase", ["Draining", "Rolling", "Proving"])
def test_operator_killed(yard: Yard, operator: OperatorProcess, phase: str) -> None:
    """SIGKILL in a phase and a new start: it goes on from there, and still nothing is lost."""
    yard.start()
    [old] = yard.engines.values()
    with Load(yard.gateway.url) as load:
        yard.until(lambda: load.by("qwen") >= 3, 30)
        yard.lengthen(4096)
        yard.until(lambda: yard.phase() == phase, 60, what=phase, every=0.02)
        operator.kill()
        operator.start()
        yard.until(lambda: yard.done(4096), 40, what="the end of the maintenance")
        ended = time.monotonic()
        yard.until(lambda: load.by("qwen", ended) >= 3, 30, what="answers of the new engine")
    check_nothing_was_lost(yard, load, old)


@pytest.mark.timeout(300)
def test_never_proved(yard: Yard) -> None:
    """An engine that is ready and answers nothing: the route stays on its fallback, and the condition says why.

    Set back, it is rolled again, and the route comes back.
    """
    yard.start()
    [old] = yard.engines.values()
    with Load(yard.gateway.url) as load:
        yard.until(lambda: load.by("qwen") >= 3, 30)
        yard.mute = True
        yard.lengthen(4096)
        yard.until(lambda: yard.condition().get("reason") == "RolloutFailed", 40, what="RolloutFailed")
        failed = time.monotonic()
        assert "completion" in yard.condition()["message"]
        yard.until(lambda: load.by("nearby", failed) >= 3, 30)
        assert load.by("qwen", failed) == 0
        yard.mute = False
        yard.lengthen(2048)
        yard.until(lambda: yard.done(2048), 40, what="the end of the maintenance")
        ended = time.monotonic()
        yard.until(lambda: load.by("qwen", ended) >= 3, 30)
    check_nothing_was_lost(yard, load, old)


@pytest.mark.timeout(240)
def test_set_back_while_draining(yard: Yard) -> None:
    """The Pod stays, and the route comes back to it."""
    yard.start()
    [pod] = yard.pods()
    with Load(yard.gateway.url, tokens=1900) as load:
        yard.until(lambda: load.by("qwen") or yard.engines[pod["metadata"]["name"]].requests() >= 3, 30)
        yard.lengthen(4096)
        yard.until(lambda: yard.phase() == "Draining", 30, every=0.02)
        yard.lengthen(None)
        yard.until(lambda: yard.phase() == "", 60)
    assert [each["metadata"]["uid"] for each in yard.pods()] == [pod["metadata"]["uid"]]
    assert not load.failures


@pytest.mark.timeout(240)
def test_no_node_for_the_new_engine(yard: Yard) -> None:
    """A rollout that time does not mend has failed after a minute, says why, and heals when it is set back."""
    yard.start()
    with Load(yard.gateway.url) as load:
        yard.until(lambda: load.by("qwen") >= 3, 30)
        yard.change(nodeSelector={"gpu": "none-has-it"})
        yard.until(lambda: yard.condition().get("reason") == "RolloutFailed", 100, what="RolloutFailed")
        assert "NoMatchingNode" in yard.condition()["message"]
        assert yard.status()["phase"] == "Failed"
        yard.change(nodeSelector=None)
        yard.until(lambda: yard.phase() == "", 40, what="the end of the maintenance")
        ended = time.monotonic()
        yard.until(lambda: load.by("qwen", ended) >= 3, 30)
    assert not load.failures
