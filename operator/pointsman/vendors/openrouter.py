"""OpenRouter: the list is open to everybody and tells windows; /v1/key tells whether the key is good for anything."""

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

_KEY: Final = "/v1/key"
_MODALITIES: Final = ("text", "image", "video", "audio")


def read(answers: Mapping[str, Answer]) -> Finding:
    found = modellist.read(answers, _model)
    key = answers.get(_KEY)
    if not found.ok or key is None:
        return found
    if key.status in {401, 402, 403}:
        return modellist.refusal(key) or found
    if key.status != 200:
        return found
    left = modellist.inside(modellist.decode(key.body), "data", "limit_remaining")
    if isinstance(left, int | float) and not isinstance(left, bool) and left <= 0:
        return Finding(
            ok=False,
            reason="QuotaExceeded",
            message="the key's credit limit is used up: raise it, or use another key",
            credentials_valid=True,
        )
    return replace(found, credentials_valid=True)


def _model(entry: Json) -> ServedModel | None:
    found = modellist.identifier(entry)
    if not found:
        return None
    top, modalities = entry.get("top_provider"), modellist.inside(entry, "architecture", "input_modalities")
    parameters = entry.get("supported_parameters")
    return ServedModel(
        id=found,
        name=modellist.text(entry.get("name")),
        context_window=modellist.tokens(modellist.inside(top, "context_length"), entry.get("context_length")),
        max_tokens=modellist.tokens(modellist.inside(top, "max_completion_tokens")),
        input=tuple(each for each in _MODALITIES if isinstance(modalities, list) and each in modalities),
        reasoning="reasoning" in parameters if isinstance(parameters, list) else None,
    )


# Responses is a beta there, and stateless: chat alone unless the object says otherwise.
KIND: Final = Kind(
    read=read,
    paths=(modellist.PATH, _KEY),
    api=(Dialect.CHAT,),
    hosted=True,
    base_url="https://openrouter.ai/api",
)
