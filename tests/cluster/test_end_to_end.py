"""The main job on a real control plane: from objects that are applied to an answer that survives a dead backend."""

import asyncio
import json
import re
import time
from pathlib import Path

import httpx
import openai
import pytest
import yaml

from pointsman import table
from testbed import gpunodes
from testbed.api import Api, ApiError, Object
from testbed.controlplane import ControlPlane
from testbed.gatewaypod import GatewayPod
from testbed.llama import LlamaServer
from testbed.operatorprocess import OperatorProcess, decoded
from testbed.podservers import PodServers
from testbed.tinymodel import TinyModel
from testbed.waiting import until

MODEL = TinyModel("long")
OBJECTS = """
apiVersion: v1
kind: Secret
metadata: {{name: nearby}}
stringData: {{token: s3cret}}
---
apiVersion: pointsman.dev/v1alpha1
kind: ModelProvider
metadata: {{name: qwen}}
spec:
  type: VLLM
  deploy:
    model: {{source: "hf://Qwen/Qwen3-32B"}}
    gpus: 2
---
apiVersion: pointsman.dev/v1alpha1
kind: ModelProvider
metadata: {{name: nearby}}
spec:
  type: LlamaCpp
  endpoint:
    baseUrl: {nearby}/v1
    credentials: {{secretRef: {{name: nearby, key: token}}}}
  dataPolicy: {{location: OnPremises, region: eu}}
---
apiVersion: pointsman.dev/v1alpha1
kind: ModelRoute
metadata: {{name: assistant}}
spec:
  modelName: assistant
  aliases: [Local]
  primary: {{provider: qwen, model: Qwen/Qwen3-32B}}
  fallbacks:
  - {{provider: nearby, model: nearby-model}}
  policy:
    dataPolicy: {{allowedLocations: [InCluster, OnPremises]}}
"""


