"""Anthropic itself: the list has limits and capabilities, and 20 models a page unless more are asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pointsman import modellist
from pointsman.names import Counting, Dialect
from pointsman.served import Finding, Kind, ServedModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.modellist import Json
    from pointsman.served import Answer

_PATH: Final = "/v1/models?limit=1000"


def read(answers: Mapping[str, Answer]) -> Finding:
    found = modellist.read(answers, _model, _PATH)
    return replace(found, credentials_valid=True) if found.ok else found


def _model(entry: Json) -> ServedModel | None:
    found = modellist.identifier(entry)
    if not found:
        return None
    return ServedModel(
        id=found,
        name=modellist.text(entry.get("display_name")),
        context_window=modellist.tokens(entry.get("max_input_tokens")),
        max_tokens=modellist.tokens(entry.get("max_tokens")),
        input=("text", "image") if _can(entry, "image_input") else (),
        reasoning=_can(entry, "thinking"),
    )


def _can(entry: Json, capability: str) -> bool | None:
    return modellist.flag(modellist.inside(entry, "capabilities", capability, "supported"))


KIND: Final = Kind(
    read=read,
    paths=(_PATH,),
    auth="XApiKey",
    api=(Dialect.MESSAGES,),
    native=True,
    hosted=True,
    counting=Counting.ANTHROPIC,
    base_url="https://api.anthropic.com",
)
