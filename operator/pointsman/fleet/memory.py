"""What a restarted operator knows before its first probe ends: what it published and wrote into status before.

Without it the first decisions after a restart would undo what the last probes had found, only to do it again: a
write for each provider, and for a moment a worse table. A shell puts `recall` where a provider has no Probed yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.names import handed_on
from pointsman.served import Probed, ServedModel, State

if TYPE_CHECKING:
    from pointsman import table
    from pointsman.fleet.world import Provider

_DECIDED = frozenset({"Maintenance", "NoReadyReplica", "ScaledToZero", "Waking"})  # not told by Pods
_VALID = {"True": True, "False": False}


def recall(provider: Provider, published: table.Provider | None) -> Probed | None:
    """The Probed that led to the stored status, or None: nothing is known, or it was of another spec.

    `published` is the provider in the table that is in force, if one is: it tells of the models what status does not.
    """
    conditions = {each.get("type"): each for each in provider.status.get("conditions") or ()}
    serving, listed = conditions.get("Serving"), conditions.get("ModelsDiscovered", {})
    if not serving or provider.status.get("observedGeneration") != provider.meta.generation:
        return None
    state = {"True": State.UP, "False": State.DOWN}.get(serving.get("status"), State.UNKNOWN)
    if state is State.UNKNOWN:
        return None
    # A Secret may have been mended in the meantime; the first probe tells.
    credentials = conditions.get("CredentialsValid", {})
    return Probed(
        state=state,
        reason="" if state is State.UP else str(serving.get("reason", "")),
        message=str(serving.get("message", "")),
        models=_models(provider, published),
        models_known=listed.get("reason") in {"Discovered", "NoModels"},
        credentials_valid=_valid(credentials),
    )


def recall_reason(published: table.Provider | None) -> str:
    """What its Pods had told when the table in force was made; "": nothing, or the table said it of itself."""
    return published.reason if published and published.reason not in _DECIDED else ""


def _valid(condition: dict[str, Any]) -> bool | None:
    return None if condition.get("reason") == "NoSecretNeeded" else _VALID.get(str(condition.get("status")))


def _models(provider: Provider, published: table.Provider | None) -> tuple[ServedModel, ...]:
    shown = {str(model.get("id")): model for model in provider.status.get("models") or ()}
    if published is None:
        return tuple(_from_status(model) for model in shown.values() if model.get("source") != "Spec")
    # Beyond the 256 that status holds, the table alone tells.
    return tuple(
        ServedModel(
            id=model.id,
            name=model.name,
            context_window=model.context_window,
            max_tokens=model.max_tokens,
            input=model.input,
            reasoning=model.reasoning,
            loaded=model.loaded,
            tools=False if model.compat.get("supportsTools") is False else None,
            remote=model.remote,
        )
        for model in published.models
        # What only its list told, and no name tells: it must not count as local until the first probe has ended.
        if shown.get(model.id, {}).get("source") != "Spec" or (model.remote and not handed_on(published.type, model.id))
    )


def _from_status(model: dict[str, Any]) -> ServedModel:
    return ServedModel(
        id=str(model.get("id")),
        context_window=int(model.get("contextWindow") or 0),
        max_tokens=int(model.get("maxTokens") or 0),
        loaded=_loaded(model),
    )


def _loaded(shown: dict[str, Any]) -> bool | None:
    return {"Loaded": True, "NotLoaded": False}.get(str(shown.get("state")))
