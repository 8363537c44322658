"""What error answers mean, whatever server they come from.

Servers answer in OpenAI's shape on Anthropic's paths, in FastAPI's, in plain text and in HTML, and put what matters
into `message`, `type` or `code` as they like, so all three are searched. Phrases were seen on the wire from vLLM 0.32,
llama.cpp, Ollama 0.17, LiteLLM 1.106, LM Studio, OpenAI and Anthropic.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.exchange import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGE_LIMIT: Final = 500  # characters of an upstream's text that are passed on
LARGEST_WINDOW: Final = 100_000_000  # tokens; a number above that is something else
_SEARCHED: Final = 4096  # characters that are searched for patterns
_LOADING_STATUSES: Final = frozenset({0, 400, 404, 409, 425, 429})

_CONTEXT: Final = (
    "context_length_exceeded", "exceed_context_size", "maximum context length", "contextwindowexceeded",
    "context window", "prompt is too long", "available context size", "input is too long", "exceed context limit",
    "longer than the maximum model length", "max_model_len", "maximum prompt length", "context length of",
    "exceeds the context length", "model's context length", "exceeds the maximum number of tokens",
    "too large for model with", "longer than the model's context",
)  # fmt: skip
_MODEL: Final = (
    "model_not_found", "invalid model name", "no models loaded", "unknown model", "model does not exist",
    "is not a valid model", "no such model",
)  # fmt: skip
_MODEL_ENDINGS: Final = ("does not exist", "not found", "not_found_error", "notfounderror")
_POLICY: Final = ("content_policy", "content policy", "content_filter", "moderation", "safety system")
_LACKS: Final = (
    "tool choice requires", "--enable-auto-tool-choice", "does not support tools", "does not support tool",
    "tools are not supported", "tool use is not supported", "not a multimodal model", "does not support image",
    "image input is not supported", "images are not supported", "at most 0 image", "does not support vision",
    "no endpoints found that support", "max_tokens is too large", "max_completion_tokens is too large",
    "maximum allowed number of output tokens",
)  # fmt: skip
"""Seen from vLLM, Ollama, llama.cpp (with 500) and OpenRouter (with 404)."""
_KEY: Final = ("no_db_connection", "invalid api key", "invalid x-api-key")
_BILLING: Final = (
    "insufficient_quota", "credit balance", "insufficient credits", "insufficient_credits", "insufficient balance",
    "insufficient_balance", "insufficient funds", "out of credits", "no credits", "payment required", "billing_error",
    "billing_hard_limit", "billing hard limit", "billing_not_active", "account is not active", "account_deactivated",
    "余额不足", "欠费",
)  # fmt: skip
_SPAN: Final = r"\b(?:hourly|daily|weekly|monthly|per[ -](?:minute|hour|day|week|month))\b"
_PERIODIC: Final = re.compile(
    rf"{_SPAN}.{{0,80}}\b(?:limit|quota)|\b(?:limit|quota)\b.{{0,80}}{_SPAN}"
    r"|usage limit.{0,200}try again|try again.{0,200}usage limit"
    r"|(?:organi[sz]ation|workspace).{0,40}spend(?:ing)? limit"
)
"""A limit that ends by itself, however it is paid for."""
_IN_FLIGHT: Final = "openrouter_in_flight_budget"
"""OpenRouter's 402 for a budget that requests in work take up: it is free again when they have ended."""
_RATE: Final = ("rate limit", "rate_limit", "too many requests", "请求过于频繁")
_OVERLOADED: Final = ("overloaded_error", "engine_overloaded", "server overloaded", "服务过载")
_LOADING: Final = re.compile(
    r"(?<!error )(?<!failed )(?<!while )loading model|modelnotready|model_loading|model is warming up"
    r"|model (?:\S{1,200} )?is (?:currently |still )?(?:loading|being loaded)"
    r"|model (?:is )?not (?:yet )?(?:ready|loaded yet)"
)
_IMAGE: Final = re.compile(
    r"\bimages?\b.{0,60}(?:exceed|too large|too big|too small|too many|dimension|resolution|pixels)"
    r"|(?:exceed|too large|too many|larger than).{0,40}\bimages?\b"
)
_TOO_LARGE: Final = "request_too_large"
_SEAL: Final = re.compile(
    r"(?:invalid|expired|missing)\W{1,3}(?:signature|data)\W.{0,80}thinking|thinking.{0,80}signature"
    r"|thinking\b.{0,120}cannot be modified|thinking blocks?\b.{0,120}(?:bound|tied|different (?:model|conversation))"
    r"|encrypted.content\b.{0,200}could not be (?:verified|decrypted|parsed)|invalid_encrypted_content"
    r"|of type 'reasoning' was provided without|without its required 'reasoning' item"
    r"|item with id 'rs_.{0,80}not found"
)
"""Anthropic's: "messages.1.content.0: Invalid `signature` in `thinking` block", and of thinking that was changed.

OpenAI's: "The encrypted content gAAA… could not be verified.", and of reasoning that is not with what it belongs to.
"""
_LOST_THOUGHT: Final = "item with id 'rs_"
"""What OpenAI says with 404 of reasoning that it did not keep."""
_NUMBER: Final = r"(\d{1,3}(?:[,_]\d{3})+|\d{1,9})(?!\d)"
_LABEL: Final = "context (?:length|window|size|limit)|model length|prompt length|max_model_len|num_ctx"
_WINDOWS: Final = tuple(
    re.compile(pattern.replace("N", _NUMBER))
    for pattern in (
        r'"?n_ctx"?\s*[:=]\s*N',
        r"\d\s*(?:tokens?)?\)?\s*>\s*N",  # Anthropic: what came > what may come
        rf"(?:{_LABEL})(?:\s*(?:is|of|only|at most|limit(?:ed)?|to|allowed|supported|=|:|\(|`))*\s*N",
        r"N(?:[ -]tokens?)? (?:maximum )?context (?:length|window|size|limit)",
        r"maximum number of (?:input )?tokens(?: allowed)?\s*(?:is|of|\()?\s*N",
        r"(?:must be <=|cannot exceed|must not exceed|at most)\s*N",
    )
)
"""Where the texts about too long a prompt say how long it may be; the first that does counts."""
_WAIT: Final = re.compile(r"(?:try again|retry) (?:in|after) ((?:\d{1,7}(?:\.\d{1,9})? ?(?:ms|[hms]))+)")
_SPENT: Final = re.compile(r"(\d+(?:\.\d+)?) ?(ms|[hms])")
"""OpenAI's "Please try again in 1m3.5s", and "20ms"."""
_REASONS: Final = {
    "error": FailureKind.SERVER_ERROR,
    "abort": FailureKind.TIMEOUT,
    "network_error": FailureKind.TIMEOUT,
    "malformed_response": FailureKind.TIMEOUT,
}
"""Finish and stop reasons that say that the answer is none."""
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
    499: FailureKind.TIMEOUT,
    504: FailureKind.TIMEOUT,
    522: FailureKind.TIMEOUT,
    524: FailureKind.TIMEOUT,
}


