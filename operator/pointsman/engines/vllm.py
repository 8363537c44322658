"""vLLM: `max_model_len` in the model list; a LoRA adapter tells none and has its parent's.

The list is guarded by --api-key (401 `{"error": "Unauthorized"}`), unlike /health and /metrics. It is answered without
the engine: one that sleeps or hangs shows only in /metrics, which the API server keeps from what the engine last said.
While a long prompt is read no token is counted, but its blocks are.

Releases before `vllm:engine_sleep_state`, and servers with --disable-log-stats, tell at /is_sleeping alone that they
sleep (or are paused). It is there in development mode, without which nobody can put them to sleep over HTTP. The engine
itself answers it, so that one that hangs does not.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pointsman import modellist
from pointsman.engines import figures
from pointsman.names import Counting, Dialect, Way
from pointsman.served import Finding, Kind, Look, ServedModel, Watch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.modellist import Json
    from pointsman.served import Answer

_RUNNING: Final = "vllm:num_requests_running"
_SLEEP: Final = "vllm:engine_sleep_state"
_MOVING: Final = frozenset(
    {
        *(_RUNNING, "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        *("vllm:prompt_tokens_total", "vllm:generation_tokens_total", "vllm:iteration_tokens_total_count"),
        *("vllm:prefix_cache_queries_total", "vllm:num_preemptions_total"),
    }
)


def read(answers: Mapping[str, Answer]) -> Finding:
    found = modellist.read(answers, _model)
    return inherit(replace(found, credentials_valid=True), answers) if found.ok else found


def inherit(found: Finding, answers: Mapping[str, Answer]) -> Finding:
    """Give models without a window their parent's."""
    windows = {model.id: model.context_window for model in found.models}
    parents = {str(entry.get("id")): str(entry.get("parent")) for entry in modellist.entries(answers[modellist.PATH])}
    return replace(
        found,
        models=tuple(
            replace(model, context_window=model.context_window or windows.get(parents.get(model.id, ""), 0))
            for model in found.models
        ),
    )


def look(answer: Answer) -> Look | None:
    """What /metrics or /is_sleeping tells of the engine; None: it tells nothing of one."""
    if answer.status != 200:
        return None
    if answer.body[:1] == b"{":
        return Look({}, asleep=True) if _sleeps(answer.body) else None
    told = figures.read(answer.body, {*_MOVING, _SLEEP})
    moving = {series: value for series, value in told.items() if not series.startswith(_SLEEP)}
    awake = [value for series, value in told.items() if series.startswith(_SLEEP) and 'sleep_state="awake"' in series]
    if not moving and not awake:
        return None
    return Look(moving, figures.total(moving, _RUNNING), asleep=not any(awake) if awake else None)


def _sleeps(body: bytes) -> bool:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and told.get("is_sleeping") is True


def _model(entry: Json) -> ServedModel | None:
    found = modellist.identifier(entry)
    if not found:
        return None
    window = modellist.tokens(*(entry.get(key) for key in ("max_model_len", "context_length", "context_window")))
    return ServedModel(id=found, context_window=window, loaded=True)


KIND: Final = Kind(
    read=read,
    api=(Dialect.CHAT, Dialect.RESPONSES, Dialect.MESSAGES),
    watch=Watch(("/metrics", "/is_sleeping"), look, patience=2),
    way=Way.FLAGS,
    counting=Counting.VLLM,
)
