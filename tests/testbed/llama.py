"""A real engine: llama-server on a tiny model. It starts in a quarter of a second and speaks all three dialects."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

from testbed import tools
from testbed.ports import free_port
from testbed.tinymodel import TinyModel
from testbed.waiting import until


class LlamaServer:
    """One server process: a context manager that starts it and kills it at the end.

    `base_url` has no `/v1`. With `api_key`, inference and /metrics need it; /health and /v1/models stay open.
    The model's context `ctx` is shared out between the `slots`, each of which serves one request at a time.
    """

    def __init__(
        self,
        model: TinyModel | Path | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        alias: str = "tiny",
        api_key: str | None = None,
        slots: int = 4,
        ctx: int = 32768,
        arguments: Sequence[str] = (),
    ) -> None:
        self.host, self.alias, self.api_key = host, alias, api_key
        self.port = port or free_port(host)
        self._model, self._slots, self._ctx, self._arguments = model or TinyModel(), slots, ctx, arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> Self:
        """Start the process without waiting for it, as for a test of what a loading server answers."""
        if self.alive:
            raise RuntimeError(f"{self.base_url} runs already")
        self._process = subprocess.Popen(
            self._command(), stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )
        return self

    def start(self, timeout: float = 30.0) -> Self:
        """Start the process and wait until /health says 200."""
        self.launch()
        try:
            until(self._started, timeout, what=f"llama-server at {self.base_url}")
        except Exception:
            self.close()
            raise
        return self

    def healthy(self, timeout: float = 1.0) -> bool:
        """Whether /health answers 200 within `timeout` seconds, which is what a kubelet would ask."""
        try:
            return httpx.get(f"{self.base_url}/health", timeout=timeout, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """SIGKILL, as when the machine dies: connections break in the middle of what they carry."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, as from a kubelet."""
        self._end(signal.SIGTERM)

    def restart(self) -> Self:
        """Kill it if it lives and start it on the same port."""
        self.kill()
        return self.start()

    def freeze(self) -> None:
        """SIGSTOP: the port still accepts, nothing ever answers; `thaw` goes on where it stopped."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Kill it and let go of its log, for good."""
        self.kill()
        self._log.close()

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def __enter__(self) -> Self:
        return self if self.alive else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _command(self) -> list[str]:
        model = self._model.path() if isinstance(self._model, TinyModel) else self._model
        command = [str(tools.llama_server()), "--model", str(model), "--alias", self.alias]
        command += ["--host", self.host, "--port", str(self.port), "--parallel", str(self._slots)]
        command += ["--ctx-size", str(self._ctx), "--threads", "1", "--no-ui", "--metrics", "--slots", "--jinja"]
        if self.api_key:
            command += ["--api-key", self.api_key]
        return [*command, *self._arguments]

    def _started(self) -> bool:
        if not self.alive:
            raise RuntimeError(f"llama-server ended with {self._running().returncode}:\n{self.log()[-2000:]}")
        return self.healthy()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.base_url} was never started")
        return self._process

    def _end(self, sign: signal.Signals) -> None:
        if self._process is None:
            return
        if self.alive:
            self._process.send_signal(sign)
            self._process.send_signal(signal.SIGCONT)  # a frozen process acts on SIGTERM only when it goes on
        self._process.wait()
