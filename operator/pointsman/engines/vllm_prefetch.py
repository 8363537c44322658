"""The command of the Job that fetches a model and its adapters into the cache, before any engine starts.

It runs in the engine's image, by the clients that are there: huggingface_hub, and boto3, which vLLM's images have for
Run:ai's streamer. What runs is `pointsman/prefetching.py`, read as text; what it is to fetch is its argument.
"""

from __future__ import annotations

import functools
import hashlib
import json
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from pointsman.engines import vllm_container, vllm_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Deploy

Json = dict[str, Any]

_TRIES: Final = 8  # for what may pass: 429, 5xx, a broken connection
_PAUSE: Final = 2.0  # seconds after the first failure, then twice as long each time, unless the server says how long
_OFFLINE: Final = frozenset({"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"})  # huggingface_hub heeds both
# Formats for which vLLM reads safetensors, and nothing else that lies beside them.
_SAFETENSORS: Final = ("auto", "hf", "safetensors", "fastsafetensors", "mistral", "runai_streamer", "instanttensor")


def command(deploy: Deploy) -> list[str]:
    """Exits with 0 once everything is there, whole; else its last line is the client's own error."""
    plan = {"tries": _TRIES, "pause": _PAUSE, "items": list(_items(deploy))}
    # Kubernetes would put a variable's value for $(NAME).
    return ["python3", "-c", program().replace("$", "$$"), json.dumps(plan, sort_keys=True).replace("$", "$$")]


def env(deploy: Deploy) -> list[Json]:
    """Token and keys are here, and not in the engine. What the object states for the engine holds too: proxies, say."""
    ours = vllm_container.home() | {
        "HF_HUB_OFFLINE": "0",  # whatever engine.envFrom says
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_XET_CHUNK_CACHE_SIZE_BYTES": "0",  # a second copy of what is downloaded
        "PYTHONUNBUFFERED": "1",
    }
    entries: dict[str, Json] = {name: {"name": name, "value": value} for name, value in ours.items()}
    stated = vllm_container.stated(deploy.engine)
    theirs = {name: entry for name, entry in stated.items() if not is_engines_own(name)}
    return list((entries | vllm_container.access(deploy) | theirs).values())


def is_engines_own(variable: str) -> bool:
    """Whether a variable that is stated for the engine is not for the Job: vLLM's settings, and to ask no hub."""
    return variable.startswith("VLLM_") or variable in _OFFLINE


def digest(deploy: Deploy) -> str:
    """8 hex digits over what is fetched, from where and where to: another model or another cache is another Job."""
    what = [list(_items(deploy)), deploy.model.endpoint_url, _place(deploy)]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:8]


@functools.cache
def program() -> str:
    """The text that `python3 -c` runs."""
    return resources.files("pointsman").joinpath("prefetching.py").read_text(encoding="utf-8")


def _place(deploy: Deploy) -> Json:
    """Which claim it is. Its size may grow, and its default modes go by the replicas: the claim stays the same one."""
    cache = deploy.cache
    if cache is None or cache.claim_name:
        return {"claim": cache.claim_name if cache else None}
    return {"made": cache.storage_class_name, "modes": cache.access_modes}


def _items(deploy: Deploy) -> Iterator[Json]:
    model = deploy.model
    stated = deploy.engine.load_format if deploy.engine else None
    everything = bool(stated) and stated not in _SAFETENSORS
    source = vllm_sources.parse(model.source)
    if source.scheme == "hf":  # into the hub's own cache, where vLLM finds it by its name
        yield _hub(source.name, model.revision, "", everything=everything)
    elif source.scheme == "s3":
        yield _s3(source, everything=everything)
    for each in model.adapters or ():
        source = vllm_sources.parse(each.source)
        if source.scheme == "hf":
            folder = vllm_sources.adapter_path(deploy, each)
            yield _hub(source.name, each.revision, folder, everything=False)
        elif source.scheme == "s3":
            yield _s3(source, everything=False)


def _hub(repo: str, revision: str | None, folder: str, *, everything: bool) -> Json:
    return {"from": "hub", "repo": repo, "revision": revision, "folder": folder, "everything": everything}


def _s3(source: vllm_sources.Source, *, everything: bool) -> Json:
    folder = vllm_sources.s3_folder(source)
    return {"from": "s3", "bucket": source.name, "key": source.path, "folder": folder, "everything": everything}
