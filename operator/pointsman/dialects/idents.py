"""The identifiers of an answer's calls: none that the conversation, or the answer itself, knows of another call.

Some servers give none, or begin anew with each answer; clients then give a result to the wrong call. So a call whose
identifier is taken gets another, and one that the reader had to make has the answer's date in it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from pointsman.neutral import ToolCall, ToolResult

if TYPE_CHECKING:
    from pointsman.neutral import Part, Request

_PREFIX: Final = "chatcmpl-"
_LONGEST: Final = 64  # characters, as OpenAI has it


def base(answer: str) -> str:
    """What the calls of an answer are called that have no identifier of their own, but for their number."""
    return f"call_{letters(answer.removeprefix(_PREFIX))[-24:]}_"


def letters(ident: str) -> str:
    """The letters and digits of an identifier."""
    return "".join(filter(str.isalnum, ident.encode("ascii", "ignore").decode()))


class Idents:
    """Names the calls of one answer. State: the names that are taken, how many calls there were.

    `answer`: its own name; `created`: the date that it gives itself; `now`: that of the gateway; seconds of the epoch.
    """

    __slots__ = ("_base", "_count", "_request", "_source", "_taken")

    def __init__(self, request: Request, answer: str, created: int, now: int) -> None:
        self._request = request
        self._base = base(answer)
        self._source = f"{answer}\0{created}\0{now}"
        self._count = 0
        self._taken: set[str] | None = None

    def named(self, part: Part) -> Part:
        """The part, under a name of its own if it is a call."""
        if not isinstance(part, ToolCall):
            return part
        number, self._count = self._count, self._count + 1
        ident = part.id
        if not ident or ident == f"{self._base}{number}":
            source = f"{self._source}\0{part.name}\0{number}"
            ident = "call_" + hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()[:24]
        ident = self._free(ident)
        return part if ident == part.id else replace(part, id=ident)

    def _free(self, ident: str) -> str:
        if self._taken is None:
            self._taken = _taken(self._request)
        free, more = ident, 1
        while free in self._taken:
            more += 1
            free = f"{ident[: _LONGEST - 8]}_{more}"
        self._taken.add(free)
        return free


def _taken(request: Request) -> set[str]:
    parts = [part for turn in request.turns for part in turn.parts]
    calls = {part.id for part in parts if isinstance(part, ToolCall)}
    return calls | {part.call_id for part in parts if isinstance(part, ToolResult)}
