"""What the CEL rules of the CustomResourceDefinitions say, in Python: for objects that come from files.

The CRD is the source: a rule is found here by its expression, and its message is the CRD's. A rule without a twin is
a KeyError, and a test asks a real API server and these about the same objects.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Value = Any

_BAD_IN_URL: Final = re.compile(r"[\x00-\x20\x7f]")


def broken(node: dict[str, Any], value: Value) -> Iterator[str]:
    """Messages of the rules of a schema node that the value breaks; rules about a change (oldSelf) cannot be."""
    for rule in node.get("x-kubernetes-validations", ()):
        expression = rule["rule"]
        if "oldSelf" not in expression and not TWINS[expression](value):
            yield rule["message"]


def _is_url(text: str) -> bool:
    # As Go's url.ParseRequestURI, for what a base URL may hold.
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host_is_sound = not re.search(r"[^\w.\-:\[\]%~!$&'()*+,;=]", parts.hostname or "")
    escapes_are_sound = not re.search(r"%(?![0-9A-Fa-f]{2})", text)
    absolute = bool(parts.scheme and (parts.netloc or parts.path.startswith("/"))) or text.startswith("/")
    return absolute and not _BAD_IN_URL.search(text) and host_is_sound and escapes_are_sound and port != -1


def _hostname(text: str) -> str:
    return unquote(urlsplit(text).hostname or "")


def _targets(spec: Value) -> list[tuple[str, str]]:
    return [(target["provider"], target["model"]) for target in spec.get("fallbacks", ())]


def _primary_repeats(spec: Value) -> bool:
    return (spec["primary"]["provider"], spec["primary"]["model"]) in _targets(spec)


TWINS: Final[dict[str, Callable[[Value], bool]]] = {
    "has(self.endpoint) != has(self.deploy)": lambda self: ("endpoint" in self) != ("deploy" in self),
    "!has(self.deploy) || self.type == 'VLLM'": lambda self: "deploy" not in self or self["type"] == "VLLM",
    "isURL(self) && url(self).getScheme() in ['http', 'https']": lambda self: (
        _is_url(self) and urlsplit(self).scheme in ("http", "https")
    ),
    "!isURL(self) || url(self).getHostname() != ''": lambda self: not _is_url(self) or _hostname(self) != "",
    "!self.contains('@')": lambda self: "@" not in self,
    "!self.contains('?') && !self.contains('#')": lambda self: "?" not in self and "#" not in self,
    "self.matches('^(hf|pvc|s3|oci)://.+')": lambda self: re.match(r"(hf|pvc|s3|oci)://.", self) is not None,
    (
        "!has(self.fallbacks) || "
        "self.fallbacks.all(f, f.provider != self.primary.provider || f.model != self.primary.model)"
    ): lambda self: not _primary_repeats(self),
    (
        "!has(self.fallbacks) || self.fallbacks.all(f, "
        "self.fallbacks.exists_one(g, g.provider == f.provider && g.model == f.model))"
    ): lambda self: len(set(_targets(self))) == len(_targets(self)),
    "!has(self.aliases) || !(self.modelName in self.aliases)": lambda self: (
        self["modelName"] not in self.get("aliases", ())
    ),
    "size(self.metadata.name) <= 52": lambda self: len(self["metadata"]["name"]) <= 52,
    "!self.metadata.name.contains('.')": lambda self: "." not in self["metadata"]["name"],
}
