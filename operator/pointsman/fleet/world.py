"""Everything that is known of one namespace, as plain values: what `fleet` decides from, and what a shell gathers.

A World is a snapshot: a shell makes a new one for each decision. Nothing is rendered from a half-read one (`synced`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from pointsman.api.provider import ModelProviderSpec
from pointsman.api.route import ModelRouteSpec
from pointsman.names import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.served import Probed

Json = dict[str, Any]
_Spec = TypeVar("_Spec", ModelProviderSpec, ModelRouteSpec)


@dataclass(frozen=True, slots=True)
class Meta:
    """Of an object's metadata, what decisions need. `created` is RFC 3339: older objects win conflicts."""

    namespace: str
    name: str
    uid: str = ""
    generation: int = 0
    created: str = ""
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class Provider:
    """A ModelProvider as stored. `spec` is None when it cannot be read, and `error` says what, where."""

    meta: Meta
    spec: ModelProviderSpec | None
    error: str = ""
    status: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """A ModelRoute as stored, likewise."""

    meta: Meta
    spec: ModelRouteSpec | None
    error: str = ""
    status: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workload:
    """What the cluster says of a deployed provider: its Deployment's status and the ready addresses (host:port)."""

    status: Json = field(default_factory=dict)  # Deployment.status
    generation: int = 0  # Deployment.metadata.generation
    addresses: tuple[str, ...] = ()
    reason: str = ""  # lifted from the Pods, CamelCase; "" when there is none
    message: str = ""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway and the hash of the table that it says it runs ("" when it does not answer)."""

    name: str
    hash: str = ""


@dataclass(frozen=True, slots=True)
class World:
    """One namespace. `secrets` holds what was found of (Secret name, key); an absent entry was looked for in vain."""

    namespace: str
    mode: Mode = Mode.MERGE
    providers: Mapping[str, Provider] = field(default_factory=dict)
    routes: Mapping[str, Route] = field(default_factory=dict)
    secrets: Mapping[tuple[str, str], str] = field(default_factory=dict)
    probes: Mapping[str, Probed] = field(default_factory=dict)  # by provider name
    workloads: Mapping[str, Workload] = field(default_factory=dict)  # by provider name
    gateways: tuple[Gateway, ...] = ()
    published_hash: str = ""  # of the table that is in the ConfigMap (or file) now
    gateway_url: str = ""  # where clients of this namespace reach the gateway, for openclaw.json; no final slash


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event on a transition."""

    kind: str  # ModelProvider or ModelRoute
    name: str
    type: str  # Normal or Warning
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What should be: objects to apply (whole desired state of ours), the new status (None: leave), Events."""

    objects: tuple[Json, ...] = ()
    status: Json | None = None
    events: tuple[Event, ...] = ()


def read_provider(body: Json) -> Provider:
    """A ModelProvider from its JSON; a spec that cannot be read becomes `error`, never an exception."""
    spec, error = _read(ModelProviderSpec, body)
    return Provider(meta=read_meta(body), spec=spec, error=error, status=dict(body.get("status") or {}))


def read_route(body: Json) -> Route:
    """A ModelRoute from its JSON, likewise."""
    spec, error = _read(ModelRouteSpec, body)
    return Route(meta=read_meta(body), spec=spec, error=error, status=dict(body.get("status") or {}))


def read_meta(body: Json) -> Meta:
    meta = body.get("metadata") or {}
    return Meta(
        namespace=str(meta.get("namespace") or "default"),
        name=str(meta.get("name") or ""),
        uid=str(meta.get("uid") or ""),
        generation=int(meta.get("generation") or 0),
        created=str(meta.get("creationTimestamp") or ""),
        deleting=bool(meta.get("deletionTimestamp")),
    )


def _read(model: type[_Spec], body: Json) -> tuple[_Spec | None, str]:
    try:
        return model.model_validate(body.get("spec") or {}), ""
    except ValidationError as error:
        first: Json = dict(error.errors(include_url=False)[0])
        path = ".".join(str(part) for part in ("spec", *first["loc"]))
        return None, f"{path}: {first['msg']}"
