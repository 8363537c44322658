"""The node: starts the sandbox, talks to it, and stops it without a trace."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Self

from testbed import controlplane, images, tools
from testbed.archive import Image
from testbed.node import host, packages
from testbed.node.sandbox import HERE, Command, Sandbox
from testbed.waiting import until

ADDRESS = "10.99.0.1"
NAME = "real"
CONFIGS = {"containerd.toml": "containerd.toml", "kubelet.yaml": "kubelet.yaml", "pods.conflist": "cni/pods.conflist"}


class RealNode:
    """One node with its control plane, in network, mount and process namespaces of its own. A context manager.

    gpus: how many `nvidia.com/gpu` the node says it has.
    crds: a file or folder of CustomResourceDefinitions that exist from the start.
    """

    def __init__(self, *, gpus: int = 0, crds: Path | None = None) -> None:
        self.gpus, self.crds = gpus, crds
        self.controlplane = controlplane.build()
        self.packages = packages.fetch()
        self.state = Path(tempfile.mkdtemp(prefix=host.PREFIX, suffix=f"-{os.getpid()}", dir="/tmp"))  # sockets: short
        self.cgroup = self.state.name
        self.kubeconfig = self.state / "k8s" / "kubeconfig"
        self._sandbox: Sandbox | None = None

    def __enter__(self) -> Self:
        """Starts everything and waits until Pods can run. Raises RuntimeError, TimeoutError with the daemons' logs."""
        try:
            self._start()
            self.load(images.pause())
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _start(self) -> None:
        host.sweep()
        host.create_cgroups(self.cgroup)
        for folder in ("cni", "log", "run", "podlogs", "volplugins"):
            (self.state / folder).mkdir()
        names = {
            "STATE": str(self.state),
            "ADDRESS": ADDRESS,
            "CGROUP": self.cgroup,
            "PAUSE": images.PAUSE,
            "CNI_BIN": str(self.packages.cni),
            "SNAPSHOTTER": host.snapshotter(self.state),
        }
        for source, target in CONFIGS.items():
            (self.state / target).write_text(Template((HERE / source).read_text()).substitute(names))
        self._sandbox = Sandbox(self.state / "log" / "sandbox.log", self._environment())

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.packages.path}:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": self.packages.libraries,
            "HOME": str(self.state),
            "STATE": str(self.state),
            "CONTROLPLANE": str(self.controlplane),
            "PYTHON": sys.executable,
            "HERE": str(HERE),
            "ADDRESS": ADDRESS,
            "NODE": NAME,
            "CRDS": str(self.crds.absolute()) if self.crds else "",
        }

    def stop(self) -> None:
        """Ends every process of the sandbox and removes its control groups and files."""
        if self._sandbox:
            self._sandbox.stop()
            self._sandbox = None
        host.remove_cgroups(self.cgroup)
        shutil.rmtree(self.state, ignore_errors=True)

    def _running(self) -> Sandbox:
        if self._sandbox is None:
            raise RuntimeError("the node is not running: use it as a context manager")
        if not self._sandbox.alive:
            raise RuntimeError(f"a daemon of the node ended\n{self.logs()}")
        return self._sandbox

    def wait_ready(self, timeout: float = 90) -> None:
        """Waits until the node is Ready and shows its GPUs. Raises TimeoutError with the ends of the logs."""
        try:
            until(self._ready, timeout, every=0.1, what="the node is Ready")
        except TimeoutError as error:
            error.add_note(self.logs())
            raise
        if self.gpus:
            patch = f'{{"status": {{"capacity": {{"nvidia.com/gpu": "{self.gpus}"}}}}}}'
            self.kubectl("patch", "node", NAME, "--subresource=status", "--patch", patch)

    def _ready(self) -> bool:
        self._running()
        if not self.kubeconfig.exists():
            return False
        query = ["get", "node", NAME, "--output", "jsonpath={.status.conditions[?(@.type=='Ready')].status}"]
        return self.exec_in(self._kubectl(*query), check=False).stdout == "True"

    def logs(self, lines: int = 15) -> str:
        """The last `lines` of each daemon's log."""
        texts = {p.name: p.read_text(errors="replace").splitlines() for p in sorted(self.state.glob("log/*.log"))}
        return "\n".join(f"--- {name}\n" + "\n".join(text[-lines:]) for name, text in texts.items())

    def exec_in(
        self, command: Command, *, timeout: float = 60, check: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program of the host inside the sandbox, where Pods and ClusterIPs answer.

        Raises CalledProcessError (unless `check` is False) with what it printed, TimeoutExpired.
        """
        done = self._running().run(command, timeout, stdin)
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
            error.add_note(done.stdout + done.stderr)
            raise error
        return done

    def kubectl(self, *args: str, timeout: float = 60, stdin: str | None = None) -> str:
        """What `kubectl ARGS` prints, as cluster administrator. Raises CalledProcessError."""
        return self.exec_in(self._kubectl(*args), timeout=timeout, stdin=stdin).stdout

    def _kubectl(self, *args: str) -> Command:
        return [self.controlplane, "kubectl", "--kubeconfig", self.kubeconfig, *args]

    def apply(self, manifest: str) -> None:
        """`kubectl apply` of YAML text."""
        self.kubectl("apply", "--server-side", "--filename", "-", stdin=manifest)

    def helm(self, *args: str, timeout: float = 120) -> str:
        """What `helm ARGS` prints, as cluster administrator. Raises CalledProcessError."""
        command: Command = [tools.helm(), "--kubeconfig", self.kubeconfig, *args]
        return self.exec_in(command, timeout=timeout).stdout

    def load(self, image: Image) -> None:
        """Makes an image and gives it to the node."""
        archive = images.build(image, self.state / "image.tar")
        self.load_image(archive)
        archive.unlink()

    def load_image(self, archive: Path) -> None:
        """Gives the node the images of a docker-archive, so that `imagePullPolicy: IfNotPresent` finds them."""
        door = self.state / "run" / "containerd.sock"
        until(lambda: self._running() and door.exists(), 30, what="containerd listens")
        importing: Command = ["ctr", "--address", door, "--namespace", "k8s.io", "images", "import"]
        self.exec_in([*importing, "--snapshotter", host.snapshotter(self.state), archive], timeout=120)

    def forward(self, address: str, port: int) -> int:
        """A port on the host's 127.0.0.1 that leads to `address:port` in the sandbox (a ClusterIP, a Pod)."""
        return self._running().forward(address, port)
