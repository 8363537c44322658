"""vLLM's own side of a container: image, arguments, environment, folders. What Kubernetes wants is `fleet`'s."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any, Final

from pointsman.engines import vllm_args, vllm_flags, vllm_parallelism, vllm_sources, vllm_sources_validity
from pointsman.engines.vllm_layout import (
    CACHE,
    CHAT_TEMPLATE_DIR,
    HEALTH,
    HOME,
    IMAGE,
    MODEL_DIR,
    PORT,
    startup,
)
from pointsman.names import ENGINE_KEYS_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Adapter, Deploy, Engine

__all__ = ["CACHE", "CHAT_TEMPLATE_DIR", "HEALTH", "HOME", "IMAGE", "MODEL_DIR", "PORT"]

_RANKS: Final = (8, 16, 32, 64, 128, 256, 320, 512)  # for which vLLM has kernels; newer ones for 1 too


def model(deploy: Deploy) -> str:
    """The model as `vllm serve` is given it: the hub's name, a folder, or s3://BUCKET/KEY."""
    return vllm_sources.location(deploy)


def served_names(deploy: Deploy) -> tuple[str, ...]:
    """The names that the server answers to, its adapters' apart; the hub's or the last of its path unless stated."""
    return vllm_args.served_names(deploy)


def adapter_names(deploy: Deploy) -> tuple[str, ...]:
    return tuple(each.name for each in deploy.model.adapters or ())


def adapter_path(deploy: Deploy, adapter: Adapter) -> str:
    """An adapter as vLLM is to look it up: a folder, or the hub's name where the engine fetches it by itself."""
    return vllm_sources.adapter_path(deploy, adapter)


def prefetches(deploy: Deploy) -> bool:
    """Whether one Job fetches model and adapters into the cache, and engines read them offline."""
    return vllm_sources.fetches(deploy)


def tensor_parallel(deploy: Deploy) -> int:
    """Over how many GPUs a layer is spread: all that a replica has, unless said otherwise."""
    return vllm_parallelism.resolve(deploy).tensor


def args(deploy: Deploy) -> list[str]:
    """The words after `vllm serve`; of a replica with several nodes, the first one's."""
    return vllm_args.leader(deploy)


def worker_args(deploy: Deploy) -> list[str]:
    """Those of the other nodes."""
    return vllm_args.follower(deploy)


