"""Whether an object in the cluster already is what it should be, so that a settled cluster is written to never. Pure.

Two questions, both to be answered with yes: was this very desired state applied (a hash in an annotation: finds fields
that we no longer set, which only an apply removes), and does the stored object still hold all of it (finds what
others changed). The API server fills in defaults and drops empty values, so the stored object holds more and less
than what was sent.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.fleet.quantity import canonical
from pointsman.names import GROUP

if TYPE_CHECKING:
    from pointsman.fleet.world import Json

APPLIED: Final = f"{GROUP}/applied"

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_QUANTITIES: Final = frozenset({"limits", "requests", "sizeLimit"})
# Booleans that the API server leaves out when false; others (pointers in its types) it keeps.
_PLAIN_BOOLEANS: Final = frozenset(
    {"hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "readOnly", "paused", "publishNotReadyAddresses"}
)


def stamped(desired: Json) -> Json:
    """The object to apply: Secrets in the form in which they are stored, and with the hash of all of it."""
    body = _stored_form(desired)
    annotations = dict(body["metadata"].get("annotations") or {}) | {APPLIED: _hash(body)}
    return body | {"metadata": body["metadata"] | {"annotations": annotations}}


def is_applied(body: Json, stored: Json | None) -> bool:
    """Whether `stored` is what applying `body` (as `stamped` gives it) would make of it."""
    # A LIST's items do not repeat the kind.
    content = {key: value for key, value in body.items() if key not in {"apiVersion", "kind"}}
    return stored is not None and covered(content, stored)


def covered(desired: Any, stored: Any, key: str = "") -> bool:
    """Whether `stored` holds all that `desired` says; `key` is the name of the field that holds them."""
    if stored is None:
        return _is_empty(desired, key)
    if isinstance(desired, dict):
        inner = key if key in _QUANTITIES else ""
        return isinstance(stored, dict) and all(
            covered(value, stored.get(name), inner or name) for name, value in desired.items()
        )
    if isinstance(desired, list):
        return isinstance(stored, list) and _covered_list(desired, stored)
    return bool(desired == stored) or (key in _QUANTITIES and _same_quantity(desired, stored))


def _covered_list(desired: list[Any], stored: list[Any]) -> bool:
    if _are_named(desired):
        # Lists that server-side apply merges by name: others may have added to them.
        named = {item.get("name"): item for item in stored if isinstance(item, dict)}
        return all(covered(item, named.get(item["name"])) for item in desired)
    return len(desired) == len(stored) and all(covered(want, have) for want, have in zip(desired, stored, strict=True))


def _are_named(items: list[Any]) -> bool:
    """Whether a list's items are told apart by their names, as containers are; one volume may be mounted twice."""
    names = [item["name"] for item in items if isinstance(item, dict) and "name" in item]
    return bool(items) and len(names) == len(items) == len(set(names))


def _is_empty(value: Any, key: str) -> bool:
    if isinstance(value, bool):
        return not value and key in _PLAIN_BOOLEANS
    if isinstance(value, dict):
        return all(_is_empty(inner, name) for name, inner in value.items())
    return value in (None, "", [])


def _same_quantity(desired: Any, stored: Any) -> bool:
    try:
        return canonical(desired) == canonical(stored)
    except (ValueError, ArithmeticError):
        return False


def _stored_form(body: Json) -> Json:
    """`stringData` is write-only: what is stored, and compared, is `data`."""
    if "stringData" not in body:
        return body
    plain = {key: base64.b64encode(str(text).encode()).decode() for key, text in body["stringData"].items()}
    return {key: value for key, value in body.items() if key != "stringData"} | {"data": body.get("data", {}) | plain}


def _hash(body: Json) -> str:
    if body.get("kind") == "Secret":
        # An annotation is no place for anything made of a secret; values are compared one by one anyway.
        body = body | {"data": sorted(body.get("data") or {})}
    return hashlib.sha256(_ENCODER.encode(body)).hexdigest()[:16]
