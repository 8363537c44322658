"""Functions that a Responses client groups under a namespace, told to other dialects as functions of a longer name.

Codex groups those of each of its extensions so. A tool `{"type": "namespace", "name": "agents", "tools": […]}` is as
many functions, `agents__close` among them; a call of that one is one of `close` with `"namespace": "agents"` again when
the client is told of it. The first of them keeps the namespace as it came, for home.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from pointsman.dialects.features import SHAPE
from pointsman.exchange import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pointsman.neutral import Json, Rest, Tool

KIND: Final = "namespace"
_LONGEST: Final = 64  # characters of a function's name, of those below, at all vendors
_ODD: Final = re.compile(r"[^a-zA-Z0-9_-]")
_GROUPED: Final = ("function", "custom")


def flat(namespace: str, name: str) -> str:
    """One name for both: the same wherever it stands. One that would not be taken ends with a hash of it."""
    whole = f"{namespace}__{name}"
    plain = _ODD.sub("_", whole)
    if plain == whole and len(whole) <= _LONGEST:
        return whole
    digest = hashlib.sha256(f"{namespace}\0{name}".encode("utf-8", "replace")).hexdigest()[:8]
    return f"{plain[: _LONGEST - 9]}_{digest}"


def members(tool: Json) -> list[Json] | None:
    """The tools of a namespace; None: it is none, or has what is no function."""
    if not isinstance(tool, dict) or tool.get("type") != KIND or not _named(tool):
        return None
    inner = tool.get("tools")
    if not isinstance(inner, list) or not inner:
        return None
    return inner if all(isinstance(each, dict) and each.get("type") in _GROUPED for each in inner) else None


def group(namespace: Rest, tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """The tools of a namespace under names that say so; what it is for stands before what the first of them does."""
    told = namespace.get("description")
    found = []
    for i, tool in enumerate(tools):
        notes: Rest = {"in": namespace["name"], "name": tool.name, "free": SHAPE in tool.rest}
        notes["whole"] = None if i else namespace
        text = tool.description
        if not i and isinstance(told, str) and told:
            text = f"{told}\n\n{text}" if text else told
        rest = {**tool.rest, SHAPE: notes}
        found.append(replace(tool, name=flat(namespace["name"], tool.name), description=text, rest=rest))
    return tuple(found)


def note(tool: Tool) -> Rest | None:
    """What was noted of a tool that stood in a namespace; None: it did not."""
    noted = tool.rest.get(SHAPE)
    return noted if isinstance(noted, dict) and "in" in noted else None


def check(tools: Iterable[Tool]) -> None:
    """BadRequestError: a function of a namespace would be called as another tool is."""
    seen: dict[str, bool] = {}
    for tool in tools:
        grouped = note(tool) is not None
        if tool.foreign is None and seen.get(tool.name, grouped) is not grouped:
            raise BadRequestError(f"tools: {tool.name!r} is both a function and one of a namespace: rename one")
        if tool.foreign is None and grouped and tool.name in seen:
            raise BadRequestError(f"tools: two functions of namespaces would be called {tool.name!r}: rename one")
        seen.setdefault(tool.name, grouped)


def named(choice: Rest, tools: Iterable[Tool]) -> tuple[str, ...]:
    """The names of the tools that a choice's object means: of one in a namespace, or of all that are in one."""
    name, space = choice.get("name"), choice.get(KIND)
    if not isinstance(name, str) or not name:
        return ()
    if isinstance(space, str) and space:
        return (flat(space, name),)
    grouped = [(tool.name, noted) for tool in tools if (noted := note(tool)) is not None]
    if choice.get("type") == KIND:
        return tuple(full for full, noted in grouped if noted["in"] == name)
    if any(tool.name == name and tool.foreign is None for tool in tools):
        return (name,)
    inner = [full for full, noted in grouped if noted["name"] == name]
    return (inner[0],) if len(inner) == 1 else (name,)


def _named(tool: Rest) -> bool:
    name = tool.get("name")
    return isinstance(name, str) and bool(name)
