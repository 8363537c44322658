"""llama-server: the window of one slot is `meta.n_ctx` of the model list, or /props' default_generation_settings.

`n_ctx_train` is what the model could do, not what this server was started with. The list is open to everybody; /props
asks for the key, and so tells whether it is right. While it loads, everything answers 503 "Loading model". A router
(llama-server without a model of its own) lists models with a `status`.
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

_PROPS: Final = "/props"


def read(answers: Mapping[str, Answer]) -> Finding:
    found = modellist.read(answers, _model)
    props = answers.get(_PROPS)
    if not found.ok or props is None:
        return found
    if props.status in {401, 403}:
        return modellist.refusal(props) or found
    if props.status != 200:
        return found
    return replace(found, models=_windows(found.models, props), credentials_valid=True)


def _windows(models: tuple[ServedModel, ...], props: Answer) -> tuple[ServedModel, ...]:
    window = modellist.tokens(
        modellist.inside(modellist.decode(props.body), "default_generation_settings", "n_ctx"),
    )
    if len(models) != 1:  # of a router's many models, /props does not say which one it means
        return models
    return (replace(models[0], context_window=models[0].context_window or window),)


def _model(entry: Json) -> ServedModel | None:
    found = modellist.identifier(entry)
    if not found:
        return None
    status = modellist.inside(entry, "status", "value")
    return ServedModel(
        id=found,
        context_window=modellist.tokens(modellist.inside(entry, "meta", "n_ctx")),
        loaded=status == "loaded" if isinstance(status, str) else True,
    )


KIND: Final = Kind(
    read=read,
    paths=(modellist.PATH, _PROPS),
    api=(Dialect.CHAT, Dialect.RESPONSES, Dialect.MESSAGES),
)
