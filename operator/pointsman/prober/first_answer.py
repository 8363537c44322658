"""What a new engine is asked before it gets requests, and what its answers prove. Pure.

Sources: vLLM's routes; a model that does not chat is refused there with 400 or 404, and one without a chat template
with 400.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.names import Dialect
from pointsman.prober import completion

if TYPE_CHECKING:
    from pointsman.served import Answer

_WRITES, _EMBEDS = "choices", "data"
_OTHERS: Final = (400, 404, 405, 422, 501)  # another kind of model would say so
_CUT: Final = 300  # characters of a server's own message


def questions(model: str) -> tuple[tuple[str, bytes, str], ...]:
    """Path, body and the list that a good answer holds: as a model that chats, writes, embeds, or classifies."""
    written = {"model": model, "prompt": ".", "max_tokens": 1}
    put = {"model": model, "input": "."}
    return (
        (completion.path(Dialect.CHAT), completion.body(Dialect.CHAT, model), _WRITES),
        ("/v1/completions", msgspec.json.encode(written), _WRITES),
        ("/v1/embeddings", msgspec.json.encode(put), _EMBEDS),
        ("/pooling", msgspec.json.encode(put), _EMBEDS),
    )


def other_kind(answer: Answer) -> bool:
    """Whether a model of another kind may have been meant, so that the next question is worth asking."""
    return answer.status in _OTHERS


def fault(answer: Answer, holds: str) -> str:
    """Why an answer proves nothing, for people; "": it does prove that the engine answers."""
    if answer.status == 0:
        return answer.message or answer.error
    if answer.status != 200:
        said = _said(answer.body)
        return f"it answered with {answer.status}" + (f": {said}" if said else "")
    found = _json(answer.body)
    return "" if isinstance(found, dict) and found.get(holds) else f"its answer holds no {holds}"


def _said(body: bytes) -> str:
    found = _json(body)
    error = found.get("error", found) if isinstance(found, dict) else None
    text = error.get("message") if isinstance(error, dict) else error if isinstance(error, str) else None
    words = text if isinstance(text, str) else body[: 4 * _CUT].decode(errors="replace")
    return " ".join(words.split())[:_CUT]


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
