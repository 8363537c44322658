"""Anything that answers GET /v1/models as OpenAI does. Fields that several such servers share are taken when there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman import modellist
from pointsman.served import Finding, Kind, ServedModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.modellist import Json
    from pointsman.served import Answer

_WINDOW: Final = ("max_model_len", "context_length", "context_window")
_OUTPUT: Final = ("max_output_tokens", "max_completion_tokens")


def read(answers: Mapping[str, Answer]) -> Finding:
    return modellist.read(answers, _model)


def _model(entry: Json) -> ServedModel | None:
    # llama-server, Ollama's own list and a few more call it name.
    found = modellist.identifier(entry) or modellist.identifier(entry, "name")
    if not found:
        return None
    return ServedModel(
        id=found,
        context_window=modellist.tokens(*(entry.get(key) for key in _WINDOW), modellist.inside(entry, "meta", "n_ctx")),
        max_tokens=modellist.tokens(*(entry.get(key) for key in _OUTPUT)),
    )


KIND: Final = Kind(read=read)
