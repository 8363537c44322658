"""JSON Schemas of tools' arguments, as the readers of several vendors want them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pointsman.neutral import Json, Tool

_DEEPEST: Final = 64
_NAMED: Final = ("$defs", "definitions")
_INSIDE: Final = ("items", "anyOf")


def arguments(schema: Json, *, closed: bool | None = False) -> dict[str, Any]:
    """The schema of a function's arguments: an object in any case, whose properties are stated if there are none.

    `closed`: one that takes no arguments, of which that is to be held to strictly, says so.
    """
    if schema is None and closed:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    said: dict[str, Any] = schema if isinstance(schema, dict) else {}
    if said and said.get("type") != "object":
        return said  # the target is to judge it
    return said if said.get("properties") is not None else {"type": "object", **said, "properties": {}}


def strict(schema: Json, depth: int = 0) -> bool:
    """Whether a model can be held to a schema strictly, as OpenAI does: all of each object is named and required."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return False
    properties = schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    kind = schema.get("type")
    if (kind == "object" or (isinstance(kind, list) and "object" in kind)) and not _closed(schema, known):
        return False
    inner = [*known.values()]
    for name in _NAMED:
        inner += schema[name].values() if isinstance(schema.get(name), dict) else ()
    for name in _INSIDE:
        under = schema.get(name)
        inner += under if isinstance(under, list) else [] if under is None else [under]
    return all(strict(each, depth + 1) for each in inner)


def loosened(tools: Iterable[Tool]) -> bool:
    """Whether a tool asks to be held to strictly, and cannot be."""
    return any(tool.strict and not strict(arguments(tool.schema, closed=True)) for tool in tools)


def _closed(schema: dict[str, Any], known: dict[str, Any]) -> bool:
    required = schema.get("required")
    named = required if isinstance(required, list) else []
    return schema.get("additionalProperties") is False and all(name in named for name in known)
