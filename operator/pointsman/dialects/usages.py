"""How many tokens an answer may have and says to have had, in every dialect's words.

All dialects' fields are read at once, as no two of them mean different things: only Anthropic's servers tell the
cached tokens apart from `input_tokens`, in fields of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw

from pointsman.exchange import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

ABSENT: Final = Raw(b"null")


class _Details(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class Said(msgspec.Struct, gc=False):
    """A value of `usage`, in any dialect's words."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Details | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Body(msgspec.Struct, gc=False):
    usage: Raw = ABSENT


_COUNT: Final = msgspec.json.Decoder(int)
_USAGE: Final = msgspec.json.Decoder(Said)
_BODY: Final = msgspec.json.Decoder(_Body)


def read_limit(fields: Mapping[str, Raw], *names: str) -> int:
    """The first of these fields that is a number above 0; 0: none is, and the target will say what is wrong with it."""
    for name in names:
        if name in fields:
            try:
                limit = _COUNT.decode(fields[name])
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            if limit > 0:
                return limit
    return 0


def read(raw: Raw) -> Usage | None:
    """The value of a field `usage`; None: it says nothing, or nothing that can be read."""
    if raw == ABSENT:
        return None
    try:
        said = _USAGE.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return of(said)


def of(said: Said) -> Usage | None:
    """What was said amounts to this; None: to nothing."""
    details = said.prompt_tokens_details or said.input_tokens_details
    if details is None and said.cache_read_input_tokens is None:
        prompt, output = said.prompt_tokens, said.completion_tokens
        if prompt and output and prompt > 0 and output > 0:
            return Usage(prompt, output)  # what most say, and no more
    read_back = said.cache_read_input_tokens or 0
    cached = read_back or (details.cached_tokens if details is not None else 0) or 0
    prompt = said.prompt_tokens or (said.input_tokens or 0) + read_back + (said.cache_creation_input_tokens or 0)
    output = said.completion_tokens or said.output_tokens or 0
    return Usage(max(prompt, 0), max(output, 0), max(cached, 0)) if prompt or output else None


def read_body(body: bytes | Raw) -> Usage | None:
    """The same of a whole answer."""
    try:
        return read(_BODY.decode(body).usage)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def merge(first: Usage | None, later: Usage | None) -> Usage | None:
    """What an answer says at its end, on top of what it said at its beginning."""
    if first is None or later is None:
        return later or first
    if not later.input:
        return Usage(first.input, later.output or first.output, first.cached)
    return Usage(later.input, later.output or first.output, later.cached)
