"""What the CEL rules of the CustomResourceDefinitions say, in Python: for objects that come from files.

The CRD is the source: a rule is found here by its expression, and its message is the CRD's. A rule without a twin is
a KeyError, and a test asks a real API server and these about the same objects.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Value = Any

_URL: Final = re.compile(
    r"https?://([a-z0-9._-]+|\[(?P<ip>[0-9a-f:.]+)\])(:(?P<port>[0-9]+))?(?P<rest>([/?#][^\n\x00-\x1f\x7f]*)?)",
    re.IGNORECASE | re.ASCII,
)
_BAD_ESCAPE: Final = re.compile(r"^[^#?]*%(?![0-9A-Fa-f]{2})")


def broken(node: dict[str, Any], value: Value) -> Iterator[str]:
    """Messages of the rules of a schema node that the value breaks; rules about a change (oldSelf) cannot be."""
    for rule in node.get("x-kubernetes-validations", ()):
        expression = rule["rule"]
        if "oldSelf" not in expression and not TWINS[expression](value):
            yield rule["message"]


def _is_url(text: str) -> bool:
    # The rule's pattern, and what Go's url.ParseRequestURI refuses beside it.
    match = _URL.fullmatch(text)
    return match is not None and _is_address(match["ip"]) and not _BAD_ESCAPE.search(match["rest"])


def _is_address(ip: str | None) -> bool:
    if ip is None:
        return True
    try:
        ipaddress.IPv6Address(ip)
    except ValueError:
        return False
    return True


def _port_is_sound(text: str) -> bool:
    match = _URL.fullmatch(text)
    return match is None or match["port"] is None or 0 < int(match["port"]) < 65536


def _targets(spec: Value) -> list[tuple[str, str]]:
    return [(target["provider"], target["model"]) for target in spec.get("fallbacks", ())]


def _primary_repeats(spec: Value) -> bool:
    return (spec["primary"]["provider"], spec["primary"]["model"]) in _targets(spec)


TWINS: Final[dict[str, Callable[[Value], bool]]] = {
    "has(self.endpoint) != has(self.deploy)": lambda self: ("endpoint" in self) != ("deploy" in self),
    "!has(self.deploy) || self.type == 'VLLM'": lambda self: "deploy" not in self or self["type"] == "VLLM",
    "!has(self.keepLoaded) || self.type in ['Ollama', 'LMStudio']": lambda self: (
        "keepLoaded" not in self or self["type"] in {"Ollama", "LMStudio"}
    ),
    (
        "isURL(self) && "
        "self.matches('^[hH][tT][tT][pP][sS]?://([a-zA-Z0-9._-]+|[[][0-9a-fA-F:.]+[]])(:[0-9]+)?([/?#].*)?$')"
    ): _is_url,
    (
        "!isURL(self) || url(self).getPort() == '' || "
        "(int(url(self).getPort()) > 0 && int(url(self).getPort()) < 65536)"
    ): _port_is_sound,
    "self.matches('^[!-~]+$')": lambda self: re.fullmatch(r"[!-~]+", self) is not None,
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
