"""SGLang: the model list has vLLM's shape. Its documentation tells of chat and, on every server, /v1/messages.

/metrics is there with --enable-metrics; its gauges are renewed with every batch of a prompt and some steps of answers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pointsman import modellist
from pointsman.engines import figures
from pointsman.names import Dialect, Way
from pointsman.served import Finding, Kind, Look, ServedModel, Watch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.modellist import Json
    from pointsman.served import Answer

_RUNNING: Final = "sglang:num_running_reqs"
_MOVING: Final = frozenset(
    {
        *(_RUNNING, "sglang:num_queue_reqs", "sglang:num_used_tokens", "sglang:token_usage", "sglang:gen_throughput"),
        *("sglang:prompt_tokens_total", "sglang:generation_tokens_total"),
    }
)


def read(answers: Mapping[str, Answer]) -> Finding:
    found = modellist.read(answers, _model)
    return replace(found, credentials_valid=True) if found.ok else found


def look(answer: Answer) -> Look | None:
    """What /metrics tells of the engine; None: it is not there, or tells nothing."""
    told = figures.read(answer.body, _MOVING) if answer.status == 200 else {}
    return Look(told, figures.total(told, _RUNNING)) if told else None


def _model(entry: Json) -> ServedModel | None:
    found = modellist.identifier(entry)
    return (
        ServedModel(id=found, context_window=modellist.tokens(entry.get("max_model_len")), loaded=True)
        if found
        else None
    )


# /v1/responses is not in its documentation; an old server without /v1/messages is told of in spec.api.
KIND: Final = Kind(
    read=read,
    api=(Dialect.CHAT, Dialect.MESSAGES),
    watch=Watch(("/metrics",), look),
    way=Way.FLAGS,
)
