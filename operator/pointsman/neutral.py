"""One request and one answer in no dialect's words: what the dialects are translated through.

The richest grammar rules: a stream is parts that open, grow and close, as Anthropic's is, and the readers of other
dialects put in what is missing. Four rules hold everywhere:

    readers never merge     a message or item of the wire is one Turn, so that home can be written back; writers merge
                            neighbours where their own grammar asks for it
    `rest`                  what a node says beyond its fields, in the words of its home dialect: written back only at
                            home, and never given to anybody else
    Foreign                 a part of a kind that only its home dialect knows: whole, or not at all
    Seal                    what only its maker can read goes back to its maker alone

Tokens are counted as `exchange.Usage` says. All values are immutable; JSON values are those of msgspec's decoder.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

from pointsman.exchange import Failure, Usage
from pointsman.names import Dialect

Json = Any
Rest = dict[str, Json]
_NONE: Final[Rest] = {}


class Struct(msgspec.Struct, frozen=True, omit_defaults=True):
    """Immutable, compared by value."""


# Parts of a turn, and of an answer


class Seal(Struct, frozen=True):
    """A signature, or reasoning that is encrypted. `payload`: as it stands in its `home` dialect.

    `maker` is the name of the provider that made it and alone can read it; "": whoever was asked directly.
    """

    home: Dialect
    payload: Json
    maker: str = ""


class Text(Struct, frozen=True, tag=True):
    """Words. In an answer `rest` may hold annotations and log probabilities, in the home dialect's words."""

    text: str
    rest: Rest = _NONE


class Reasoning(Struct, frozen=True, tag=True):
    """What a model thought. `summary` tells that `text` is its maker's summary of it, not the thoughts themselves.

    `seal` is what proves or hides it. Text and seal may each be empty: redacted thoughts are a seal alone.
    """

    text: str = ""
    summary: bool = False
    seal: Seal | None = None
    rest: Rest = _NONE


class Refusal(Struct, frozen=True, tag=True):
    """Words by which a model declines, where a dialect tells them apart from others."""

    text: str
    rest: Rest = _NONE


class Image(Struct, frozen=True, tag=True):
    """A picture: `url` is an http(s) URL or a data: URL with base64. `detail`: "", low, high or auto."""

    url: str
    detail: str = ""
    rest: Rest = _NONE


class ToolCall(Struct, frozen=True, tag=True):
    """A model's wish to have a function called.

    `arguments` is JSON text as the model wrote it ("" for none); of a `free` (custom) tool it is any text.
    """

    id: str
    name: str
    arguments: str = ""
    free: bool = False
    rest: Rest = _NONE


class ToolResult(Struct, frozen=True, tag=True):
    """What such a call gave. `parts` are Text, Image or Foreign; `free`: of a custom tool's call."""

    call_id: str
    parts: tuple[Part, ...] = ()
    error: bool = False
    free: bool = False
    rest: Rest = _NONE


class Foreign(Struct, frozen=True, tag=True):
    """A part that only its home dialect has: sound, files, a hosted tool's call, a kind that came later.

    `kind` is the word for it in a message ("input_audio"), `payload` the whole part as it came.
    """

    home: Dialect
    kind: str
    payload: Json


Part = Text | Reasoning | Refusal | Image | ToolCall | ToolResult | Foreign


class Role(StrEnum):
    """Who speaks. TOOL: a message that is nothing but results, where a dialect has such a role."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Turn(Struct, frozen=True):
    """One message, or one item of a Responses request."""

    role: Role
    parts: tuple[Part, ...] = ()
    rest: Rest = _NONE


# A request


class Tool(Struct, frozen=True):
    """A function that the model may call. `schema` is the JSON Schema of its arguments; None: it takes none.

    `foreign`: a tool that the home dialect's vendor itself runs (web search, computer use, MCP), or of a kind that
    only it knows, whole; nothing but `name` is filled then, with the word for it.
    """

    name: str
    description: str = ""
    schema: Json = None
    strict: bool | None = None
    foreign: Json = None
    rest: Rest = _NONE


class ToolMode(StrEnum):
    """Whether tools may, must or must not be called. ONE: `Choice.name` must be."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    ONE = "one"


class Choice(Struct, frozen=True):
    """Which tools may be called. `allowed`: only these; empty: all. `foreign`: a choice only the home dialect has."""

    mode: ToolMode
    name: str = ""
    allowed: tuple[str, ...] = ()
    foreign: Json = None
    rest: Rest = _NONE


