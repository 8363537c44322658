"""Which of the host's files a program needs: shared libraries, Python's own library, installed packages.

Files keep their host paths in an image, because run paths and prefixes are written into programs.
"""

import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from testbed.archive import Content, Link

ELF = b"\x7fELF"
# Big, and no server imports them.
UNWANTED = {"__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages"}
UNWANTED |= {"dist-packages", "_tkinter"}


def libraries(programs: Iterable[Path]) -> dict[str, Content]:
    """The shared libraries and the loader that ELF files need, by the paths where the loader finds them."""
    paths = sorted({str(p) for p in programs})
    if not paths:
        return {}
    printed = subprocess.run(["ldd", *paths], capture_output=True, text=True, check=False).stdout
    found = re.findall(r"(?:=> )?(/\S+) \(0x", printed)
    return {path: Path(path).resolve() for path in found}


def program(path: Path) -> dict[str, Content]:
    """One program with its libraries."""
    return {str(path): path.resolve(), **libraries([path])}


def python() -> dict[str, Content]:
    """The interpreter that runs this, with its standard library; as /usr/local/bin/python3 too."""
    binary = Path(sys.executable).resolve()
    stdlib = Path(sysconfig.get_paths(vars={"installed_base": sys.base_prefix})["stdlib"])
    files: dict[str, Content] = {str(p): p.resolve() for p in _wanted(stdlib)}
    native = [p for p in files.values() if isinstance(p, Path) and p.suffix == ".so"]
    links: dict[str, Content] = {f"/usr/local/bin/{n}": Link(str(binary)) for n in ("python3", "python")}
    return {**files, **program(binary), **libraries(native), **links}


def _wanted(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        skip = UNWANTED.intersection(parts) or parts[0].startswith("config-") or path.name.startswith("_tkinter")
        if not skip and path.is_file() and path.suffix not in {".a", ".pyc"}:
            yield path


def distributions(requirements: Iterable[str]) -> dict[str, metadata.Distribution]:
    """The installed distributions that satisfy requirements, theirs included, by name.

    Raises PackageNotFoundError for what is not installed.
    """
    found: dict[str, metadata.Distribution] = {}
    seen: set[str] = set()
    waiting = list(requirements)
    while waiting:
        text = waiting.pop()
        if text in seen:
            continue
        seen.add(text)
        wanted = Requirement(text)
        distribution = metadata.distribution(wanted.name)
        found[distribution.name.lower()] = distribution
        waiting += _needs(distribution, wanted.extras)
    return found


def _needs(distribution: metadata.Distribution, extras: set[str]) -> Iterator[str]:
    for text in distribution.requires or []:
        need = Requirement(text)
        environments = [{"extra": extra} for extra in sorted(extras) or [""]]
        if need.marker is None or any(need.marker.evaluate(e) for e in environments):
            need.marker = None
            yield str(need)


def installed(found: Iterable[metadata.Distribution], folder: str) -> dict[str, Content]:
    """The files of distributions under `folder` of the image, with the libraries that their extensions need."""
    files: dict[str, Content] = {}
    for distribution in found:
        for path in distribution.files or []:
            source = Path(str(distribution.locate_file(path)))
            if not {"..", "__pycache__"}.intersection(path.parts) and path.suffix != ".pth" and source.is_file():
                files[f"{folder}/{path}"] = source
    native = [p for p in files.values() if isinstance(p, Path) and ".so" in p.suffixes]
    own = {str(p.resolve()) for p in files.values() if isinstance(p, Path)}
    needed = {path: p for path, p in libraries(native).items() if str(p) not in own}
    return {**files, **needed}
