"""The images that Pods of the real node run, made from this machine's own files.

pause: holds a Pod's namespaces. pointsman: the package with what it needs, as the Dockerfile has it. engine: a stand-in
for vLLM: `vllm serve MODEL …` starts a real llama-server on a tiny model.
"""

import shutil
import tomllib
from collections.abc import Sequence
from pathlib import Path

from testbed import archive, hostfiles, tools
from testbed.archive import Content, Image, Layer, Link
from testbed.cache import cached
from testbed.tinymodel import CHAINS, TinyModel

PAUSE = "pointsman.dev/pause:test"
POINTSMAN = "pointsman.dev/pointsman:test"
ENGINE = "pointsman.dev/vllm:test"
REPOSITORY = Path(__file__).parents[2]
HOME = "/opt/pointsman"
BUNDLES = (Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt"))
WORDS = Path(__file__).with_name("vllm_words")
LAUNCHER = "#!/usr/local/bin/python3\nimport sys\n\nfrom pointsman.__main__ import main\n\nsys.exit(main())\n"


def pause() -> Image:
    """A container that does nothing, for ever; containerd ends it with SIGKILL."""
    return Image((PAUSE,), (_tool("sleep"),), ("sleep", "infinity"))


def _tool(name: str) -> Layer:
    """A program of the host, as /bin/NAME too."""
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"no `{name}` on PATH: install coreutils")
    binary = Path(found).resolve()
    link: dict[str, Content] = {} if str(binary) == f"/bin/{name}" else {f"/bin/{name}": Link(str(binary))}
    return {**hostfiles.program(binary), **link}


def base() -> Layer:
    """Python, a shell, and what programs expect of a system: users, name resolution, certificates, a writable /tmp."""
    etc = {
        "/etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532:nonroot:/tmp:/bin/sh\n",
        "/etc/group": b"root:x:0:\nnonroot:x:65532:\n",
        "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files dns\n",
        "/etc/ssl/certs/ca-certificates.crt": _certificates(),
        "/tmp/.keep": b"",
    }
    return {**hostfiles.python(), **_tool("sh"), **_tool("sleep"), **etc}


def _certificates() -> bytes:
    for bundle in BUNDLES:
        if bundle.is_file():
            return bundle.read_bytes()
    raise FileNotFoundError(f"no CA certificates at {BUNDLES[0]}: install ca-certificates")


def pointsman(names: Sequence[str] = (POINTSMAN,)) -> Image:
    """The operator and the gateway: this checkout's package over the packages of this environment."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = hostfiles.distributions([f"{project['name']}[operator,local]"])
    packages = hostfiles.installed(wanted.values(), f"{HOME}/packages")
    source = REPOSITORY / "operator"
    own = {f"{HOME}/operator/{p.relative_to(source)}": p for p in sorted(source.rglob("*")) if _shipped(p)}
    code: dict[str, Content] = {**own, "/usr/local/bin/pointsman": LAUNCHER.encode()}
    env = {"PYTHONPATH": f"{HOME}/operator:{HOME}/packages", "PYTHONDONTWRITEBYTECODE": "1"}
    return Image(tuple(names), (base(), packages, code), ("pointsman",), env)


def _shipped(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def engine(names: Sequence[str] = (ENGINE,)) -> Image:
    """A real llama-server with the command line of vLLM; `vllm serve X` takes the tiny model X, else `text`."""
    llama = tools.llama_server()
    # Not where the cache has it: that may be below /tmp, which Pods mount over. It finds its libraries beside itself.
    home = str(llama.parent)
    server: dict[str, Content] = {
        **{path.replace(home, "/opt/llama", 1): content for path, content in hostfiles.program(llama).items()},
        "/usr/local/bin/llama-server": Link(f"/opt/llama/{llama.name}"),
        "/usr/local/bin/vllm": Path(__file__).with_name("vllm_standin.py"),
        **{f"/usr/local/share/{words.parent.name}/{words.name}": words for words in sorted(WORDS.glob("*.txt"))},
    }
    models = {f"/models/{chain}.gguf": TinyModel(chain).path() for chain in CHAINS}
    return Image(tuple(names), (base(), server, models), ("vllm", "serve"))


def build(image: Image, out: Path) -> Path:
    """Writes the image's archive to `out`; its layers come from the cache where they are there."""
    archive.write_archive(image, [_layer(layer) for layer in image.layers], out)
    return out


def prepare() -> None:
    """Puts the layers of every image into the cache."""
    for image in (pause(), engine(), pointsman()):
        for layer in image.layers:
            _layer(layer)


def _layer(layer: Layer) -> tuple[Path, str]:
    """The layer's tar and its sha256, which is its name."""

    def write(folder: Path) -> None:
        draft = folder / "draft"
        draft.rename(folder / archive.write_layer(layer, draft))

    (tar,) = cached("layer", [archive.digest(layer)], write).iterdir()
    return tar, tar.name
