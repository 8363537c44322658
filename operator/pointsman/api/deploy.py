"""`ModelProvider.spec.deploy`: a vLLM server that the operator runs on GPU nodes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from pointsman.api.fields import (
    ConfigMapKeyRef,
    DnsName,
    Duration,
    LabelName,
    LocalRef,
    ModelId,
    SecretKeyRef,
    ShortText,
)
from pointsman.api.schema import FREE_FORM, LIST_ATOMIC, LIST_SET, Model, cel, list_map

Small = Annotated[int, Field(ge=1, le=64, json_schema_extra={"format": "int32"})]
Quantity = Annotated[int | str, Field(json_schema_extra={"x-kubernetes-int-or-string": True})]
Words = Annotated[list[Annotated[str, Field(max_length=1024)]], Field(max_length=64, json_schema_extra=LIST_ATOMIC)]
FreeForm = Annotated[dict[str, Any], Field(json_schema_extra=FREE_FORM)]
FreeForms = Annotated[list[FreeForm], Field(max_length=32, json_schema_extra=LIST_ATOMIC)]
Labels = Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(json_schema_extra={"maxProperties": 32})]
Resources = Annotated[dict[str, Quantity], Field(json_schema_extra={"maxProperties": 16})]


Source = Annotated[
    str,
    Field(
        min_length=6,
        max_length=1024,
        json_schema_extra=cel(
            ("self.matches('^(hf|pvc|s3|oci)://.+')", "must begin with hf://, pvc://, s3:// or oci://")
        ),
    ),
]


class Adapter(Model):
    """A LoRA adapter: a model of its own to clients, under `name`."""

    name: ModelId
    source: Source
    revision: Annotated[str | None, Field(max_length=256, description="Commit, tag or branch of the hub")] = None


class ModelSource(Model):
    """Where the weights come from: hf://ORG/NAME, pvc://CLAIM/PATH, s3://BUCKET/KEY or oci://IMAGE."""

    source: Source
    path: Annotated[str | None, Field(max_length=1024, description="Folder of the weights in an oci:// image")] = None
    revision: Annotated[str | None, Field(max_length=256, description="Commit, tag or branch of the hub")] = None
    served_names: Annotated[
        list[ModelId] | None,
        Field(min_length=1, max_length=16, description="Names that the server answers to", json_schema_extra=LIST_SET),
    ] = None
    token_secret_ref: Annotated[SecretKeyRef | None, Field(description="The hub's access token")] = None
    endpoint_url: Annotated[
        str | None, Field(max_length=2048, description="A mirror of the hub; of s3://, the server")
    ] = None
    credentials_ref: Annotated[
        LocalRef | None, Field(description="A Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, for s3://")
    ] = None
    adapters: Annotated[list[Adapter] | None, Field(max_length=64, json_schema_extra=list_map("name"))] = None
    adapter_loading: Annotated[
        Literal["AtStart", "AtRuntime"] | None,
        Field(description="AtRuntime: adapters come and go without a rollout; AtStart unless said otherwise"),
    ] = None


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
    version: Annotated[
        str | None,
        Field(
            max_length=16,
            pattern=r"^v?[0-9]+\.[0-9]+(\.[0-9]+)?$",
            description="Of vLLM in an image whose tag does not tell: decides which flags it is given",
        ),
    ] = None
    load_format: Annotated[str | None, Field(max_length=64)] = None
    max_loras: Annotated[Small | None, Field(description="Adapters in one batch")] = None
    max_lora_rank: Annotated[int | None, Field(ge=1, le=1024, json_schema_extra={"format": "int32"})] = None
    chat_template_ref: Annotated[ConfigMapKeyRef | None, Field(description="A Jinja chat template")] = None
    trust_remote_code: bool = False
    extra_args: Words | None = None
    env: Annotated[list[EnvVar] | None, Field(max_length=64, json_schema_extra=list_map("name"))] = None
    env_from: FreeForms | None = None


class Parallelism(Model):
    """How a replica is spread over its GPUs, `nodes` times `gpus` of them: tensor times pipeline times data."""

    tensor: Annotated[Small | None, Field(description="What the others leave, unless said otherwise")] = None
    pipeline: Annotated[Small | None, Field(description="The number of nodes, unless said otherwise")] = None
    data: Small | None = None
    expert: Annotated[bool | None, Field(description="Spread a mixture's experts too")] = None
    nodes: Annotated[
        Small | None, Field(description="Pods of one replica, each with `gpus`: above 1 by a LeaderWorkerSet")
    ] = None


