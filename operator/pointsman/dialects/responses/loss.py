"""What of a request cannot be said to a Responses API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.dialects import features, notes, openai, schemas
from pointsman.dialects.responses.ask import EXTRAS, KNOBS, LEAST_OUTPUT, reasoning
from pointsman.dialects.responses.request import HOME
from pointsman.names import Dialect, ProviderType
from pointsman.neutral import Image, Loss, Refused, Role, Text, ToolResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.neutral import Request, Rest, Thinking, Turn
    from pointsman.table import Model, Provider


def loss(request: Request, model: Model, provider: Provider) -> Loss:  # noqa: ARG001 - the same shape in every dialect
    """What `write_request` leaves out, and what it could not leave out. Nothing is lost at home."""
    if request.home is HOME:
        return Loss()
    rest = features.of(request, openai.carried(request, HOME, provider))
    dropped = [*rest.dropped, *notes.unsaid(request, HOME), *_dropped(request, provider)]
    refused = [*rest.refused, *features.content(request, HOME), *_refused(request, provider)]
    for i, turn in enumerate(request.turns):
        refused += _unsaid(turn, f"turn {i + 1}", provider)
    return Loss(tuple(dict.fromkeys(dropped)), tuple(refused))


def _dropped(request: Request, provider: Provider) -> Iterator[str]:
    known = EXTRAS.get(provider.type, {})
    for field in KNOBS:
        if field not in known and field != "stop" and getattr(request, field) is not None:
            yield features.name(request.home, field)
    thinking = request.thinking
    if thinking is not None and _unmet(thinking, reasoning(thinking, provider)):
        yield features.name(request.home, "thinking")
    if provider.native and request.max_tokens is not None and 0 < request.max_tokens < LEAST_OUTPUT:
        yield _limit(request)
    if schemas.loosened(request.tools):
        yield "tools.strict"


def _limit(request: Request) -> str:
    """What the client calls the limit of the answer: chat has two names for it."""
    spelt = features.shape(request.rest)
    name = spelt.get("limit") if isinstance(spelt, dict) else None
    return name if isinstance(name, str) else features.name(request.home, "max_tokens")


def _unmet(thinking: Thinking, said: Rest) -> bool:
    """Whether it is not told what the client asks for: not to reason, or to reason as the model thinks fit."""
    return "effort" not in said and (thinking.enabled is not None or thinking.adaptive)


def _refused(request: Request, provider: Provider) -> Iterator[Refused]:
    if request.choices > 1:
        yield Refused("choices", f"{request.choices} answers at once: a Responses target gives one")
    if _begun(request):
        yield Refused("prefill", "the last message is the assistant's, and a Responses target would not go on with it")
    if request.stop and "stop" not in EXTRAS.get(provider.type, {}):
        name = features.name(request.home, "stop")
        yield Refused("stop-sequences", f"`{name}`: the Responses API has no stop sequences")


def _begun(request: Request) -> bool:
    """Whether the client has begun the answer itself, which only Messages' clients can."""
    last = next((turn for turn in reversed(request.turns) if turn.parts), None)
    if request.home is not Dialect.MESSAGES or last is None or last.role is not Role.ASSISTANT:
        return False
    return isinstance(last.parts[-1], Text)


def _unsaid(turn: Turn, where: str, provider: Provider) -> Iterator[Refused]:
    for part in turn.parts:
        if isinstance(part, Image) and turn.role is Role.ASSISTANT:
            yield Refused("assistant-image", f"{where}: the Responses API takes no image said by the assistant")
        elif isinstance(part, ToolResult):
            yield from _unsaid_result(part, where, provider)


def _unsaid_result(result: ToolResult, where: str, provider: Provider) -> Iterator[Refused]:
    for part in result.parts:
        if isinstance(part, Image) and provider.type == ProviderType.LLAMACPP:
            yield Refused("tool-result-image", f"{where}: llama.cpp takes only text as a tool's result")
