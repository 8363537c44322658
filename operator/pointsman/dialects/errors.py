"""What error answers mean, whatever server they come from.

Servers answer in OpenAI's shape on Anthropic's paths, in FastAPI's, in plain text and in HTML, and put what matters
into `message`, `type` or `code` as they like, so all three are searched. Phrases were seen on the wire from vLLM 0.32,
llama.cpp, Ollama 0.17, LiteLLM 1.106, LM Studio, OpenAI and Anthropic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.exchange import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGE_LIMIT: Final = 500  # characters of an upstream's text that are passed on

_CONTEXT: Final = (
    "context_length_exceeded", "exceed_context_size", "maximum context length", "contextwindowexceeded",
    "context window", "prompt is too long", "available context size", "input is too long", "exceed context limit",
    "longer than the maximum model length", "max_model_len", "request_too_large",
)  # fmt: skip
_MODEL: Final = (
    "model_not_found", "invalid model name", "no models loaded", "unknown model", "model does not exist",
    "is not a valid model", "no such model",
)  # fmt: skip
_MODEL_ENDINGS: Final = ("does not exist", "not found", "not_found_error", "notfounderror")
_POLICY: Final = ("content_policy", "content policy", "content_filter", "moderation", "safety system")
_KEY: Final = ("no_db_connection", "invalid api key", "invalid x-api-key", "insufficient_quota", "credit balance")
_CODES: Final = {
    "overloaded_error": FailureKind.SERVER_ERROR,
    "api_error": FailureKind.SERVER_ERROR,
    "server_error": FailureKind.SERVER_ERROR,
    "timeout_error": FailureKind.TIMEOUT,
    "rate_limit_error": FailureKind.RATE_LIMITED,
    "rate_limit_exceeded": FailureKind.RATE_LIMITED,
    "authentication_error": FailureKind.AUTHENTICATION,
    "permission_error": FailureKind.AUTHENTICATION,
    "billing_error": FailureKind.AUTHENTICATION,
    "not_found_error": FailureKind.MODEL_NOT_FOUND,
    "invalid_request_error": FailureKind.BAD_REQUEST,
    "invalid_prompt": FailureKind.BAD_REQUEST,
}
_STATUSES: Final = {
    401: FailureKind.AUTHENTICATION,
    402: FailureKind.AUTHENTICATION,
    403: FailureKind.AUTHENTICATION,
    404: FailureKind.MODEL_NOT_FOUND,
    408: FailureKind.TIMEOUT,
    409: FailureKind.SERVER_ERROR,
    410: FailureKind.MODEL_NOT_FOUND,
    413: FailureKind.CONTEXT_LENGTH_EXCEEDED,
    425: FailureKind.SERVER_ERROR,
    429: FailureKind.RATE_LIMITED,
}


def read_error(status: int, body: bytes, retry_after: float = 0.0) -> Failure:
    """Why a target refused: `status` is 300 or more, or 200 with an error object for a body."""
    document = _decode(body)
    if document is None and looks_like_html(body):
        kind = FailureKind.INVALID_RESPONSE if status < 500 and status not in {401, 403, 429} else _by_status(status)
        return Failure(kind, "an HTML page instead of JSON", status, retry_after)
    message, code = _texts(document, body)
    return Failure(classify(status, message, code), message[:MESSAGE_LIMIT], status, retry_after)


def read_stream_error(error: Any) -> Failure:
    """The same for an error inside a stream: the value of the event's `error`, an object or a text."""
    message, code = _texts({"error": error}, b"")
    number = error.get("code") if isinstance(error, dict) else None
    status = number if isinstance(number, int) and 400 <= number < 600 else 0
    return Failure(classify(status, message, code), message[:MESSAGE_LIMIT] or "an error without a message", status)


def write_error(status: int, code: str, message: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """An error body in OpenAI's shape; `extra` joins the error object."""
    kind = "invalid_request_error" if 400 <= status < 500 and status != 429 else "server_error"
    kind = "rate_limit_error" if status == 429 else kind
    error = {"message": message, "type": kind, "param": None, "code": code, **(extra or {})}
    return msgspec.json.encode({"error": error})


def classify(status: int, message: str, code: str) -> FailureKind:
    """The kind of an error from its status (0: in a stream), message and the words of its type and code."""
    text = f"{message} {code}".lower()
    named = _by_text(status, text)
    if named is not None:
        return named
    if status:
        return _by_status(status)
    return next((_CODES[word] for word in code.lower().split() if word in _CODES), FailureKind.SERVER_ERROR)


def looks_like_html(body: bytes) -> bool:
    """Whether a body is a page for people: a proxy's error, a login form."""
    return body[:256].lstrip().lower().startswith((b"<!doctype", b"<html", b"<head", b"<?xml"))


def has_object(body: bytes, name: str, kind: str = "") -> bool:
    """Whether a body is a JSON object with an object of that name in it, and of that `type` if one is given."""
    document = _decode(body)
    if not isinstance(document, dict) or not isinstance(document.get(name), dict):
        return False
    return not kind or document.get("type") == kind


def _by_text(status: int, text: str) -> FailureKind | None:
    if any(phrase in text for phrase in _CONTEXT) and status != 404:
        return FailureKind.CONTEXT_LENGTH_EXCEEDED
    if status in {0, 400, 403, 422, 451} and any(phrase in text for phrase in _POLICY):
        return FailureKind.CONTENT_POLICY
    if status in {0, 400, 429} and any(phrase in text for phrase in _KEY):
        return FailureKind.AUTHENTICATION
    if status in {0, 400, 404, 422} and _names_missing_model(text):
        return FailureKind.MODEL_NOT_FOUND
    if status == 429 and "request too large" in text:
        return FailureKind.CONTEXT_LENGTH_EXCEEDED  # Groq's tokens-a-minute ceiling: no wait makes it fit
    return None


def _names_missing_model(text: str) -> bool:
    if any(phrase in text for phrase in _MODEL):
        return True
    return "model" in text and any(phrase in text for phrase in _MODEL_ENDINGS)


def _by_status(status: int) -> FailureKind:
    if status in _STATUSES:
        return _STATUSES[status]
    if status >= 500:
        return FailureKind.SERVER_ERROR
    if status in {400, 422} or 411 <= status < 500:
        return FailureKind.BAD_REQUEST
    return FailureKind.INVALID_RESPONSE


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


def _texts(document: Any, body: bytes) -> tuple[str, str]:
    """Message, and type and code as words."""
    if not isinstance(document, dict):
        return body[:MESSAGE_LIMIT].decode("utf-8", "replace"), ""
    error = document.get("error", document)
    if isinstance(error, dict):
        message = error.get("message") or error.get("detail") or ""
        code = " ".join(str(error[name]) for name in ("type", "code") if error.get(name))
        return (message if isinstance(message, str) else str(message)), code
    return str(error), ""
