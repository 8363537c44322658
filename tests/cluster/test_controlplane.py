"""The test bed itself: what the other tests take for granted."""

import base64
import ssl
import subprocess
from typing import Any

import httpx
import pytest
import yaml

from testbed import gpunodes, podstatus
from testbed.api import Api, ApiError, Object
from testbed.controlplane import ControlPlane
from testbed.podservers import PodServers
from testbed.tinymodel import TEXT
from testbed.waiting import until


def deployment(name: str, replicas: int = 1, **pod: Any) -> Object:
    container = {
        "name": "engine", "image": "engine:none", "ports": [{"containerPort": 8000}],
        "resources": {"limits": {gpunodes.GPU: "1"}},
    }  # fmt: skip
    toleration = {"key": gpunodes.GPU, "operator": "Exists"}
    template = {
        "metadata": {"labels": {"app": name}} | pod.pop("metadata", {}),
        "spec": {"containers": [container], "tolerations": [toleration]} | pod,
    }
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def service(name: str) -> Object:
    return {
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8000}]},
    }


def create_deployment(api: Api, namespace: str, body: Object) -> Object:
    return api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", body)


def pods(api: Api, namespace: str, phase: str = "") -> list[Object]:
    items = api.items(f"/api/v1/namespaces/{namespace}/pods")
    return [pod for pod in items if not phase or pod["status"]["phase"] == phase]


def condition(pod: Object, kind: str) -> str | None:
    return next((c["status"] for c in pod["status"].get("conditions", []) if c["type"] == kind), None)


def endpoints(api: Api, namespace: str, name: str) -> set[str]:
    """The addresses of a Service that are ready."""
    slices = api.items(
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        labelSelector=f"kubernetes.io/service-name={name}",
    )
    found = [endpoint for piece in slices for endpoint in piece["endpoints"] or []]
    return {address for e in found if e["conditions"]["ready"] for address in e["addresses"]}


def test_pods_wait_for_gpus_and_run_when_a_node_brings_them(simulated: ControlPlane, namespace: str) -> None:
    """The real scheduler counts GPUs: what does not fit waits, and runs as soon as a node with room comes."""
    api = simulated.api
    with gpunodes.present(api, "small", gpus=2):
        create_deployment(api, namespace, deployment("llm", replicas=3))
        until(lambda: len(pods(api, namespace, "Running")) == 2 and len(pods(api, namespace, "Pending")) == 1)
        [waiting] = pods(api, namespace, "Pending")
        until(lambda: condition(api.get(_path(waiting)), "PodScheduled") == "False")
        [reason] = [
            c["message"] for c in api.get(_path(waiting))["status"]["conditions"] if c["type"] == "PodScheduled"
        ]
        assert "Insufficient nvidia.com/gpu" in reason
        with gpunodes.present(api, "another", gpus=1):
            until(lambda: len(pods(api, namespace, "Running")) == 3)


def test_a_gpu_node_keeps_out_what_does_not_tolerate_it(simulated: ControlPlane, namespace: str) -> None:
    """The taint of GPU nodes counts, as does a node selector."""
    api = simulated.api
    with gpunodes.present(api, "tainted", labels={"gpu.product": "H100"}):
        create_deployment(api, namespace, deployment("intolerant", tolerations=[]))
        create_deployment(api, namespace, deployment("choosy", nodeSelector={"gpu.product": "L4"}))
        create_deployment(api, namespace, deployment("fitting", nodeSelector={"gpu.product": "H100"}))
        [running] = until(lambda: pods(api, namespace, "Running"))
        assert running["metadata"]["labels"]["app"] == "fitting"
        assert {p["metadata"]["labels"]["app"] for p in pods(api, namespace, "Pending")} == {"intolerant", "choosy"}


def test_a_pod_becomes_ready_by_annotation_or_by_hand(simulated: ControlPlane, namespace: str) -> None:
    """Slow loads are simulated by an annotation; "never" leaves readiness, and crashes, to the test."""
    api = simulated.api
    with gpunodes.present(api, "loading"):
        slow, manual = ({"labels": {"app": a}, "annotations": {podstatus.READY_AFTER: b}} for a, b in _LOADS)
        create_deployment(api, namespace, deployment("slow", metadata=slow))
        create_deployment(api, namespace, deployment("manual", metadata=manual))
        until(lambda: len(pods(api, namespace, "Running")) == 2)
        assert {condition(pod, "Ready") for pod in pods(api, namespace)} == {"False"}
        until(lambda: _ready_apps(api, namespace) == {"slow"})
        [pod] = [p["metadata"]["name"] for p in pods(api, namespace) if p["metadata"]["labels"]["app"] == "manual"]
        podstatus.set_ready(api, namespace, pod, ready=True)
        until(lambda: _ready_apps(api, namespace) == {"slow", "manual"})
        podstatus.set_crashed(api, namespace, pod, 137, reason="OOMKilled", restarts=3)
        assert pod in simulated.kubectl("-n", namespace, "get", "pods")
        assert "CrashLoopBackOff" in simulated.kubectl("-n", namespace, "get", "pod", pod)


