"""ModelProvider: a place that serves models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from pointsman.api.deploy import Deploy
from pointsman.api.fields import Conditions, Duration, Generation, ModelId, SecretKeyRef, ShortText
from pointsman.api.schema import FREE_FORM, IMMUTABLE, LIST_SET, Model, cel, list_map
from pointsman.names import Dialect, Location, ProviderType

Tokens = Annotated[int, Field(ge=1, le=1_000_000_000, json_schema_extra={"format": "int64"})]
Price = Annotated[float, Field(ge=0, description="USD per million tokens")]


class Cost(Model):
    input: Price = 0
    output: Price = 0
    cache_read: Price = 0
    cache_write: Price = 0


class ModelEntry(Model):
    """A model, field for field as OpenClaw writes it, so that a provider block can be pasted."""

    id: ModelId
    name: Annotated[str | None, Field(max_length=256)] = None
    reasoning: bool | None = None
    input: Annotated[
        list[Literal["text", "image", "video", "audio"]] | None, Field(max_length=4, json_schema_extra=LIST_SET)
    ] = None
    cost: Cost | None = None
    context_window: Annotated[Tokens | None, Field(description="Tokens that prompt and answer share")] = None
    max_tokens: Annotated[Tokens | None, Field(description="Tokens that an answer may have")] = None
    compat: Annotated[
        dict[str, Any] | None,
        Field(description="What the server cannot do, in OpenClaw's keys", json_schema_extra=FREE_FORM),
    ] = None


class Credentials(Model):
    secret_ref: SecretKeyRef


class Tls(Model):
    """How the server's certificate is verified: the system's authorities, or those of caBundle."""

    ca_bundle: Annotated[str | None, Field(max_length=262144, description="PEM certificates")] = None
    server_name: Annotated[str | None, Field(max_length=253)] = None
    insecure_skip_verify: bool = False


_URL = cel(
    (
        (
            "isURL(self) && "
            "self.matches('^[hH][tT][tT][pP][sS]?://([a-zA-Z0-9._-]+|[[][0-9a-fA-F:.]+[]])(:[0-9]+)?([/?#].*)?$')"
        ),
        "must be an http:// or https:// URL with a host, such as http://127.0.0.1:1234/v1",
    ),
    (
        (
            "!isURL(self) || url(self).getPort() == '' || "
            "(int(url(self).getPort()) > 0 && int(url(self).getPort()) < 65536)"
        ),
        "must name a port from 1 to 65535",
    ),
    ("self.matches('^[!-~]+$')", "must hold no spaces and only ASCII"),
    ("!self.contains('@')", "must hold no user or password: use credentials.secretRef"),
    ("!self.contains('?') && !self.contains('#')", "must hold no query and no fragment"),
)


class Endpoint(Model):
    """A server that others run."""

    base_url: Annotated[
        str,
        Field(min_length=8, max_length=2048, description="With or without a final /v1", json_schema_extra=_URL),
    ]
    credentials: Credentials | None = None
    headers: Annotated[
        dict[str, ShortText] | None,
        Field(description="Sent with every request; no secrets", json_schema_extra={"maxProperties": 32}),
    ] = None
    tls: Tls | None = None


class DataPolicy(Model):
    """Where a provider's data goes. What is not said is taken to be External, unless it is deployed here."""

    location: Location | None = None
    region: Annotated[str | None, Field(max_length=63, pattern=r"^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")] = None


Threshold = Annotated[int | None, Field(ge=1, le=100, json_schema_extra={"format": "int32"})]


class Probe(Model):
    """How the server is asked whether it serves. Local ones every 10 s, engines 5 s, hosted ones 60 s unless said."""

    mode: Annotated[
        Literal["Models", "Progress", "Completion", "None"] | None,
        Field(description="Progress looks whether the engine moves, Completion asks it for one token"),
    ] = None
    period: Duration | None = None
    timeout: Duration | None = None
    failure_threshold: Threshold = None
    success_threshold: Threshold = None
    path: Annotated[str | None, Field(max_length=1024, pattern="^/")] = None


Limit = Annotated[int | None, Field(ge=1, json_schema_extra={"format": "int64"})]


class Limits(Model):
    """What the server may be asked to bear, by each gateway."""

    max_concurrent_requests: Limit = None
    requests_per_minute: Limit = None
    tokens_per_minute: Limit = None


