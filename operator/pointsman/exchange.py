"""What the parts say to each other about one request and its answer, in no dialect's words.

For now the passthrough half: what was read of a request (`Head`), what a streamed frame means (`Signal`), and why an
attempt failed (`Failure`). The neutral form that dialects are translated through will join them here.
"""

from __future__ import annotations

from enum import Enum, StrEnum, auto

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
    DIVERGED = "Diverged"  # a good answer, but not the one that broke off elsewhere: no fault of the target's


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Why an attempt failed. `status`: the target's HTTP status, or 0; `retry_after`: seconds, or 0 for not said."""

    kind: FailureKind
    message: str = ""
    status: int = 0
    retry_after: float = 0.0


class Signal(Enum):
    """What a streamed frame means for the commit point."""

    PREAMBLE = auto()  # nothing yet that a client could not be told again by another target
    OUTPUT = auto()  # the first or a further piece of the answer
    TERMINAL = auto()  # the answer is whole


class Head(msgspec.Struct, frozen=True):
    """What the gateway needs to know of a request. `fields` are its top-level values, byte for byte as received."""

    model: str
    stream: bool
    fields: dict[str, msgspec.Raw]
    tools: bool = False  # tool schemas are offered to the model
    choices: int = 1  # answers asked for at once (chat's `n`)


class BadRequestError(ValueError):
    """A request that no target could answer; the text tells the client what to mend."""
