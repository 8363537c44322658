"""The namespaces that a node lives in, and the doors into them."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from testbed.node import host

HERE = Path(__file__).parent
Command = Sequence[str | Path]


class Sandbox:
    """Processes in network, mount and process namespaces of their own; `sandbox.sh` is their init.

    log: the file that takes what the init prints.
    environment: the init's whole environment.
    """

    def __init__(self, log: Path, environment: Mapping[str, str]) -> None:
        self.path = environment["PATH"]
        # Should this process be killed, the kernel kills the sandbox with it.
        command: Command = ["setpriv", "--pdeathsig", "KILL", *host.NAMESPACES, "bash", HERE / "sandbox.sh"]
        with log.open("wb") as out:
            self._init = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment)
        self._doors: list[subprocess.Popen[bytes]] = []

    @property
    def alive(self) -> bool:
        """Whether all of its daemons run: the init ends with the first that does."""
        return self._init.poll() is None

    def stop(self) -> None:
        """Ends every process in it; its network and its mounts go with the last one."""
        for process in (*self._doors, self._init):
            process.kill()
            process.wait()

    def run(self, command: Command, timeout: float, stdin: str | None) -> subprocess.CompletedProcess[str]:
        """Runs a program of the host inside, where Pods and ClusterIPs answer. Raises TimeoutExpired."""
        inside = self._enter("--mount", f"--pid=/proc/{self._init.pid}/ns/pid_for_children")
        environment = {**os.environ, "PATH": self.path}
        return subprocess.run(
            [*inside, *command],
            capture_output=True,
            text=True,
            timeout=timeout,
            input=stdin,
            check=False,
            env=environment,
        )

    def forward(self, address: str, port: int) -> int:
        """A port on the host's 127.0.0.1 that leads to `address:port` inside."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            door: Command = [sys.executable, HERE / "relay.py", str(listener.fileno()), address, str(port)]
            self._doors.append(subprocess.Popen([*self._enter(), *door], pass_fds=[listener.fileno()]))
            number: int = listener.getsockname()[1]
        return number

    def _enter(self, *namespaces: str) -> list[str]:
        return ["nsenter", "--target", str(self._init.pid), "--net", *namespaces, "--"]
