"""Field types that both kinds use: names, durations, references to Secrets, conditions."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from pointsman.api.schema import LIST_SET, Model, list_map

DnsName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
LabelName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
# What models are called. No control characters, since names go into headers and logs; single spaces inside are fine:
# servers and OpenClaw's aliases ("MiniMax Local") have them.
SPOKEN = r"^[^\s\x00-\x1f\x7f]+( [^\s\x00-\x1f\x7f]+)*$"
ModelId = Annotated[str, Field(min_length=1, max_length=256, pattern=SPOKEN)]
ShortText = Annotated[str, Field(max_length=1024)]
Duration = Annotated[
    str,
    Field(
        max_length=32,
        pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$",
        description="As Kubernetes writes it: 500ms, 10s, 1m30s",
    ),
]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(duration: str) -> float:
    """A Duration in seconds: "1m30s" -> 90.0. ValueError for anything else."""
    if not re.fullmatch(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+", duration):
        raise ValueError(f"{duration!r} is not a duration such as 500ms, 10s or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9.]+)(ms|s|m|h)", duration))


class SecretKeyRef(Model):
    """A key of a Secret in the object's own namespace."""

    name: DnsName
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")] = "token"


class ConfigMapKeyRef(Model):
    """A key of a ConfigMap in the object's own namespace."""

    name: DnsName
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]


class LocalRef(Model):
    """An object of the same namespace, by name."""

    name: DnsName


class Condition(Model):
    """A Kubernetes condition (metav1.Condition)."""

    type: Annotated[str, Field(max_length=316)]
    status: Literal["True", "False", "Unknown"]
    observed_generation: Annotated[int | None, Field(json_schema_extra={"format": "int64"})] = None
    last_transition_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    message: Annotated[str, Field(max_length=32768)]


Conditions = Annotated[list[Condition], Field(max_length=32, json_schema_extra=list_map("type"))]
Names = Annotated[list[ShortText], Field(max_length=64, json_schema_extra=LIST_SET)]
Generation = Annotated[int | None, Field(json_schema_extra={"format": "int64"})]
