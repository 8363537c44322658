"""`ModelProvider.spec.deploy`: a vLLM server that the operator runs on GPU nodes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from pointsman.api.fields import Duration, LabelName, LocalRef, ModelId, SecretKeyRef, ShortText
from pointsman.api.schema import FREE_FORM, LIST_ATOMIC, LIST_SET, Model, cel, list_map

Small = Annotated[int, Field(ge=1, le=64, json_schema_extra={"format": "int32"})]
Quantity = Annotated[int | str, Field(json_schema_extra={"x-kubernetes-int-or-string": True})]
Words = Annotated[list[Annotated[str, Field(max_length=1024)]], Field(max_length=64, json_schema_extra=LIST_ATOMIC)]
FreeForm = Annotated[dict[str, Any], Field(json_schema_extra=FREE_FORM)]
FreeForms = Annotated[list[FreeForm], Field(max_length=32, json_schema_extra=LIST_ATOMIC)]
Labels = Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(json_schema_extra={"maxProperties": 32})]
Resources = Annotated[dict[str, Quantity], Field(json_schema_extra={"maxProperties": 16})]


class Adapter(Model):
    name: ModelId
    source: Annotated[str, Field(min_length=1, max_length=1024)]


class ModelSource(Model):
    """Where the weights come from: hf://ORG/NAME, pvc://CLAIM/PATH, s3://BUCKET/KEY or oci://IMAGE."""

    source: Annotated[
        str,
        Field(
            min_length=6,
            max_length=1024,
            json_schema_extra=cel(
                ("self.matches('^(hf|pvc|s3|oci)://.+')", "must begin with hf://, pvc://, s3:// or oci://")
            ),
        ),
    ]
    revision: Annotated[str | None, Field(max_length=256, description="Commit, tag or branch of the hub")] = None
    served_names: Annotated[
        list[ModelId] | None,
        Field(min_length=1, max_length=16, description="Names that the server answers to", json_schema_extra=LIST_SET),
    ] = None
    token_secret_ref: Annotated[SecretKeyRef | None, Field(description="The hub's access token")] = None
    endpoint_url: Annotated[str | None, Field(max_length=2048, description="A mirror of the hub")] = None
    adapters: Annotated[list[Adapter] | None, Field(max_length=64, json_schema_extra=list_map("name"))] = None


class EnvVar(Model):
    name: Annotated[str, Field(min_length=1, max_length=256)]
    value: Annotated[str | None, Field(max_length=32768)] = None
    value_from: FreeForm | None = None


class Engine(Model):
    """vLLM's own settings. `extraArgs` come last; flags that the operator owns are refused in it."""

    max_model_len: Annotated[int | None, Field(ge=1, json_schema_extra={"format": "int64"})] = None
    dtype: Annotated[str | None, Field(max_length=32)] = None
    quantization: Annotated[str | None, Field(max_length=64)] = None
    kv_cache_dtype: Annotated[str | None, Field(max_length=32)] = None
    gpu_memory_utilization: Annotated[float | None, Field(gt=0, le=1)] = None
    max_num_seqs: Annotated[int | None, Field(ge=1, json_schema_extra={"format": "int32"})] = None
    enable_prefix_caching: bool | None = None
    tool_call_parser: Annotated[str | None, Field(max_length=64)] = None
    reasoning_parser: Annotated[str | None, Field(max_length=64)] = None
    trust_remote_code: bool = False
    extra_args: Words | None = None
    env: Annotated[list[EnvVar] | None, Field(max_length=64, json_schema_extra=list_map("name"))] = None
    env_from: FreeForms | None = None


class Parallelism(Model):
    """`tensor` is the number of GPUs unless said otherwise."""

    tensor: Small | None = None
    pipeline: Small | None = None
    data: Small | None = None


class Scaling(Model):
    min_replicas: Annotated[int | None, Field(ge=0, le=64, json_schema_extra={"format": "int32"})] = None
    max_replicas: Small | None = None
    idle: Duration | None = None


class Rollout(Model):
    strategy: Literal["Auto", "Recreate", "RollingUpdate"] | None = None
    wait_for_idle: bool | None = None
    drain_timeout: Duration | None = None
    use_fallback: bool | None = None


class Cache(Model):
    claim_name: LabelName | None = None
    size: Annotated[str | None, Field(max_length=32)] = None
    storage_class_name: LabelName | None = None
    prefetch: bool | None = None


class NetworkAccess(Model):
    mode: Literal["GatewayOnly", "None"] | None = None


class Deploy(Model):
    """A server that the operator runs: a Deployment of vLLM and its Service."""

    model: ModelSource
    gpus: Annotated[int, Field(ge=0, le=64, description="Per replica", json_schema_extra={"format": "int32"})] = 1
    gpu_resource_name: Annotated[str, Field(max_length=253)] = "nvidia.com/gpu"
    replicas: Annotated[int, Field(ge=0, le=64, json_schema_extra={"format": "int32"})] = 1
    image: Annotated[str | None, Field(max_length=1024)] = None
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    image_pull_secrets: Annotated[list[LocalRef] | None, Field(max_length=8, json_schema_extra=list_map("name"))] = None
    engine: Engine | None = None
    parallelism: Parallelism | None = None
    resources: Annotated[Resources | None, Field(description="Requests and limits beside the GPUs")] = None
    node_selector: Labels | None = None
    tolerations: FreeForms | None = None
    affinity: FreeForm | None = None
    topology_spread_constraints: FreeForms | None = None
    runtime_class_name: LabelName | None = None
    priority_class_name: ShortText | None = None
    scheduler_name: ShortText | None = None
    service_account_name: ShortText | None = None
    shared_memory_size: Annotated[Quantity | None, Field(description="Of /dev/shm")] = None
    startup_timeout: Annotated[Duration | None, Field(description="30m unless said otherwise")] = None
    scaling: Scaling | None = None
    rollout: Rollout | None = None
    cache: Cache | None = None
    network_policy: NetworkAccess | None = None
    pod_template: Annotated[FreeForm | None, Field(description="Merged over the rendered Pod template")] = None