def read_error(status: int, body: bytes, retry_after: float = 0.0) -> Failure:
    """Why a target refused: `status` is 300 or more, or 200 with an error object for a body."""
    document = _decode(body)
    if document is None and looks_like_html(body):
        kind = FailureKind.INVALID_RESPONSE if status < 500 and status not in {401, 403, 429} else _by_status(status)
        return Failure(kind, "an HTML page instead of JSON", status, retry_after)
    message, code = _texts(document, body)
    if status < 300:
        status = _told_status(document) or status
    if not body.strip() and 400 <= status < 500 and status not in _STATUSES:
        return Failure(FailureKind.INVALID_RESPONSE, f"status {status} without a word", status, retry_after)
    kind = classify(status, message, code)
    large = _of_bytes(status, kind, message, code)
    window = 0 if large or kind is not FailureKind.CONTEXT_LENGTH_EXCEEDED else _read_window(document, message)
    return Failure(kind, message[:MESSAGE_LIMIT], status, retry_after, window, large)


def read_stream_error(error: Any) -> Failure:
    """The same for an error inside a stream: the value of the event's `error`, an object or a text."""
    message, code = _texts({"error": error}, b"")
    status = _told_status({"error": error})
    kind = classify(status, message, code)
    large = _of_bytes(status, kind, message, code)
    window = 0 if large or kind is not FailureKind.CONTEXT_LENGTH_EXCEEDED else _read_window({"error": error}, message)
    told = message[:MESSAGE_LIMIT] or "an error without a message"
    return Failure(kind, told, status, _read_wait(told), window, too_large=large)


def is_billing(failure: Failure) -> bool:
    """Whether a target refuses because its account cannot pay, and not because of the key."""
    if failure.kind is not FailureKind.AUTHENTICATION or failure.status in {401, 403}:
        return False
    return failure.status in {402, 429} or any(phrase in failure.message.lower() for phrase in _BILLING)


def particulars(body: bytes) -> dict[str, str]:
    """What an error body names beside its message: the `param` that is wrong, and the `code`."""
    document = _decode(body)
    error = document.get("error", document) if isinstance(document, dict) else None
    named = {name: error.get(name) for name in ("param", "code")} if isinstance(error, dict) else {}
    return {name: value for name, value in named.items() if isinstance(value, str) and value}


def seal_refused(message: str) -> bool:
    """Whether a target refuses what was thought in earlier turns: a signature that it did not give, or not for this."""
    return bool(_SEAL.search(message[:_SEARCHED].lower()))


def read_reason(reason: Any) -> Failure | None:
    """What a finish or stop reason says that is none of an answer's; None: it is one of an answer's."""
    kind = _REASONS.get(reason) if isinstance(reason, str) else None
    return None if kind is None else Failure(kind, f"the answer ended with {reason!r}")


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
    long = any(phrase in text for phrase in _CONTEXT)
    large = status in {0, 400, 413, 422} and not long and _IMAGE.search(text[:_SEARCHED])
    if large or (status == 404 and _LOST_THOUGHT in text):
        return FailureKind.BAD_REQUEST  # it would be everywhere
    if (long or _TOO_LARGE in text) and status != 404:
        return FailureKind.CONTEXT_LENGTH_EXCEEDED
    if status in {0, 400, 403, 422, 451} and any(phrase in text for phrase in _POLICY):
        return FailureKind.CONTENT_POLICY
    if status in {0, 400, 404, 422, 500, 501} and any(phrase in text for phrase in _LACKS):
        return FailureKind.UNSUPPORTED
    if status in {0, 400, 402, 429}:
        return _by_account(status, text) or _by_load(status, text)
    return _by_load(status, text)


