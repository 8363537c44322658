"""A server as a process of its own: started, waited for, killed with its children."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, Any, Self

import httpx

from testbed.ports import free_port
from testbed.waiting import until


class ServerProcess:
    """A context manager that starts `command()` and kills it at the end. `base_url` has no `/v1`.

    It is up when `health` answers 200. Subclasses say what to run; `variables` go on top of this process's own.
    """

    health = "/health"
    patience = 60.0  # seconds for the start

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def variables(self) -> Mapping[str, str]:
        return {}

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> Self:
        """Start the process without waiting for it."""
        # PYTHONPATH is this checkout's, and would hide what the server's own environment holds.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._process = subprocess.Popen(
            self.command(),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=environment | dict(self.variables()),
            start_new_session=True,
        )
        return self

    def start(self) -> Self:
        """Start the process and wait until it is up."""
        self.launch()
        try:
            until(self._started, self.patience, what=f"{type(self).__name__} at {self.base_url}")
        except Exception:
            self.close()
            raise
        return self

    def get(self, path: str, **more: Any) -> httpx.Response:
        return httpx.get(self.base_url + path, timeout=60, trust_env=False, **more)

    def post(self, path: str, body: object = None, **more: Any) -> httpx.Response:
        return httpx.post(self.base_url + path, json=body, timeout=60, trust_env=False, **more)

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def signal(self, sign: signal.Signals) -> None:
        """To it and its children: SIGKILL, as when the machine dies; SIGSTOP, as when it hangs."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, sign)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def close(self) -> None:
        """Kill it and let go of its log, for good."""
        self.kill()
        self._log.close()

    def __enter__(self) -> Self:
        return self if self.alive else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _started(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"{type(self).__name__} ended with {self._process.returncode}:\n{self.log()[-3000:]}")
        try:
            return self.get(self.health).status_code == 200
        except httpx.HTTPError:
            return False
