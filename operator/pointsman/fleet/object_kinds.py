"""How an object of each kind is read from its JSON: its value, and each mistake in it with the path."""

from __future__ import annotations

import base64
import binascii
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from pointsman.api.crd import provider_crd, route_crd
from pointsman.api.validation import kind, problems
from pointsman.names import API_VERSION, MODE_ANNOTATION, Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pointsman.api.validation import Path, Schema

Json = dict[str, Any]
Mistakes = list[tuple["Path", str]]

KINDS: Final = {"ModelProvider": API_VERSION, "ModelRoute": API_VERSION, "Secret": "v1", "Namespace": "v1"}
OURS: Final = [name for name, version in KINDS.items() if version == API_VERSION]


def read_kind(body: Json, mistakes: Mistakes) -> Any:
    """The value of an object of KINDS; what is wrong is added to `mistakes`.

    ModelProvider, ModelRoute: the body. Secret: its entries, decoded. Namespace: its Mode, or None.
    """
    mistakes += _metadata(body)
    return None if mistakes else _READERS[body["kind"]](body, mistakes)


def key(body: Json) -> tuple[str, str]:
    """(namespace, name) of a body whose metadata is sound."""
    metadata = body["metadata"]
    return ("" if body["kind"] == "Namespace" else metadata.get("namespace") or "default"), metadata["name"]


def without_nulls(body: Json) -> Json:
    """The same without members that are null, which say nothing; free-form fields keep theirs, as in the API server.

    In a patch, as `spec.deploy.podTemplate` is, a null takes a member away. (`kubectl apply` sends none when it creates
    an object; with `--server-side`, and from other clients, they arrive.)
    """
    schema = _SCHEMAS.get(body["kind"])
    pruned: Json = _without_nulls(body, schema() if schema else {})
    return pruned


def _without_nulls(value: Any, schema: Schema) -> Any:
    if isinstance(value, dict):
        free = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
        inner, other = schema.get("properties", {}), schema if free else schema.get("additionalProperties", {})
        members = [(str(name), item) for name, item in value.items() if free or item is not None]
        return {name: _without_nulls(item, inner.get(name, other)) for name, item in members}
    if isinstance(value, list):
        free = bool(schema.get("x-kubernetes-preserve-unknown-fields")) and "items" not in schema
        return [_without_nulls(item, schema if free else schema.get("items", {})) for item in value]
    return value


def _metadata(body: Json) -> Iterator[tuple[Path, str]]:
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        yield ("metadata", "name"), "is required, as text"
    elif not isinstance(metadata.get("namespace", ""), str):
        yield ("metadata", "namespace"), "must be text"


@cache
def _provider_schema() -> Schema:
    return _schema(provider_crd())


@cache
def _route_schema() -> Schema:
    return _schema(route_crd())


def _schema(crd: Json) -> Schema:
    schema: Schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


_SCHEMAS: Final[dict[str, Callable[[], Schema]]] = {"ModelProvider": _provider_schema, "ModelRoute": _route_schema}


def _custom(schema: Callable[[], Schema]) -> Callable[[Json, Mistakes], Json]:
    def read(body: Json, mistakes: Mistakes) -> Json:
        # An exported object brings its status along, which is the operator's and means nothing here.
        mistakes += problems(schema(), {name: value for name, value in body.items() if name != "status"})
        return body

    return read


def _secret(body: Json, mistakes: Mistakes) -> dict[str, str]:
    out: dict[str, str] = {}
    for part, decode in (("data", _decoded), ("stringData", str)):
        entries = body.get(part, {})
        if not isinstance(entries, dict):
            mistakes.append(((part,), f"must be an object, not {kind(entries)}"))
            continue
        for name, value in entries.items():
            try:
                out[name] = decode(value) if isinstance(value, str) else _refuse(value)
            except ValueError as error:
                mistakes.append(((part, name), str(error)))
    return out


def _decoded(value: str) -> str:
    try:
        return base64.b64decode("".join(value.split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        # Never the value: it is a secret.
        raise ValueError("is not text in base64: use stringData for plain text") from None


def _refuse(value: Any) -> str:
    raise ValueError(f"must be text, not {kind(value)}: write it in quotes")


def _namespace(body: Json, mistakes: Mistakes) -> Mode | None:
    annotations = body["metadata"].get("annotations", {})
    given = annotations.get(MODE_ANNOTATION) if isinstance(annotations, dict) else None
    if given is None or given in list(Mode):
        return Mode(given) if given else None
    mistakes.append((("metadata", "annotations", MODE_ANNOTATION), f"must be {' or '.join(Mode)}, not {given!r}"))
    return None


_READERS: Final[dict[str, Callable[[Json, Mistakes], Any]]] = {
    "ModelProvider": _custom(_provider_schema),
    "ModelRoute": _custom(_route_schema),
    "Secret": _secret,
    "Namespace": _namespace,
}
