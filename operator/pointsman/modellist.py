"""Reads the list of models that OpenAI's `GET /v1/models` answers with, and what stands in its place when it fails.

Everything here is said by strangers: nothing raises, everything is bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeGuard

import msgspec

from pointsman.served import Answer, Finding, ServedModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Json = dict[str, Any]

PATH: Final = "/v1/models"
MODELS: Final = 4096  # of a longer list the first; a routing table has to hold them
_TOKENS: Final = 1_000_000_000
_NAME: Final = 256
_EXCERPT: Final = 80

_MEND_KEY = "set or renew the key that spec.endpoint.credentials.secretRef names"
_MEND_URL = "is spec.endpoint.baseUrl right? It ends where /v1 begins, with or without a final /v1"
_REFUSALS: Final[Mapping[int, tuple[str, str, bool | None]]] = {
    401: ("Unauthorized", f"the server refused the credentials (401): {_MEND_KEY}", False),
    402: ("QuotaExceeded", "the account is out of credit (402): pay, or raise its limit", True),
    403: (
        "Forbidden",
        f"the credentials may not list models (403): {_MEND_KEY}, or set spec.probe.mode to None if they may use them",
        False,
    ),
    404: ("NotFound", f"there is no model list at this address (404): {_MEND_URL}", None),
    405: ("NotFound", f"there is no model list at this address (405): {_MEND_URL}", None),
    429: ("RateLimited", "the server asks to be left alone for a while (429)", None),
}


def read(answers: Mapping[str, Answer], model: Callable[[Json], ServedModel | None], path: str = PATH) -> Finding:
    """The Finding from the decisive answer alone; `model` turns an entry into a model, None leaves it out.

    `credentials_valid` stays None on success: whether the list asks for a key differs from kind to kind.
    """
    answer = answers.get(path, Answer(0, error="Timeout", message="no answer came"))
    found = refusal(answer) or _entries(answer)
    return found if isinstance(found, Finding) else Finding(ok=True, models=tuple(_models(found, model)))


def refusal(answer: Answer) -> Finding | None:
    """Why an answer is no list, from its status; None for 2xx."""
    status = answer.status
    if status == 0:
        return Finding(ok=False, reason=answer.error or "ConnectionReset", message=answer.message)
    if status in _REFUSALS:
        reason, message, valid = _REFUSALS[status]
        return Finding(ok=False, reason=reason, message=message, credentials_valid=valid)
    if 200 <= status < 300:
        return None
    if status == 503 and b"loading model" in answer.body[:1024].lower():
        return Finding(ok=False, reason="ModelLoading", message="the server is still loading its model (503)")
    if status >= 500:
        return Finding(ok=False, reason="ServerError", message=f"the server failed ({status}): {excerpt(answer)}")
    return Finding(ok=False, reason="UnexpectedStatus", message=_unexpected(answer))


def entries(answer: Answer | None, key: str = "data") -> list[Json]:
    """The objects of a list that is nice to have: [] when it is not there or is something else."""
    content = decode(answer.body) if answer and 200 <= answer.status < 300 else None
    return _objects(content.get(key)) if isinstance(content, dict) else []


def decode(body: bytes) -> Any:
    """The JSON value, or None for what is none (null included)."""
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):  # RecursionError: a body of brackets
        return None


def identifier(entry: Json, key: str = "id") -> str:
    """The entry's id as clients send it, "" when it has none that can be sent."""
    value = entry.get(key)
    return value if isinstance(value, str) and len(value) <= _NAME else ""


def text(value: object) -> str:
    """A short text, "" for anything else."""
    return value[:_NAME] if isinstance(value, str) else ""


def tokens(*values: object) -> int:
    """The first of the values that can be a number of tokens, 0 when none is."""
    return next((int(value) for value in values if _is_count(value)), 0)


def inside(value: object, *path: str) -> Any:
    """The value at a path of keys, None when something is missing: {"a": {"b": 1}}, "a", "b" -> 1."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def flag(value: object) -> bool | None:
    """A boolean as told, None when it was not told."""
    return value if isinstance(value, bool) else None


def named(entry: Json) -> ServedModel | None:
    """An entry that tells nothing but its id."""
    return ServedModel(id=found) if (found := identifier(entry)) else None


def excerpt(answer: Answer) -> str:
    """The first 80 characters of what came, in one line."""
    shown = answer.body[: 4 * _EXCERPT].decode(errors="replace")
    line = " ".join("".join(c if c.isprintable() else " " for c in shown).split())[:_EXCERPT]
    return line or "an empty body"


def _entries(answer: Answer) -> list[Json] | Finding:
    content = decode(answer.body)
    for key in ("data", "models"):
        if isinstance(content, dict) and isinstance(content.get(key), list):
            return _objects(content[key])
    kind = f" ({text(answer.content_type)})" if answer.content_type else ""
    came = f"what came{kind} is no model list: {excerpt(answer)}"
    return Finding(ok=False, reason="NotOpenAICompatible", message=f"{came}; {_MEND_URL}")


def _objects(value: object) -> list[Json]:
    return [entry for entry in value[:MODELS] if isinstance(entry, dict)] if isinstance(value, list) else []


def _models(listed: list[Json], model: Callable[[Json], ServedModel | None]) -> Iterator[ServedModel]:
    seen: set[str] = set()
    for entry in listed:
        found = model(entry)
        if found and found.id not in seen:
            seen.add(found.id)
            yield found


def _unexpected(answer: Answer) -> str:
    if 300 <= answer.status < 400:
        where = text(answer.message) or "nowhere"
        return f"the server redirects ({answer.status}) to {where}: name the right place in spec.endpoint.baseUrl"
    return f"the server answered with status {answer.status}: {excerpt(answer)}"


def _is_count(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= _TOKENS
