"""Images are made of bytes alone: the same contents give the same archive, and Python finds its bytecode in it."""

import io
import json
import tarfile
from importlib.machinery import SourcelessFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from testbed.archive import Content, Image, Link, bytecode, digest, write_archive, write_layer

names = st.text("abcdefg", min_size=1, max_size=5)
layers = st.dictionaries(st.lists(names, min_size=2, max_size=2).map(lambda p: f"/{p[0]}/x{p[1]}"), st.binary())


def members(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as tar:
        return {info.name: info for info in tar}


@given(layers, st.randoms())
def test_the_order_of_files_does_not_matter(files: dict[str, bytes], random: Random) -> None:
    """A layer's digest depends on paths and contents alone."""
    shuffled = list(files.items())
    random.shuffle(shuffled)
    assert digest(dict(shuffled)) == digest(files)


@given(layers, names, st.binary())
def test_one_more_file_is_another_layer(files: dict[str, bytes], name: str, content: bytes) -> None:
    """Nothing that an image holds is left out of its digest."""
    assert digest({**files, f"/new/{name}": content}) != digest(files)


def test_a_layer_bears_no_trace_of_its_maker(tmp_path: Path) -> None:
    """Owner, time and modes come from the contents; a host's private folder is open in the image."""
    source = tmp_path / "tool"
    source.write_bytes(b"\x7fELF")
    source.chmod(0o700)
    files: dict[str, Content] = {
        "/root/.x/tool": source,
        "/etc/a": b"a",
        "/bin/run": b"#!/bin/sh\n",
        "/bin/sh": Link("/root/.x/tool"),
    }
    sha = write_layer(files, tmp_path / "one.tar")
    assert write_layer(files, tmp_path / "two.tar") == sha
    found = members(tmp_path / "one.tar")
    assert {name: oct(info.mode) for name, info in found.items() if not info.issym()} == {
        "bin": "0o755",
        "bin/run": "0o755",
        "etc": "0o755",
        "etc/a": "0o644",
        "root": "0o755",
        "root/.x": "0o755",
        "root/.x/tool": "0o755",
    }
    assert {(info.uid, info.gid, info.mtime) for info in found.values()} == {(0, 0, 0)}


def test_a_layer_can_be_written_to_only_in_tmp(tmp_path: Path) -> None:
    """/tmp is everybody's, as on any system."""
    write_layer({"/tmp/.keep": b""}, tmp_path / "layer.tar")
    assert oct(members(tmp_path / "layer.tar")["tmp"].mode) == "0o1777"


def test_bytecode_is_valid_without_its_source_file(tmp_path: Path) -> None:
    """Python takes the bytecode whatever the source file's time, as its head says unchecked."""
    where, code = bytecode("/opt/greeting.py", b"WORD = 'hello'\n")
    assert Path(where).parent == Path("/opt/__pycache__")
    (tmp_path / "greeting.pyc").write_bytes(code)
    loader = SourcelessFileLoader("greeting", str(tmp_path / "greeting.pyc"))
    spec = spec_from_loader("greeting", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    assert module.WORD == "hello"


def test_a_file_that_is_not_python_after_all_stays_as_it_is(tmp_path: Path) -> None:
    """A template with a .py name goes into the layer without bytecode."""
    write_layer({"/a/template.py": b"{% if %}", "/a/nul.py": b"\0"}, tmp_path / "layer.tar")
    assert sorted(members(tmp_path / "layer.tar")) == ["a", "a/nul.py", "a/template.py"]


def test_an_archive_names_its_layers_and_its_program(tmp_path: Path) -> None:
    """The manifest points at the config and the layers, in order, and the config says who runs what."""
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    written = [(lower, write_layer({"/a/b": b"1"}, lower)), (upper, write_layer({"/a/b": b"2"}, upper))]
    image = Image(("example.test/a:1", "example.test/b:1"), (), ("run", "it"), {"X": "y"})
    write_archive(image, written, tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as tar:
        body = {info.name: (tar.extractfile(info) or io.BytesIO()).read() for info in tar}
    [manifest] = json.loads(body["manifest.json"])
    config = json.loads(body[manifest["Config"]])
    assert manifest["RepoTags"] == ["example.test/a:1", "example.test/b:1"]
    assert [body[name] for name in manifest["Layers"]] == [lower.read_bytes(), upper.read_bytes()]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{sha}" for _, sha in written]
    assert (config["config"]["User"], config["config"]["Entrypoint"]) == ("65532", ["run", "it"])
    assert "X=y" in config["config"]["Env"]
