"""Objects as the YAML that `kubectl apply` and `pointsman up` read back as the same values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

Json = dict[str, Any]

_WIDTH: Final = 120
# Kubernetes' parser takes more for numbers than PyYAML does (1e3, 0o7, 1_000): only what begins as a word is bare.
_WORD: Final = re.compile(r"[A-Za-z][ -~]*")
# Several lines as they are; whatever else a parser may break or trim a line at is quoted.
_LINES: Final = re.compile(r"[!-~][\n -~]*\n[\n -~]*")
_TRUTH: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


class _Dumper(yaml.SafeDumper):
    """Block style, no anchors, and every line of text quoted that any parser could take for something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True

    def text(self, data: str) -> yaml.ScalarNode:
        bare = _WORD.fullmatch(data) and data.lower() not in _TRUTH
        style = None if bare else "|" if _LINES.fullmatch(data) else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.text)


def dump(objects: Iterable[Json], comment: str = "") -> str:
    """One document for each object, in their order; `comment` stands above them, a `#` before each of its lines."""
    documents = [yaml.dump(body, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH) for body in objects]
    head = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    return head + "---\n".join(documents)
