"""llama-server: the window of one slot is `meta.n_ctx` of the model list, or /props' default_generation_settings.

`n_ctx_train` is what the model could do, not what this server was started with. The list is open to everybody; /props
asks for the key, and so tells whether it is right. While it loads, everything answers 503 "Loading model". A router
(llama-server without a model of its own) lists models with a `status`.

/slots and /metrics are answered by the loop that computes: an answer proves that it turns, and costs no slot its cache,
as a token of ours would. Between two batches of a long prompt it is silent, on a slow machine for half a minute.
"""

from __future__ import annotations

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

_PROPS: Final = "/props"
_SLOTS: Final = "/slots"
_METRICS: Final = "/metrics"
_RUNNING: Final = "llamacpp:requests_processing"
_MOVING: Final = frozenset({_RUNNING, "llamacpp:prompt_tokens_total", "llamacpp:tokens_predicted_total"})
_LONG: Final = 8  # probes without an answer: about a minute


def read(answers: Mapping[str, Answer]) -> Finding:
    found = modellist.read(answers, _model)
    props = answers.get(_PROPS)
    if not found.ok or props is None:
        return found
    if props.status in {401, 403}:
        return modellist.refusal(props) or found
    if props.status != 200:
        return found
    return replace(found, models=_windows(found.models, props), credentials_valid=True)


def look(answer: Answer) -> Look | None:
    """What /slots (a list) or /metrics (text) tells; None: neither, as where it was started without them."""
    if answer.status != 200:
        return None
    slots = modellist.decode(answer.body)
    if isinstance(slots, list):
        return _slots([slot for slot in slots if isinstance(slot, dict)])
    told = figures.read(answer.body, _MOVING)
    return Look(told, figures.total(told, _RUNNING)) if told else None


def _slots(slots: list[Json]) -> Look | None:
    told = {
        f"{key}{i}": float(number)
        for i, slot in enumerate(slots)
        for key in ("id_task", "n_prompt_tokens", "n_prompt_tokens_processed")
        if (number := modellist.tokens(slot.get(key)))
    }
    return Look(told, float(sum(slot.get("is_processing") is True for slot in slots))) if slots else None


def _windows(models: tuple[ServedModel, ...], props: Answer) -> tuple[ServedModel, ...]:
    window = modellist.tokens(
        modellist.inside(modellist.decode(props.body), "default_generation_settings", "n_ctx"),
    )
    if len(models) != 1:  # of a router's many models, /props does not say which one it means
        return models
    return (replace(models[0], context_window=models[0].context_window or window),)


def _model(entry: Json) -> ServedModel | None:
    found = modellist.identifier(entry)
    if not found:
        return None
    status = modellist.inside(entry, "status", "value")
    return ServedModel(
        id=found,
        context_window=modellist.tokens(modellist.inside(entry, "meta", "n_ctx")),
        loaded=status == "loaded" if isinstance(status, str) else True,
    )


KIND: Final = Kind(
    read=read,
    paths=(modellist.PATH, _PROPS),
    # Its Responses take no JSON schema, and call an answer complete that its limit has cut: they are better translated.
    api=(Dialect.CHAT, Dialect.MESSAGES),
    watch=Watch((_SLOTS, _METRICS), look, proof=True, patience=_LONG),
    way=Way.PREFILL,
    counting=Counting.LLAMA_CPP,
)
