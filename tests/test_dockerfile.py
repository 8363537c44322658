"""The Dockerfile, which needs a registry to build, names only what this repository has."""

import re
import tomllib
from pathlib import Path

from testbed import archive, images

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", TEXT, re.MULTILINE)


def test_the_extras_that_it_installs_exist() -> None:
    """`pip install .[…]` warns of an unknown extra, and goes on: an image without the operator."""
    [extras] = re.findall(r'"\.\[([^]]+)\]"', TEXT)
    assert set(extras.split(",")) == set(PROJECT["optional-dependencies"])


def test_what_it_copies_exists() -> None:
    """COPY takes what is in the repository and what .dockerignore lets through."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {word for line in instructions("COPY") if not line.startswith("--from") for word in line.split()[:-1]}
    assert copied == allowed
    assert not [name for name in copied if not (ROOT / name).exists()]


def test_it_copies_what_the_build_reads() -> None:
    """Hatchling stops where the readme or a licence file of pyproject.toml is missing."""
    read = {PROJECT["readme"], *PROJECT["license-files"]}
    assert read <= set(" ".join(instructions("COPY")).split())


def test_its_program_is_one_of_the_project() -> None:
    """The entry point is a console script, and the user a number, so that runAsNonRoot can be checked."""
    assert instructions("ENTRYPOINT") == ['["pointsman"]']
    assert "pointsman" in PROJECT["scripts"]
    assert instructions("USER") == [f"{archive.USER}:{archive.USER}"]


def test_its_python_is_one_that_the_project_supports() -> None:
    """Both stages have the same Python, and the classifiers name it."""
    [version] = {line.split()[0] for line in instructions("FROM")}
    number = re.fullmatch(r"python:([\d.]+)-slim", version)
    assert number is not None
    assert f"Programming Language :: Python :: {number[1]}" in PROJECT["classifiers"]


def test_the_image_of_the_tests_starts_the_same_program() -> None:
    """What runs on the real node is called as the production image is."""
    image = images.pointsman()
    assert (image.entrypoint, image.user) == (("pointsman",), archive.USER)