def env(deploy: Deploy, provider: str) -> list[dict[str, Any]]:
    """Environment variables in a fixed order, what the object states last; a stated one replaces ours.

    The key is `apiKeyRef`'s, or the entry of this provider in the namespace's Secret of keys.
    """
    offline = prefetches(deploy)
    ours = home() | _compiled(deploy) | {"VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0"}
    # vLLM gives its own engine ten minutes, whatever the startup probe allows.
    ours["VLLM_ENGINE_READY_TIMEOUT_S"] = str(math.ceil(startup(deploy)))
    if offline:
        ours |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if deploy.model.adapter_loading == "AtRuntime":
        ours["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "True"
    entries = {name: {"name": name, "value": value} for name, value in ours.items()}
    entries |= {} if offline else access(deploy)
    ref = deploy.api_key_ref
    key = (ref.name, ref.key) if ref else (ENGINE_KEYS_SECRET, provider)
    entries["VLLM_API_KEY"] = secret("VLLM_API_KEY", *key)
    return list((entries | stated(deploy.engine)).values())


def home() -> dict[str, str]:
    """What every process of ours in the image needs: folders that a user not root can write, and quiet."""
    return {
        "HOME": HOME,
        "USER": "pointsman",  # the image knows no name for our user id, and getpwuid would fail
        "LOGNAME": "pointsman",
        "HF_HOME": f"{CACHE}/huggingface",
        "XDG_CONFIG_HOME": f"{HOME}/.config",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }


def access(deploy: Deploy) -> dict[str, dict[str, Any]]:
    """Variables of whoever fetches the model: where from, and the token or keys by reference."""
    model, schemes = deploy.model, vllm_sources.schemes(deploy.model)
    s3 = vllm_sources.parse(model.source).scheme == "s3" or ("s3" in schemes and "hf" not in schemes)
    entries: dict[str, dict[str, Any]] = {}
    if model.endpoint_url:
        name = "AWS_ENDPOINT_URL" if s3 else "HF_ENDPOINT"
        entries[name] = {"name": name, "value": model.endpoint_url}
        if s3:  # a server of one's own seldom has a name for each bucket
            other = {"RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING": "0", "AWS_EC2_METADATA_DISABLED": "true"}
            entries |= {name: {"name": name, "value": value} for name, value in other.items()}
    if ref := model.token_secret_ref:
        entries["HF_TOKEN"] = secret("HF_TOKEN", ref.name, ref.key)
    if keys := model.credentials_ref:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            entries[name] = secret(name, keys.name, name)
        for name in ("AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
            entries[name] = secret(name, keys.name, name, optional=True)
    return entries


def stated(engine: Engine | None) -> dict[str, dict[str, Any]]:
    """What the object states itself."""
    out: dict[str, dict[str, Any]] = {}
    for entry in (engine.env or ()) if engine else ():
        # An empty value is what the API server leaves out.
        out[entry.name] = {"name": entry.name} | ({"value": entry.value} if entry.value else {})
        if entry.value_from is not None:
            out[entry.name]["valueFrom"] = entry.value_from
    return out


def secret(name: str, of: str, key: str, *, optional: bool = False) -> dict[str, Any]:
    """A variable whose value is a Secret's."""
    reference: dict[str, Any] = {"name": of, "key": key} | ({"optional": True} if optional else {})
    return {"name": name, "valueFrom": {"secretKeyRef": reference}}


def refusals(deploy: Deploy) -> Iterator[str]:
    """What of `spec.deploy` vLLM cannot be started with: path, reason and how to mend it."""
    yield from vllm_sources_validity.refusals(deploy)
    yield from vllm_parallelism.refusals(deploy)
    engine = deploy.engine
    if not engine:
        return
    yield from vllm_flags.refusals(deploy, engine)
    if engine.max_lora_rank and engine.max_lora_rank not in (1, *_RANKS):
        near = next((rank for rank in _RANKS if rank >= engine.max_lora_rank), _RANKS[-1])
        yield f"spec.deploy.engine.maxLoraRank: vLLM knows {', '.join(map(str, _RANKS))}: write {near}"
    lora = deploy.model.adapters or deploy.model.adapter_loading == "AtRuntime"
    for name, value in (("maxLoras", engine.max_loras), ("maxLoraRank", engine.max_lora_rank)):
        if value and not lora:
            yield f"spec.deploy.engine.{name}: there are no adapters: add spec.deploy.model.adapters, or remove it"


def _compiled(deploy: Deploy) -> dict[str, str]:
    """Where compiled kernels go: into the cache, apart for what they depend on, or with the Pod."""
    kept = deploy.cache is not None and deploy.cache.compile_cache is not False
    root = f"{CACHE}/compile/{_compile_key(deploy)}" if kept else f"{HOME}/compile"
    return {
        "XDG_CACHE_HOME": f"{root}/xdg",
        "VLLM_CACHE_ROOT": f"{root}/vllm",
        "TORCHINDUCTOR_CACHE_DIR": f"{root}/inductor",
        "TRITON_CACHE_DIR": f"{root}/triton",
        "FLASHINFER_WORKSPACE_BASE": root,
        "CUDA_CACHE_PATH": f"{root}/cuda",
    }


def _compile_key(deploy: Deploy) -> str:
    engine = deploy.engine
    of = [
        *(deploy.image or IMAGE, deploy.gpu_resource_name, model(deploy), deploy.model.revision),
        *((engine.dtype, engine.quantization, engine.kv_cache_dtype) if engine else (None, None, None)),
        *vllm_parallelism.resolve(deploy),
    ]
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()[:12]
