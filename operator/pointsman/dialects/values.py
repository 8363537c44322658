"""JSON values of a client's request, checked as they are read. Every error says at which path and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.dialects import skim
from pointsman.exchange import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msgspec import Raw

    from pointsman.neutral import Json

DEPTH: Final = 200  # levels of lists and objects in one field
_JSON: Final = msgspec.json.Decoder()
_HUGE: Final = 2**63
_WHOLE: Final = "a whole number of 64 bits"
_KINDS: Final = {dict: "an object", list: "a list", str: "a string", bool: "true or false", int: "a number",
                 float: "a number", type(None): "null"}  # fmt: skip


def fields(raws: Mapping[str, Raw]) -> dict[str, Json]:
    """All fields of a request. BadRequestError: one that is no JSON, or is nested too deep."""
    return {name: read(name, raw) for name, raw in raws.items()}


def read(path: str, raw: Raw) -> Json:
    """One field's value. Whatever it gives can be written again."""
    text = bytes(raw)
    try:
        value = skim.decode(_JSON, text)
    except RecursionError as error:
        raise BadRequestError(f"{path}: nested deeper than {DEPTH} levels: flatten it") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequestError(f"{path}: not JSON: {error}") from error
    if text.count(b"[") + text.count(b"{") > DEPTH and _depth(value) > DEPTH:
        raise BadRequestError(f"{path}: nested deeper than {DEPTH} levels: flatten it")
    return value


def mapping(value: Json, path: str) -> dict[str, Json]:
    """An object. BadRequestError: it is none."""
    if not isinstance(value, dict):
        raise _wrong(value, path, "an object")
    return value


def items(value: Json, path: str) -> list[Json]:
    """A list. BadRequestError: it is none."""
    if not isinstance(value, list):
        raise _wrong(value, path, "a list")
    return value


def text(value: Json, path: str) -> str:
    """A string. BadRequestError: it is none."""
    if not isinstance(value, str):
        raise _wrong(value, path, "a string")
    return value


def flag(value: Json, path: str) -> bool:
    """True or false. BadRequestError: neither."""
    if not isinstance(value, bool):
        raise _wrong(value, path, "true or false")
    return value


def number(value: Json, path: str) -> float:
    """A number. BadRequestError: it is none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _wrong(value, path, "a number")
    return value


def count(value: Json, path: str) -> int:
    """A whole number of 64 bits at most. BadRequestError: it is none."""
    if not isinstance(value, int | float) or isinstance(value, bool) or value != int(value) or abs(value) >= _HUGE:
        raise _wrong(value, path, _WHOLE)
    return int(value)


def _wrong(value: Json, path: str, due: str) -> BadRequestError:
    shown = "another number" if due == _WHOLE and type(value) in (int, float) else _KINDS[type(value)]
    return BadRequestError(f"{path}: expected {due}, not {shown}")


def _depth(value: Any) -> int:
    """Levels of lists and objects; without recursion, as the value may be hostile."""
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return depth - 1
