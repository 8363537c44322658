"""The real node does what tests on it rely on: a kubelet, containers, Services, DNS, and no trace afterwards."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from testbed import images
from testbed.node import RealNode, host
from testbed.tinymodel import TEXT
from testbed.waiting import until

pytestmark = [pytest.mark.node, pytest.mark.timeout(600)]

NAMESPACE = "engines"
RESTRICTED = """
apiVersion: v1
kind: Namespace
metadata: {name: engines, labels: {pod-security.kubernetes.io/enforce: restricted}}
"""
CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "Hello?"}]}
ASK = f"""
import json, urllib.request
headers = {{"Authorization": "Bearer secret", "Content-Type": "application/json"}}
url = "http://engine.{NAMESPACE}.svc/v1/chat/completions"
request = urllib.request.Request(url, json.dumps({CHAT!r}).encode(), headers)
print(json.load(urllib.request.urlopen(request))["choices"][0]["message"]["content"])
"""
CONFINEMENT = """
import os, json
status = dict(line.split(":\\t", 1) for line in open("/proc/1/status").read().splitlines() if ":\\t" in line)
shm = [line.split()[2] for line in open("/proc/mounts") if line.split()[1] == "/dev/shm"]
print(json.dumps({"uid": os.getuid(), "capabilities": int(status["CapEff"], 16), "seccomp": int(status["Seccomp"]),
                  "shm": shm, "root": os.access("/opt", os.W_OK)}))
"""
Kubectl = Callable[..., str]


@pytest.fixture(scope="module")
def kubectl(node: RealNode, engine_image: str) -> Iterator[Kubectl]:
    """`kubectl` in a namespace where the engine has rolled out."""
    run = partial(node.kubectl, "--namespace", NAMESPACE)
    node.apply(RESTRICTED)
    run("apply", "--filename", "-", stdin=Path(__file__).with_name("engine.yaml").read_text())
    rolled_out(run)
    run("wait", "--for=condition=Ready", "pod/client", "--timeout=60s")
    yield run
    node.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def rolled_out(kubectl: Kubectl) -> None:
    kubectl("rollout", "status", "deployment/engine", "--timeout=60s", timeout=70)


def pod_names(kubectl: Kubectl) -> list[str]:
    """The engine's Pods that are Ready and not on their way out."""
    pods = json.loads(kubectl("get", "pods", "--selector", "app=engine", "--output", "json"))["items"]
    ready = {"type": "Ready", "status": "True"}
    return [
        pod["metadata"]["name"]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        and any(ready.items() <= condition.items() for condition in pod["status"].get("conditions", []))
    ]


def test_a_pod_runs_as_confined_as_it_asks(kubectl: Kubectl) -> None:
    """A restricted Pod has no root, no capabilities, a seccomp filter, and its Memory volume at /dev/shm."""
    seen = json.loads(kubectl("exec", "deployment/engine", "--", "python3", "-c", CONFINEMENT))
    assert seen == {"uid": 1000, "capabilities": 0, "seccomp": 2, "shm": ["tmpfs"], "root": False}


def test_a_service_answers_by_name_from_another_pod(kubectl: Kubectl) -> None:
    """Cluster DNS resolves SERVICE.NAMESPACE.svc, and kube-proxy leads its ClusterIP to the Pod."""
    assert kubectl("exec", "client", "--", "python3", "-c", ASK).strip() == TEXT


def test_a_name_of_no_service_does_not_resolve(kubectl: Kubectl) -> None:
    """DNS says that a Service is missing, instead of leaving the client to wait."""
    lookup = "import socket; socket.gethostbyname('missing.engines.svc')"
    with pytest.raises(subprocess.CalledProcessError) as failed:
        kubectl("exec", "client", "--", "python3", "-c", lookup)
    assert "Name or service not known" in failed.value.stderr


