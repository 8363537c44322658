"""What of a request cannot be said to a Responses API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.dialects import features
from pointsman.dialects.responses.ask import EXTRAS, KNOBS, reasoning
from pointsman.dialects.responses.request import HOME
from pointsman.names import ProviderType
from pointsman.neutral import Foreign, Image, Loss, Refused, Role, ToolResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.neutral import Request, Turn
    from pointsman.table import Model, Provider

_WORDS: Final = {
    "input_audio": "audio", "audio": "audio", "file": "file", "input_file": "file", "document": "file",
}  # fmt: skip


def loss(request: Request, model: Model, provider: Provider) -> Loss:  # noqa: ARG001 - the same shape in every dialect
    """What `write_request` leaves out, and what it could not leave out. Nothing is lost at home."""
    if request.home is HOME:
        return Loss()
    rest = features.of(request)
    dropped = [*rest.dropped, *_dropped(request, provider)]
    refused = [*rest.refused, *_refused(request, provider)]
    for i, turn in enumerate(request.turns):
        refused += _unsaid(turn, f"turn {i + 1}", provider)
    return Loss(tuple(dict.fromkeys(dropped)), tuple(refused))


def _dropped(request: Request, provider: Provider) -> Iterator[str]:
    known = EXTRAS.get(provider.type, {})
    for field in KNOBS:
        if field not in known and field != "stop" and getattr(request, field) is not None:
            yield features.name(request.home, field)
    thinking = request.thinking
    if thinking is not None and thinking.enabled is False and not reasoning(thinking, provider):
        yield features.name(request.home, "thinking")
    if any(isinstance(part, ToolResult) and part.error for turn in request.turns for part in turn.parts):
        yield "is_error"


def _refused(request: Request, provider: Provider) -> Iterator[Refused]:
    if request.choices > 1:
        yield Refused("choices", f"{request.choices} answers at once: a Responses target gives one")
    if request.stop and "stop" not in EXTRAS.get(provider.type, {}):
        name = features.name(request.home, "stop")
        yield Refused("stop-sequences", f"`{name}`: the Responses API has no stop sequences")
    for tool in request.tools:
        if tool.foreign is not None:
            yield Refused("hosted-tool", f"the tool {tool.name!r} is run by the vendor of another API")
    if request.choice is not None and request.choice.foreign is not None:
        yield Refused("tool-choice", "the tool choice is one that only its own API has")


def _unsaid(turn: Turn, where: str, provider: Provider) -> Iterator[Refused]:
    for part in turn.parts:
        if isinstance(part, Foreign) and part.home is not HOME:
            yield Refused(
                _word(part.kind), f"{where}: a part of the type {part.kind!r} cannot be sent to a Responses API"
            )
        elif isinstance(part, Image) and turn.role is Role.ASSISTANT:
            yield Refused("assistant-image", f"{where}: the Responses API takes no image said by the assistant")
        elif isinstance(part, ToolResult):
            yield from _unsaid_result(part, where, provider)


def _unsaid_result(result: ToolResult, where: str, provider: Provider) -> Iterator[Refused]:
    for part in result.parts:
        if isinstance(part, Foreign) and part.home is not HOME:
            yield Refused(_word(part.kind), f"{where}: a tool's result of the type {part.kind!r} cannot be sent on")
        elif isinstance(part, Image) and provider.type == ProviderType.LLAMACPP:
            yield Refused("tool-result-image", f"{where}: llama.cpp takes only text as a tool's result")


def _word(kind: str) -> str:
    word = _WORDS.get(kind) or "".join(c if c.isalnum() and c.isascii() else "-" for c in kind.lower()).strip("-")
    return word[:64] or "unknown-part"
