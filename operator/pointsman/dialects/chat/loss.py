"""What a request of another dialect loses on its way into chat completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.dialects import features, notes, openai, schemas
from pointsman.dialects.chat.body import VENDOR_ONLY, continues, effort_of, prefills
from pointsman.names import Dialect
from pointsman.neutral import Image, Loss, Refused, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.neutral import Request
    from pointsman.table import Model, Provider

_STOPS: Final = 4  # at OpenAI


def loss(request: Request, model: Model, provider: Provider) -> Loss:
    """What `chat_body.write_request` cannot say of a request. Nothing of one that is chat's own."""
    if request.home is Dialect.CHAT:
        return Loss()
    fields = features.of(request, openai.carried(request, Dialect.CHAT, provider))
    dropped = [*fields.dropped, *notes.unsaid(request, Dialect.CHAT), *_knobs(request, model, provider)]
    refused = [*fields.refused, *features.content(request, Dialect.CHAT), *_content(request, provider)]
    return Loss(tuple(dict.fromkeys(dropped)), tuple(refused))


def _knobs(request: Request, model: Model, provider: Provider) -> Iterator[str]:
    if openai.is_openai(provider):
        yield from (
            features.name(request.home, knob) for knob in sorted(VENDOR_ONLY) if getattr(request, knob) is not None
        )
    thinking = request.thinking
    if thinking is not None and not effort_of(thinking, model):
        off = thinking.enabled is False or thinking.effort == "none"
        if model.reasoning if off else thinking.adaptive or thinking.enabled:
            yield features.name(request.home, "thinking")
    if schemas.loosened(request.tools):
        yield "tools.strict"


def _content(request: Request, provider: Provider) -> Iterator[Refused]:
    if len(request.stop) > _STOPS and openai.is_openai(provider):
        where = features.name(request.home, "stop")
        yield Refused("stop-sequences", f"{where}: {len(request.stop)}, and the target takes {_STOPS} at most")
    if request.choices != 1:
        yield Refused("choices", f"{request.choices} answers at once")
    if prefills(request) and not continues(provider):
        yield Refused("prefill", "the last message is the assistant's, and the target would not go on with it")
    for i, turn in enumerate(request.turns):
        if turn.role is not Role.USER and any(isinstance(part, Image) for part in turn.parts):
            yield Refused("image", f"turn {i + 1}: chat takes pictures of the user alone, not of the {turn.role}")
