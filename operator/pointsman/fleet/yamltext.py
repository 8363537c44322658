"""YAML documents as JSON values whose every part knows its line, read as `kubectl` reads them.

One exception: keys are always text, so that `on:` stays "on", which `kubectl` turns into "true".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NODES: Final = 200_000  # with aliases written out: a small file can mean a huge value

Path = tuple[str | int, ...]


class YamlError(ValueError):
    """Text that is not YAML; says what and where, without the name of the file."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its number in the text, from 1, and its value."""

    number: int
    value: Any
    root: yaml.Node

    def line(self, path: Path = ()) -> int:
        """The line, from 1, of the deepest part of the path that is there."""
        node, line = self.root, self.root.start_mark.line
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            node, line = found
        return int(line) + 1


class _Loader(yaml.SafeLoader):
    """YAML 1.1 as Kubernetes' parser takes it: no dates, no sexagesimal numbers."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        if not isinstance(node, yaml.MappingNode):
            return super().construct_mapping(node, deep)
        _refuse_twice(node)
        self.flatten_mapping(node)
        return {_key(key): self.construct_object(value, deep) for key, value in node.value}


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":int", ":float"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"[-+]?(0|[1-9][0-9]*|0x[0-9a-fA-F]+|0b[01]+)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"),
    list("-+.0123456789"),
)


def documents(text: str) -> Iterator[Document]:
    """The documents that hold something; YamlError tells the line of what cannot be read."""
    try:
        loader = _Loader(text)
        number = 0
        while loader.check_node():
            number += 1
            if (node := loader.get_node()) is None:
                continue
            _refuse_bomb(node)
            value = loader.construct_document(node)
            if value is not None:
                yield Document(number, value, node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlError(f"{place}not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise YamlError(f"not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise YamlError("nested too deeply") from None


def _refuse_bomb(root: yaml.Node) -> None:
    count, waiting = 0, [root]
    while waiting:
        node = waiting.pop()
        count += 1
        if count > MAX_NODES:
            raise YamlError(f"line {node.start_mark.line + 1}: more than {MAX_NODES} values, aliases counted in full")
        if isinstance(node, yaml.MappingNode):
            waiting.extend(part for pair in node.value for part in pair)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)


def _refuse_twice(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if (name := _key(key)) in seen and key.tag != "tag:yaml.org,2002:merge":
            raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} stands twice", key.start_mark)
        seen.add(name)


def _key(node: Any) -> str:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    raise yaml.constructor.ConstructorError(None, None, "a key must be text", node.start_mark)


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((value, key.start_mark.line) for key, value in node.value if _key(key) == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark.line
    return None
