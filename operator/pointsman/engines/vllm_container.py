"""vLLM's own side of a container: image, arguments, environment, folders. What Kubernetes wants is `fleet.workload`'s.

Facts: vLLM's command line (`vllm serve MODEL`); `--disable-access-log-for-endpoints` came with 0.16,
`--shutdown-timeout` with 0.18, and an older image ends at once on a flag that it does not know.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Deploy, Engine

IMAGE: Final = "vllm/vllm-openai:v0.32.0"  # pinned: `latest` would change a model's answers on a Pod's restart
PORT: Final = 8000
HEALTH: Final = "/health"
HOME: Final = "/home/pointsman"
CACHE: Final = "/cache"
SHUTDOWN_SECONDS: Final = 45

_HUB_NAME = re.compile(r"[A-Za-z0-9][-.\w]*(/[A-Za-z0-9][-.\w]*)?", re.ASCII)
_VERSION = re.compile(r":v?(\d+)\.(\d+)(\.\d+)?([-.+]\S*)?$")
_NEWEST: Final = (1 << 30, 0)

# Set by the operator: another value would take the server away from its Service, its probes or its name.
_OWNED_FLAGS = (
    "--model", "--host", "--port", "--uds", "--served-model-name", "--revision", "--tensor-parallel-size",
    "--pipeline-parallel-size", "--data-parallel-size", "--api-key", "--root-path", "--ssl-keyfile", "--ssl-certfile",
    "--ssl-ca-certs", "--ssl-cert-reqs", "--shutdown-timeout", "--config", "--headless",
)  # fmt: skip
_OWNED_SHORT = ("-tp", "-pp", "-dp")
# The first opens endpoints that run code, the second locks the gateway out, the others move the port.
_OWNED_ENV = ("VLLM_SERVER_DEV_MODE", "VLLM_API_KEY", "VLLM_PORT", "VLLM_HOST_IP")


def model(deploy: Deploy) -> str:
    """The model as the hub knows it: hf://ORG/NAME -> ORG/NAME."""
    return deploy.model.source.removeprefix("hf://")


def served_names(deploy: Deploy) -> tuple[str, ...]:
    """The names that the server answers to; the hub's own unless said otherwise."""
    return tuple(deploy.model.served_names or (model(deploy),))


def tensor_parallel(deploy: Deploy) -> int:
    """Over how many GPUs a replica is spread: all that it has, unless said otherwise."""
    stated = deploy.parallelism.tensor if deploy.parallelism else None
    return stated or max(deploy.gpus, 1)


def args(deploy: Deploy) -> list[str]:
    """The words after `vllm serve`. One word a flag, so that no value can be read as another flag."""
    at_least = _version(deploy.image or IMAGE)
    words = [model(deploy), "--served-model-name", *served_names(deploy), "--host=0.0.0.0", f"--port={PORT}"]
    if deploy.model.revision:
        words.append(f"--revision={deploy.model.revision}")
    if (size := tensor_parallel(deploy)) > 1:
        words.append(f"--tensor-parallel-size={size}")
    if at_least >= (0, 16):
        words.append("--disable-access-log-for-endpoints=/health,/metrics,/ping")
    if at_least >= (0, 18):
        words.append(f"--shutdown-timeout={SHUTDOWN_SECONDS}")
    return words + (_engine_args(deploy.engine) if deploy.engine else [])


def env(deploy: Deploy) -> list[dict[str, Any]]:
    """Environment variables in a fixed order, what the object states last; a stated one replaces ours."""
    ours = {
        "HOME": HOME,
        "USER": "pointsman",  # the image knows no name for our user id, and getpwuid would fail
        "LOGNAME": "pointsman",
        "HF_HOME": f"{CACHE}/huggingface",
        "XDG_CACHE_HOME": f"{CACHE}/xdg",
        "XDG_CONFIG_HOME": f"{HOME}/.config",
        "VLLM_CACHE_ROOT": f"{CACHE}/vllm",
        "TORCHINDUCTOR_CACHE_DIR": f"{CACHE}/inductor",
        "TRITON_CACHE_DIR": f"{CACHE}/triton",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0",
    }
    if deploy.model.endpoint_url:
        ours["HF_ENDPOINT"] = deploy.model.endpoint_url
    entries: dict[str, dict[str, Any]] = {name: {"name": name, "value": value} for name, value in ours.items()}
    if ref := deploy.model.token_secret_ref:
        source = {"secretKeyRef": {"name": ref.name, "key": ref.key}}
        entries["HF_TOKEN"] = {"name": "HF_TOKEN", "valueFrom": source}
    return list((entries | _stated_env(deploy.engine)).values())


