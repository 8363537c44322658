"""Ollama: the model list names what is installed; /api/ps what is loaded, and with which window.

The window that a model is to be loaded with is told by /api/show, which has to be asked for each model, if its
Modelfile states one (`num_ctx`); else it is the server's own, which nobody tells before the model is loaded. What the
weights could take is only a bound. A longer prompt is cut in silence. /api/show also tells what the model can do, by
which the server itself refuses tools. There are no keys to check.

A model of Ollama's cloud stands in the list like any other, and its requests go to ollama.com: /api/tags and /api/show
tell of a `remote_host`, and its name most often ends in `:cloud` or `-cloud`.

How long a model stays in memory after its last request (`keep_alive`, five minutes unless said otherwise) is only heard
on its own API: what a request to /v1 says of it is ignored. Said of a loaded model it holds until that is unloaded.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from pointsman import modellist
from pointsman.names import Dialect, ProviderType, handed_on
from pointsman.served import Finding, Inquiry, Kind, Question, ServedModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.modellist import Json
    from pointsman.served import Answer

_OLLAMA: Final = ProviderType.OLLAMA
_RUNNING: Final = "/api/ps"
_INSTALLED: Final = "/api/tags"  # as /v1/models, and with each model's digest
_SHOW: Final = "/api/show"
_WINDOW: Final = re.compile(r"^num_ctx[ \t]+([0-9]{1,9})[ \t]*$", re.MULTILINE)
_PARAMETERS: Final = 65_536  # characters of them that are read
_USUAL: Final = 4096  # tokens: the window that it loads a model with when nobody says otherwise

KEEP: Final = "/api/generate"
"""Where `keep` is posted to, relative to the base URL without /v1."""


def keep(model: str, seconds: float) -> bytes:
    """The body of a request that says for how many seconds a model stays in memory from now on; -1: for good.

    Without a prompt it generates nothing; a model that is not in memory it loads.
    """
    return msgspec.json.encode({"model": model, "keep_alive": int(seconds)})


def read(answers: Mapping[str, Answer]) -> Finding:
    found = _marked(modellist.read(answers, modellist.named), answers)
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
            model
            if model.remote
            else replace(model, loaded=model.id in windows, context_window=windows.get(model.id, 0))
            for model in found.models
        ),
    )


def _marked(found: Finding, answers: Mapping[str, Answer]) -> Finding:
    """The Finding with those models marked that are in Ollama's cloud: nothing of them is ever loaded here."""
    listed = modellist.entries(answers.get(_INSTALLED), "models")
    remote = {modellist.identifier(entry, "name") for entry in listed if _is_remote(entry)}
    models = (replace(each, remote=each.id in remote or handed_on(_OLLAMA, each.id)) for each in found.models)
    return replace(found, models=tuple(models))


def _is_remote(told: Json) -> bool:
    return any(modellist.text(told.get(key)) for key in ("remote_host", "remote_model"))


def questions(answers: Mapping[str, Answer]) -> list[Question]:
    """One for each digest: names that share one share all that is told."""
    names: dict[str, list[str]] = {}
    for entry in modellist.entries(answers.get(_INSTALLED), "models"):
        name, digest = modellist.identifier(entry, "name"), modellist.identifier(entry, "digest")
        if name and digest:
            names.setdefault(digest, []).append(name)
    return [
        Question(digest, tuple(named), _SHOW, msgspec.json.encode({"model": named[0]}))
        for digest, named in names.items()
    ]


def shown(answer: Answer) -> ServedModel | None:
    """What /api/show tells: the window to be loaded with, and what the model can do if the server is new enough."""
    told = modellist.decode(answer.body) if 200 <= answer.status < 300 else None
    if not isinstance(told, dict):
        return None
    detail = ServedModel("", context_window=_window(told), remote=_is_remote(told))
    can = told.get("capabilities")
    if not isinstance(can, list) or not can:
        return detail
    return replace(
        detail,
        input=("text", "image") if "vision" in can else ("text",),
        reasoning="thinking" in can,
        tools="tools" in can,
        embeds="embedding" in can and "completion" not in can,
    )


def _window(told: Json) -> int:
    parameters = told.get("parameters")
    lines = parameters[:_PARAMETERS] if isinstance(parameters, str) else ""
    stated = min(map(int, _WINDOW.findall(lines)), default=0)
    weights = told.get("model_info")
    architecture = modellist.text(modellist.inside(weights, "general.architecture"))
    bound = modellist.tokens(modellist.inside(weights, f"{architecture}.context_length"))
    if stated:
        return modellist.tokens(min(stated, bound or stated))
    return bound if bound < _USUAL else 0


def joined(found: Finding, details: Mapping[str, ServedModel]) -> Finding:
    """The Finding with what is known of its models by /api/show; what /api/ps says of a loaded one's window stays."""
    return replace(found, models=tuple(_joined(model, details.get(model.id)) for model in found.models))


def _joined(model: ServedModel, detail: ServedModel | None) -> ServedModel:
    if detail is None:
        return model
    window, remote = model.context_window or detail.context_window, model.remote or detail.remote
    loaded = None if remote else model.loaded
    return replace(detail, id=model.id, loaded=loaded, context_window=window, remote=remote)


KIND: Final = Kind(
    read=read,
    paths=(modellist.PATH, _RUNNING, _INSTALLED),
    api=(Dialect.CHAT, Dialect.RESPONSES, Dialect.MESSAGES),
    on_demand=True,
    inquiry=Inquiry(questions, shown, joined),
)
