"""What the parts say to each other about one request and its answer, in no dialect's words.

What was read of a request (`Head`), what a streamed frame means (`Signal`), why an attempt failed (`Failure`). The form
that dialects are translated through is in `neutral`.
"""

from __future__ import annotations

from enum import Enum, StrEnum, auto
from typing import Final

import msgspec


class FailureKind(StrEnum):
    """Why an attempt failed: the reasons that `policy.failover.on` can name, and those that no policy advances on."""

    CONNECT_FAILURE = "ConnectFailure"
    TIMEOUT = "Timeout"
    SERVER_ERROR = "ServerError"
    RATE_LIMITED = "RateLimited"
    AUTHENTICATION = "Authentication"
    MODEL_NOT_FOUND = "ModelNotFound"
    CONTEXT_LENGTH_EXCEEDED = "ContextLengthExceeded"
    INVALID_RESPONSE = "InvalidResponse"
    BAD_REQUEST = "BadRequest"  # the request itself is wrong: it would be so everywhere
    CONTENT_POLICY = "ContentPolicy"  # a refusal is an answer
    UNSUPPORTED = "Unsupported"  # the target lacks what the request needs, such as tools; another may have it
    MODEL_LOADING = "ModelLoading"  # a server error of a kind that ends by itself, soon
    BUSY = "Busy"  # the target is asked for no more than it may bear: nothing was sent
    OVERTAKEN = "Overtaken"  # another attempt beside it was faster
    DIVERGED = "Diverged"  # a good answer, but not the one that broke off elsewhere: no fault of the target's


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Why an attempt failed. `status`: the target's HTTP status, or 0; `retry_after`: seconds, or 0 for not said.

    `window`: of a request that was too long, how many tokens the target says it takes, or 0; `too_large`: it is its
    bytes that are too many, not its tokens.
    """

    kind: FailureKind
    message: str = ""
    status: int = 0
    retry_after: float = 0.0
    window: int = 0
    too_large: bool = False


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens of one answer.

    `input` counts all of the prompt, what came out of a cache (`cached`) or was put into one (`written`) among it;
    `output` all that was generated, what was thought (`reasoning`) among it.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    written: int = 0
    reasoning: int = 0


class Signal(Enum):
    """What a streamed frame means for the commit point."""

    PREAMBLE = auto()  # nothing yet that a client could not be told again by another target
    OUTPUT = auto()  # the first or a further piece of the answer
    CALL = auto()  # a piece of a tool call: from here on all is held until the answer is whole
    TERMINAL = auto()  # the answer is whole


# What a request needs of a model: bits of `Head.needs`. Plain integers, as an IntFlag's `|` is computed in Python.
TOOLS: Final = 1
PARALLEL_TOOLS: Final = 2
IMAGE: Final = 4
AUDIO: Final = 8
FILE: Final = 16
JSON_SCHEMA: Final = 32
REASONING: Final = 64
CALLED: Final = 128  # not of a model: the conversation has calls of tools in it
STATE: Final = 256  # of the vendor's own: a conversation, a stored prompt, work in the background


class Head(msgspec.Struct, frozen=True):
    """What the gateway needs to know of a request. `fields` are its top-level values, byte for byte as received."""

    model: str
    stream: bool
    fields: dict[str, msgspec.Raw]
    needs: int = 0  # bits of the constants above
    choices: int = 1  # answers asked for at once (chat's `n`)
    max_tokens: int = 0  # of the answer; 0: not said
    size: int = 0  # bytes of the request's body: an upper bound of the prompt's tokens


class BadRequestError(ValueError):
    """A request that no target could answer; the text tells the client what to mend."""