KeepLoaded = Annotated[
    str | None,
    Field(
        max_length=32,
        pattern=r"^(Forever|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$",
        description="How long a model stays in the server's memory after its last request: 30m, 24h, Forever",
    ),
]

_RULES = cel(
    ("has(self.endpoint) != has(self.deploy)", "exactly one of endpoint and deploy must be set"),
    ("!has(self.deploy) || self.type == 'VLLM'", "deploy needs type VLLM"),
    (
        "!has(self.keepLoaded) || self.type in ['Ollama', 'LMStudio']",
        "keepLoaded needs type Ollama or LMStudio: the others hold their models as long as they run",
    ),
)


class ModelProviderSpec(Model):
    model_config = Model.model_config | {"json_schema_extra": _RULES}

    type: Annotated[ProviderType, Field(json_schema_extra=cel(IMMUTABLE))]
    endpoint: Endpoint | None = None
    deploy: Deploy | None = None
    api: Annotated[
        list[Dialect] | None,
        Field(
            min_length=1,
            max_length=3,
            description="Native dialects, preferred first",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = None
    discovery: Annotated[Literal["Auto", "Static"], Field(description="Static: only models[] exist")] = "Auto"
    models: Annotated[list[ModelEntry] | None, Field(max_length=256, json_schema_extra=list_map("id"))] = None
    data_policy: DataPolicy | None = None
    probe: Probe | None = None
    limits: Limits | None = None
    keep_loaded: KeepLoaded = None
    suspend: bool = False


class DiscoveredModel(Model):
    """A model as the server or the spec tells it; 0 tokens: unknown."""

    id: Annotated[str, Field(max_length=256)]
    context_window: Annotated[int | None, Field(json_schema_extra={"format": "int64"})] = None
    max_tokens: Annotated[int | None, Field(json_schema_extra={"format": "int64"})] = None
    state: Annotated[str | None, Field(max_length=32, description="Loaded or NotLoaded, where the server tells")] = None
    source: Annotated[str | None, Field(max_length=32, description="Spec, Discovery or Both")] = None


Count = Annotated[int | None, Field(ge=0, json_schema_extra={"format": "int32"})]


Seconds = Annotated[int | None, Field(ge=0, json_schema_extra={"format": "int32"})]
Time = Annotated[str | None, Field(json_schema_extra={"format": "date-time"})]


class Startup(Model):
    """How long the newest start of an engine took or takes, by phases; what has not ended yet is not there."""

    since: Annotated[Time, Field(description="When the start began")] = None
    scheduled_seconds: Annotated[Seconds, Field(description="Until a node was found")] = None
    image_seconds: Annotated[Seconds, Field(description="Until the container ran: image and volumes")] = None
    download_seconds: Annotated[Seconds, Field(description="Of the Job that fetched the model")] = None
    load_seconds: Annotated[Seconds, Field(description="From the container's start until it was ready")] = None
    last_seconds: Annotated[Seconds, Field(description="From creation until ready, of the last that ended")] = None
    expected_ready: Annotated[Time, Field(description="By the last start that ended")] = None


class Maintenance(Model):
    """A rollout with hand-over that is under way."""

    phase: Literal["Draining", "Rolling", "Proving", "Failed"]
    since: Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="When the phase began")]
    revision: Annotated[str, Field(max_length=64, description="Of the Pod template that it is for")] = ""


class PostureWarning(Model):
    """What makes the provider less safe than it could be, and how to mend it. Nothing is blocked by it."""

    reason: Annotated[str, Field(max_length=64)]
    message: Annotated[str, Field(max_length=1024)]


class ModelProviderStatus(Model):
    observed_generation: Generation = None
    phase: Annotated[str | None, Field(max_length=32)] = None
    conditions: Conditions | None = None
    models: Annotated[list[DiscoveredModel] | None, Field(max_length=256, json_schema_extra=list_map("id"))] = None
    model_count: Count = None
    resolved_url: Annotated[str | None, Field(max_length=2048)] = None
    location: Location | None = None
    replicas: Count = None
    ready_replicas: Count = None
    selector: Annotated[str | None, Field(max_length=1024)] = None
    desired_replicas: Annotated[Count, Field(description="What spec.deploy.scaling asks for now")] = None
    startup: Startup | None = None
    suggested_max_model_len: Annotated[int | None, Field(json_schema_extra={"format": "int64"})] = None
    maintenance: Maintenance | None = None
    posture_warnings: Annotated[
        list[PostureWarning] | None, Field(max_length=32, json_schema_extra=list_map("reason"))
    ] = None
