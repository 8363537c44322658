"""Tool definitions as a server's own reader of JSON Schema takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.dialects.compat import record, value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pointsman.dialects.compat import Draft, Record

_LONGEST: Final = 2000
"""From this `maxLength` on llama.cpp's grammar of a string takes seconds to build, or is refused."""
_GEMINI: Final = frozenset({
    "patternProperties", "additionalProperties", "$schema", "$id", "$ref", "$defs", "definitions", "examples",
    "minLength", "maxLength", "minimum", "maximum", "multipleOf", "pattern", "format", "minItems", "maxItems",
    "uniqueItems", "minProperties", "maxProperties", "not",
})  # fmt: skip
"""What Google's reader of schemas refuses."""
_NAMED: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose members are schemas by names: names are no keywords."""
_PLAIN: Final = ("const", "enum", "default", "examples")
"""Keywords whose values are no schemas."""


def functions(draft: Draft, schema: str) -> Iterator[tuple[Record, str]]:
    """The definitions in a request, each with the member that holds its schema; chat's are one level down."""
    for tool in draft.records("tools"):
        inner = record(tool, "function")
        yield (inner, "parameters") if inner is not None else (tool, schema)


def no_strict(schema: str) -> Callable[[Draft, Any], None]:
    """`supportsStrictMode: false`: no tool says `strict`; named where one asked for it."""

    def rule(draft: Draft, stated: Any) -> None:
        if stated is False:
            for function, _ in functions(draft, schema):
                if value(function.pop("strict", None)) is True:
                    draft.lose("tools.strict")

    return rule


def profile(schema: str) -> Callable[[Draft, Any], None]:
    """`toolSchemaProfile`: what llama.cpp's or Gemini's reader of schemas chokes on is left out.

    These bounds are for the model to keep, and a server that cannot read them would refuse the tool: nothing is named.
    """

    def rule(draft: Draft, stated: Any) -> None:
        if stated == "llamacpp":
            _clean(draft, schema, _chokes_llamacpp)
        elif stated == "gemini":
            _clean(draft, schema, lambda key, _: key in _GEMINI)

    return rule


def without(schema: str) -> Callable[[Draft, Any], None]:
    """`unsupportedToolSchemaKeywords`: these are left out, wherever they stand as keywords."""

    def rule(draft: Draft, stated: Any) -> None:
        words = _words(stated)
        if words:
            _clean(draft, schema, lambda key, _: key in words)

    return rule


def _chokes_llamacpp(key: str, bound: Any) -> bool:
    return key == "pattern" or (key == "maxLength" and isinstance(bound, int | float) and bound >= _LONGEST)


def _words(stated: Any) -> frozenset[str]:
    return frozenset(word for word in stated if isinstance(word, str)) if isinstance(stated, list) else frozenset()


def _clean(draft: Draft, schema: str, chokes: Callable[[str, Any], bool]) -> None:
    for function, member in functions(draft, schema):
        stated = value(function.get(member))
        if isinstance(stated, dict):
            function[member] = _cleaned(stated, chokes)


def _cleaned(node: Any, chokes: Callable[[str, Any], bool]) -> Any:
    if isinstance(node, list):
        return [_cleaned(item, chokes) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _member(key, inner, chokes) for key, inner in _sound(node.items(), chokes)}


def _sound(members: Iterable[tuple[str, Any]], chokes: Callable[[str, Any], bool]) -> list[tuple[str, Any]]:
    return [(key, inner) for key, inner in members if not chokes(key, inner)]


def _member(key: str, inner: Any, chokes: Callable[[str, Any], bool]) -> Any:
    if key in _PLAIN:
        return inner
    if key in _NAMED and isinstance(inner, dict):
        return {name: _cleaned(schema, chokes) for name, schema in inner.items()}
    return _cleaned(inner, chokes)
