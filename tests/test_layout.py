"""What must hold of the repository as a whole."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "operator"


def test_operator_is_a_source_root_and_never_a_package() -> None:
    """`operator` is a standard library module: an __init__.py here would shadow it and break every import."""
    assert not (SOURCE / "__init__.py").exists()
    done = subprocess.run([sys.executable, "-c", "import collections"], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_layers_are_kept() -> None:
    """Imports point down, siblings are strangers, deciding code does no IO."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "4 kept, 0 broken" in done.stdout


def test_a_planted_import_is_caught(tmp_path: Path) -> None:
    """The contracts are no decoration: a clock in deciding code breaks them."""
    for name in ("operator", "pyproject.toml"):
        subprocess.run(["cp", "-r", ROOT / name, tmp_path], check=True)
    machine = tmp_path / "operator/pointsman/failover/machine.py"
    machine.write_text(machine.read_text() + "\nimport time\n")
    linter = Path(sys.executable).with_name("lint-imports")
    environment = {"PYTHONPATH": str(tmp_path / "operator"), "PATH": ""}
    done = subprocess.run(
        [linter, "--no-cache"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "reads no clock BROKEN" in done.stdout


def test_the_gateway_needs_no_extra() -> None:
    """A sidecar's image holds httptools, msgspec and uvloop, and nothing of Kubernetes or pydantic."""
    code = "import sys, pointsman.gateway.server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"kopf", "kubernetes", "pydantic", "httpx", "aiohttp", "yaml", "json5", "prometheus_client"}


@pytest.mark.parametrize(
    "folder", ["api", "dialects", "engines", "vendors", "failover", "fleet", "prober", "gateway", "controller", "local"]
)
def test_every_part_has_its_tests(folder: str) -> None:
    """Tests mirror the source."""
    assert list((ROOT / "tests" / folder).glob("test_*.py"))


def test_what_is_installed_is_pinned_with_hashes() -> None:
    """requirements.lock names one version, with its hashes, for everything that pyproject.toml asks for."""
    lock = (ROOT / "requirements.lock").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"].values()
    wanted = [*project["project"]["dependencies"], *(name for extra in extras for name in extra)]
    names = {name.split(">")[0].split("[")[0] for name in wanted} - {"pointsman"}
    assert {name for name in names if f"\n{name}==" not in f"\n{lock}"} == set()
    assert lock.count("--hash=sha256:") > lock.count("==")
