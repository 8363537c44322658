"""A provider's models: what its object states, over what its server tells."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.engines import vllm_container
from pointsman.names import handed_on, synonym
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
    stated = _stated(seen)
    found, remotes = _listed(seen), _remotes(seen)
    own = own_names(seen)
    engine = seen.spec.deploy.engine if seen.spec.deploy else None
    # What we start a server with is known before it says so, and where it does not.
    told = (engine.max_model_len if engine else None) or 0
    return tuple(
        _placed(seen, _windowed(_merged(each, stated.get(each), found.get(each)), told if each in own else 0), remotes)
        for each in sorted({*own, *stated, *found})
    )


def window(seen: Seen, model: str) -> int:
    """The context window of a model by either of its names, in tokens; 0: not known."""
    sizes = {each.id: each.context_window for each in models(seen)}
    return sizes.get(model) or sizes.get(synonym(seen.spec.type, model), 0)


def remote(seen: Seen, model: str) -> bool:
    """Whether the server hands a model's requests on to a cloud, whatever `discovery` says of its list."""
    return _is_remote(seen, model, _remotes(seen))


def _remotes(seen: Seen) -> frozenset[str]:
    return frozenset(each.id for each in seen.probed.models if each.remote)


def _is_remote(seen: Seen, model: str, remotes: frozenset[str]) -> bool:
    return handed_on(seen.spec.type, model) or bool({model, synonym(seen.spec.type, model)} & remotes)


def _windowed(model: Model, window: int) -> Model:
    return msgspec.structs.replace(model, context_window=window) if window and not model.context_window else model


def _placed(seen: Seen, model: Model, remotes: frozenset[str]) -> Model:
    far = _is_remote(seen, model.id, remotes)
    return msgspec.structs.replace(model, remote=True, loaded=None) if far else model


def discovered(seen: Seen) -> dict[str, ServedModel]:
    """What the server lists, by id, but for ids that no client can send; nothing when discovery is Static.

    A model that the object states under its other name (Ollama's have two) is there under that one alone.
    """
    if seen.spec.discovery == "Static":
        return {}
    found = {model.id: model for model in seen.probed.models if _ID.fullmatch(model.id)}
    for stated in _stated(seen).keys() - found.keys():
        if listed := found.pop(synonym(seen.spec.type, stated), None):
            found[stated] = replace(listed, id=stated)
    return found


def _listed(seen: Seen) -> dict[str, ServedModel]:
    """The same without models that only embed: who wants one states it, or names it in a route."""
    found = discovered(seen)
    if not any(model.embeds for model in found.values()):
        return found
    wanted = _stated(seen).keys() | _routed(seen)
    return {name: model for name, model in found.items() if not model.embeds or name in wanted}


def _stated(seen: Seen) -> dict[str, ModelEntry]:
    return {entry.id: entry for entry in seen.spec.models or ()}


def _routed(seen: Seen) -> set[str]:
    """The models that routes name, by both of their names."""
    specs = [route.spec for route in seen.world.routes.values() if route.spec and not route.meta.deleting]
    targets = (target for spec in specs for target in (spec.primary, *(spec.fallbacks or ())))
    named = {target.model for target in targets if target.provider == seen.name}
    return named | {synonym(seen.spec.type, model) for model in named}


def own_names(seen: Seen) -> tuple[str, ...]:
    """The names under which the operator itself starts a deployed server."""
    deploy = seen.spec.deploy
    if deploy is None:
        return ()
    # Adapters that are loaded into a running engine exist once it lists them.
    loaded = vllm_container.adapter_names(deploy) if deploy.model.adapter_loading != "AtRuntime" else ()
    return (*vllm_container.served_names(deploy), *loaded)


def lacks(seen: Seen, model: str) -> bool:
    """Whether the provider is known not to have a model. A list that was never read lacks nothing."""
    if not (seen.spec.discovery == "Static" or seen.probed.models_known):
        return False
    ids = {*own_names(seen), *_stated(seen), *discovered(seen)}
    return not {model, synonym(seen.spec.type, model)} & ids


def in_status(seen: Seen) -> list[dict[str, Any]]:
    """The first 256 models as ModelProvider.status.models shows them; what is not known is left out."""
    stated, found = _stated(seen).keys() | {*own_names(seen)}, discovered(seen)
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