class Form(Struct, frozen=True):
    """What the answer must look like: JSON by a schema; any JSON object where `schema` is None."""

    schema: Json = None
    name: str = ""
    description: str = ""
    strict: bool | None = None
    rest: Rest = _NONE


class Thinking(Struct, frozen=True):
    """How much to reason. `effort`: none, minimal, low, medium, high, xhigh, max or "".

    `budget`: tokens, None: not said; `enabled` False: not at all; `adaptive`: as the model thinks fit. `shown`: whether
    the client asks to be told of it (a summary); None: not said.
    """

    effort: str = ""
    budget: int | None = None
    enabled: bool | None = None
    adaptive: bool = False
    shown: bool | None = None
    rest: Rest = _NONE


class Request(Struct, frozen=True):
    """A request to answer a conversation.

    `system` are instructions apart from the turns (Responses' `instructions`, Messages' `system`); chat's system
    messages are turns. `max_tokens` None: not said. `user` is the end user's identifier. `usage`: whether a streamed
    answer is to tell it (chat asks; the others always are). `rest`: top-level fields that only home has.
    """

    home: Dialect
    model: str
    turns: tuple[Turn, ...] = ()
    system: tuple[Text, ...] = ()
    stream: bool = False
    usage: bool = True
    tools: tuple[Tool, ...] = ()
    choice: Choice | None = None
    parallel: bool | None = None  # several calls at a time
    form: Form | None = None
    thinking: Thinking | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    user: str = ""
    choices: int = 1  # answers asked for at once
    rest: Rest = _NONE


class Refused(Struct, frozen=True):
    """Something that a dialect has no equivalent for and that must not be lost.

    `reason` is a word as headers show it (lower case with hyphens: "hosted-tool", "audio"), `message` says what and
    where, for people.
    """

    reason: str
    message: str


class Loss(Struct, frozen=True):
    """What a request loses on its way into a dialect.

    `dropped` are tuning knobs, by their home names, which are named to the client; `refused` are content, tools and
    features, for which the target is passed over.
    """

    dropped: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()


# An answer


class Finish(StrEnum):
    """Why an answer ended."""

    STOP = "stop"  # its end, or a stop sequence
    LENGTH = "length"  # max_tokens
    CONTEXT = "context"  # the model's window was full
    TOOL = "tool"  # calls are to be answered
    FILTER = "filter"  # refused or filtered
    PAUSE = "pause"  # a hosted tool's turn goes on (Messages)


class Reply(Struct, frozen=True):
    """An answer. `id` and `model` are the target's own; `created` in seconds of the epoch, 0: not said."""

    id: str = ""
    model: str = ""
    created: int = 0
    parts: tuple[Part, ...] = ()
    finish: Finish = Finish.STOP
    stop: str = ""  # the stop sequence that ended it
    usage: Usage | None = None
    rest: Rest = _NONE


# A streamed answer: Begun, then for each part Opened, Grew…, Closed, then Ended; or Broken at any time. Parts have
# the indexes 0, 1, 2, … in the order in which they open; several may be open at a time.


class Begun(Struct, frozen=True, tag=True):
    """The answer has begun. `usage`: what the prompt cost, where that is told first."""

    id: str = ""
    model: str = ""
    created: int = 0
    usage: Usage | None = None


class Opened(Struct, frozen=True, tag=True):
    """A part begins: as much of it as is known then, its growing text empty. A Foreign part is whole."""

    index: int
    part: Part


class Grew(Struct, frozen=True, tag=True):
    """More of a part's text, or of a call's arguments."""

    index: int
    text: str


class Closed(Struct, frozen=True, tag=True):
    """The part is whole. `seal`: of reasoning, if it came. `rest` replaces the part's own if there is any."""

    index: int
    seal: Seal | None = None
    rest: Rest = _NONE


class Ended(Struct, frozen=True, tag=True):
    """The answer is whole."""

    finish: Finish
    stop: str = ""
    usage: Usage | None = None


class Broken(Struct, frozen=True, tag=True):
    """The target says that it has failed, in the stream."""

    failure: Failure


Event = Begun | Opened | Grew | Closed | Ended | Broken


class StreamError(ValueError):
    """A frame that is no event of its dialect, or one that has no place where it stands."""
