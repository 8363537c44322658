"""LM Studio: /v1/models names what is loaded or, with just-in-time loading, downloaded; its own lists tell more.

/api/v1/models (0.4) has loaded instances with their window, /api/v0/models (0.3) a state. What a model could do
(max_context_length) is not what it was loaded with, so it is not taken. The newer list says whether a model takes
images and was trained for tools; the older one that it takes images (type vlm). Embedding models are left out. Unknown
paths are answered with 200 and an error. From documentation, as no server of it runs without a screen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pointsman import modellist
from pointsman.names import Dialect
from pointsman.served import Finding, Kind, ServedModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.modellist import Json
    from pointsman.served import Answer

_NEW: Final = "/api/v1/models"
_OLD: Final = "/api/v0/models"
_EMBEDDINGS: Final = ("embedding", "embeddings")
_INPUT: Final = {True: ("text", "image"), False: ("text",)}  # by what is said of vision


def read(answers: Mapping[str, Answer]) -> Finding:
    found = modellist.read(answers, modellist.named)
    if not found.ok:
        return found
    details = {entry["id"]: entry for entry in _details(answers)}
    kept = tuple(_detailed(m, details.get(m.id)) for m in found.models if not _is_embedding(details.get(m.id)))
    return replace(found, models=kept, credentials_valid=True)


def _details(answers: Mapping[str, Answer]) -> list[Json]:
    """Entries of both lists in one shape: id, type, name, loaded, window, vision, tools, reasoning; the newer wins."""
    old = [_old(entry) for entry in modellist.entries(answers.get(_OLD))]
    new = [each for entry in modellist.entries(answers.get(_NEW), "models") for each in _new(entry)]
    return [*old, *new]


def _old(entry: Json) -> Json:
    return {
        "id": modellist.identifier(entry),
        "type": entry.get("type"),
        "loaded": entry.get("state") == "loaded",
        "window": modellist.tokens(entry.get("loaded_context_length")),
        "vision": True if entry.get("type") == "vlm" else None,
    }


def _new(entry: Json) -> list[Json]:
    """The model under its key and under the name of each loaded instance."""
    loaded = entry.get("loaded_instances")
    instances = [each for each in loaded if isinstance(each, dict)] if isinstance(loaded, list) else []
    windows = [modellist.tokens(modellist.inside(each, "config", "context_length")) for each in instances]
    shared: Json = {
        "type": entry.get("type"),
        "name": modellist.text(entry.get("display_name")),
        "loaded": bool(instances),
        "vision": modellist.flag(modellist.inside(entry, "capabilities", "vision")),
        # A model that was not trained for tools is given them in its prompt: that is no reason to pass it over.
        "tools": modellist.flag(modellist.inside(entry, "capabilities", "trained_for_tool_use")) or None,
        "reasoning": bool(modellist.inside(entry, "capabilities", "reasoning")) or None,
    }
    # Any instance may answer to the key: what the smallest can take holds for all.
    own = {"id": modellist.identifier(entry, "key"), "window": min(filter(None, windows), default=0)}
    named = [{"id": modellist.identifier(e), "window": w} for e, w in zip(instances, windows, strict=True)]
    return [shared | each for each in (own, *named) if each["id"]]


def _is_embedding(detail: Json | None) -> bool:
    return bool(detail) and modellist.inside(detail, "type") in _EMBEDDINGS


def _detailed(model: ServedModel, detail: Json | None) -> ServedModel:
    if not detail:
        return model
    return replace(
        model,
        name=detail.get("name", ""),
        loaded=detail["loaded"],
        context_window=detail["window"],
        input=_INPUT.get(detail["vision"], ()),
        reasoning=detail.get("reasoning"),
        tools=detail.get("tools"),
    )


KIND: Final = Kind(
    read=read,
    paths=(modellist.PATH, _NEW, _OLD),
    api=(Dialect.RESPONSES, Dialect.CHAT, Dialect.MESSAGES),
    on_demand=True,
)