def test_a_claim_of_the_default_class_gets_a_volume(simulated: ControlPlane, namespace: str) -> None:
    """A Pod with a volume claim is scheduled, because the claim is bound at once."""
    api = simulated.api
    claim: Object = {
        "metadata": {"name": "weights"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
    }
    api.post(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims", claim)
    volume = {"name": "weights", "persistentVolumeClaim": {"claimName": "weights"}}
    with gpunodes.present(api, "storing"):
        create_deployment(api, namespace, deployment("llm", volumes=[volume]))
        until(lambda: pods(api, namespace, "Running"))


def test_a_real_engine_answers_at_a_simulated_pods_address(simulated: ControlPlane, namespace: str) -> None:
    """Pods on an engine node are Ready while a real server answers there, and EndpointSlices list just those."""
    api = simulated.api
    with gpunodes.present(api, "engine-0"), PodServers(api, namespace, "app=llm") as servers:
        create_deployment(api, namespace, deployment("llm", replicas=2))
        api.post(f"/api/v1/namespaces/{namespace}/services", service("llm"))
        until(lambda: len(endpoints(api, namespace, "llm")) == 2)
        for address in endpoints(api, namespace, "llm"):
            assert address.startswith("10.244.")
            assert _ask(f"http://{address}:8000") == TEXT

        victim, other = (pod["metadata"]["name"] for pod in pods(api, namespace))
        servers.kill(victim)
        until(lambda: endpoints(api, namespace, "llm") == {servers.server(other).host})
        servers.restart(victim)
        until(lambda: len(endpoints(api, namespace, "llm")) == 2)
        server = servers.server(victim)
        api.delete(f"/api/v1/namespaces/{namespace}/pods/{victim}")
        until(lambda: not server.alive)  # its replacement may well get the same address


def test_what_an_object_owns_goes_with_it(simulated: ControlPlane, namespace: str) -> None:
    """The real garbage collector deletes dependents of a deleted owner, and nothing else."""
    api = simulated.api
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    owner = api.post(maps, {"metadata": {"name": "owner"}})["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
    api.post(maps, {"metadata": {"name": "owned", "ownerReferences": [reference]}})
    api.post(maps, {"metadata": {"name": "free"}})
    assert {"owner", "owned", "free"} <= {item["metadata"]["name"] for item in api.items(maps)}
    api.delete(f"{maps}/owner")
    until(lambda: "owned" not in {item["metadata"]["name"] for item in api.items(maps)})
    assert "free" in {item["metadata"]["name"] for item in api.items(maps)}


def test_access_control_is_real(simulated: ControlPlane, namespace: str) -> None:
    """A ServiceAccount's token is accepted, and allows what its roles do and nothing else."""
    until(lambda: "default" in simulated.kubectl("-n", namespace, "get", "serviceaccounts", "-o", "name"))
    token = simulated.kubectl("-n", namespace, "create", "token", "default").strip()
    api = Api.from_kubeconfig(simulated.kubeconfig, token)
    with pytest.raises(ApiError, match="403 Forbidden") as refusal:
        api.get(f"/api/v1/namespaces/{namespace}/configmaps")
    assert f"system:serviceaccount:{namespace}:default" in str(refusal.value)
    binding = ["--clusterrole=view", f"--serviceaccount={namespace}:default"]
    simulated.kubectl("-n", namespace, "create", "rolebinding", "viewer", *binding)
    until(lambda: _allowed(api, f"/api/v1/namespaces/{namespace}/configmaps"))
    assert not _allowed(api, f"/api/v1/namespaces/{namespace}/secrets")
    api.close()


def test_certificates_pass_the_strict_check(simulated: ControlPlane) -> None:
    """The server's certificate has the key identifiers that Python 3.13 asks for by default."""
    config = yaml.safe_load(simulated.kubeconfig.read_text())
    authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    assert httpx.get(f"{simulated.server}/readyz", verify=context, trust_env=False).status_code == 401


def test_kubectl_says_what_went_wrong(cluster: ControlPlane) -> None:
    """A failing kubectl raises, with what it printed as a note."""
    with pytest.raises(subprocess.CalledProcessError) as failure:
        cluster.kubectl("get", "pod", "nobody")
    assert 'pods "nobody" not found' in failure.value.__notes__[0]


_LOADS = [("slow", "1s"), ("manual", "never")]


def _path(pod: Object) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _ready_apps(api: Api, namespace: str) -> set[str]:
    return {p["metadata"]["labels"]["app"] for p in pods(api, namespace) if condition(p, "Ready") == "True"}


def _ask(base_url: str) -> str:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hello?"}]}
    answer = httpx.post(f"{base_url}/v1/chat/completions", json=body, trust_env=False).raise_for_status()
    return str(answer.json()["choices"][0]["message"]["content"])


def _allowed(api: Api, path: str) -> bool:
    try:
        api.get(path)
    except ApiError as error:
        if error.status != 403:
            raise
        return False
    return True
