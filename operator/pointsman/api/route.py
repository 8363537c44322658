"""ModelRoute: a name that clients ask for, and the chain of targets behind it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pointsman.api.fields import SPOKEN, Conditions, Duration, Generation, LabelName, ModelId
from pointsman.api.schema import LIST_ATOMIC, LIST_SET, Model, cel
from pointsman.names import Capability, FailoverReason, Location

Name = Annotated[str, Field(min_length=1, max_length=128, pattern=SPOKEN)]
Region = Annotated[str, Field(min_length=1, max_length=63)]


class TargetRef(Model):
    """A model at a provider of the same namespace."""

    provider: LabelName
    model: ModelId


class Failover(Model):
    """When and how often the next target is tried. `on` left out means: for every reason."""

    on: Annotated[
        list[FailoverReason] | None,
        Field(max_length=8, description='Write it "on": YAML reads a bare on as true', json_schema_extra=LIST_SET),
    ] = None
    max_attempts: Annotated[int | None, Field(ge=1, le=16, json_schema_extra={"format": "int32"})] = None


class Timeouts(Model):
    """Deadlines of an attempt by phase; `total` is for the request with all its attempts.

    `firstToken` is for a streamed answer, `whole` for one that is not; a long prompt or answer is given longer.
    """

    connect: Duration | None = None
    first_token: Duration | None = None
    whole: Duration | None = None
    stall: Duration | None = None
    total: Duration | None = None


class CircuitBreaker(Model):
    consecutive_failures: Annotated[int | None, Field(ge=1, le=100, json_schema_extra={"format": "int32"})] = None
    open_duration: Duration | None = None
    half_open_requests: Annotated[int | None, Field(ge=1, le=100, json_schema_extra={"format": "int32"})] = None


class Fence(Model):
    """The places to which a request may go; what is left out allows all."""

    allowed_locations: Annotated[list[Location] | None, Field(max_length=3, json_schema_extra=LIST_SET)] = None
    allowed_regions: Annotated[list[Region] | None, Field(max_length=32, json_schema_extra=LIST_SET)] = None


class Context(Model):
    """What a small context window means for an agent: a warning, or that the target is passed over.

    With `context: {}` the defaults hold: 32000, 16000 and Skip. Without `context` no window is too small to be tried.
    """

    warn_below: Annotated[int | None, Field(ge=0, json_schema_extra={"format": "int64"})] = None
    block_below: Annotated[int | None, Field(ge=0, json_schema_extra={"format": "int64"})] = None
    on_fallback: Literal["Warn", "Skip", "Ignore"] | None = None


class ReturnToPrimary(Model):
    after_healthy: Duration | None = None


class Hedging(Model):
    """A second target beside the first when that is slow to begin. Only among targets that are not External."""

    after: Duration


class Policy(Model):
    failover: Failover | None = None
    timeouts: Timeouts | None = None
    circuit_breaker: CircuitBreaker | None = None
    data_policy: Fence | None = None
    context: Context | None = None
    required_capabilities: Annotated[
        list[Capability] | None,
        Field(max_length=8, json_schema_extra=LIST_SET),
    ] = None
    return_to_primary: ReturnToPrimary | None = None
    hedging: Hedging | None = None
    mid_stream: Literal["Resume", "Fail"] | None = None
    drop_tools: Annotated[
        bool | None, Field(description="Requests with tools also go to models that take none, without the tools")
    ] = None


_RULES = cel(
    (
        (
            "!has(self.fallbacks) || "
            "self.fallbacks.all(f, f.provider != self.primary.provider || f.model != self.primary.model)"
        ),
        "fallbacks must not repeat primary",
    ),
    (
        (
            "!has(self.fallbacks) || self.fallbacks.all(f, "
            "self.fallbacks.exists_one(g, g.provider == f.provider && g.model == f.model))"
        ),
        "fallbacks must not repeat a target",
    ),
    ("!has(self.aliases) || !(self.modelName in self.aliases)", "aliases must not repeat modelName"),
)


class ModelRouteSpec(Model):
    model_config = Model.model_config | {"json_schema_extra": _RULES}

    model_name: Annotated[Name, Field(description="The model that clients ask for")]
    aliases: Annotated[list[Name] | None, Field(max_length=16, json_schema_extra=LIST_SET)] = None
    primary: TargetRef
    fallbacks: Annotated[
        list[TargetRef] | None, Field(max_length=8, description="Tried in this order", json_schema_extra=LIST_ATOMIC)
    ] = None
    policy: Policy | None = None


class EffectiveTarget(Model):
    """Who would serve now, and who is skipped and why."""

    provider: Annotated[str, Field(max_length=253)]
    model: Annotated[str, Field(max_length=256)]
    state: Annotated[str, Field(max_length=32, description="Active, Standby, Down or Skipped")]
    reason: Annotated[str | None, Field(max_length=1024)] = None


class ModelRouteStatus(Model):
    observed_generation: Generation = None
    conditions: Conditions | None = None
    effective_chain: Annotated[list[EffectiveTarget] | None, Field(max_length=16, json_schema_extra=LIST_ATOMIC)] = None
    active_target: Annotated[str | None, Field(max_length=512)] = None
    healthy_targets: Annotated[str | None, Field(max_length=16, description="Healthy of all: 2/3")] = None
    config_hash: Annotated[str | None, Field(max_length=64)] = None
    acknowledged_by: Annotated[str | None, Field(max_length=32, description="Gateways that run configHash: 2/2")] = None
