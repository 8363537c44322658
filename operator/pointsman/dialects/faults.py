"""How a tool's result that is an error is told where a dialect cannot mark it as one: by its first word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from pointsman.neutral import Text

if TYPE_CHECKING:
    from pointsman.neutral import Part, ToolResult

WORD: Final = "Error: "


def told(result: ToolResult) -> tuple[Part, ...]:
    """The parts of a result, those of an error with the word before their first text."""
    if not result.error:
        return result.parts
    first = next((i for i, part in enumerate(result.parts) if isinstance(part, Text)), -1)
    if first < 0:
        return (Text(WORD), *result.parts)
    parts = [*result.parts]
    text = parts[first]
    parts[first] = replace(text, text=WORD + text.text) if isinstance(text, Text) else text
    return tuple(parts)
