"""What a server means that refuses a request at a path which it need not have, such as /v1/embeddings.

It says nothing of the model's health: one client that asks a chat model for embeddings must not cool it for all that
chat with it. So a path or a kind of work that is not there is UNSUPPORTED, of which nothing cools. Seen of llama-server
(501, `not_supported_error`), vLLM (404 `Not Found`, 400 `does not support Embeddings API`), Ollama (`does not support
embeddings`), LM Studio (200 with `Unexpected endpoint`).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pointsman.dialects import errors
from pointsman.exchange import Failure, FailureKind

_ABSENT: Final = frozenset({404, 405, 501})
_LACKS: Final = re.compile(
    r"not support.{0,40}(?:embed|pooling|rerank|scor|completion|generat)|unexpected endpoint|not_supported_error"
    r"|not an? (?:embedding|rerank\w*) model|--(?:embeddings|rerank\w*|pooling)"
)
_SEARCHED: Final = 4096  # characters that are searched for it


def read_error(status: int, body: bytes, retry_after: float = 0.0) -> Failure:
    """Why a target refused. UNSUPPORTED: it has no such path, or its model does no such work."""
    found = errors.read_error(status, body, retry_after)
    lacks = _LACKS.search(body[:_SEARCHED].decode("utf-8", "replace").lower())
    if status in _ABSENT or lacks is not None:
        return msgspec.structs.replace(found, kind=FailureKind.UNSUPPORTED, window=0)
    return found
