"""The stand-in for vLLM (`vllm_standin`) behind a simulated Pod, with exactly what the Pod's container asks for.

For `podservers`: `PodServers(api, namespace, selector, standin.of_pod(api))`.
"""

import base64
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from testbed import tools, vllm_standin
from testbed.api import Api, Object
from testbed.cache import cached
from testbed.images import WORDS
from testbed.llama import LlamaServer
from testbed.podservers import Start
from testbed.tinymodel import CHAINS, TinyModel

CONTAINER = "vllm"


class StandIn(LlamaServer):
    """One process of it with the llama-server that it starts; both end together."""

    def __init__(self, words: list[str], environment: dict[str, str], host: str, port: int) -> None:
        super().__init__(host=host, port=port)
        self._words, self._environment = words, environment

    def launch(self) -> Self:
        if self.alive:
            raise RuntimeError(f"{self.base_url} runs already")
        self._process = subprocess.Popen(
            self._command(),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,
        )
        return self

    def _command(self) -> list[str]:
        # In one network namespace all Pods have their addresses: each server listens at its own.
        place = [f"--host={self.host}", f"--port={self.port}"]
        return [sys.executable, vllm_standin.__file__, "serve", *self._words, *place]

    def _end(self, sign: signal.Signals) -> None:
        if self._process is None:
            return
        if self.alive:
            os.killpg(self._process.pid, sign)
        self._process.wait()


def of_pod(api: Api) -> Start:
    """Makes the server of a Pod from its container's arguments and environment, Secrets included."""

    def start(pod: Object, address: str, port: int) -> StandIn:
        container = next(each for each in pod["spec"]["containers"] if each["name"] == CONTAINER)
        path = f"{tools.llama_server().parent}{os.pathsep}{os.environ['PATH']}"
        ours = {"PATH": path, "STANDIN_MODELS": str(models()), "STANDIN_WORDS": str(WORDS)}
        return StandIn(
            container["args"], environment(api, pod["metadata"]["namespace"], container) | ours, address, port
        )

    return start


def environment(api: Api, namespace: str, container: Object) -> dict[str, str]:
    """What the kubelet would set of a container's `env`: values and keys of Secrets."""
    found = {}
    for entry in container.get("env", ()):
        if ref := entry.get("valueFrom", {}).get("secretKeyRef"):
            secret = api.get(f"/api/v1/namespaces/{namespace}/secrets/{ref['name']}")
            found[entry["name"]] = base64.b64decode(secret["data"][ref["key"]]).decode()
        elif "value" in entry:
            found[entry["name"]] = entry["value"]
    return found


def models() -> Path:
    """A folder with every tiny model under its name."""

    def link(folder: Path) -> None:
        for chain in CHAINS:
            (folder / f"{chain}.gguf").symlink_to(TinyModel(chain).path())

    return cached("standin-models", [str(TinyModel(chain).path()) for chain in CHAINS], link)
