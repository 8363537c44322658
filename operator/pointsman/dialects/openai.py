"""Fields that OpenAI has in both of its dialects, and that mean the same in both: carried over for itself alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.names import Dialect, ProviderType

if TYPE_CHECKING:
    from pointsman.neutral import Request
    from pointsman.table import Provider

_SAME: Final = (
    "service_tier", "store", "metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
)  # fmt: skip
_VERBOSITY: Final = {Dialect.CHAT: "verbosity", Dialect.RESPONSES: "text.verbosity"}
"""A member of `text` in Responses, which its reader keeps under its path."""

_IDLE: Final[tuple[Any, ...]] = (None, False)  # an answer that is not stored is what both are asked for anyway


def is_openai(provider: Provider) -> bool:
    """Whether it is OpenAI itself, and no other server that speaks as it does."""
    return provider.native and provider.type == ProviderType.OPENAI


def carried(request: Request, dialect: Dialect, provider: Provider) -> dict[str, tuple[str, Any]]:
    """The fields of a request that its target knows as well: by their home names, the target's name and the value."""
    home = request.home
    if not is_openai(provider) or home is dialect or home not in _VERBOSITY or dialect not in _VERBOSITY:
        return {}
    names = {name: name for name in _SAME} | {_VERBOSITY[home]: _VERBOSITY[dialect]}
    if dialect is Dialect.CHAT and request.rest.get("store") is not True:
        del names["metadata"]  # refused there beside an answer that is not stored
    return {name: (names[name], value) for name, value in request.rest.items() if name in names and value not in _IDLE}


def fields(request: Request, dialect: Dialect, provider: Provider) -> dict[str, Any]:
    """The same as they are written."""
    return dict(carried(request, dialect, provider).values())
