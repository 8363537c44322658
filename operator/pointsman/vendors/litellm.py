"""LiteLLM's proxy: limits in the model list where its cost map or upstream tells them, else in /model/info.

A bad key is 401, but 400 `no_db_connection` on a proxy without a database. 429 with cooldowns is about one model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pointsman import modellist
from pointsman.names import Dialect
from pointsman.served import Answer, Finding, Kind, ServedModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.modellist import Json

_INFO: Final = "/model/info"


def read(answers: Mapping[str, Answer]) -> Finding:
    if _bad_key(answers.get(modellist.PATH, Answer(0))):
        return modellist.refusal(Answer(401)) or Finding(ok=False, reason="Unauthorized")
    found = modellist.read(answers, _model)
    if not found.ok:
        return found
    # One model may have several deployments: what the smallest can take holds for all.
    info: dict[str, Json] = {}
    for entry in modellist.entries(answers.get(_INFO)):
        name, told = modellist.identifier(entry, "model_name"), entry.get("model_info")
        if isinstance(told, dict) and _window(told) <= _window(info.get(name, told)):
            info[name] = told
    return replace(
        found,
        models=tuple(_informed(model, info.get(model.id, {})) for model in found.models),
        credentials_valid=True,
    )


def _bad_key(answer: Answer) -> bool:
    code = modellist.inside(modellist.decode(answer.body), "error", "type") if answer.status == 400 else None
    return code == "no_db_connection"


def _model(entry: Json) -> ServedModel | None:
    found = modellist.identifier(entry)
    if not found:
        return None
    return ServedModel(
        id=found, context_window=_window(entry), max_tokens=modellist.tokens(entry.get("max_output_tokens"))
    )


def _window(told: Json) -> int:
    return modellist.tokens(told.get("max_input_tokens"))


def _informed(model: ServedModel, info: Json) -> ServedModel:
    return replace(
        model,
        context_window=model.context_window or _window(info),
        max_tokens=model.max_tokens or modellist.tokens(info.get("max_output_tokens")),
        input=("text", "image") if info.get("supports_vision") is True else (),
        reasoning=modellist.flag(info.get("supports_reasoning")),
    )


KIND: Final = Kind(
    read=read,
    paths=(modellist.PATH, _INFO),
    api=(Dialect.CHAT, Dialect.RESPONSES, Dialect.MESSAGES),
)
