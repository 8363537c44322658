"""The operator as a process, with the ServiceAccount and exactly the RBAC of `manifests/install.yaml`."""

import base64
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import httpx
import yaml

from testbed.api import Api, Object
from testbed.ports import free_port
from testbed.waiting import until

INSTALL = Path(__file__).parent.parent.parent / "manifests" / "install.yaml"
_RBAC = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
}


def install_rbac(api: Api) -> tuple[str, str]:
    """Apply what the shipped manifest grants; (namespace, name) of the operator's ServiceAccount."""
    objects = [body for body in yaml.safe_load_all(INSTALL.read_text()) if body]
    operator = next(b for b in objects if b["kind"] == "Deployment" and b["metadata"]["name"].endswith("operator"))
    namespace = operator["metadata"]["namespace"]
    api.apply(
        f"/api/v1/namespaces/{namespace}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    )
    for body in objects:
        if path := _RBAC.get(body["kind"]):
            home = body["metadata"].get("namespace", namespace)
            api.apply(f"{path.format(namespace=home)}/{body['metadata']['name']}", body)
    return namespace, operator["spec"]["template"]["spec"]["serviceAccountName"]


def kubeconfig_for(api: Api, admin: Path, account: tuple[str, str], folder: Path) -> Path:
    """A kubeconfig that speaks as the ServiceAccount, by a token of its own."""
    namespace, name = account
    request: Object = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", request)["status"]["token"]
    config = yaml.safe_load(admin.read_text())
    config["users"][0]["user"] = {"token": token}
    path = folder / "operator.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


class OperatorProcess:
    """`pointsman operator` over a kubeconfig; a context manager that starts it and kills it."""

    def __init__(self, kubeconfig: Path, *arguments: str) -> None:
        self._kubeconfig, self._arguments = kubeconfig, arguments
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start the process and wait until it has listed everything once."""
        self.metrics_port, self.health_port = free_port("127.0.0.1"), free_port("127.0.0.1")
        command = [
            sys.executable, "-m", "pointsman", "operator", "--kubeconfig", str(self._kubeconfig),
            "--metrics-port", str(self.metrics_port), "--health-port", str(self.health_port), *self._arguments,
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        try:
            until(self.ready, 30, what="the operator's /readyz")
        except BaseException:
            self._process.kill()  # nobody enters a block that would end it
            self._process.wait()
            raise
        return self

    def ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"the operator ended with {self._process.returncode}:\n{self.log()[-4000:]}")
        try:
            return httpx.get(f"http://127.0.0.1:{self.health_port}/readyz", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def metric(self, pattern: str) -> float:
        """The sum of all series whose line begins with this regular expression; 0 when there is none."""
        text = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", trust_env=False).text
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(pattern, line))

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if error is not None:
            error.add_note(f"the operator said:\n{self.log()[-6000:]}")
        self._log.close()


def decoded(secret: dict[str, Any]) -> dict[str, str]:
    """A Secret's data in plain."""
    return {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}
