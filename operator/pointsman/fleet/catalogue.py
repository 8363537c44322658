"""A provider's models: what its object states, over what its server tells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.engines import vllm_container
from pointsman.names import ProviderType
from pointsman.table import Model

if TYPE_CHECKING:
    from pointsman.api.provider import ModelEntry
    from pointsman.fleet.seen import Seen
    from pointsman.served import ServedModel

_ID = re.compile(r"[^\s\x00-\x1f\ud800-\udfff]{1,256}")
_TOKENS: Final = 1_000_000_000
_INPUT: Final = ("text", "image", "video", "audio")
STATUS_MODELS: Final = 256


def models(seen: Seen) -> tuple[Model, ...]:
    """Every model that exists there, by id. Stated fields win one by one over discovered ones."""
    stated = {entry.id: entry for entry in seen.spec.models or ()}
    found = discovered(seen)
    own = own_names(seen)
    engine = seen.spec.deploy.engine if seen.spec.deploy else None
    # What we start a server with is known before it says so, and where it does not.
    told = (engine.max_model_len if engine else None) or 0
    return tuple(
        _windowed(_merged(each, stated.get(each), found.get(each)), told if each in own else 0)
        for each in sorted({*own, *stated, *found})
    )


def _windowed(model: Model, window: int) -> Model:
    return msgspec.structs.replace(model, context_window=window) if window and not model.context_window else model


def discovered(seen: Seen) -> dict[str, ServedModel]:
    """What the server lists, by id, but for ids that no client can send; nothing when discovery is Static."""
    if seen.spec.discovery == "Static":
        return {}
    return {model.id: model for model in seen.probed.models if _ID.fullmatch(model.id)}


def own_names(seen: Seen) -> tuple[str, ...]:
    """The names under which the operator itself starts a deployed server."""
    return vllm_container.served_names(seen.spec.deploy) if seen.spec.deploy else ()


def lacks(seen: Seen, model: str) -> bool:
    """Whether the provider is known not to have a model. A list that was never read lacks nothing."""
    if not (seen.spec.discovery == "Static" or seen.probed.models_known):
        return False
    ids = {*own_names(seen), *(entry.id for entry in seen.spec.models or ()), *discovered(seen)}
    if seen.spec.type is ProviderType.OLLAMA and ":" not in model:
        return not {model, f"{model}:latest"} & ids  # Ollama adds the tag itself
    return model not in ids


def in_status(seen: Seen) -> list[dict[str, Any]]:
    """The first 256 models as ModelProvider.status.models shows them; what is not known is left out."""
    stated, found = {entry.id for entry in seen.spec.models or ()} | {*own_names(seen)}, discovered(seen)
    return [_shown(model, model.id in stated, found.get(model.id)) for model in models(seen)[:STATUS_MODELS]]


def _merged(model_id: str, stated: ModelEntry | None, found: ServedModel | None) -> Model:
    fields: dict[str, Any] = _found(found) if found else {}
    if stated:
        fields |= {
            "name": stated.name,
            "context_window": stated.context_window,
            "max_tokens": stated.max_tokens,
            "input": tuple(stated.input) if stated.input else None,
            "reasoning": stated.reasoning,
            "cost": stated.cost.model_dump(by_alias=True) if stated.cost else None,
            "compat": {**fields.get("compat", {}), **(stated.compat or {})},
        } | {key: value for key, value in fields.items() if getattr(stated, key, None) in (None, [])}
    return Model(id=model_id, **{key: value for key, value in fields.items() if value is not None})


def _found(model: ServedModel) -> dict[str, Any]:
    # What strangers say is bounded before it goes into a ConfigMap.
    return {
        "name": re.sub(r"[\x00-\x1f\ud800-\udfff]", "", model.name)[:256],
        "context_window": _tokens(model.context_window),
        "max_tokens": _tokens(model.max_tokens),
        "input": tuple(each for each in _INPUT if each in model.input) or None,
        "reasoning": model.reasoning,
        "loaded": model.loaded,
    } | ({"compat": {"supportsTools": False}} if model.tools is False else {})


def _tokens(count: int) -> int:
    return count if 0 < count <= _TOKENS else 0


def _shown(model: Model, stated: bool, found: ServedModel | None) -> dict[str, Any]:
    out: dict[str, Any] = {"id": model.id}
    if model.context_window:
        out["contextWindow"] = model.context_window
    if model.max_tokens:
        out["maxTokens"] = model.max_tokens
    if found and found.loaded is not None:
        out["state"] = "Loaded" if found.loaded else "NotLoaded"
    return out | {"source": "Both" if stated and found else "Spec" if stated else "Discovery"}
