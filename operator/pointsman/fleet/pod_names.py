"""The forms of names, labels and quantities in Kubernetes 1.36.

Source: k8s.io/apimachinery, pkg/util/validation and pkg/api/validate/content.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pointsman.fleet.quantity import canonical
from pointsman.fleet.shapes import mapped, record, text, truth

if TYPE_CHECKING:
    from collections.abc import Iterator

_PART: Final = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_DOMAIN: Final = rf"{_PART}(?:\.{_PART})*"
_NAME: Final = r"(?:[A-Za-z0-9][-\w.]{0,61})?[A-Za-z0-9]"
_VALUE = re.compile(rf"(?:{_NAME})?", re.ASCII)
_KEY = re.compile(rf"(?:(?=[^/]{{1,253}}/){_DOMAIN}/)?{_NAME}", re.ASCII)
_NOTE = re.compile(rf"(?:(?=[^/]{{1,253}}/){_DOMAIN}/)?{_NAME}", re.ASCII | re.IGNORECASE)
_WORDS: Final = "letters, digits and -_. beginning and ending with a letter or digit"

DOMAIN_NAME = text(re.compile(_DOMAIN), "lower-case letters, digits, - and ., at most 253", 253)
LABEL_NAME = text(re.compile(_PART), "lower-case letters, digits and -, at most 63", 63)
QUALIFIED = text(_KEY, f"NAME or DOMAIN/NAME, NAME of at most 63 {_WORDS}, DOMAIN in lower case")
LABEL_VALUE = text(_VALUE, f"at most 63 {_WORDS}")
LABELS = mapped(QUALIFIED, LABEL_VALUE)
ANNOTATIONS = mapped(text(_NOTE, f"NAME or DOMAIN/NAME, NAME of at most 63 {_WORDS}"), text())
# Since Kubernetes 1.34 whatever can be printed, but for =.
ENV_NAME = text(re.compile(r"[ -<>-~]+"), "printable ASCII without =")
KEY_REF = record({"name": DOMAIN_NAME, "key": text(re.compile(r"[-._a-zA-Z0-9]+"), "letters, digits and -_.", 253),
                  "optional": truth}, needs=("name", "key"))  # fmt: skip

_PLAIN: Final = ("cpu", "memory", "ephemeral-storage")


def quantity(value: Any, path: str) -> Iterator[str]:
    try:
        canonical(value if isinstance(value, int | str) and not isinstance(value, bool) else str(value))
    except ValueError as error:
        yield f"{path}: {error}"


def resource_name(name: str) -> str:
    """Why a container cannot ask for a resource of this name, "": it can."""
    if name in _PLAIN or (name.startswith("hugepages-") and "/" not in name):
        return ""
    if name in {"limits", "requests"}:
        return "is one flat map here, for both: write its entries without requests and limits"
    if "/" not in name:
        return f"must be {', '.join(_PLAIN)}, hugepages-SIZE, or a device's name with its domain, as nvidia.com/gpu"
    if any(QUALIFIED(name, "")) or name.startswith("requests."):
        return "must be DOMAIN/NAME, as nvidia.com/gpu, without spaces"
    return ""


def amounts(found: dict[str, Any], path: str) -> Iterator[str]:
    """Of resources that are asked for: their names, and that of devices there are only whole ones."""
    for name, value in found.items():
        if trouble := resource_name(name):
            yield f"{path}: {name!r} {trouble}"
        elif trouble := next(quantity(value, f"{path}[{name}]"), ""):
            yield trouble
        elif "/" in name and "kubernetes.io/" not in name and canonical(value)[-1] in "mun":
            yield f"{path}[{name}]: {value} is no whole number, and devices cannot be shared so: round it up"
