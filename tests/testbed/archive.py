"""Container images without a registry or docker: layers as plain tars, in the form that `docker save` writes.

A layer is a dict of paths in the image (absolute) to contents: bytes, a file of the host, or a link. The same contents
make the same bytes, on every machine.
"""

import hashlib
import importlib.util
import io
import json
import marshal
import os
import platform
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
USER = 65532  # `nonroot` of the usual base images


@dataclass(frozen=True)
class Link:
    """A symbolic link to `target`, an absolute path in the image."""

    target: str


Content = bytes | Path | Link
Layer = Mapping[str, Content]


@dataclass(frozen=True)
class Image:
    """An image's names (`REPOSITORY:TAG`), its layers from the bottom up, and how it starts."""

    names: tuple[str, ...]
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    user: int = USER


def read(content: Content) -> bytes:
    """What a path holds; for a link, where it leads."""
    match content:
        case Path():
            return content.read_bytes()
        case Link(target):
            return b"link " + target.encode()
        case _:
            return content


def digest(layer: Layer) -> str:
    """A layer's content hash, before bytecode is added to it."""
    lines = (f"{path} {hashlib.sha256(read(layer[path])).hexdigest()}" for path in sorted(layer))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def bytecode(path: str, source: bytes) -> tuple[str, bytes]:
    """Where Python looks for a module's bytecode, and that: valid unchecked, so that no file time matters (PEP 552).

    Pods cannot write it themselves, and without it they start seconds later. Raises SyntaxError, ValueError.
    """
    code = compile(source, path, "exec", dont_inherit=True)
    flags = (0b01).to_bytes(4, "little")
    head = importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source)
    return importlib.util.cache_from_source(path), head + marshal.dumps(code)


def _with_bytecode(layer: Layer) -> Iterator[tuple[str, Content]]:
    for path in sorted(layer):
        yield path, layer[path]
        if path.endswith(".py"):
            try:
                yield bytecode(path, read(layer[path]))
            except (SyntaxError, ValueError):
                continue  # a template or a test's bad example inside a package


def write_layer(layer: Layer, out: Path) -> str:
    """Writes a layer's tar, Python's bytecode added, and returns its sha256 in hex."""
    made: set[str] = set()
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in _with_bytecode(layer):
            _add_folders(tar, path, made)
            _add(tar, path, content)
    with out.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _add_folders(tar: tarfile.TarFile, path: str, made: set[str]) -> None:
    for folder in reversed(Path(path).parents[:-1]):
        if str(folder) not in made:
            made.add(str(folder))
            info = tarfile.TarInfo(str(folder).lstrip("/"))
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if str(folder) == "/tmp" else 0o755
            tar.addfile(info)


def _add(tar: tarfile.TarFile, path: str, content: Content) -> None:
    info = tarfile.TarInfo(path.lstrip("/"))
    match content:
        case Link(target):
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
        case _:
            body = read(content)
            program = body.startswith(b"#!") or (isinstance(content, Path) and os.access(content, os.X_OK))
            info.size, info.mode = len(body), 0o755 if program else 0o644
            tar.addfile(info, io.BytesIO(body))


def write_archive(image: Image, layers: Sequence[tuple[Path, str]], out: Path) -> None:
    """Writes the archive that `ctr images import` reads, from layers written before: (tar, its sha256)."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **image.env}
    config = {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {
            "User": str(image.user),
            "Entrypoint": list(image.entrypoint),
            "Env": [f"{name}={value}" for name, value in env.items()],
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha}" for _, sha in layers]},
    }
    text = json.dumps(config, sort_keys=True).encode()
    name = hashlib.sha256(text).hexdigest() + ".json"
    files = [f"{sha}.tar" for _, sha in layers]
    manifest = json.dumps([{"Config": name, "RepoTags": list(image.names), "Layers": files}]).encode()
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, name, text)
        for path, sha in dict(layers).items():
            _add_file(tar, f"{sha}.tar", path)
        _add(tar, "manifest.json", manifest)


def _add_file(tar: tarfile.TarFile, name: str, path: Path) -> None:
    info = tarfile.TarInfo(name)
    info.size = path.stat().st_size
    with path.open("rb") as body:
        tar.addfile(info, body)
