"""Processes for `bench/failover.py`: backends that can be killed, and `pointsman up` over them with YAML objects.

The gateway, and `up` that watches it, have one core; backends and client the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec
from failover_client import Line, Question, ask  # beside this file
from failover_text import DIALECTS, Plan

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent / "operator"
GATEWAY_CORE, LOAD_CORE = "0", "1"

OBJECTS = """\
apiVersion: pointsman.dev/v1alpha1
kind: ModelProvider
metadata: {{name: {name}}}
spec:
  type: {type}
  endpoint: {{baseUrl: "http://127.0.0.1:{port}"}}
  api: [openai-completions, openai-responses, anthropic-messages]
  discovery: Static
  models: [{{id: real, contextWindow: 131072}}]
  dataPolicy: {{location: OnPremises}}
  probe: {probe}
---
"""
ROUTE = """\
apiVersion: pointsman.dev/v1alpha1
kind: ModelRoute
metadata: {{name: assistant}}
spec:
  modelName: assistant
  primary: {{provider: first, model: real}}
  fallbacks: [{{provider: second, model: real}}]
  policy:
    timeouts: {timeouts}
    circuitBreaker: {breaker}
    dataPolicy: {{allowedLocations: [InCluster, OnPremises]}}
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def pinned(core: str) -> list[str]:
    """The start of a command that shall run on one core; nothing where that cannot be."""
    many = (os.cpu_count() or 1) > 1
    return ["taskset", "-c", core] if many and shutil.which("taskset") else []


async def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        await asyncio.sleep(0.005)


@dataclass
class Backend:
    """A backend's process. State: it, and the ports that outlive it."""

    name: str
    stride: int
    faulty: bool = False
    port: int = field(default_factory=free_port)
    control: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it (again); returns when it answers."""
        self.buried()
        arguments = [str(self.port), str(self.control), self.name, str(self.stride), *(["faulty"] * self.faulty)]
        command = [*pinned(LOAD_CORE), sys.executable, str(HERE / "failover_backend.py"), *arguments]
        self.process = subprocess.Popen(command)  # noqa: ASYNC220 - it returns at once
        await until(lambda: accepts(self.port), 15, f"backend {self.name} on port {self.port}")

    def kill(self) -> float:
        """SIGKILL; the time at which it was sent. Whoever waits for the end as well cannot see what comes meanwhile."""
        assert self.process is not None
        moment = time.monotonic()
        self.process.send_signal(signal.SIGKILL)
        return moment

    def buried(self) -> None:
        """Wait for the end of one that was killed."""
        if self.process is not None:
            self.process.wait()
            self.process = None

    async def tell(self, mode: str = "") -> dict[str, Any]:
        """Change what it does to connections ("": nothing), and what it has cut so far."""
        text = await asyncio.to_thread(_get, f"http://127.0.0.1:{self.control}/{mode}")
        return dict(msgspec.json.decode(text))

    def close(self) -> None:
        if self.process is not None:
            self.kill()
            self.buried()


@dataclass(frozen=True)
class Setting:
    """How the route and its providers are set; durations as Kubernetes writes them."""

    timeouts: str = "{connect: 500ms, firstToken: 1s, stall: 1s, total: 60s}"
    breaker: str = "{openDuration: 100ms}"
    probe: str = "{mode: None}"
    type: str = "VLLM"


class Rig:
    """Two backends, `first` faulty, and `pointsman up`. State: the processes, and a folder with objects and log."""

    def __init__(self, setting: Setting, keep: Path | None = None) -> None:
        self.setting = setting
        self.first, self.second = Backend("first", 1, faulty=True), Backend("second", 2)
        self.folder = Path(tempfile.mkdtemp(prefix="pointsman-bench-"))
        self.keep = keep
        self.port = free_port()
        self.log = self.folder / "up.log"

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(self.first.start(), self.second.start())
            self._start_up()
            await until(self._ready, 30, "the gateway")
            await self._tried()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.first.close()
        self.second.close()
        if (up := getattr(self, "up", None)) is not None:
            up.terminate()
            try:
                await asyncio.to_thread(up.wait, 40)
            except subprocess.TimeoutExpired:
                up.kill()
        if self.keep is not None:
            shutil.copytree(self.folder, self.keep, dirs_exist_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def objects(self) -> str:
        """What `pointsman up` is given."""
        setting = self.setting
        places = (OBJECTS.format(name=backend.name, type=setting.type, port=backend.port, probe=setting.probe)
                  for backend in (self.first, self.second))  # fmt: skip
        return "".join(places) + ROUTE.format(timeouts=setting.timeouts, breaker=setting.breaker)

    def _start_up(self) -> None:
        file = self.folder / "objects.yaml"
        file.write_text(self.objects())
        paths = os.pathsep.join([str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [*pinned(GATEWAY_CORE), sys.executable, "-m", "pointsman", "up", str(file),
                   "--listen", f"127.0.0.1:{self.port}"]  # fmt: skip
        with self.log.open("wb") as log:
            environment = os.environ | {"PYTHONPATH": paths}
            self.up = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def _ready(self) -> bool:
        if self.up.poll() is not None:
            raise RuntimeError(f"pointsman up ended:\n{self.log.read_text()[-4000:]}")
        return accepts(self.port) and _get(f"http://127.0.0.1:{self.port}/-/readyz") == b"ok\n"

    async def _tried(self) -> None:
        """One request of each dialect must be answered well, or nothing is worth measuring. RuntimeError: it is not."""
        for dialect in DIALECTS:
            question = Question(dialect, Plan(seed=0), stream=True, name=f"first-{dialect}")
            reply = await ask(line := Line(), self.port, question, 10)
            line.close()
            if problem := question.wrong(reply):
                log = self.log.read_text()[-4000:]
                raise RuntimeError(f"the gateway does not answer {dialect}: {problem}\n{log}")

    def gateway(self) -> int:
        """The gateway's process id: the one that listens on its port."""
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self.up.pid}/task/{self.up.pid}/children").read_text().split()
            for child in children:
                if b"gateway" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
        raise RuntimeError("the gateway's process was not found")

    def counts(self, metric: str) -> int:
        """A counter of the gateway's, over all its labels."""
        metrics = _get(f"http://127.0.0.1:{self.port}/metrics").decode()
        return int(sum(float(count) for count in re.findall(rf"^{metric}\{{[^}}]*\}} (\S+)$", metrics, re.MULTILINE)))

    def evidence(self, name: str) -> str:
        """What the gateway says of a request: /-/explain, else its line in the log."""
        told = _get(f"http://127.0.0.1:{self.port}/-/explain/{name}")
        mark = f'"id":"{name}"'.encode()
        lines = [line for line in self.log.read_bytes().splitlines() if mark in line]
        return f"explain: {told.decode()[:1500]}\n    log: {b' '.join(lines).decode()[:1500]}"


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


def rss(pid: int) -> float:
    """Resident memory in MB (10^6 bytes)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024 / 1e6


def many_files() -> None:
    """As many open files as the system lets us have, here and in what we start."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _get(url: str) -> bytes:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        return bytes(error.read())
    except OSError as error:
        return str(error).encode()
