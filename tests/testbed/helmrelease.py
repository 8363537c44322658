"""The chart's release on a real node, and what tests look at: its objects, its logs, its counters, what it leaves."""

import json
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import httpx

from testbed import images
from testbed.node import RealNode

CHART = images.REPOSITORY / "charts" / "pointsman"
SYSTEM, MODELS = "pointsman-system", "models"
CRDS = ("modelproviders.pointsman.dev", "modelroutes.pointsman.dev")
_NAMESPACE = """
apiVersion: v1
kind: Namespace
metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted}}
"""


class HelmRelease:
    """The operator in one namespace and the gateway in that of the routes; both admit restricted Pods only.

    A context manager: its end leaves the node as it was, and tells what our Pods printed if something went wrong.
    """

    def __init__(self, node: RealNode) -> None:
        self.node = node
        self.refused = sum(refusals(node).values())  # before the release, by whomever

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error:
            error.add_note(self.logs())
        self.helm("uninstall", "--ignore-not-found")
        now = ("delete", "pods", "--all", "--force", "--grace-period=0")
        for namespace in (SYSTEM, MODELS):
            self.kubectl(*now, namespace=namespace)
        self.node.kubectl("delete", "namespace", SYSTEM, MODELS, "--ignore-not-found", "--wait=false")
        self.node.kubectl("delete", "crd", *CRDS, "--ignore-not-found")

    def install(self) -> None:
        for namespace in (SYSTEM, MODELS):
            self.node.kubectl("wait", "--for=delete", f"namespace/{namespace}", "--timeout=50s")  # of a release before
            self.node.apply(_NAMESPACE % namespace)
        repository, tag = images.POINTSMAN.split(":")
        values = f"image.repository={repository},image.tag={tag},gateway.namespaces={{{MODELS}}}"
        self.helm("install", str(CHART), "--set", values)

    def helm(self, command: str, *words: str) -> str:
        return self.node.helm(command, "pointsman", *words, "--namespace", SYSTEM)

    def kubectl(self, *words: str, namespace: str = MODELS, timeout: float = 90, stdin: str | None = None) -> str:
        return self.node.kubectl("--namespace", namespace, *words, timeout=timeout, stdin=stdin)

    def apply(self, manifest: str) -> None:
        self.kubectl("apply", "--filename", "-", stdin=manifest)

    def wait(self, what: str, condition: str, seconds: int = 60) -> None:
        """As an administrator waits, until KIND/NAME has a condition TYPE[=STATUS]."""
        self.kubectl("wait", f"--for=condition={condition}", what, f"--timeout={seconds}s", timeout=seconds + 10)

    def field(self, what: str, path: str) -> str:
        return self.kubectl("get", what, "--output", f"jsonpath={{{path}}}")

    def pods(self, selector: str, namespace: str = MODELS) -> list[dict[str, str]]:
        """Name and address of the Pods that are not on their way out."""
        listed = json.loads(self.kubectl("get", "pods", "--selector", selector, "--output=json", namespace=namespace))
        staying = [pod for pod in listed["items"] if "deletionTimestamp" not in pod["metadata"]]
        return [{"name": pod["metadata"]["name"], "address": pod["status"].get("podIP", "")} for pod in staying]

    def logs(self) -> str:
        """What the operator and the gateways printed, with a previous run of theirs, if they restarted."""
        return "".join(self._logs(SYSTEM)) + "".join(self._logs(MODELS))

    def _logs(self, namespace: str) -> Iterator[str]:
        for pod in self.pods("app.kubernetes.io/part-of=pointsman,app.kubernetes.io/instance=pointsman", namespace):
            yield self.kubectl("logs", pod["name"], "--prefix", "--tail=-1", namespace=namespace)

    def counters(self, component: str) -> list[dict[str, float]]:
        """What /metrics of each Pod of the operator or of the gateway says, by name and labels."""
        namespace, port = {"operator": (SYSTEM, 9090), "gateway": (MODELS, 8080)}[component]
        pods = self.pods(f"app.kubernetes.io/component={component}", namespace)
        ports = [self.node.forward(pod["address"], port) for pod in pods]
        return [samples(httpx.get(f"http://127.0.0.1:{at}/metrics", trust_env=False).text) for at in ports]

    def remaining(self) -> set[str]:
        """RESOURCE/NAME of all that carries a label of ours or of helm's, of every kind, in every namespace."""
        kinds = ",".join(self.node.kubectl("api-resources", "--verbs=list,delete", "--output=name").split())
        query = ("get", kinds, "--all-namespaces", "--output=name", "--selector")
        marks = ("app.kubernetes.io/part-of=pointsman", "app.kubernetes.io/managed-by=Helm", "owner=helm")
        return {name for mark in marks for name in self.node.kubectl(*query, mark).split()}


def samples(text: str) -> dict[str, float]:
    """Prometheus' text format: NAME{LABELS} -> value."""
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def refusals(node: RealNode) -> dict[str, float]:
    """How often the API server answered 403, by the kind of request: the truth about missing rights."""
    counted = samples(node.kubectl("get", "--raw", "/metrics"))
    return {name: n for name, n in counted.items() if name.startswith("apiserver_request_total{") and '"403"' in name}
