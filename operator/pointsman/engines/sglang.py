"""SGLang: the model list has vLLM's shape. Its documentation tells of chat and, on every server, /v1/messages."""

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
    return replace(found, credentials_valid=True) if found.ok else found


def _model(entry: Json) -> ServedModel | None:
    found = modellist.identifier(entry)
    return (
        ServedModel(id=found, context_window=modellist.tokens(entry.get("max_model_len")), loaded=True)
        if found
        else None
    )


# /v1/responses is not in its documentation; an old server without /v1/messages is told of in spec.api.
KIND: Final = Kind(read=read, api=(Dialect.CHAT, Dialect.MESSAGES))
