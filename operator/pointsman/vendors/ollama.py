"""Ollama: the model list names what is installed; /api/ps what is loaded, and with which window.

A window is known only while a model is loaded: what /api/show tells is the model's own, and a longer prompt than the
server was started with is cut in silence. There are no keys to check.

How long a model stays in memory after its last request (`keep_alive`, five minutes unless said otherwise) is only heard
on its own API: what a request to /v1 says of it is ignored. Said of a loaded model it holds until that is unloaded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from pointsman import modellist
from pointsman.names import Dialect
from pointsman.served import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.served import Answer

_RUNNING: Final = "/api/ps"


KEEP: Final = "/api/generate"
"""Where `keep` is posted to, relative to the base URL without /v1."""


def keep(model: str, seconds: float) -> bytes:
    """The body of a request that says for how many seconds a model stays in memory from now on; -1: for good.

    Without a prompt it generates nothing; a model that is not in memory it loads.
    """
    return msgspec.json.encode({"model": model, "keep_alive": int(seconds)})


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
