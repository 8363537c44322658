"""An image gets from the host what its programs need: libraries, interpreter, packages, and theirs."""

import sys
from importlib import metadata
from pathlib import Path

import pytest

from testbed import hostfiles


def test_a_program_comes_with_its_loader_and_libraries() -> None:
    """What the dynamic linker would open is there, under the paths where it looks."""
    found = hostfiles.program(Path("/bin/sleep"))
    assert "/bin/sleep" in found
    assert any(Path(path).name.startswith("ld-linux") for path in found)
    assert any(Path(path).name == "libc.so.6" for path in found)


def test_no_programs_need_no_libraries() -> None:
    """Packages in plain Python have no native parts to ask about."""
    assert hostfiles.libraries([]) == {}


def test_python_comes_with_its_library_but_not_with_its_tests() -> None:
    """The interpreter can import what servers use; what nobody imports is left behind."""
    found = hostfiles.python()
    names = {Path(path).name for path in found}
    assert {"python3", "os.py", "ssl.py", Path(sys.executable).resolve().name} <= names
    assert not [path for path in found if "/test/" in path or "__pycache__" in path]


def test_requirements_are_followed_through_extras() -> None:
    """The operator's extra brings kopf and, through the extra `local` within it, pydantic; no test tools."""
    names = set(hostfiles.distributions(["pointsman[operator]"]))
    assert {"pointsman", "kopf", "kubernetes", "pydantic", "httptools", "aiohttp"} <= names
    assert not {"pytest", "mypy", "numpy"} & names


def test_a_requirement_that_is_not_installed_is_named() -> None:
    """A missing package stops the image, with its name."""
    with pytest.raises(metadata.PackageNotFoundError, match="no-such-package"):
        hostfiles.distributions(["no-such-package"])


def test_packages_bring_the_libraries_of_their_extensions() -> None:
    """An extension module and its libraries are both there; scripts outside the packages are not."""
    found = hostfiles.installed([metadata.distribution("uvloop")], "/opt/packages")
    assert "/opt/packages/uvloop/__init__.py" in found
    assert any(Path(path).name == "libc.so.6" for path in found)
    assert not [path for path in found if ".." in path]