def refusals(deploy: Deploy) -> Iterator[str]:
    """What of `spec.deploy` vLLM cannot be started with: path, reason and how to mend it."""
    if deploy.model.source.startswith("hf://") and not _HUB_NAME.fullmatch(model(deploy)):
        yield f"spec.deploy.model.source: {deploy.model.source!r} names no model of the hub: write hf://ORG/NAME"
    for name in deploy.model.served_names or ():
        if name.startswith("-"):
            yield f"spec.deploy.model.servedNames: {name!r} would be read as a flag: begin it with a letter or a digit"
    if deploy.gpus and tensor_parallel(deploy) > deploy.gpus:
        yield (
            f"spec.deploy.parallelism.tensor: {tensor_parallel(deploy)} is more than the {deploy.gpus} of "
            "spec.deploy.gpus: leave it out, or ask for as many GPUs"
        )
    if deploy.engine:
        yield from _engine_refusals(deploy.engine)


def _engine_args(engine: Engine) -> list[str]:
    valued = {
        "--max-model-len": engine.max_model_len,
        "--dtype": engine.dtype,
        "--quantization": engine.quantization,
        "--kv-cache-dtype": engine.kv_cache_dtype,
        "--gpu-memory-utilization": engine.gpu_memory_utilization,
        "--max-num-seqs": engine.max_num_seqs,
        "--tool-call-parser": engine.tool_call_parser,
        "--reasoning-parser": engine.reasoning_parser,
    }
    words = [f"{flag}={value}" for flag, value in valued.items() if value is not None]
    if engine.enable_prefix_caching is not None:
        words.append("--enable-prefix-caching" if engine.enable_prefix_caching else "--no-enable-prefix-caching")
    if engine.tool_call_parser:
        words.append("--enable-auto-tool-choice")  # without it the parser is loaded and never asked
    if engine.trust_remote_code:
        words.append("--trust-remote-code")
    return words + (engine.extra_args or [])


def _stated_env(engine: Engine | None) -> dict[str, dict[str, Any]]:
    out: dict[str, dict[str, Any]] = {}
    for entry in (engine.env or ()) if engine else ():
        # An empty value is what the API server leaves out.
        out[entry.name] = {"name": entry.name} | ({"value": entry.value} if entry.value else {})
        if entry.value_from is not None:
            out[entry.name]["valueFrom"] = entry.value_from
    return out


def _engine_refusals(engine: Engine) -> Iterator[str]:
    for word in engine.extra_args or ():
        if flag := _owned(word):
            yield f"spec.deploy.engine.extraArgs: {flag} is the operator's to set: remove {word!r}"
    for entry in engine.env or ():
        if entry.name in _OWNED_ENV:
            yield f"spec.deploy.engine.env: {entry.name} is the operator's to set: remove it"
        if entry.value and entry.value_from is not None:
            yield f"spec.deploy.engine.env: {entry.name} has both value and valueFrom: keep one"


def _owned(word: str) -> str:
    if short := next((short for short in _OWNED_SHORT if word.startswith(short)), ""):
        return short
    # argparse takes underscores for dashes here, and any unambiguous beginning of a flag for the flag.
    flag = word.split("=", 1)[0].split(".", 1)[0].replace("_", "-")
    if not flag.startswith("--") or flag == "--":
        return ""
    return next((owned for owned in _OWNED_FLAGS if owned.startswith(flag)), "")


def _version(image: str) -> tuple[int, int]:
    # A digest or a private tag says nothing: taken to be as new as the pinned image.
    found = _VERSION.search(image)
    return (int(found[1]), int(found[2])) if found else _NEWEST
