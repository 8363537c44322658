"""Request bodies of any dialect: one JSON object, whose top-level values are kept byte for byte as received."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec import Raw

from pointsman.dialects import compat, compat_hints, openrouter
from pointsman.exchange import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointsman.dialects.compat import Draft
    from pointsman.table import Model, Provider

Fields = dict[str, Raw]

_FIELDS: Final = msgspec.json.Decoder(Fields)
_MODEL: Final = msgspec.json.Decoder(str)
_ENCODE: Final = msgspec.json.Encoder().encode
_TRUE: Final = Raw(b"true")
_FALSY: Final = (Raw(b"false"), Raw(b"null"))
_KEY: Final = re.compile(rb'[\s{,]*"(?:[^"\\]|\\.)*"\s*:\s*')
_END: Final = re.compile(rb"[\s{]*}\s*")
_LONG: Final = 4096  # bytes
_EMPTY: Final = frozenset({b"null", b"[]", b"{}", b'""', b"false"})


def read_fields(body: bytes) -> Fields:
    """The top-level fields of a request. BadRequestError: no JSON, no object, or a key given twice.

    A key given twice is refused because readers differ in which one they believe: the gateway would fence one
    request and the server answer another.
    """
    try:
        fields = _FIELDS.decode(body)
    except msgspec.ValidationError as error:
        raise BadRequestError(f"the request body must be a JSON object: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestError(f"the request body is not JSON: {error}") from error
    except RecursionError as error:
        raise BadRequestError("the request body is nested too deep") from error
    # Written back without white space the fields have the length they came with, unless there was some, or a twin.
    if _written(fields, len(body)) != len(body):
        _refuse_twins(body, fields)
    return fields


def read_model(fields: Fields) -> str:
    """The name of the model asked for, never empty."""
    raw = fields.get("model")
    if raw is None:
        raise BadRequestError("the field 'model' is missing: name one of those that GET /v1/models lists")
    try:
        model = _MODEL.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        model = ""
    if not model:
        raise BadRequestError("the field 'model' must be a non-empty string")
    return model


def read_stream(fields: Fields) -> bool:
    """Whether a streamed answer is asked for."""
    raw = fields.get("stream")
    if raw is None:
        return False
    if raw == _TRUE:
        return True
    if raw in _FALSY:
        return False
    raise BadRequestError("the field 'stream' must be true or false")


def filled(fields: Fields, name: str) -> bool:
    """Whether a field is there with something in it."""
    raw = fields.get(name)
    return raw is not None and bytes(raw) not in _EMPTY


class Rules(NamedTuple):
    """What a dialect's requests lose or change on their way to a target.

    `foreign` fields are only the vendor's own, `reasoning` are those of them that tell how to reason. None of these
    holds for the vendor itself. `shape` follows what a model's `compat` states, whoever serves it. `lasts`: whether LM
    Studio is documented to take a `ttl` there. `keeps`: whether an answer is kept where nothing is said of it.
    `hints`: whether a prompt cache may be hinted at inside (`compat_hints`).
    """

    foreign: frozenset[str]
    reasoning: frozenset[str]
    shape: Callable[[Draft], None] | None = None
    lasts: bool = False
    keeps: bool = False
    hints: bool = False


def fit(fields: Fields, model: Model, provider: Provider, rules: Rules) -> tuple[bytes, tuple[str, ...]]:
    """The request for a target: its name for the model, every other value as received; and what it leaves out, sorted.

    Unless the target is the vendor itself, foreign fields are left out, and those on reasoning too if the model is not
    known to reason; and hints to a prompt cache, wherever they stand. Only what asked for something is named:
    `metadata: {}` does not.
    """
    renamed: dict[str, Any] = {**fields, "model": model.id}
    hinted = provider.native or not rules.hints or compat_hints.follows(model, provider)
    dropped = [] if provider.native else _leave_out(renamed, model, provider, rules)
    if model.compat or not hinted:
        draft = compat.Draft(renamed, model)
        if not hinted:
            compat_hints.clean(draft)
        if model.compat:
            _shape(draft, rules)
        dropped += draft.dropped
    if provider.keep_alive and rules.lasts:
        compat.prolong(renamed, provider)
    return _ENCODE(renamed), tuple(sorted(set(dropped))) if dropped else ()


def _shape(draft: Draft, rules: Rules) -> None:
    for name in compat.refused(draft.model):
        draft.drop(name)
    if rules.shape is not None:
        rules.shape(draft)


def write(
    fields: Fields, model: Model, provider: Provider, foreign: frozenset[str], reasoning: frozenset[str]
) -> tuple[bytes, tuple[str, ...]]:
    """The same without what `compat` states."""
    return fit(fields, model, provider, Rules(foreign, reasoning))


def _leave_out(renamed: dict[str, Any], model: Model, provider: Provider, rules: Rules) -> list[str]:
    """Take out what only the vendor itself understands, in place; the names of what asked for something."""
    unwanted = rules.foreign.intersection(renamed)
    if unwanted and reasons(model):
        unwanted -= rules.reasoning
    if unwanted and model.compat:
        unwanted -= compat.kept(model)
    if rules.keeps and compat.keeps(renamed, provider):
        unwanted -= {"store"}
    dropped = [name for name in unwanted if compat.asks(renamed.pop(name))]
    if openrouter.pins(model, provider):
        dropped += openrouter.pin(renamed, model, provider)
    return dropped


def reasons(model: Model) -> bool:
    """Whether a model is known to reason: only then is it told how to."""
    return model.reasoning or model.compat.get("supportsReasoningEffort") is True


def _written(fields: Fields, size: int) -> int:
    """The length of the fields when they are written, without writing a long one again."""
    if size < _LONG:
        return len(_ENCODE(fields))
    return len(_ENCODE([*fields])) + len(fields) + sum(len(memoryview(raw)) for raw in fields.values())


def _refuse_twins(body: bytes, fields: Fields) -> None:
    # Reading keeps the last of two values at the place of the first, so what was read no longer lies in the body in
    # order, or something is left over.
    at = 0
    for raw in fields.values():
        key = _KEY.match(body, at)
        if key is None or not body.startswith(raw, key.end()):
            break
        at = key.end() + len(memoryview(raw))
    else:
        if _END.fullmatch(body, at):
            return
    raise BadRequestError(f"the field {_twin(body)!r} is given twice")


def _twin(body: bytes) -> str:
    names = [name for name, _ in json.loads(body, object_pairs_hook=list)]
    return next((name for i, name in enumerate(names) if name in names[:i]), "?")
