"""Everything that is known of one namespace, as plain values: what `fleet` decides from, and what a shell gathers.

A World is a snapshot: a shell makes a new one for each decision. Nothing is rendered from a half-read one (`synced`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

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
class Startup:
    """How far the newest start of an engine is, in seconds of each phase; None: not ended, or not known."""

    since: str = ""  # RFC 3339: when the newest Pod was created; "": there is none
    scheduled: float | None = None  # creation -> a node was found
    image: float | None = None  # -> the container ran
    load: float | None = None  # -> it was ready


@dataclass(frozen=True, slots=True)
class Told:
    """What Pods say of why they are not ready. `reason` is one of reasons.REASONS, "": they say nothing."""

    reason: str = ""
    message: str = ""  # for people: what happened, with the numbers
    startup: Startup = Startup()
    suggested_max_model_len: int = 0  # tokens that vLLM says would fit; 0: it says none


@dataclass(frozen=True, slots=True)
class Prefetch:
    """The Job that fetches a provider's model."""

    job: str = ""  # its name
    done: bool = False
    failed: bool = False  # for good: it tries no more
    seconds: float | None = None  # that it took
    told: Told = Told()


@dataclass(frozen=True, slots=True)
class Workload:
    """What the cluster says of a deployed provider: its Deployment's status and the ready addresses (host:port)."""

    status: Json = field(default_factory=dict)  # Deployment.status, or LeaderWorkerSet.status
    generation: int = 0  # metadata.generation
    replicas: int = 0  # spec.replicas of the live object
    revision: str = ""  # REVISION_ANNOTATION of the live Pod template; "" where an older release made it
    present: bool = True  # False: there is no Deployment, only what is known of Pods or of the Job
    addresses: tuple[str, ...] = ()
    reason: str = ""  # lifted from the Pods, CamelCase; "" when there is none
    message: str = ""
    told: Told = Told()  # the same with all that they say; of Pods that are ready the startup alone
    prefetch: Prefetch | None = None

    @property
    def ready(self) -> int:
        """Replicas that are ready."""
        return int(self.status.get("readyReplicas") or 0)

    @property
    def rolled(self) -> bool:
        """Whether the live template is the one of every replica, and all are ready."""
        updated = int(self.status.get("updatedReplicas") or 0)
        seen = int(self.status.get("observedGeneration") or 0) >= self.generation
        return self.present and seen and updated == self.ready == self.replicas == int(self.status.get("replicas") or 0)


@dataclass(frozen=True, slots=True)
class Demand:
    """How much a provider is wanted, as all gateways of the namespace tell together. Seconds.

    A request wants a provider when it is first in its chain of those that may be tried, or all before it are known
    to be down; whether the provider itself is up does not matter.
    """

    idle: float  # since a request last wanted it, or since the youngest gateway began where none did
    wanted: bool  # a request has wanted it since the gateways began
    in_flight: int = 0  # requests that it is answering


class Refused(NamedTuple):
    """An object that the API server did not take as it is wanted. `revision` is the Pod template's, of an engine."""

    kind: str
    name: str
    message: str  # the API server's own words
    revision: str = ""


class ProofResult(NamedTuple):
    """What came of asking a new engine for one completion. `revision` is that of its Pod template."""

    revision: str
    ok: bool
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
    demand: Mapping[str, Demand] = field(default_factory=dict)  # by provider; absent: not every gateway has told
    proofs: Mapping[str, ProofResult] = field(default_factory=dict)  # by provider: the last one
    refused: Mapping[str, tuple[Refused, ...]] = field(default_factory=dict)  # by provider, at the last try
    adapters: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # by provider: reason, message
    leader_worker_sets: bool | None = None  # whether the cluster knows that kind; None: nobody looked
    operator_namespace: str = ""  # where the operator runs; "": not known
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
    held: frozenset[tuple[str, str]] = frozenset()  # (kind, name): ours, to be left as they are for now
    revision: str = ""  # of the engine's Pod template
    trial: Json | None = None  # the engine's object, to be tried without a trace before anything is done for it
    prove: str = ""  # revision whose engine is to be asked for one completion now; "": none
    again: float | None = None  # seconds after which to look again, whatever happens; None: no need


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
