"""Where a model and its adapters come from, and under which name or path vLLM finds them.

`vllm serve` gets the hub's name; the folder of a mounted claim or image; of s3:// the folder that was fetched into the
cache, or the address itself, which Run:ai's streamer reads. Adapters are folders: of the hub's vLLM asks for the newest
alone, and it knows no s3:// there.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from pointsman.engines.vllm_layout import ADAPTERS_DIR, CACHE, MODEL_DIR

if TYPE_CHECKING:
    from pointsman.api.deploy import Adapter, Deploy, ModelSource

_FETCHED: Final = frozenset({"hf", "s3"})
_MOUNTED: Final = frozenset({"pvc", "oci"})


class Source(NamedTuple):
    """hf: (hf, ORG/NAME, ""); pvc: (pvc, CLAIM, PATH); s3: (s3, BUCKET, KEY); oci: (oci, IMAGE, "")."""

    scheme: str
    name: str
    path: str = ""


def parse(text: str) -> Source:
    """A source by its parts, as stated: whether they are sound, `vllm_sources_validity` says. Never raises."""
    scheme, _, rest = text.partition("://")
    if scheme not in {"pvc", "s3"}:
        return Source(scheme, rest)
    name, _, path = rest.partition("/")
    return Source(scheme, name, path.strip("/"))


def served_name(deploy: Deploy) -> str:
    """What clients call the model unless it is said: the hub's name, else the last part of its path or image.

    pvc://weights/llama-3 -> llama-3, s3://models/team/qwen -> qwen, oci://ghcr.io/acme/phi:1 -> phi.
    """
    source = parse(deploy.model.source)
    if source.scheme == "hf":
        return source.name
    path = source.path or (deploy.model.path or "").strip("/")
    if path:
        return path.rpartition("/")[2]
    return source.name.partition("@")[0].rpartition("/")[2].partition(":")[0]


def fetches(deploy: Deploy) -> bool:
    """Whether one Job fetches what the engines then read offline: there is a claim for it, and something to fetch."""
    cache = deploy.cache
    if cache is None or cache.prefetch is False or (cache.size is None and not cache.claim_name):
        return False  # of a folder on each node, one Job would fill one
    stated = (deploy.model.source, *(each.source for each in deploy.model.adapters or ()))
    return any(parse(each).scheme in _FETCHED for each in stated)


def schemes(model: ModelSource) -> frozenset[str]:
    """Of the model and its adapters."""
    return frozenset(parse(each).scheme for each in (model.source, *(one.source for one in model.adapters or ())))


def location(deploy: Deploy) -> str:
    """The model as `vllm serve` is given it."""
    source = parse(deploy.model.source)
    if source.scheme == "hf":
        return source.name
    if source.scheme == "s3":
        return s3_folder(source) if fetches(deploy) else f"s3://{source.name}/{source.path}"
    return _below(MODEL_DIR, source.path or (deploy.model.path or "").strip("/"))


def adapter_path(deploy: Deploy, adapter: Adapter) -> str:
    """An adapter as vLLM is given it: a folder, or the hub's name where the engine fetches it by itself."""
    source = parse(adapter.source)
    if source.scheme in _MOUNTED:
        return _below(_mount(deploy, source), source.path)
    if not fetches(deploy):
        return source.name if source.scheme == "hf" else adapter.source
    return hub_folder(source, adapter.revision) if source.scheme == "hf" else s3_folder(source)


def mounts(deploy: Deploy) -> tuple[tuple[str, Source], ...]:
    """(path, claim or image) of what is to be mounted, each once, the model's first at MODEL_DIR."""
    stated = [parse(each) for each in (deploy.model.source, *(one.source for one in deploy.model.adapters or ()))]
    found = {_mount(deploy, source): source for source in reversed(stated) if source.scheme in _MOUNTED}
    return tuple(reversed(found.items()))


def hub_folder(source: Source, revision: str | None) -> str:
    """Of a fetched adapter: its name in the path tells it from its other revisions."""
    return f"{CACHE}/adapters/{_mark(source.name, revision or '')}"


def s3_folder(source: Source) -> str:
    return f"{CACHE}/s3/{_mark(source.name, source.path)}"


def _mount(deploy: Deploy, source: Source) -> str:
    model = parse(deploy.model.source)
    if source[:2] == model[:2]:
        return MODEL_DIR
    return f"{ADAPTERS_DIR}/{_mark(source.scheme, source.name)}"


def _below(folder: str, path: str) -> str:
    return f"{folder}/{path}" if path else folder


def _mark(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
