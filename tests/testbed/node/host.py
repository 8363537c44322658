"""What the host must offer for a real node, and the one thing that a node leaves in it: its control groups."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PREFIX = "pointsman-node-"
PROGRAMS = ("unshare", "nsenter", "setpriv", "ip", "mount", "bash", "ldd", "sleep")
NAMESPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
LINKS = "ip link add node0 type bridge && ip link add v0 type veth peer name v1 && mount -t tmpfs tmpfs /run"


class Unavailable(Exception):  # noqa: N818 - a finding about the host, like unittest.SkipTest
    """A real node cannot run here; says why."""


def available() -> str | None:
    """Why a real node cannot run here, or None where it can. Starts nothing that stays, downloads nothing."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "the real node needs Linux and root (namespaces, control groups)"
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"the real node needs {', '.join(missing)} on PATH (Debian: util-linux, iproute2, libc-bin)"
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return "the real node takes containerd and runc from Debian packages: no apt-get or dpkg-deb here"
    probe = subprocess.run([*NAMESPACES, "sh", "-c", LINKS], capture_output=True, text=True, timeout=30, check=False)
    if probe.returncode:
        return f"the real node needs namespaces, a bridge and veth links: {probe.stderr.strip()}"
    return _cgroups_unavailable()


def _cgroups_unavailable() -> str | None:
    name = f"{PREFIX}probe-{os.getpid()}"
    try:
        create_cgroups(name)
    except (OSError, Unavailable) as error:
        return f"the real node needs writable control groups: {error}"
    finally:
        remove_cgroups(name)
    return None


def hierarchies() -> list[Path]:
    """Where a control group must be made: the one tree of version 2, or each controller's own of version 1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    found = [d for d in sorted(CGROUPS.iterdir()) if d.is_dir() and not d.is_symlink() and d.name != "unified"]
    return [d for d in found if (d / "cgroup.procs").exists()]


def create_cgroups(name: str) -> None:
    """Makes the control group `name` with the controllers that the kubelet needs. Raises OSError, Unavailable."""
    trees = hierarchies()
    for tree in trees:
        (tree / name).mkdir(exist_ok=True)
    if trees == [CGROUPS]:
        have = (CGROUPS / name / "cgroup.controllers").read_text().split()
        wanted = [c for c in ("cpuset", "cpu", "memory", "pids") if c not in have]
        if wanted:
            (CGROUPS / "cgroup.subtree_control").write_text(" ".join(f"+{c}" for c in wanted))
    elif not {"cpu", "memory"} <= {part for tree in trees for part in tree.name.split(",")}:
        raise Unavailable(f"no cpu and memory controllers under {CGROUPS}")


def remove_cgroups(name: str, patience: float = 5.0) -> None:
    """Removes the control group `name` and those below it, waiting up to `patience` seconds for their last tasks."""
    deadline = time.monotonic() + patience
    for tree in _everywhere(name):
        for folder, _, _ in os.walk(tree, topdown=False):
            _remove(Path(folder), deadline)


def _everywhere(pattern: str) -> list[Path]:
    # The kubelet makes its group in the `unified` tree of a hybrid host too.
    return [*CGROUPS.glob(pattern), *CGROUPS.glob(f"*/{pattern}")]


def _remove(group: Path, deadline: float) -> None:
    while group.exists():
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def sweep() -> None:
    """Removes what nodes left whose test process was killed: their names end with its process id."""
    left = [*_everywhere(f"{PREFIX}*"), *Path("/tmp").glob(f"{PREFIX}*")]
    for name in {path.name for path in left}:
        if not Path("/proc", name.rsplit("-", 1)[1]).exists():
            remove_cgroups(name)
            shutil.rmtree(Path("/tmp", name), ignore_errors=True)


def snapshotter(state: Path) -> str:
    """What containerd keeps images in `state` with: an overlay cannot lie upon another, as for tests in a container."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", state], capture_output=True, text=True, check=True).stdout.strip()
    return "native" if kind == "overlayfs" else "overlayfs"
