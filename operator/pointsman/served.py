"""What a server says of itself: the answers of a probe, and what was read from them. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from pointsman.names import Counting, Dialect, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class State(StrEnum):
    """What the last probes of a provider, after thresholds, amount to."""

    UP = "Up"
    DOWN = "Down"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer to one GET. `status` 0: none came, and `error` says why (a reason of Finding)."""

    status: int
    body: bytes = b""
    content_type: str = ""
    error: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that a server lists. Tokens, 0: not told. `loaded`, `tools` (whether it takes some), None: not told.

    `embeds`: it embeds and writes nothing. `remote`: the server hands its requests on to a cloud.
    """

    id: str
    name: str = ""
    context_window: int = 0
    max_tokens: int = 0
    input: tuple[str, ...] = ()
    reasoning: bool | None = None
    loaded: bool | None = None
    tools: bool | None = None
    embeds: bool = False
    remote: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe found. `reason` is CamelCase and stable, "" when all is well; `message` is for people.

    Reasons: ConnectionRefused, DNSFailure, TLSFailure, Timeout, ConnectionReset, Unauthorized, Forbidden,
    QuotaExceeded, RateLimited, NotFound, ServerError, ModelLoading, NotOpenAICompatible, UnexpectedStatus,
    EngineStalled, Asleep.
    """

    ok: bool
    reason: str = ""
    message: str = ""
    models: tuple[ServedModel, ...] = ()
    credentials_valid: bool | None = None  # None: the probe could not tell
    certain: bool = False  # of a failure: it was seen, and another probe would see the same


@dataclass(frozen=True, slots=True)
class Probed:
    """A provider's standing after its last probe. Times are seconds of the caller's clock."""

    state: State = State.UNKNOWN
    reason: str = "NotProbedYet"
    message: str = "no probe has ended yet"
    models: tuple[ServedModel, ...] = ()  # kept from the last success for the same endpoint and credentials
    models_known: bool = False  # a list was read at least once
    credentials_valid: bool | None = None
    failures: int = field(default=0, compare=False)  # in a row
    successes: int = field(default=0, compare=False)  # in a row
    last_ok: float = field(default=0.0, compare=False)
    latency: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Look:
    """What an engine's own figures say at one moment. Two looks that differ prove that the engine moves."""

    figures: Mapping[str, float]
    running: float = 0.0  # requests in work
    asleep: bool | None = False  # None: they do not tell


@dataclass(frozen=True, slots=True)
class Watch:
    """How an engine is watched behind a server that answers without it.

    `paths` are asked with GET until `read` makes a Look of an answer that tells whether the engine sleeps; None: it is
    none. What none tells goes by the first Look, of an engine that is awake.
    """

    paths: tuple[str, ...]
    read: Callable[[Answer], Look | None]
    proof: bool = False  # the engine's own loop answers there: an answer proves that it moves
    patience: int = 3  # probes in a row without a sign of life, where it cannot be seen that nothing moves


@dataclass(frozen=True, slots=True)
class Question:
    """A POST of JSON about one model, which may have several names in the list.

    The answer stays the same while `about` does: it is what the server tells a model's content by, such as a digest.
    """

    about: str
    models: tuple[str, ...]
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What a server tells of a model only when it is asked for it, after its lists.

    `questions` are made of the answers to `Kind.paths`; `read` turns an answer into what is known by it (its `id`
    means nothing), None: it tells nothing; `join` adds that, by the model's id, to the Finding of `Kind.read`.
    """

    questions: Callable[[Mapping[str, Answer]], Sequence[Question]]
    read: Callable[[Answer], ServedModel | None]
    join: Callable[[Finding, Mapping[str, ServedModel]], Finding]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of server: what `engines` and `vendors` hold one of per file.

    `paths` are asked with GET, relative to the base URL without /v1, the decisive one (the model list) first; a path
    that is not there is no failure unless it is the first. `read` turns the answers, by path, into a Finding.
    """

    read: Callable[[Mapping[str, Answer]], Finding]
    paths: tuple[str, ...] = ("/v1/models",)
    auth: str = "Bearer"  # or XApiKey: x-api-key and anthropic-version
    api: tuple[Dialect, ...] = (Dialect.CHAT,)  # native dialects when the object does not say
    native: bool = False  # the vendor itself: requests keep vendor-only fields
    hosted: bool = False  # probed seldom, with a completion only where the object says so
    on_demand: bool = False  # loads a model when it is asked for: a probe must not do that
    watch: Watch | None = None  # None: nothing is told of the engine
    inquiry: Inquiry | None = None  # None: the lists tell all there is
    way: Way = Way.TRY  # how it takes up an answer that broke off elsewhere
    counting: Counting = Counting.NONE
    base_url: str = ""  # where it is when the object does not say (hosted vendors)
