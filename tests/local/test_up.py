"""`pointsman up` as a user runs it: a process, real servers, files that change."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from pointsman.__main__ import parser
from pointsman.local import search
from pointsman.local import up as up_module
from testbed.llama import LlamaServer
from testbed.ports import free_port
from testbed.tinymodel import TEXT, TinyModel
from testbed.waiting import until

OBJECTS = """
apiVersion: pointsman.dev/v1alpha1
kind: ModelProvider
metadata: {{name: near}}
spec:
  type: LlamaCpp
  endpoint: {{baseUrl: {url}, credentials: {{secretRef: {{name: near}}}}}}
  dataPolicy: {{location: OnPremises}}
---
apiVersion: v1
kind: Secret
metadata: {{name: near}}
stringData: {{token: s3cret}}
---
apiVersion: pointsman.dev/v1alpha1
kind: ModelRoute
metadata: {{name: one}}
spec: {{modelName: {model}, primary: {{provider: near, model: tiny}}}}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    """A real server that wants a key."""
    with LlamaServer(TinyModel("text"), alias="tiny", api_key="s3cret") as running:
        yield running


class Up:
    """The process and what it says."""

    def __init__(self, *paths: Path) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port('127.0.0.1'))}"
        self.said = paths[0].parent / "said.txt"
        command = [sys.executable, "-m", "pointsman", "up", *map(str, paths), "--listen", f"127.0.0.1:{port}"]
        with self.said.open("w") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)

    def ask(self, model: str) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, trust_env=False, timeout=30)

    def answers(self, model: str) -> bool:
        try:
            return self.ask(model).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def up(tmp_path: Path, server: LlamaServer) -> Iterator[Up]:
    """Running on one file, and answering."""
    path = tmp_path / "objects.yaml"
    path.write_text(OBJECTS.format(url=server.base_url, model="one"))
    running = Up(path)
    try:
        until(lambda: running.answers("one"), what="an answer")
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


def test_objects_in_a_file_are_answered_from(up: Up) -> None:
    """The key of the Secret is used, the model renamed, the decision told."""
    answer = up.ask("one")
    assert answer.json()["choices"][0]["message"]["content"] == TEXT
    assert "answered=near/tiny" in answer.headers["x-pointsman-decision"]
    until(lambda: "provider near" in up.said.read_text() and "Up " in up.said.read_text())
    assert "s3cret" not in up.said.read_text()


def test_a_changed_file_is_followed_and_a_broken_one_is_not(up: Up, tmp_path: Path, server: LlamaServer) -> None:
    """The last good objects stay in force, and what is wrong is said with its place."""
    path = tmp_path / "objects.yaml"
    path.write_text(OBJECTS.format(url=server.base_url, model="two"))
    until(lambda: up.answers("two"), what="the new name")
    assert up.ask("one").status_code == 404
    path.write_text(OBJECTS.format(url=server.base_url, model="three").replace("baseUrl", "baseURL"))
    until(lambda: "did you mean baseUrl" in up.said.read_text(), what="the mistake told")
    assert up.answers("two")


def test_it_ends_with_its_gateway(up: Up) -> None:
    """SIGTERM ends both; nothing listens any more."""
    assert up.stop() == 0
    with pytest.raises(httpx.ConnectError):
        up.ask("one")


def test_the_gateway_does_not_outlive_it(up: Up) -> None:
    """Killed without a chance to tidy up, it leaves no process on the port."""
    up.stop(signal.SIGKILL)

    def refused() -> bool:
        try:
            up.ask("one")
        except httpx.ConnectError:
            return True
        return False

    until(refused, what="the port free")


def test_a_gateway_that_dies_is_started_again(up: Up) -> None:
    """Clients see an interruption, not an end."""
    [child] = subprocess.run(
        ["pgrep", "-P", str(up.process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    subprocess.run(["kill", "-9", child], check=True)
    until(lambda: "starting it again" in up.said.read_text())
    until(lambda: up.answers("one"), what="the gateway again")


def test_files_that_cannot_be_read_end_it_with_a_reason(tmp_path: Path) -> None:
    """At the start there is no last good state: it says what is wrong and fails."""
    path = tmp_path / "objects.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelRoot"}))
    running = Up(path)
    assert running.process.wait(20) == 1
    assert "did you mean ModelRoute" in running.said.read_text()


def test_a_port_that_is_taken_ends_it_with_a_reason(tmp_path: Path) -> None:
    """It does not start the gateway for ever."""
    path = tmp_path / "objects.yaml"
    path.write_text(OBJECTS.format(url="http://127.0.0.1:1", model="one"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [sys.executable, "-m", "pointsman", "up", str(path), "--listen", listen]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert f"cannot listen on {listen}: Address already in use" in done.stderr
    assert "could not be started" in done.stderr
    assert "Traceback" not in done.stderr


async def test_servers_are_found_on_their_usual_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port where nobody listens is passed over."""
    with LlamaServer(TinyModel("text"), alias="tiny") as server:
        ports = {"LlamaCpp": server.port, "Ollama": free_port("127.0.0.1")}
        monkeypatch.setattr(search, "USUAL_PORTS", ports)
        async with httpx.AsyncClient(trust_env=False) as client:
            found = await search.search(client)
    assert {kind: [model.id for model in models] for kind, models in found.items()} == {"LlamaCpp": ["tiny"]}


async def test_a_server_that_wants_a_key_is_found(server: LlamaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without models, so that its standing can say what to do."""
    monkeypatch.setattr(search, "USUAL_PORTS", {"LlamaCpp": server.port})
    async with httpx.AsyncClient(trust_env=False) as client:
        assert await search.search(client) == {"LlamaCpp": ()}


def test_the_store_is_the_gateways_to_keep(tmp_path: Path) -> None:
    """`up` hands on how much, and for how long; nothing is kept unless it is said."""
    told = parser().parse_args(["up", "--store-bytes", "7", "--store-seconds", "9"])
    assert (told.store_bytes, told.store_seconds) == (7, 9.0)
    assert parser().parse_args(["up"]).store_bytes == parser().parse_args(["gateway"]).store_bytes == 0
    options = up_module.Options((), "127.0.0.1:1", store_bytes=7, store_seconds=9.0)
    command = up_module.Up(options, tmp_path)._gateway._command
    assert command[-2:] == ["--store-bytes=7", "--store-seconds=9.0"]
