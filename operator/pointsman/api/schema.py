"""A pydantic model's structural OpenAPI v3 schema, as the Kubernetes API server accepts it.

Structural means: no $ref, no anyOf/oneOf/allOf, no null, a type at every node. What a model says that cannot be said
so is refused here with its path, not by the API server at install time. CEL rules and list types travel through
`Field(json_schema_extra=...)`.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

IMMUTABLE = ("self == oldSelf", "is immutable: delete the object and create it anew")

_DROPPED = {"title", "$defs", "discriminator", "const", "examples", "additionalProperties"}
_NOT_STRUCTURAL = {"anyOf", "oneOf", "allOf", "patternProperties", "prefixItems"}


class Model(BaseModel):
    """camelCase on the wire. Unknown fields are the API server's to prune and the file reader's to refuse."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


def cel(*rules: tuple[str, str]) -> dict[str, Any]:
    """CEL rules, as (expression, message), for `json_schema_extra`."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules]}


def list_map(*keys: str) -> dict[str, Any]:
    """A list whose items are told apart by these fields, so that server-side apply merges it."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


LIST_SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}
LIST_ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}
FREE_FORM: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True}


class _Generator(GenerateJsonSchema):
    """Asks pydantic for the right shape, rather than repairing it afterwards."""

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        # Absent and null are one to the API server, which prunes nulls.
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        out = super().default_schema(schema)
        if out.get("default", 0) in (None, [], {}):
            out.pop("default")
        return out


def structural(model: type[BaseModel]) -> dict[str, Any]:
    """The structural schema of a model; TypeError with the path of what cannot be structural."""
    schema = model.model_json_schema(schema_generator=_Generator, mode="validation")
    result = _walk(schema, schema.get("$defs", {}), "$")
    assert isinstance(result, dict)  # noqa: S101 - for mypy: the root of a model is an object
    return result


def _walk(node: Any, defs: dict[str, Any], path: str) -> Any:
    if isinstance(node, list):
        return [_walk(item, defs, path) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inline(node, defs, path)
    if node.get("x-kubernetes-int-or-string"):
        node = {key: value for key, value in node.items() if key not in ("anyOf", "type")}
    if bad := _NOT_STRUCTURAL & node.keys():
        raise TypeError(f"{path}: {sorted(bad)} is not structural: use one object with optional members and a CEL rule")
    out = {key: value for key, value in node.items() if key not in _DROPPED and key not in ("properties", "items")}
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in out:  # a number in JSON Schema, a flag beside the bound in OpenAPI 3.0
            out[bound], out[exclusive] = out[exclusive], True
    return out | _children(node, defs, path)


def _inline(node: dict[str, Any], defs: dict[str, Any], path: str) -> Any:
    name = node["$ref"].rsplit("/", 1)[1]
    if f"/{name}/" in path:
        raise TypeError(f"{path}: recursive model {name} is not structural")
    beside = {key: value for key, value in node.items() if key != "$ref"}
    if isinstance(beside.get("default"), dict):  # defaults of objects are their members' defaults
        beside.pop("default")
    return _walk({**defs[name], **beside}, defs, f"{path}/{name}/")


def _children(node: dict[str, Any], defs: dict[str, Any], path: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if "properties" in node:
        out["properties"] = {key: _walk(value, defs, f"{path}.{key}") for key, value in node["properties"].items()}
    if "items" in node:
        out["items"] = _walk(node["items"], defs, f"{path}[]")
    if isinstance(extra := node.get("additionalProperties"), dict) and extra:
        out["additionalProperties"] = _walk(extra, defs, f"{path}{{}}")
    return out
