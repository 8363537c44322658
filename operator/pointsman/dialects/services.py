"""What servers do beside the three dialects, passed through to the very model that was asked for, and to no other.

    EMBEDDINGS   POST /v1/embeddings
    RERANK       POST /v1/rerank, /v2/rerank, /rerank      every server that has one has it at /v1/rerank
    SCORE        POST /v1/score, /score                    vLLM's and SGLang's
    COMPLETIONS  POST /v1/completions                      `completions`

An embedding of another model is a point in another space, a score of another model is on another scale, and a prompt
that a template was applied to is for the model of that template: so of a route's chain only those targets are tried
whose model's id is the primary's. The body goes as it came but for `model`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from pointsman.dialects import body as bodies
from pointsman.dialects import completions, errors, refusals, usages
from pointsman.exchange import Failure, FailureKind, Head
from pointsman.names import Dialect, ProviderType

if TYPE_CHECKING:
    from collections.abc import Collection

    from pointsman.dialects import Wire
    from pointsman.exchange import Usage
    from pointsman.table import Model, Provider

OTHER_MODEL: Final = "other-model"
"""The reason of targets that serve another model than the primary."""
NO_SERVICE: Final = "no-service"
"""The reason of targets whose kind of server does no such work."""


class Service(StrEnum):
    """What can be asked for at paths that no dialect has."""

    EMBEDDINGS = "embeddings"
    RERANK = "rerank"
    SCORE = "score"
    COMPLETIONS = "completions"


PATHS: Final = {
    "/v1/embeddings": Service.EMBEDDINGS,
    "/embeddings": Service.EMBEDDINGS,
    "/v1/rerank": Service.RERANK,
    "/v2/rerank": Service.RERANK,
    "/rerank": Service.RERANK,
    "/v1/score": Service.SCORE,
    "/score": Service.SCORE,
    "/v1/completions": Service.COMPLETIONS,
    "/completions": Service.COMPLETIONS,
}
"""Where clients ask."""

_WITHOUT: Final = {
    Service.EMBEDDINGS: {ProviderType.ANTHROPIC},
    Service.RERANK: {ProviderType.ANTHROPIC, ProviderType.OPENAI, ProviderType.OLLAMA, ProviderType.LMSTUDIO},
    Service.SCORE: set(ProviderType) - {ProviderType.VLLM, ProviderType.SGLANG, ProviderType.OPENAI_COMPATIBLE},
    Service.COMPLETIONS: {ProviderType.ANTHROPIC},
}
_NONE: Final = frozenset[str]()
_BAD: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Answer(msgspec.Struct):
    data: list[Raw] | None = None
    results: list[Raw] | None = None
    scores: list[Raw] | None = None
    error: Any = None


_ANSWER: Final = msgspec.json.Decoder(_Answer)
_LIST: Final = msgspec.json.Decoder(list[Raw])


def unfit(provider: Provider, model: str, primary: str, service: Service) -> tuple[str, str] | None:
    """Reason and message for passing a target over; None: nothing speaks against it. `primary`: its route's model."""
    if model != primary:
        return OTHER_MODEL, f"{service} of {primary} cannot be had from {model}"
    if provider.type in _WITHOUT[service] or not _speaks_openai(provider.api):
        return NO_SERVICE, f"{provider.type} has no {ALL[service].PATH}"
    return None


def _speaks_openai(api: Collection[str]) -> bool:
    return Dialect.CHAT in api or Dialect.RESPONSES in api


class Unstreamed:
    """A service whose answers come whole: what a Wire provides. `kept`: the lists that make an answer of an object."""

    Scanner = completions.Scanner  # for none: a Head of these never asks for a stream
    read_error = staticmethod(refusals.read_error)
    write_error = staticmethod(errors.write_error)
    write_stream_error = staticmethod(completions.write_stream_error)
    read_usage = staticmethod(usages.read_body)
    is_error = staticmethod(completions.is_error)
    said = staticmethod(completions.said)
    resaid = staticmethod(completions.resaid)

    def __init__(self, path: str, kept: tuple[str, ...]) -> None:
        self.PATH = path
        self._kept = kept

    def read_head(self, body: bytes) -> Head:
        """What the gateway needs of a request; BadRequestError says what is wrong with it."""
        fields = bodies.read_fields(body)
        return Head(bodies.read_model(fields), stream=False, fields=fields, size=len(body))

    def with_model(self, fields: dict[str, Raw], model: Model, provider: Provider) -> tuple[bytes, tuple[str, ...]]:
        """The request for a target: its name for the model, all else as received; at OpenRouter with its pin."""
        return bodies.write(fields, model, provider, _NONE, _NONE)

    def read_whole(self, status: int, body: bytes) -> Failure | Usage | None:
        """What an answer says that it cost, if it does; a Failure: it is none."""
        return self.whole_ok(status, body) or usages.read_body(body)

    def whole_ok(self, status: int, body: bytes) -> Failure | None:
        """Why an answer is none; None: it is one."""
        try:
            if body[:64].lstrip().startswith(b"["):  # SGLang's reranking
                return None if _LIST.decode(body) else _empty(status)
            answer = _ANSWER.decode(body)
        except _BAD:
            page = "an HTML page" if errors.looks_like_html(body) else f"no answer of {self.PATH}: {body[:80]!r}"
            return Failure(FailureKind.INVALID_RESPONSE, page, status)
        if answer.error:
            return refusals.read_error(status, body)
        return None if any(getattr(answer, name) for name in self._kept) else _empty(status)


def _empty(status: int) -> Failure:
    return Failure(FailureKind.INVALID_RESPONSE, "an empty answer", status)


ALL: Final[dict[Service, Wire]] = {
    Service.EMBEDDINGS: Unstreamed("/v1/embeddings", ("data",)),
    Service.RERANK: Unstreamed("/v1/rerank", ("results", "data")),
    Service.SCORE: Unstreamed("/v1/score", ("data", "scores")),
    Service.COMPLETIONS: completions,
}