class Fleet:
    """What the tests look at in one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api, self.namespace = api, namespace

    def condition(self, plural: str, name: str, kind: str) -> Object:
        status = self.api.get(f"{self._ours(plural)}/{name}").get("status") or {}
        return next((c for c in status.get("conditions") or [] if c["type"] == kind), {"status": None})

    def is_true(self, plural: str, name: str, kind: str) -> bool:
        return bool(self.condition(plural, name, kind)["status"] == "True")

    def table(self) -> table.RoutingTable | None:
        try:
            data = self.api.get(f"/api/v1/namespaces/{self.namespace}/configmaps/pointsman-routing")["data"]
        except ApiError as error:
            if error.status != 404:
                raise
            return None
        return table.load(data["routing.json"].encode())

    def versions(self) -> dict[str, str]:
        """The resourceVersion of everything in the namespace that the operator might write."""
        core, apps = f"/api/v1/namespaces/{self.namespace}", f"/apis/apps/v1/namespaces/{self.namespace}"
        paths = [self._ours("modelproviders"), self._ours("modelroutes")]
        paths += [f"{core}/{kind}" for kind in ("configmaps", "secrets", "services", "pods")] + [f"{apps}/deployments"]
        return {
            f"{path}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
            for path in paths
            for item in self.api.items(path)
        }

    def delete(self, plural: str, name: str) -> None:
        self.api.delete(f"{self._ours(plural)}/{name}")

    def _ours(self, plural: str) -> str:
        return f"/apis/pointsman.dev/v1alpha1/namespaces/{self.namespace}/{plural}"


async def stream(url: str, tokens: int = 150, begun: asyncio.Barrier | None = None) -> tuple[str, str]:
    """One streamed answer through the OpenAI SDK: decision header and text. It goes on when all have `begun`."""
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        raw = await client.chat.completions.with_raw_response.create(
            model="assistant", messages=[{"role": "user", "content": "Count."}], max_tokens=tokens, stream=True
        )
        text, finish = "", None
        async for chunk in raw.parse():
            for choice in chunk.choices:
                if begun is not None and not text and choice.delta.content:
                    await begun.wait()
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
        assert finish == "length"
        return raw.headers["x-pointsman-decision"], text


@pytest.mark.timeout(180)
def test_the_main_job(simulated: ControlPlane, operator: OperatorProcess, namespace: str, tmp_path: Path) -> None:
    """Objects are applied and answered from; the primary dies; a provider goes; the operator dies."""
    api, fleet = simulated.api, Fleet(simulated.api, namespace)

    def engine(pod: Object, address: str, port: int) -> LlamaServer:
        return LlamaServer(MODEL, host=address, port=port, alias="Qwen/Qwen3-32B", slots=20, ctx=65536)

    with (
        gpunodes.present(api, "engine-0"),
        LlamaServer(MODEL, alias="nearby-model", api_key="s3cret", slots=20, ctx=65536) as nearby,
        PodServers(api, namespace, "pointsman.dev/provider=qwen", engine) as engines,
    ):
        simulated.kubectl("-n", namespace, "apply", "-f", "-", stdin=OBJECTS.format(nearby=nearby.base_url))

        # The deployed provider becomes a Pod with two GPUs, on whose address a real engine is probed.
        until(lambda: fleet.is_true("modelproviders", "qwen", "Ready"), 30)
        until(lambda: fleet.is_true("modelproviders", "nearby", "Ready"), 30)
        until(lambda: fleet.is_true("modelroutes", "assistant", "Ready"), 30)
        routing = until(fleet.table)
        assert [t.provider for t in routing.routes[0].targets] == ["qwen", "nearby"]
        secret = api.get(f"/api/v1/namespaces/{namespace}/secrets/pointsman-credentials")
        keys = decoded(secret)
        made = decoded(api.get(f"/api/v1/namespaces/{namespace}/secrets/pointsman-engine-keys"))
        assert keys == {"nearby": "s3cret", "qwen": made["qwen"]}

        with GatewayPod(api, namespace, "engine-0", tmp_path) as gateway:
            # Every gateway has said that it runs the table that was published.
            until(lambda: fleet.is_true("modelroutes", "assistant", "Programmed"), 30)
            printed = simulated.kubectl("-n", namespace, "get", "pointsman")
            assert "assistant" in printed
            assert "qwen" in printed

            who, text = asyncio.run(stream(gateway.url))
            assert "answered=qwen/" in who
            assert MODEL.answer.startswith(text)

            check_killed_under_load(fleet, engines, gateway.url)
            check_provider_deleted(fleet, gateway)
            check_operator_killed(fleet, operator)


def check_killed_under_load(fleet: Fleet, engines: PodServers, url: str) -> None:
    """20 streams are under way when the primary's engine is killed: none fails, none is cut, none is wrong."""
    [pod] = fleet.api.items(f"/api/v1/namespaces/{fleet.namespace}/pods", labelSelector="pointsman.dev/provider=qwen")

    async def load() -> list[tuple[str, str]]:
        begun = asyncio.Barrier(21)
        streams = [asyncio.create_task(stream(url, 300, begun)) for _ in range(20)]
        await begun.wait()
        engines.kill(pod["metadata"]["name"])
        under_way = sum(not task.done() for task in streams)
        print(f"killed with {under_way} streams in the middle of their answers")
        assert under_way
        return [*await asyncio.gather(*streams), *[await stream(url) for _ in range(5)]]

    answers = asyncio.run(load())
    assert all(MODEL.answer.startswith(text) for _, text in answers)
    assert any("answered=nearby/" in who for who, _ in answers)
    metrics = httpx.get(f"{url}/metrics", trust_env=False).text
    assert re.search(r'pointsman_gateway_streams_resumed_total\{route="assistant"\} [1-9]', metrics)
    until(lambda: not fleet.is_true("modelproviders", "qwen", "Ready"), 30)
    until(lambda: fleet.is_true("modelroutes", "assistant", "Degraded"), 30)
    engines.restart(pod["metadata"]["name"])
    until(lambda: fleet.is_true("modelproviders", "qwen", "Ready"), 60)
    until(lambda: "answered=qwen/" in asyncio.run(stream(url, tokens=20))[0], 30)


def check_provider_deleted(fleet: Fleet, gateway: GatewayPod) -> None:
    """The table follows within 2 s, and the gateway runs it."""
    fleet.delete("modelproviders", "nearby")
    began = time.monotonic()
    routing = until(lambda: (t := fleet.table()) and all(p.name != "nearby" for p in t.providers) and t, 10)
    took = time.monotonic() - began
    print(f"the table followed {took:.2f} s after the provider was deleted")
    assert took < 2
    until(lambda: gateway.config_hash() == routing.hash)
    until(lambda: fleet.condition("modelroutes", "assistant", "ResolvedRefs").get("reason") == "ProviderNotFound")


