"""Hints to a prompt cache in Anthropic's words, `cache_control`: who is sent them, and how they are taken out.

They come in Messages, and in chat completions for servers that hand on to Anthropic. Others may refuse the member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Raw

from pointsman.dialects.compat import asks, value
from pointsman.names import ProviderType

if TYPE_CHECKING:
    from pointsman.dialects.compat import Draft, Record
    from pointsman.table import Model, Provider

_HINT: Final = b'"cache_control"'
_BEFORE: Final = _HINT.index(b"_")
_LOOKS: Final = 16
_SHORT: Final = 1024  # bytes
_CACHE: Final = "cache_control"
_HOLDERS: Final = ("tools", "system", "messages")
_INSIDE: Final = ("content", "function")
_ANTHROPICS: Final = "anthropic/"


def follows(model: Model, provider: Provider) -> bool:
    """Whether a server is stated to follow hints; OpenRouter hands them on to Anthropic, by its documentation."""
    if model.compat.get("cacheControlFormat") == "anthropic":
        return True
    return provider.type == ProviderType.OPENROUTER and model.id.startswith(_ANTHROPICS)


def clean(draft: Draft) -> None:
    """Take out all hints, and name them: of the request, its tools, its system's blocks, its turns and their parts."""
    draft.drop(_CACHE)
    for name in _HOLDERS:
        given = draft.fields.get(name)
        if given is not None and (not isinstance(given, Raw) or _may_hint(bytes(given))):
            for holder in draft.records(name):
                _unhint(draft, holder)


def _may_hint(data: bytes) -> bool:
    """Whether a hint may be in there. To look for one byte takes a twentieth of the time, and prose has few of it."""
    if len(data) < _SHORT:
        return _HINT in data
    at = -1
    for _ in range(_LOOKS):
        at = data.find(b"_", at + 1)
        if at < 0 or data.startswith(_HINT, at - _BEFORE):
            return at >= 0
    return _HINT in data[at:]


def _unhint(draft: Draft, holder: Record) -> None:
    if _CACHE in holder and asks(holder.pop(_CACHE)):
        draft.lose(_CACHE)
    for name in _INSIDE:
        inner = holder.get(name)
        if isinstance(inner, Raw) and _HINT in bytes(inner) and isinstance(read := value(inner), list | dict):
            inner = holder[name] = read
        for each in inner if isinstance(inner, list) else [inner]:
            if isinstance(each, dict):
                _unhint(draft, each)
