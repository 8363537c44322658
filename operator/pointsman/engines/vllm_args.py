"""vLLM's command line: the words after `vllm serve`.

Facts from vLLM's source: `--disable-access-log-for-endpoints` came with 0.16, `--shutdown-timeout` with 0.18,
`--enable-reasoning` went with 0.10; an image ends at once on a flag that it does not know. Nodes of one replica meet by
`--nnodes --node-rank --master-addr`, all but the first with `--headless`; what they are called, a LeaderWorkerSet puts
into LWS_LEADER_ADDRESS and LWS_WORKER_INDEX.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from pointsman.api.fields import seconds
from pointsman.engines import vllm_parallelism, vllm_sources
from pointsman.engines.vllm_layout import CHAT_TEMPLATE_DIR, CHAT_TEMPLATE_FILE, PORT, takes, version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Deploy, Engine

_PRE_STOP: Final = 15  # seconds from a Pod's grace period, before vLLM is told to end
_SPARE: Final = 15  # seconds for its processes to go after the last answer
_LEAST: Final = 5
_GRACE: Final = 75.0


def leader(deploy: Deploy) -> list[str]:
    """One word a flag, so that no value can be read as another flag."""
    return _words(deploy, "0")


def follower(deploy: Deploy) -> list[str]:
    """Of the other nodes of a replica: the same engine without an HTTP server."""
    return _words(deploy, "$(LWS_WORKER_INDEX)")


def served_names(deploy: Deploy) -> tuple[str, ...]:
    """The names that the server answers to, without its adapters'."""
    return tuple(deploy.model.served_names or (vllm_sources.served_name(deploy),))


def shutdown_seconds(deploy: Deploy) -> int:
    """How long vLLM may take for answers under way: what the grace period leaves."""
    stated = deploy.termination_grace_period
    return max(int(seconds(stated) if stated else _GRACE) - _PRE_STOP - _SPARE, _LEAST)


def typed(engine: Engine) -> dict[str, str]:
    """Flag -> field of the typed settings that are stated."""
    fields = {
        "--max-model-len": "max_model_len",
        "--dtype": "dtype",
        "--quantization": "quantization",
        "--kv-cache-dtype": "kv_cache_dtype",
        "--gpu-memory-utilization": "gpu_memory_utilization",
        "--max-num-seqs": "max_num_seqs",
        "--load-format": "load_format",
        "--max-loras": "max_loras",
        "--max-lora-rank": "max_lora_rank",
        "--tool-call-parser": "tool_call_parser",
        "--reasoning-parser": "reasoning_parser",
    }
    return {flag: field for flag, field in fields.items() if getattr(engine, field) not in (None, "")}


def _words(deploy: Deploy, rank: str) -> list[str]:
    names = [_literal(name) for name in served_names(deploy)]
    words = [_literal(vllm_sources.location(deploy)), "--served-model-name", *names]
    words += ["--host=0.0.0.0", f"--port={PORT}"]
    if deploy.model.revision:
        words.append(f"--revision={_literal(deploy.model.revision)}")
    words += [*_spread(deploy, rank), *_lora(deploy, rank), *_serving(deploy)]
    if deploy.engine:
        words += [*_engine(deploy.engine, version(deploy)), *(deploy.engine.extra_args or ())]
    return words


def _literal(text: str) -> str:
    """Kubernetes would put a variable's value for $(NAME), a key's for instance."""
    return text.replace("$", "$$")


def _spread(deploy: Deploy, rank: str) -> Iterator[str]:
    spread = vllm_parallelism.resolve(deploy)
    sizes = {"tensor": spread.tensor, "pipeline": spread.pipeline, "data": spread.data}
    yield from (f"--{name}-parallel-size={size}" for name, size in sizes.items() if size > 1)
    if spread.expert:
        yield "--enable-expert-parallel"
    if spread.nodes > 1:
        yield "--distributed-executor-backend=mp"
        yield f"--nnodes={spread.nodes}"
        yield f"--node-rank={rank}"
        yield "--master-addr=$(LWS_LEADER_ADDRESS)"
        if rank != "0":
            yield "--headless"


def _lora(deploy: Deploy, rank: str) -> Iterator[str]:
    model = deploy.model
    at_runtime = model.adapter_loading == "AtRuntime"
    if not model.adapters and not at_runtime:
        return
    yield "--enable-lora"
    if at_runtime:
        if vllm_parallelism.resolve(deploy).data > 1 and rank == "0" and version(deploy) >= (0, 10):
            yield "--api-server-count=1"  # of several, each would know only the adapters that it was told of
        return
    yield "--lora-modules"
    for each in model.adapters or ():
        # As JSON, a name may hold whatever a name may hold.
        module = {"name": each.name, "path": vllm_sources.adapter_path(deploy, each)}
        yield _literal(json.dumps(module, separators=(",", ":"), ensure_ascii=False))


def _serving(deploy: Deploy) -> Iterator[str]:
    if vllm_sources.location(deploy).startswith("s3://") and not (deploy.engine and deploy.engine.load_format):
        yield "--load-format=runai_streamer"
    if takes(deploy, (0, 16)):
        yield "--disable-access-log-for-endpoints=/health,/metrics,/ping"
    if takes(deploy, (0, 18)):
        yield f"--shutdown-timeout={shutdown_seconds(deploy)}"


def _engine(engine: Engine, at_least: tuple[int, int]) -> Iterator[str]:
    yield from (f"{flag}={_literal(str(getattr(engine, field)))}" for flag, field in typed(engine).items())
    if engine.chat_template_ref:
        yield f"--chat-template={CHAT_TEMPLATE_DIR}/{CHAT_TEMPLATE_FILE}"
    if engine.enable_prefix_caching is not None and (engine.enable_prefix_caching or at_least >= (0, 7)):
        yield "--enable-prefix-caching" if engine.enable_prefix_caching else "--no-enable-prefix-caching"
    if engine.tool_call_parser:
        yield "--enable-auto-tool-choice"  # without it the parser is loaded and never asked
    if engine.reasoning_parser and (0, 7) <= at_least < (0, 9):
        yield "--enable-reasoning"  # without it these ignore the parser
    if engine.trust_remote_code:
        yield "--trust-remote-code"