def test_a_service_answers_the_test_process(node: RealNode, kubectl: Kubectl) -> None:
    """`forward` leads from the host's loopback to a ClusterIP; the engine's key is asked for."""
    address = kubectl("get", "service", "engine", "--output", "jsonpath={.spec.clusterIP}")
    url = f"http://127.0.0.1:{node.forward(address, 80)}/v1/chat/completions"
    with httpx.Client(trust_env=False, timeout=30) as client:
        assert client.post(url, json=CHAT).status_code == 401
        answer = client.post(url, json=CHAT, headers={"Authorization": "Bearer secret"})
    assert answer.json()["choices"][0]["message"]["content"] == TEXT


def test_logs_show_what_a_container_printed(kubectl: Kubectl) -> None:
    """`kubectl logs` reads from the kubelet what the engine wrote."""
    assert "listening" in kubectl("logs", "deployment/engine")


def test_a_deleted_pod_is_replaced(kubectl: Kubectl) -> None:
    """The Deployment's next Pod becomes Ready, and the Service leads to it."""
    [before] = pod_names(kubectl)
    kubectl("delete", "pod", before)
    [after] = until(lambda: pod_names(kubectl), timeout=60, what="a Ready engine Pod")
    assert after != before
    asked = until(lambda: answered(kubectl), timeout=20, what="an answer of the new Pod")
    assert asked == TEXT


def answered(kubectl: Kubectl) -> str:
    try:
        return kubectl("exec", "client", "--", "python3", "-c", ASK).strip()
    except subprocess.CalledProcessError:
        return ""  # kube-proxy may lag behind the kubelet


def test_gpus_are_counted(kubectl: Kubectl) -> None:
    """A Pod that asks for more GPUs than the node has stays Pending, and the scheduler says why."""

    def message() -> str:
        return kubectl("get", "pod", "greedy", "--output", "jsonpath={.status.conditions[0].message}")

    assert "Insufficient nvidia.com/gpu" in until(message, what="the scheduler's verdict")


def test_the_packages_of_the_operator_run_from_its_image(node: RealNode, pointsman_image: str) -> None:
    """The image holds the package with all that operator and gateway import, for a user who owns nothing."""
    program = "import kopf, kubernetes.aio.client, httptools, uvloop, ssl, pointsman.api, os; print(os.getuid())"
    pod = ("run", "imports", "--image", pointsman_image, "--restart=Never", "--command", "--", "python3", "-c", program)
    node.kubectl(*pod)
    node.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/imports", "--timeout=60s")
    assert node.kubectl("logs", "imports").strip() == "65532"
    node.kubectl("delete", "pod", "imports", "--wait=false")


def traces(mark: str) -> list[str]:
    """Whatever of a node called `mark` is left on the host."""
    groups = [*host.CGROUPS.glob(mark), *host.CGROUPS.glob(f"*/{mark}")]
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if mark in line]
    processes = [p for p in Path("/proc").glob("[0-9]*") if mark.encode() in command_line(p)]
    return [*map(str, [*groups, *Path("/tmp").glob(mark), *processes]), *mounts]


def command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    except OSError:
        return b""


def test_a_stopped_node_leaves_nothing(node: RealNode) -> None:
    """No process, mount, control group or file stays, nor a sysctl that the kubelet would set for the whole host."""
    sysctl = Path("/proc/sys/kernel/panic")
    before = sysctl.read_text()
    with RealNode() as second:
        assert len(traces(second.cgroup)) > 5
    assert (traces(second.cgroup), sysctl.read_text()) == ([], before)


def test_a_killed_test_process_takes_its_node_along(node: RealNode) -> None:
    """After SIGKILL of who started it, its processes end, and the next node sweeps up the rest."""
    script = (
        "import time; from testbed.node import RealNode\n"
        "with RealNode() as made: print(made.cgroup, flush=True); time.sleep(600)"
    )
    tests = str(images.REPOSITORY / "tests")
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": tests}) as owner:
        assert owner.stdout is not None
        mark = owner.stdout.readline().strip()
        assert traces(mark)
        owner.send_signal(signal.SIGKILL)
    until(lambda: not [t for t in traces(mark) if t.startswith("/proc")], what="the node's processes have ended")
    host.sweep()
    assert traces(mark) == []
