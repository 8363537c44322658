"""A gateway Pod on a simulated node: a real gateway listens at the Pod's address, on files kept as a kubelet does."""

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

from testbed import podstatus
from testbed.api import Api, Object
from testbed.mounts import Mount
from testbed.waiting import until

PORT = 8080


class GatewayPod:
    """Make the Pod on an `engine-` node, run the gateway at its address, report it Ready while /-/readyz says so."""

    def __init__(self, api: Api, namespace: str, node: str, folder: Path, name: str = "gateway-0") -> None:
        self._api, self._namespace, self._node, self._folder, self.name = api, namespace, node, folder, name
        self._stack = ExitStack()
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process

    def __enter__(self) -> Self:
        pods = f"/api/v1/namespaces/{self._namespace}/pods"
        self._api.post(pods, self._body())
        self.address = until(lambda: self._api.get(f"{pods}/{self.name}")["status"].get("podIP"), what="a Pod address")
        base = f"/api/v1/namespaces/{self._namespace}"
        table = Mount(self._api, f"{base}/configmaps/pointsman-routing", self._folder / "routing")
        keys = Mount(self._api, f"{base}/secrets/pointsman-credentials", self._folder / "credentials")
        self._stack.enter_context(table)
        self._stack.enter_context(keys)
        command = [
            sys.executable, "-m", "pointsman", "gateway", "--listen", f"{self.address}:{PORT}",
            "--table", str(table.folder / "routing.json"), "--credentials", str(keys.folder),
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        until(self.ready, 30, what="the gateway's /-/readyz")
        podstatus.set_ready(self._api, self._namespace, self.name, ready=True)
        return self

    @property
    def url(self) -> str:
        return f"http://{self.address}:{PORT}"

    def ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"the gateway ended with {self._process.returncode}:\n{self.log()[-4000:]}")
        try:
            return httpx.get(f"{self.url}/-/readyz", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def config_hash(self) -> str:
        """The hash of the table that the gateway runs."""
        return str(httpx.get(f"{self.url}/-/config", trust_env=False).json()["hash"])

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._stack.close()
        if error is not None:
            error.add_note(f"the gateway said:\n{self.log()[-4000:]}")
        self._log.close()

    def _body(self) -> Object:
        container = {"name": "gateway", "image": "gateway:none", "ports": [{"name": "gateway", "containerPort": PORT}]}
        return {
            "metadata": {"name": self.name, "labels": {"pointsman.dev/gateway": "true"}},
            "spec": {"nodeName": self._node, "containers": [container], "tolerations": [{"operator": "Exists"}]},
        }
