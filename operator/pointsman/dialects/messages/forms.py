"""The JSON Schema of an answer as Anthropic's own reader takes it: what it has no word for is told to the model.

From Anthropic's page on structured outputs (November 2026) and its SDK, which does the same: objects are closed, bounds
of numbers, texts and lists are no keywords, so they stand in the description; `oneOf` is `anyOf`. What cannot be said
so is no schema there: one that refers to itself, an object of any members, a value of any kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from pointsman.neutral import Json

_DEEPEST: Final = 48
_GROUPS: Final = ("$defs", "definitions")
_KINDS: Final = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_FORMATS: Final = frozenset({
    "date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid",
})  # fmt: skip
_OF_KINDS: Final = {
    "object": ("properties", "required", "additionalProperties", "patternProperties"),
    "array": ("items", "minItems", "maxItems", "uniqueItems"),
    "string": ("format", "pattern", "minLength", "maxLength"),
}
"""Keywords that concern one kind of value alone."""
_SILENT: Final = frozenset({"$schema", "$id", "$comment", "examples", "default", "nullable", "deprecated"})
"""Keywords that hold an answer to nothing, and would only lengthen the description."""

Object = dict[str, Any]


class UnfitError(ValueError):
    """A schema to which Anthropic's API cannot hold an answer: what stands in the way."""


def fitted(schema: Json) -> Object:
    """The schema for Anthropic. UnfitError: there is none that means the same."""
    if not isinstance(schema, dict):
        raise UnfitError("it is no object")
    for group in _GROUPS:
        named = schema.get(group)
        for name in named if isinstance(named, dict) else ():
            _follow(schema, f"#/{group}/{name}", ())
    return _fit(schema, 0)


def _follow(root: Object, reference: str, seen: tuple[str, ...]) -> None:
    """UnfitError: a definition leads back to itself."""
    if reference in seen or len(seen) > _DEEPEST:
        raise UnfitError(f"{reference} refers to itself")
    _, group, name = [*reference.split("/", 2), "", ""][:3]
    named = root.get(group)
    for inner in _references(named.get(name) if isinstance(named, dict) else None, 0):
        _follow(root, inner, (*seen, reference))


def _references(node: Json, depth: int) -> set[str]:
    if depth > _DEEPEST:
        raise UnfitError("it is too deep")
    if isinstance(node, list):
        return set().union(*(_references(each, depth + 1) for each in node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*(_references(each, depth + 1) for each in node.values()))


def _fit(schema: Json, depth: int) -> Object:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        raise UnfitError("a value of any kind" if schema is True or schema == {} else "it is no schema, or too deep")
    left = {name: value for name, value in schema.items() if name not in _SILENT}
    said: Object = {}
    for group in _GROUPS:
        if isinstance(left.get(group), dict):
            said[group] = {name: _fit(each, depth + 1) for name, each in left.pop(group).items()}
    if isinstance(left.get("$ref"), str):
        return said | {"$ref": _local(left["$ref"])}
    said |= _take_kind(left, depth)
    words: Object = {name: left.pop(name) for name in ("title", "description") if isinstance(left.get(name), str)}
    said |= words
    return _tell(said, left)


def _local(reference: str) -> str:
    if not reference.startswith(tuple(f"#/{group}/" for group in _GROUPS)):
        raise UnfitError(f"{reference} refers to what is no definition of its own")
    return reference


def _take_kind(left: Object, depth: int) -> Object:
    """What the value is, taken out of the schema's keywords."""
    kind = left.pop("type", None)
    literals = _take_literals(left)
    if literals:
        return literals
    for name, told in (("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")):
        if isinstance(left.get(name), list) and left[name]:
            return {told: [_fit(each, depth + 1) for each in left.pop(name)]}
    if isinstance(kind, list) and kind:
        words: Object = {name: left.pop(name) for name in ("title", "description") if name in left}
        kept = {name: left.pop(name) for name in tuple(left)}
        return {**words, "anyOf": [_fit(_of_kind(each, kept), depth + 1) for each in kind]}
    if not isinstance(kind, str) or kind not in _KINDS:
        raise UnfitError("a value of any kind")
    return {"type": kind, **_take_members(kind, left, depth)}


def _of_kind(kind: Json, keywords: Object) -> Object:
    """One of several kinds, with those of the keywords that may concern it."""
    return {"type": kind} if kind in ("null", "boolean") else {"type": kind, **_concerning(kind, keywords)}


def _concerning(kind: Json, keywords: Object) -> Object:
    others = {word for other, words in _OF_KINDS.items() if other != kind for word in words}
    return {name: value for name, value in keywords.items() if name not in others}


def _take_literals(left: Object) -> Object:
    if "const" in left and _plain(left["const"]):
        return {"const": left.pop("const")}
    listed = left.get("enum")
    if isinstance(listed, list) and listed and all(map(_plain, listed)):
        return {"enum": left.pop("enum")}
    if "const" in left or "enum" in left:
        raise UnfitError("an object or a list among the values of an enum")
    return {}


def _plain(value: Json) -> bool:
    return value is None or isinstance(value, str | int | float)


def _take_members(kind: str, left: Object, depth: int) -> Object:
    if kind == "object":
        return _take_object(left, depth)
    if kind == "array":
        if not isinstance(left.get("items"), dict):
            raise UnfitError("a list of anything")
        found: Object = {"items": _fit(left.pop("items"), depth + 1)}
        return found | ({"minItems": left.pop("minItems")} if left.get("minItems") in (0, 1) else {})
    if kind == "string" and left.get("format") in _FORMATS:
        return {"format": left.pop("format")}
    return {}


def _take_object(left: Object, depth: int) -> Object:
    members, more = left.pop("properties", None) or {}, left.pop("additionalProperties", None)
    if not isinstance(members, dict) or (more not in (None, True, False)) or (not members and more is not False):
        raise UnfitError("an object of any members")
    if "patternProperties" in left:
        raise UnfitError("members by a pattern of their names")
    found: Object = {"properties": {name: _fit(each, depth + 1) for name, each in members.items()}}
    required = left.pop("required", None)
    named = {"required": required} if isinstance(required, list) else {}
    return {**found, **named, "additionalProperties": False}


def _tell(said: Object, left: Object) -> Object:
    """The schema with what is left of its keywords in its description."""
    if not left:
        return said
    told = msgspec.json.encode(left).decode()
    return {**said, "description": f"{said['description']}\n\n{told}" if said.get("description") else told}
