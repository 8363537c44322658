"""The request for one token: of which model, and its bytes. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.names import Dialect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.served import Kind, ServedModel

# What such models are called: a chat with them is refused, which would prove nothing.
_SILENT: Final = re.compile(r"embed|rerank|(^|[/_-])(bge|gte|e5|whisper|tts|clip)[_-]|moderation|dall-e", re.IGNORECASE)
_SAY: Final = [{"role": "user", "content": "."}]
_RESPONSE_TOKENS: Final = 16  # fewer are refused by OpenAI
_PATHS: Final = {
    Dialect.CHAT: "/v1/chat/completions",
    Dialect.RESPONSES: "/v1/responses",
    Dialect.MESSAGES: "/v1/messages",
}


def path(dialect: Dialect) -> str:
    return _PATHS[dialect]


def body(dialect: Dialect, model: str) -> bytes:
    """A request for an answer of one token to the same short prompt each time, not streamed."""
    asked: dict[str, Any] = {"model": model, "stream": False}
    if dialect is Dialect.RESPONSES:
        asked |= {"input": ".", "max_output_tokens": _RESPONSE_TOKENS}
    else:
        asked |= {"messages": _SAY, "max_tokens": 1}
    return msgspec.json.encode(asked)


def choose(served: Sequence[ServedModel], wanted: Sequence[str], kind: Kind) -> str:
    """The first wanted model that may be asked, else the first in the server's order; "": none may.

    Never one that would have to be loaded for it, nor one that does not talk, nor one that is handed on to a cloud.
    """
    writers = [model for model in served if not model.embeds and not model.remote]
    ready = [model.id for model in writers if (model.loaded if kind.on_demand else model.loaded is not False)]
    talking = [each for each in ready if not _SILENT.search(each)]
    return next((each for each in wanted if each in talking), talking[0] if talking else "")
