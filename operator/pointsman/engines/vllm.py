"""vLLM: `max_model_len` in the model list; a LoRA adapter tells none and has its parent's.

The list is guarded by --api-key (401 `{"error": "Unauthorized"}`), unlike /health. It is answered without the
engine, so a list does not prove that the engine moves.
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


def _model(entry: Json) -> ServedModel | None:
    found = modellist.identifier(entry)
    if not found:
        return None
    window = modellist.tokens(*(entry.get(key) for key in ("max_model_len", "context_length", "context_window")))
    return ServedModel(id=found, context_window=window, loaded=True)


KIND: Final = Kind(read=read, api=(Dialect.CHAT, Dialect.RESPONSES, Dialect.MESSAGES))
