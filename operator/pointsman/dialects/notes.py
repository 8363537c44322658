"""What the parts, messages and tools of a request say beside their neutral fields: named where it is not carried on.

These are hints to the vendor, and what nobody here knows: an answer without them is no other. Each is named once, by
the name that the client wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.names import Dialect
from pointsman.neutral import Image, ToolResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.neutral import Part, Request, Rest

CACHE: Final = "cache_control"
_MARKS: Final = ("chat", "messages")
"""Under these keys codecs keep what stood in a node of the wire; that of Responses stands in `rest` itself."""
_OF_TOOLS: Final = ("input_examples", "allowed_callers", "eager_input_streaming")
_DETAIL: Final = {Dialect.CHAT: "image_url.detail", Dialect.RESPONSES: "input_image.detail"}
_IDLE: Final = (["direct"], {"type": "none"})


def unsaid(request: Request, dialect: Dialect) -> tuple[str, ...]:
    """What is lost in a dialect that is not the request's home."""
    return tuple(dict.fromkeys(_unsaid(request, dialect)))


def _unsaid(request: Request, dialect: Dialect) -> Iterator[str]:
    for turn in request.turns:
        if turn.rest and _said(turn.rest).get("name"):
            yield "messages.name"
        for part in turn.parts:
            yield from _of_part(part, request.home, dialect)
            for inner in part.parts if isinstance(part, ToolResult) else ():
                yield from _of_part(inner, request.home, dialect)
    if any(_said(part.rest).get(CACHE) for part in request.system):
        yield CACHE
    for tool in request.tools:
        said = _said(tool.rest)
        if said.get(CACHE):
            yield CACHE
        yield from (f"tools.{name}" for name in _OF_TOOLS if said.get(name) and said[name] not in _IDLE)


def _of_part(part: Part, home: Dialect, dialect: Dialect) -> Iterator[str]:
    rest = getattr(part, "rest", None)
    if rest and _said(rest).get(CACHE):
        yield CACHE
    if dialect is Dialect.MESSAGES and isinstance(part, Image) and part.detail not in {"", "auto"} and home in _DETAIL:
        yield _DETAIL[home]


def _said(rest: Rest) -> dict[str, Any]:
    kept = next((rest[mark] for mark in _MARKS if isinstance(rest.get(mark), dict)), None)
    return rest if kept is None else kept
