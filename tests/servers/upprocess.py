"""`pointsman up` on objects that a test wrote: the gateway, the prober and the operator's core as users run them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from gateway.conftest import PATHS, Reply, request
from pointsman import table as tables
from pointsman.table import Model, RoutingTable
from testbed.ports import free_port
from testbed.waiting import until

Object = Mapping[str, Any]
PATIENT = {"timeouts": {"connect": "2s", "firstToken": "30s", "stall": "30s", "total": "60s"}}


def provider(name: str, kind: str, url: str, key: str = "", **spec: Any) -> list[Object]:
    """A provider of a type at an address, its data at home, and the Secret with its key, if it has one."""
    endpoint: dict[str, Any] = {"baseUrl": url} | ({"credentials": {"secretRef": {"name": name}}} if key else {})
    spec = {"type": kind, "endpoint": endpoint, "dataPolicy": {"location": "OnPremises"}, **spec}
    found: list[Object] = [_object("ModelProvider", name, {"spec": spec})]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"token": key}}
    return [*found, secret] if key else found


def route(name: str, *targets: str, **policy: Any) -> Object:
    """A route whose chain is the targets, each `provider/model`."""
    chain = [dict(zip(("provider", "model"), target.split("/", 1), strict=True)) for target in targets]
    spec = {"modelName": name, "primary": chain[0], "fallbacks": chain[1:], "policy": PATIENT | policy}
    return _object("ModelRoute", name.lower(), {"spec": spec})


def _object(kind: str, name: str, more: Mapping[str, Any]) -> Object:
    return {"apiVersion": "pointsman.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, **more}


class Up:
    """The process. A context manager that has it up, every provider probed, and ends it; `said` is what it printed."""

    def __init__(self, folder: Path, objects: Sequence[Object]) -> None:
        self._objects, self._folder = folder / "objects.yaml", folder
        self._objects.write_text(yaml.safe_dump_all(objects))
        probed = [each for each in objects if each["kind"] == "ModelProvider" and "probe" not in each["spec"]]
        self._names = [each["metadata"]["name"] for each in probed]
        self.port = free_port("127.0.0.1")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        return (self._folder / "said.txt").read_text()

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "pointsman", "up", str(self._objects), "--listen", f"127.0.0.1:{self.port}"]
        with (self._folder / "said.txt").open("wb") as out:
            state = ["--state", str(self._folder / "state")]
            self._process = subprocess.Popen([*command, *state], stdout=out, stderr=subprocess.STDOUT)
        try:
            until(self._ready, 30, what=f"the gateway at {self.url}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def ask(self, dialect: str, model: str = "assistant", *, stream: bool = False, **more: Any) -> Reply:
        """A request for an answer in a dialect, and all that comes back."""
        return self.post(PATHS[dialect], {"model": model, "stream": stream, **request(dialect), **more})

    def post(self, path: str, body: Mapping[str, Any]) -> Reply:
        with httpx.stream("POST", self.url + path, json=body, timeout=60, trust_env=False) as answer:
            data, whole = b"", True
            try:
                for chunk in answer.iter_raw():
                    data += chunk
            except httpx.RemoteProtocolError:
                whole = False
            return Reply(answer.status_code, dict(answer.headers), data, whole)

    def get(self, path: str) -> Any:
        return httpx.get(self.url + path, timeout=20, trust_env=False).raise_for_status().json()

    def model(self, provider: str, model: str) -> Model | None:
        """What the table that the gateway goes by says of a provider's model; None: it has none of that name."""
        table = until(self._in_force, what="the table that was published in force")
        [found] = [each for each in table.providers if each.name == provider]
        return next((each for each in found.models if each.id == model), None)

    def _in_force(self) -> RoutingTable | None:
        table = tables.load((self._folder / "state" / "routing.json").read_bytes())
        return table if self.get("/-/config")["hash"] == table.hash else None

    def _ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"pointsman up ended:\n{self.said}")
        told = [line.split() for line in self.said.splitlines()]
        known = {line[1] for line in told if line[:1] == ["provider"] and line[2:3] in (["Up"], ["Down"])}
        try:
            return known >= set(self._names) and httpx.get(f"{self.url}/-/readyz", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False