def _of_bytes(status: int, kind: FailureKind, message: str, code: str) -> bool:
    """Whether it is the bytes of a request that are too many, of which nothing follows for its tokens."""
    text = f"{message} {code}".lower()
    if kind is not FailureKind.CONTEXT_LENGTH_EXCEEDED or "token" in text or any(word in text for word in _CONTEXT):
        return False
    return status == 413 or _TOO_LARGE in text


def _by_account(status: int, text: str) -> FailureKind | None:
    if status != 402 and any(phrase in text for phrase in _KEY):
        return FailureKind.AUTHENTICATION
    if _IN_FLIGHT in text:
        return FailureKind.RATE_LIMITED
    if status in {402, 429} and _PERIODIC.search(text[:_SEARCHED]) and "insufficient_quota" not in text:
        return FailureKind.RATE_LIMITED
    if any(phrase in text for phrase in _BILLING):
        return FailureKind.AUTHENTICATION
    return None


def _by_load(status: int, text: str) -> FailureKind | None:
    if (status in _LOADING_STATUSES or status >= 500) and _LOADING.search(text[:_SEARCHED]):
        return FailureKind.MODEL_LOADING
    if status in {0, 400, 404, 422} and _names_missing_model(text):
        return FailureKind.MODEL_NOT_FOUND
    if status == 429 and "request too large" in text:
        return FailureKind.CONTEXT_LENGTH_EXCEEDED  # Groq's tokens-a-minute ceiling: no wait makes it fit
    if status in {0, 429} and any(phrase in text for phrase in _OVERLOADED):
        return FailureKind.SERVER_ERROR
    if status == 0 and any(phrase in text for phrase in _RATE):
        return FailureKind.RATE_LIMITED
    return None


def _read_wait(message: str) -> float:
    """The seconds after which a target says that it may be asked again; 0: it does not say."""
    found = _WAIT.search(message.lower())
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    return sum(float(number) * units[unit] for number, unit in _SPENT.findall(found[1])) if found is not None else 0.0


def _read_window(document: Any, message: str) -> int:
    """The number of tokens that a target says it takes; 0: it does not say."""
    error = document.get("error", document) if isinstance(document, dict) else None
    size = error.get("n_ctx") if isinstance(error, dict) else None
    if isinstance(size, int) and 0 < size <= LARGEST_WINDOW:
        return size
    text = message[:_SEARCHED].lower()
    for pattern in _WINDOWS:
        found = pattern.search(text)
        if found is not None:
            window = int(found[1].replace(",", "").replace("_", ""))
            return window if window <= LARGEST_WINDOW else 0
    return 0


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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _texts(document: Any, body: bytes) -> tuple[str, str]:
    """Message, and type and code as words."""
    if not isinstance(document, dict):
        return body[:MESSAGE_LIMIT].decode("utf-8", "replace"), ""
    error = document.get("error", document)
    if isinstance(error, dict):
        message = error.get("message") or _detail(error.get("detail")) or ""
        code = " ".join(str(error[name]) for name in ("type", "code") if error.get(name))
        told, cause = _relayed(error.get("metadata"))
        return (message if isinstance(message, str) else str(message)) + told, f"{code} {cause}".strip()
    return str(error), ""


def _detail(detail: Any) -> Any:
    """FastAPI's `detail`, whose list says what is wrong where."""
    if not isinstance(detail, list):
        return detail
    told = [each if isinstance(each, dict) else {"msg": each} for each in detail]
    places = [".".join(map(str, place)) if isinstance(place := each.get("loc"), list) else "" for each in told]
    return "; ".join(f"{place}: {each.get('msg')}".removeprefix(": ") for place, each in zip(places, told, strict=True))


def _relayed(metadata: Any) -> tuple[str, str]:
    """What OpenRouter adds to an error: whose it is and what they said, for people; and which limit was hit."""
    if not isinstance(metadata, dict):
        return "", ""
    raw, host, limit = (metadata.get(name) for name in ("raw", "provider_name", "limit_source"))
    said = raw if isinstance(raw, str) else msgspec.json.encode(raw).decode() if raw else ""
    told = f": {said}" if said else ""
    return (f"{told} ({host})" if isinstance(host, str) and host else told), limit if isinstance(limit, str) else ""


def _told_status(document: Any) -> int:
    """The status that stands in an error itself, as OpenRouter's does once an answer has begun; 0: none does."""
    error = document.get("error") if isinstance(document, dict) else None
    number = error.get("code") if isinstance(error, dict) else None
    return number if isinstance(number, int) and 400 <= number < 600 else 0
