"""Ollama: the model list names what is installed; /api/ps what is loaded, and with which window.

A window is known only while a model is loaded: what /api/show tells is the model's own, and a longer prompt than the
server was started with is cut in silence. There are no keys to check.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pointsman import modellist
from pointsman.names import Dialect
from pointsman.served import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.served import Answer

_RUNNING: Final = "/api/ps"


def read(answers: Mapping[str, Answer]) -> Finding:
    found = modellist.read(answers, modellist.named)
    running = answers.get(_RUNNING)
    if not found.ok or running is None or running.status != 200:
        return found
    windows = {
        modellist.identifier(entry, "name"): modellist.tokens(entry.get("context_length"))
        for entry in modellist.entries(running, "models")
    }
    return replace(
        found,
        models=tuple(
            replace(model, loaded=model.id in windows, context_window=windows.get(model.id, 0))
            for model in found.models
        ),
    )


KIND: Final = Kind(
    read=read,
    paths=(modellist.PATH, _RUNNING),
    api=(Dialect.CHAT, Dialect.RESPONSES, Dialect.MESSAGES),
    on_demand=True,
)
