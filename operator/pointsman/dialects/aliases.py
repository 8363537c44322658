"""Names of tools and identifiers of calls that a target would refuse, under others that it takes.

OpenAI and Anthropic take names of 64 letters, digits, `_` and `-`; OpenAI identifiers of calls of 40 characters in chat
completions and of 64 in Responses. Any other is its beginning and a hash of it: the same wherever it stands, and in
every request. Answers are told with the client's own names, which its request has; identifiers are the target's.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from pointsman.names import Dialect
from pointsman.neutral import ToolCall, ToolResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pointsman.neutral import Choice, Part, Request, Turn

_LONGEST: Final = 64
_IDENTS: Final = {Dialect.CHAT: 40, Dialect.RESPONSES: 64}
_HASH: Final = 8
_ODD: Final = re.compile(r"[^a-zA-Z0-9_-]")


def name(said: str) -> str:
    """A tool's name as every vendor takes it."""
    plain = _ODD.sub("_", said)
    return said if plain == said and 0 < len(said) <= _LONGEST else _hashed(plain, said, _LONGEST)


def ident(said: str, longest: int) -> str:
    """A call's identifier of so many characters at most."""
    return said if len(said) <= longest else _hashed(said, said, longest)


def _hashed(plain: str, said: str, longest: int) -> str:
    digest = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:_HASH]
    return f"{plain[: longest - _HASH - 1]}_{digest}"


def told(request: Request, dialect: Dialect) -> Request:
    """The request in names and identifiers that targets of a dialect take; itself where it is so anyway."""
    longest = _IDENTS.get(dialect, 0)
    turns = tuple(_turn(turn, longest) for turn in request.turns)
    same = all(new is old for new, old in zip(turns, request.turns, strict=True))
    renamed = names(request)
    if same and not renamed:
        return request
    tools = tuple(
        tool if tool.foreign is not None or name(tool.name) == tool.name else replace(tool, name=name(tool.name))
        for tool in request.tools
    )
    return replace(request, turns=turns, tools=tools, choice=_choice(request.choice))


def names(request: Request) -> Mapping[str, str]:
    """The client's own names of its tools, by those under which targets know them; empty: they are the same."""
    called = ((name(tool.name), tool.name) for tool in request.tools if tool.foreign is None)
    return {alias: said for alias, said in called if alias != said}


def back(part: Part, known: Mapping[str, str]) -> Part:
    """A part of an answer under the client's own name. `known`: what `names` says of its request."""
    called = known.get(part.name) if known and isinstance(part, ToolCall) else None
    return part if called is None else replace(part, name=called)


def _turn(turn: Turn, longest: int) -> Turn:
    parts = tuple(_part(part, longest) for part in turn.parts)
    same = all(new is old for new, old in zip(parts, turn.parts, strict=True))
    return turn if same else replace(turn, parts=parts)


def _part(part: Part, longest: int) -> Part:
    short: Callable[[str], str] = (lambda said: ident(said, longest)) if longest else str
    if isinstance(part, ToolCall):
        called, known = name(part.name), short(part.id)
        return part if (called, known) == (part.name, part.id) else replace(part, name=called, id=known)
    if isinstance(part, ToolResult):
        known = short(part.call_id)
        return part if known == part.call_id else replace(part, call_id=known)
    return part


def _choice(choice: Choice | None) -> Choice | None:
    if choice is None or choice.foreign is not None:
        return choice
    return replace(choice, name=name(choice.name) if choice.name else "", allowed=tuple(map(name, choice.allowed)))
