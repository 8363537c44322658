"""An OpenClaw configuration as a tree whose every node knows its path, so that each complaint can name it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import json5

from pointsman.fleet.quotes import repair

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

MAX_JSON5: Final = 512 * 1024  # characters; the JSON5 parser is slow, and no configuration written by people is larger

_VARIABLE: Final = re.compile(r"\$(\$?)\{([A-Za-z_][A-Za-z0-9_]*)\}")
_POSITION: Final = re.compile(r"<string>:(\d+) (.*?)(?: at column (\d+))?$", re.DOTALL)
_PLAIN: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")


class OpenClawError(ValueError):
    """A configuration that cannot be read; the text says what, where (line and column, or path) and how to mend it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a configuration came from, the variables it may name, and what has been said of it so far.

    `unusable`: the providers that it defines and that are left out, by their key in lower case, each with its mend.
    """

    name: str
    env: Mapping[str, str]
    warnings: list[str] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)

    def warn(self, path: str, text: str) -> None:
        self.warnings.append(f"{self.name}: {path}: {text}" if path else f"{self.name}: {text}")

    def error(self, path: str, text: str) -> OpenClawError:
        return OpenClawError(f"{self.name}: {path}: {text}" if path else f"{self.name}: {text}")


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the configuration. The readers raise OpenClawError with the path when it is of another type."""

    value: Any
    path: str
    source: Source

    def keys(self) -> list[str]:
        return [key for key, value in self._typed(dict, "an object {…}").items() if value is not None]

    def member(self, key: str) -> Node | None:
        """The member of this object; None when it is absent or null."""
        value = self._typed(dict, "an object {…}").get(key)
        path = f"{self.path}.{key}" if _PLAIN.fullmatch(key) else f"{self.path}[{json.dumps(key, ensure_ascii=False)}]"
        return None if value is None else Node(value, path.removeprefix("."), self.source)

    def members(self) -> Iterator[tuple[str, Node]]:
        for key in self.keys():
            if (node := self.member(key)) is not None:
                yield key, node

    def items(self) -> list[Node]:
        values = self._typed(list, "a list […]")
        return [Node(value, f"{self.path}[{i}]", self.source) for i, value in enumerate(values)]

    def text(self) -> str:
        """The string, with ${NAME} replaced from the environment ($${NAME} stands for itself) and trimmed.

        Hard spaces, which come from web pages, become plain ones.
        """

        def variable(match: re.Match[str]) -> str:
            return match[0][1:] if match[1] else self.variable(match[2])

        return _VARIABLE.sub(variable, self._typed(str, "text in quotes").replace("\u00a0", " ")).strip()

    def variable(self, name: str) -> str:
        if value := self.source.env.get(name):
            return value
        raise self.error(f"the environment variable {name} is not set: set it, or write the value here")

    def names_variable(self) -> bool:
        """Whether the string takes something from the environment."""
        return any(not match[1] for match in _VARIABLE.finditer(self._typed(str, "text in quotes")))

    def flag(self) -> bool:
        return bool(self._typed(bool, "true or false"))

    def number(self) -> int | float:
        value: int | float = self._typed((int, float), "a number")
        if not math.isfinite(value):
            raise self.error("must be a finite number")
        return value

    def whole(self) -> int:
        number = self.number()
        if number < 1 or number != int(number):
            raise self.error(f"must be a whole number of at least 1, not {self.value}")
        return int(number)

    def name_rest(self, known: Collection[str], why: str) -> None:
        """Warn of every member that is not known: nothing is dropped in silence."""
        for key, node in self.members():
            if key not in known:
                self.source.warn(node.path, why)

    def warn(self, text: str) -> None:
        self.source.warn(self.path, text)

    def error(self, text: str) -> OpenClawError:
        return self.source.error(self.path, text)

    def _typed(self, kind: type | tuple[type, ...], what: str) -> Any:
        if not isinstance(self.value, kind) or (isinstance(self.value, bool) and kind is not bool):
            raise self.error(f"must be {what}, not {_kind(self.value)}")
        return self.value


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def parse(text: str, source: Source) -> Node:
    """The root object of JSON or JSON5 text. Typographic quotes are repaired with a warning, when there is need."""
    text = text.removeprefix("\ufeff")
    value, error = _load(text, source)
    if error:
        repaired = repair(text)
        value, error_left = _load(repaired.text, source) if repaired.text != text else (None, error)
        if error_left:
            raise OpenClawError(error_left)
        if repaired.count:
            source.warn(
                f"line {repaired.line}",
                f"typographic quotes (\u201c\u201d, \u2018\u2019 or the like) around {_strings(repaired.count)}"
                ' were read as straight ones; write ", or OpenClaw itself refuses the file',
            )
    if not isinstance(value, dict):
        raise source.error("", f"must be one object {{…}}, not {_kind(value)}")
    return Node(value, "", source)


def _strings(delimiters: int) -> str:
    number = (delimiters + 1) // 2
    return f"{number} strings" if number > 1 else "a string"


def _load(text: str, source: Source) -> tuple[Any, str]:
    # The value, or "" and what is wrong with the text.
    twice: list[str] = []
    try:
        value = _decode(text, _pairs(twice))
    except RecursionError:
        return None, f"{source.name}: nested too deeply"
    except ValueError as error:
        return None, _explain(str(error), text, source.name)
    for key in twice:
        source.warn("", f"the key {key!r} stands twice in one object; the later one counts")
    return value, ""


def _decode(text: str, pairs: Callable[[Iterable[tuple[str, Any]]], dict[str, Any]]) -> Any:
    try:
        return json.loads(text, object_pairs_hook=pairs)  # what OpenClaw itself writes, and a thousand times faster
    except ValueError:
        if len(text) > MAX_JSON5:
            raise ValueError(f"<string>:1 more than {MAX_JSON5} characters and not plain JSON") from None
        return json5.loads(text, object_pairs_hook=pairs)


def _pairs(twice: list[str]) -> Callable[[Iterable[tuple[str, Any]]], dict[str, Any]]:
    def build(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        members = list(pairs)
        out = dict(members)
        if len(out) < len(members):
            keys = [key for key, _ in members]
            twice.extend(key for key in out if keys.count(key) > 1)
        return out

    return build


def _explain(message: str, text: str, name: str) -> str:
    # json5 says: <string>:3 Unexpected "b" at column 3
    if not text.strip():
        return f"{name}: is empty: an OpenClaw configuration is one object {{…}}"
    match = _POSITION.match(message)
    if not match:
        return f"{name}: not JSON5: {message}"
    line, what, column = int(match[1]), match[2], match[3]
    place = f"line {line}, column {column}" if column else f"line {line}"
    lines = text.split("\n")
    shown = lines[line - 1].strip()[:60] if line <= len(lines) and not _secretive(lines[line - 1]) else ""
    near = f" in: {shown}" if shown else ""
    return f"{name}: {place}: not JSON5: {what[0].lower()}{what[1:]}{near}; is a comma, quote or bracket missing?"


def _secretive(line: str) -> bool:
    return bool(re.search(r"key|token|secret|password|authorization", line, re.IGNORECASE))
