"""Whether a real node can run is found out beforehand, and told; control groups of both versions are served."""

import os
import shutil
from pathlib import Path

import pytest

from testbed.node import Unavailable, available, host


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of /sys/fs/cgroup."""
    monkeypatch.setattr(host, "CGROUPS", tmp_path)
    return tmp_path


def tree(folder: Path, *controllers: str) -> None:
    for controller in controllers:
        (folder / controller).mkdir()
        (folder / controller / "cgroup.procs").touch()


def test_without_root_there_is_no_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user reads what is missing, instead of an error from unshare."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root" in (available() or "")


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason says what to install."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "nsenter" else f"/bin/{name}")
    assert "nsenter" in (available() or "")


def test_version_1_has_a_group_for_each_controller(groups: Path) -> None:
    """Names like cpu are often links to the real tree, and `unified` is not one to make groups in."""
    tree(groups, "cpu,cpuacct", "memory", "unified")
    (groups / "cpu").symlink_to(groups / "cpu,cpuacct")
    host.create_cgroups("x")
    assert sorted(str(p.relative_to(groups)) for p in groups.glob("*/x")) == ["cpu,cpuacct/x", "cpu/x", "memory/x"]


def test_version_2_has_one_group_with_the_controllers_handed_down(groups: Path) -> None:
    """What the root does not yet give to its children, it is told to."""
    (groups / "cgroup.controllers").write_text("cpuset cpu memory pids\n")
    (groups / "x").mkdir()
    (groups / "x" / "cgroup.controllers").write_text("memory pids\n")
    host.create_cgroups("x")
    assert (groups / "cgroup.subtree_control").read_text() == "+cpuset +cpu"


def test_a_host_without_the_memory_controller_cannot(groups: Path) -> None:
    """The kubelet would start and then fail at the first Pod."""
    tree(groups, "cpu")
    with pytest.raises(Unavailable, match="memory"):
        host.create_cgroups("x")


def test_groups_go_with_those_below_them(groups: Path) -> None:
    """From the leaves up, as the kernel demands; what is not there is no error."""
    tree(groups, "cpu", "memory")
    (groups / "cpu" / "x" / "kubepods" / "pod").mkdir(parents=True)
    host.remove_cgroups("x")
    assert not (groups / "cpu" / "x").exists()


def test_a_busy_group_is_told_after_a_while(groups: Path) -> None:
    """A group that keeps its tasks is an error, not a loop without end."""
    tree(groups, "cpu")
    (groups / "cpu" / "x").mkdir()
    (groups / "cpu" / "x" / "task").touch()
    with pytest.raises(OSError, match="not empty"):
        host.remove_cgroups("x", patience=0)


def test_only_nodes_of_dead_processes_are_swept(groups: Path) -> None:
    """A node's name ends with the id of the process that runs it; others run beside this one."""
    tree(groups, "cpu")
    dead, alive = groups / "cpu" / f"{host.PREFIX}a-99999999", groups / "cpu" / f"{host.PREFIX}b-{os.getpid()}"
    dead.mkdir()
    alive.mkdir()
    host.sweep()
    assert (dead.exists(), alive.exists()) == (False, True)
