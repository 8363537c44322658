"""Checks a value against a structural schema as the API server does, and refuses unknown fields as `kubectl` does."""

from __future__ import annotations

import difflib
import math
import re
from typing import TYPE_CHECKING, Any, Final

from pointsman.api.rules import broken

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]
Problem = tuple[Path, str]
Schema = dict[str, Any]

_KINDS: Final[dict[str, tuple[Any, str]]] = {
    "object": (dict, "an object"), "array": (list, "a list"), "string": (str, "text"),
    "integer": (int, "a whole number"), "number": ((int, float), "a number"), "boolean": (bool, "true or false"),
}  # fmt: skip


def problems(schema: Schema, value: Any, path: Path = ()) -> Iterator[Problem]:
    """Everything that is wrong with a value, each with its path. CEL rules count only where the rest is sound."""
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            yield path, f"must be a whole number or text, not {kind(value)}"
        return
    expected, what = _KINDS[schema["type"]]
    if not isinstance(value, expected) or (isinstance(value, bool) and schema["type"] != "boolean"):
        yield path, f"must be {what}, not {kind(value)}"
        return
    found = [*_bounds(schema, value, path), *_inside(schema, value, path)]
    yield from found or ((path, message) for message in broken(schema, value))


def kind(value: Any) -> str:
    """The kind of a value, for people: "text", "a list"."""
    if value is None:
        return "null"
    for name in ("boolean", "integer", "number", "string", "array", "object"):
        if isinstance(value, _KINDS[name][0]):
            return _KINDS[name][1]
    return type(value).__name__


def did_you_mean(word: str, known: list[str]) -> str:
    """The closest of the known words as ", did you mean X?", or nothing."""
    lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(word.lower(), list(lower), 1, 0.6)
    return f", did you mean {lower[close[0]]}?" if close else ""


def _inside(schema: Schema, value: Any, path: Path) -> Iterator[Problem]:
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from problems(schema["items"], item, (*path, i))
    elif isinstance(value, dict) and "properties" in schema:
        yield from _members(schema, value, path)
    elif isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        for key, item in value.items():
            yield from problems(schema["additionalProperties"], item, (*path, key))


def _members(schema: Schema, value: dict[str, Any], path: Path) -> Iterator[Problem]:
    known = schema["properties"]
    for key, item in value.items():
        if key in known:
            yield from problems(known[key], item, (*path, key))
        elif not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield (*path, key), f"unknown field{did_you_mean(key, list(known))}"
    for key in schema.get("required", ()):
        if key not in value:
            yield (*path, key), "is required"


def _bounds(schema: Schema, value: Any, path: Path) -> Iterator[Problem]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield from ((path, text) for text in _number(schema, value))
    elif isinstance(value, str):
        yield from ((path, text) for text in _text(schema, value))
    elif isinstance(value, list):
        yield from _list(schema, value, path)
    elif len(value) > schema.get("maxProperties", math.inf):
        yield path, f"must have at most {schema['maxProperties']} entries, not {len(value)}"


def _number(schema: Schema, value: float) -> Iterator[str]:
    if not math.isfinite(value):
        yield "must be a finite number"
        return
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    if value < low or (value == low and schema.get("exclusiveMinimum")):
        yield f"must be {'more than' if schema.get('exclusiveMinimum') else 'at least'} {low}, not {value}"
    if value > high:
        yield f"must be at most {high}, not {value}"


def _text(schema: Schema, value: str) -> Iterator[str]:
    if value not in (allowed := schema.get("enum", [value])):
        yield f"must be one of {', '.join(allowed)}, not {value!r}{did_you_mean(value, allowed)}"
    elif len(value) < schema.get("minLength", 0):
        yield f"must have at least {schema['minLength']} characters"
    elif len(value) > schema.get("maxLength", math.inf):
        yield f"must have at most {schema['maxLength']} characters, not {len(value)}"
    # Go's regular expressions: \s is ASCII, and $ is the very end.
    elif (pattern := schema.get("pattern")) and not re.search(_for_python(pattern), value, re.ASCII):
        yield f"{value!r} does not match {pattern}"


def _for_python(pattern: str) -> str:
    return pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern


def _list(schema: Schema, value: list[Any], path: Path) -> Iterator[Problem]:
    if len(value) < schema.get("minItems", 0):
        yield path, f"must have at least {schema['minItems']} items, not {len(value)}"
    if len(value) > schema.get("maxItems", math.inf):
        yield path, f"must have at most {schema['maxItems']} items, not {len(value)}"
    keys = schema.get("x-kubernetes-list-map-keys", ())
    if not keys and schema.get("x-kubernetes-list-type") != "set":
        return
    seen: list[Any] = []
    for i, item in enumerate(value):
        mark = [item.get(key) for key in keys] if keys and isinstance(item, dict) else item
        if mark in seen:
            yield (*path, i), f"repeats {' '.join(map(str, mark)) if isinstance(mark, list) else mark}"
        seen.append(mark)
