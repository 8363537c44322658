"""Virtual environments for servers that are written in Python: one each, pinned, kept in the cache."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from testbed.cache import cached, digest, progress, root


def venv(name: str, pins: Sequence[str], python: str = "3.11") -> Path:
    """The environment that holds these packages and what they depend on, installed on the first call."""
    return cached(name, [python, *pins], lambda folder: _install(folder, pins, python))


def installed(name: str, pins: Sequence[str], python: str = "3.11") -> Path | None:
    """The environment, None: it was never installed."""
    folder = root() / f"{name}-{digest([python, *pins])}"
    return folder if folder.is_dir() else None


def _install(folder: Path, pins: Sequence[str], python: str) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise FileNotFoundError(f"uv is needed to install {pins[0]}; add it: {sys.executable} -m pip install uv")
    with progress(f"installing {pins[0]}"):
        _run(uv, "venv", "--quiet", "--allow-existing", "--relocatable", "--python", python, str(folder))
        _run(uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *pins)


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise
