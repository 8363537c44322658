"""Custom tools, whose input is any text, told as functions of one argument to those who know no others.

`{"input": "the text"}` are the arguments of such a function. Some custom tools come with a grammar for their input:
nobody but their home holds a model to it, so the description of the argument says it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from pointsman.neutral import Json

ARGUMENT: Final = "input"
_LIMIT: Final = 16_384  # characters of a grammar that are worth telling


class _Arguments(msgspec.Struct):
    input: str


_ARGUMENTS: Final = msgspec.json.Decoder(_Arguments)
_TEXT: Final = msgspec.json.Decoder(str)
_BEGUN: Final = re.compile(r'\s*\{\s*"input"\s*:\s*"((?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)')
_HEAD: Final = re.compile(r'\s*\{\s*(?:"(?:i(?:n(?:p(?:u(?:t(?:"\s*(?::\s*)?)?)?)?)?)?)?)?')
"""What was cut before the input began."""
_HALF: Final = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}$")


def schema(grammar: Json = None) -> Json:
    """The JSON Schema of the arguments. `grammar`: the tool's `{syntax, definition}`, if it has one."""
    text = "The tool's whole input, as plain text."
    if isinstance(grammar, dict) and isinstance(grammar.get("definition"), str):
        syntax = grammar.get("syntax") or "given"
        text += f" It must follow this {syntax} grammar:\n{grammar['definition'][:_LIMIT]}"
    argument = {"type": "string", "description": text}
    return {"type": "object", "properties": {ARGUMENT: argument}, "required": [ARGUMENT], "additionalProperties": False}


def wrap(text: str) -> str:
    """The input of a custom tool as a function's arguments."""
    return msgspec.json.encode({ARGUMENT: text}).decode()


def unwrap(arguments: str) -> str:
    """A function's arguments as the input of a custom tool; a model that wrote the bare text is understood as well.

    Of arguments that were cut short, the input as far as it goes.
    """
    try:
        return _ARGUMENTS.decode(arguments).input
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _unwrap_cut(arguments)


def _unwrap_cut(arguments: str) -> str:
    if _HEAD.fullmatch(arguments):
        return ""
    begun = _BEGUN.match(arguments)
    try:
        return arguments if begun is None else _TEXT.decode(f'"{_HALF.sub("", begun[1])}"')
    except (msgspec.MsgspecError, UnicodeError):
        return arguments
