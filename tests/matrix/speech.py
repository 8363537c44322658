"""What is asked and what is answered, in no dialect's words; both sides of a cell are compared in these."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from matrix.wire import Wire

Json = Any
CHAT: Final = "chat"
RESPONSES: Final = "responses"
MESSAGES: Final = "messages"
DIALECTS: Final = (CHAT, RESPONSES, MESSAGES)


@dataclass(frozen=True)
class Words:
    text: str


@dataclass(frozen=True)
class Thought:
    """`seal`: a signature, or encrypted reasoning. `raw`: not a summary (Responses tells them apart)."""

    text: str
    seal: str = ""
    raw: bool = False


@dataclass(frozen=True)
class Refused:
    text: str


@dataclass(frozen=True)
class Picture:
    url: str


@dataclass(frozen=True)
class Call:
    """`arguments` is a JSON object."""

    id: str
    name: str
    arguments: Json = field(hash=False)


@dataclass(frozen=True)
class Result:
    call: str
    text: str
    error: bool = False


@dataclass(frozen=True)
class Native:
    """A client's own objects, put back into its next request as its documentation says."""

    items: tuple[Json, ...] = field(hash=False)


Part = Words | Thought | Refused | Picture | Call | Result | Native


@dataclass(frozen=True)
class Turn:
    """`role`: system, user or assistant. Results are the user's."""

    role: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Tool:
    name: str
    description: str
    schema: Json = field(hash=False)


@dataclass(frozen=True)
class Ask:
    """`choice`: "", auto, none, required, or the name of a tool after "=". `thinks`: reasoning is asked for.

    `more`: fields of the client's dialect as they stand, which no backend is to be asked. `plain`: to be read without
    the SDK's stream helper, if that makes an exception of the answer (OpenAI's does of one that is cut or filtered).
    """

    turns: tuple[Turn, ...]
    system: str = ""
    tools: tuple[Tool, ...] = ()
    choice: str = ""
    parallel: bool | None = None
    schema: Json = None
    thinks: bool = False
    max_tokens: int | None = 512
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    stream: bool = False
    more: dict[str, Json] = field(default_factory=dict)
    plain: bool = False


@dataclass(frozen=True)
class Spent:
    """Tokens: `input` all of the prompt, `cached` and `written` (into a cache) among it; `thought` is of `output`."""

    input: int = 0
    output: int = 0
    cached: int = 0
    written: int = 0
    thought: int = 0


@dataclass(frozen=True)
class Say:
    """An answer. `finish`: stop, mark (a stop sequence: `mark`), length, tools or filter.

    `spelling` picks among the ways in which servers of one dialect say the same.
    """

    parts: tuple[Part, ...]
    finish: str = "stop"
    mark: str = ""
    spent: Spent = Spent(100, 20)
    spelling: str = ""


@dataclass(frozen=True)
class Fault:
    """A refusal with this status; or, if `late` and streamed, three words and then an error (or a cut: status 0)."""

    status: int
    code: str
    message: str
    retry_after: int = 0
    late: Say | None = None


@dataclass(frozen=True)
class Got:
    """What a client's SDK says of an answer. `error`: the exception's class; then the rest may be empty."""

    text: str = ""
    thoughts: str = ""
    calls: tuple[Call, ...] = ()
    refused: str = ""
    finish: str = ""
    mark: str = ""
    spent: Spent = Spent()
    error: str = ""
    message: str = ""
    status: int = 0
    retry_after: str = ""
    decision: str = ""
    native: Native = Native(())
    wire: Wire | None = None


def merged(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Neighbours of one role as one turn: dialects differ in how they cut a conversation, not in what is said."""
    out: list[Turn] = []
    for turn in turns:
        if out and out[-1].role == turn.role:
            out[-1] = replace(out[-1], parts=(*out[-1].parts, *turn.parts))
        else:
            out.append(turn)
    return tuple(out)


def renumbered(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The calls' ids as numbers by their first use: what they are is the dialects' affair, that they match is not."""
    numbers: dict[str, str] = {}

    def of(ident: str) -> str:
        return numbers.setdefault(ident, f"#{len(numbers)}")

    def part_of(part: Part) -> Part:
        if isinstance(part, Call):
            return replace(part, id=of(part.id))
        return replace(part, call=of(part.call)) if isinstance(part, Result) else part

    return tuple(replace(turn, parts=tuple(part_of(part) for part in turn.parts)) for turn in turns)
