"""What an engine's token, or its figures, make of a server whose list of models is good. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pointsman import modellist
from pointsman.served import Finding

if TYPE_CHECKING:
    from pointsman.served import Answer, Look

# A full queue is a sign of life.
_FULL: Final = (b"busy", b"queue", b"overload", b"capacity", b"too many", b"pending", b"try again", b"rate limit")
_MEND_KEY: Final = "set or renew the key that spec.endpoint.credentials.secretRef names"
_REFUSED: Final[dict[int, tuple[str, str, bool | None]]] = {
    401: ("Unauthorized", f"the server refused the credentials for an answer (401): {_MEND_KEY}", False),
    402: ("QuotaExceeded", "the account is out of credit (402): pay, or raise its limit", True),
    403: ("Forbidden", f"the credentials may list models and not use them (403): {_MEND_KEY}", False),
    429: ("RateLimited", "the server asks to be left alone for a while (429)", None),
}


def asleep(found: Finding) -> Finding:
    """The engine says itself that it was put to sleep."""
    message = "the engine was put to sleep: requests would wait until it is woken (POST /wake_up)"
    return _failed(found, "Asleep", message, certain=True)


def stalled(found: Finding, *, certain: bool) -> Finding:
    """The engine gave no sign of life. `certain`: it can be seen that nothing moves."""
    seen = "its figures have stopped" if certain else "no sign of life came from it"
    message = (
        f"the server lists its models, but its engine owes an answer and {seen}: restart it, or raise "
        "spec.probe.timeout if it is only slow; one that was paused goes on with POST /resume"
    )
    return _failed(found, "EngineStalled", message, certain=certain)


def of_looks(found: Finding, before: Look | None, after: Look | None) -> Finding:
    """Of an engine that owes a token: `found` where its figures have moved in the meantime, as it is only busy."""
    if after and after.asleep:
        return asleep(found)
    if before and after and before.figures != after.figures:
        return found
    return stalled(found, certain=bool(before and after))


def of_answer(answer: Answer, found: Finding, model: str) -> Finding | None:
    """What the answer to the request for a token means; None: none came in time.

    An answer that finds fault with the request is a sign of life like any other.
    """
    status = answer.status
    if answer.error == "Timeout":
        return None
    if status == 0:
        return _failed(found, answer.error or "ConnectionReset", answer.message)
    if status in _REFUSED:
        reason, message, valid = _REFUSED[status]
        return replace(_failed(found, reason, message), credentials_valid=valid)
    if status == 404 and b"model" in answer.body[:4096].lower():
        return replace(found, models=tuple(each for each in found.models if each.id != model))
    # 501: a server that embeds and does not chat.
    if status < 500 or status == 501 or (status == 503 and _full(answer)):
        return found
    return modellist.refusal(answer) or found


def _full(answer: Answer) -> bool:
    said = answer.body[:4096].lower()
    return any(word in said for word in _FULL)


def _failed(found: Finding, reason: str, message: str, *, certain: bool = False) -> Finding:
    return Finding(False, reason, message, credentials_valid=found.credentials_valid, certain=certain)