class Scaling(Model):
    """Down to `minReplicas` after `idle` without a request, and up to `replicas` with the next one."""

    min_replicas: Annotated[int, Field(ge=0, le=64, json_schema_extra={"format": "int32"})] = 0
    idle: Annotated[Duration | None, Field(description="15m unless said otherwise")] = None


class Rollout(Model):
    """How a new version takes over."""

    strategy: Annotated[
        Literal["Auto", "Recreate", "RollingUpdate"] | None,
        Field(description="Auto: Recreate for one replica, else one after another"),
    ] = None
    use_fallback: Annotated[
        bool | None, Field(description="Move routes to their fallback before the only replica goes; true unless said")
    ] = None
    wait_for_idle: Annotated[
        bool | None, Field(description="Without a fallback too, wait until nothing is under way; false unless said")
    ] = None
    drain_timeout: Annotated[
        Duration | None, Field(description="The longest wait for what is under way; 10m unless said otherwise")
    ] = None


class Cache(Model):
    """Where weights and compiled kernels stay: a claim that is there, one that is made, or a node's folder."""

    claim_name: Annotated[LabelName | None, Field(description="A PersistentVolumeClaim that is there")] = None
    size: Annotated[Quantity | None, Field(description="Of the claim that the operator makes")] = None
    storage_class_name: DnsName | None = None
    access_modes: Annotated[
        list[Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]] | None,
        Field(min_length=1, max_length=2, json_schema_extra=LIST_ATOMIC),
    ] = None
    host_path: Annotated[str | None, Field(max_length=1024, pattern="^/", description="A folder of each node")] = None
    prefetch: Annotated[
        bool | None, Field(description="One Job downloads, engines read what it wrote; true unless said otherwise")
    ] = None
    resources: Annotated[Resources | None, Field(description="Of the Job that downloads: requests and limits")] = None
    compile_cache: Annotated[bool | None, Field(description="Keep compiled kernels; true unless said")] = None


class NetworkAccess(Model):
    """Who may reach the engine: gateways, the operator and Prometheus, unless `mode` is None."""

    mode: Literal["GatewayOnly", "None"] | None = None
    prometheus_namespace: Annotated[
        LabelName | None, Field(description="Where Prometheus runs; else its Pods of any namespace are let in")
    ] = None
    allow_from: Annotated[FreeForms | None, Field(description="More peers, as in a NetworkPolicy's `from`")] = None


class Check(Model):
    """Overrides of one of the container's probes; what is not said stays."""

    period_seconds: Annotated[int | None, Field(ge=1, le=3600, json_schema_extra={"format": "int32"})] = None
    timeout_seconds: Annotated[int | None, Field(ge=1, le=3600, json_schema_extra={"format": "int32"})] = None
    failure_threshold: Annotated[int | None, Field(ge=1, le=100000, json_schema_extra={"format": "int32"})] = None


class Checks(Model):
    """The container's probes. The startup probe's length is `startupTimeout`."""

    readiness: Check | None = None
    liveness: Check | None = None


class Deploy(Model):
    """A server that the operator runs: a Deployment of vLLM, its Service and what belongs to them."""

    model: ModelSource
    gpus: Annotated[
        int, Field(ge=0, le=64, description="Per replica (per node of one)", json_schema_extra={"format": "int32"})
    ] = 1
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
    probes: Checks | None = None
    termination_grace_period: Annotated[
        Duration | None, Field(description="For answers under way when a Pod ends; 75s unless said otherwise")
    ] = None
    api_key_ref: Annotated[
        SecretKeyRef | None, Field(description="The engine's API key; one is made unless said otherwise")
    ] = None
    disruption: Annotated[
        Literal["Auto", "Protect"] | None,
        Field(description="Protect: node drains and cluster autoscalers wait even for the only replica"),
    ] = None
    scaling: Scaling | None = None
    rollout: Rollout | None = None
    cache: Cache | None = None
    network_policy: NetworkAccess | None = None
    pod_template: Annotated[FreeForm | None, Field(description="Merged over the rendered Pod template")] = None