def check_operator_killed(fleet: Fleet, operator: OperatorProcess) -> None:
    """SIGKILL and a new start: in a settled cluster nothing at all is written."""
    until(lambda: fleet.is_true("modelroutes", "assistant", "Programmed"), 30)
    # What is ready counts as available after minReadySeconds, which the Deployment's own status tells.
    path = f"/apis/apps/v1/namespaces/{fleet.namespace}/deployments/qwen"
    until(lambda: fleet.api.get(path)["status"].get("availableReplicas") == 1, 30)
    settled(fleet)
    before = fleet.versions()
    operator.kill()
    operator.start()
    until(lambda: operator.metric("pointsman_provider_ready") > 0, 30, what="the first probes")
    time.sleep(5)  # time in which a needless write would come: nothing to wait for when nothing happens
    assert fleet.versions() == before
    assert operator.metric("pointsman_api_writes_total") == 0


def settled(fleet: Fleet) -> None:
    """Wait until nothing has changed for two seconds."""
    last, since = fleet.versions(), time.monotonic()
    while time.monotonic() - since < 2:
        time.sleep(0.2)
        if (now := fleet.versions()) != last:
            last, since = now, time.monotonic()


def test_what_cannot_be_used_is_said(simulated: ControlPlane, operator: OperatorProcess, namespace: str) -> None:
    """An unimplemented field is refused with its path; a route to nowhere says so; `kubectl describe` is enough."""
    fleet = Fleet(simulated.api, namespace)
    provider: Object = {
        "apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelProvider", "metadata": {"name": "limited"},
        "spec": {"type": "Ollama", "endpoint": {"baseUrl": "http://127.0.0.1:9"},
                 "models": [{"id": "m", "compat": {"toolCallArgumentsEncoding": "x"}}]},
    }  # fmt: skip
    route: Object = {
        "apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelRoute", "metadata": {"name": "lost"},
        "spec": {"modelName": "lost", "primary": {"provider": "nobody", "model": "m"}},
    }  # fmt: skip
    simulated.kubectl("-n", namespace, "apply", "-f", "-", stdin=yaml.safe_dump_all([provider, route]))
    until(lambda: fleet.condition("modelproviders", "limited", "Accepted").get("reason") == "NotImplemented")
    assert "spec.models[0].compat" in fleet.condition("modelproviders", "limited", "Accepted")["message"]
    until(lambda: fleet.condition("modelroutes", "lost", "ResolvedRefs").get("reason") == "ProviderNotFound")
    described = until(
        lambda: (d := simulated.kubectl("-n", namespace, "describe", "lmr", "lost")) and "nobody" in d and d
    )
    assert "ProviderNotFound" in described


def test_openclaw_config_is_published(simulated: ControlPlane, operator: OperatorProcess, namespace: str) -> None:
    """The ConfigMap holds an openclaw.json that points agents at the gateway."""
    with LlamaServer(alias="tiny") as server:
        objects = [
            {"apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelProvider", "metadata": {"name": "near"},
             "spec": {"type": "LlamaCpp", "endpoint": {"baseUrl": server.base_url}}},
            {"apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelRoute", "metadata": {"name": "one"},
             "spec": {"modelName": "one", "aliases": ["First"], "primary": {"provider": "near", "model": "tiny"}}},
        ]  # fmt: skip
        simulated.kubectl("-n", namespace, "apply", "-f", "-", stdin=yaml.safe_dump_all(objects))
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        until(lambda: simulated.api.items(path, fieldSelector="metadata.name=pointsman-routing"))
        config = json.loads(simulated.api.get(f"{path}/pointsman-routing")["data"]["openclaw.json"])
    assert config["models"]["mode"] == "merge"
    [provider, *_] = config["models"]["providers"].values()
    assert provider["baseUrl"] == f"http://pointsman-gateway.{namespace}.svc:8080/v1"
    assert httpx.URL(provider["baseUrl"]).host.endswith(".svc")
