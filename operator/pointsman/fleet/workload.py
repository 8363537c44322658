"""The Deployment and the Service of a provider that runs here.

Nothing is written in a form that the API server would rewrite (quantities, empty values), so that what was applied
reads back the same and a settled cluster is left alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from pointsman.api.fields import seconds
from pointsman.engines import vllm_container
from pointsman.fleet.quantity import canonical
from pointsman.names import API_VERSION, FIELD_MANAGER, MANAGED_BY, PROVIDER_LABEL

if TYPE_CHECKING:
    from pointsman.api.deploy import Deploy
    from pointsman.api.provider import ModelProviderSpec
    from pointsman.fleet.world import Meta

Json = dict[str, Any]

STARTUP_SECONDS: Final = 1800.0
_USER: Final = 1000
_PRE_STOP: Final = 15  # until every gateway has seen the EndpointSlice without the Pod
_GRACE: Final = 75  # more than the pause before the stop and vLLM's own --shutdown-timeout

_STARTUP_PERIOD = 5  # seconds: what an engine that is up again waits for at most, before it gets requests


def objects(meta: Meta, spec: ModelProviderSpec, deploy: Deploy) -> tuple[Json, Json]:
    """Deployment and Service, both named as the provider and owned by it."""
    return deployment(meta, spec, deploy), service(meta)


def deployment(meta: Meta, spec: ModelProviderSpec, deploy: Deploy) -> Json:
    replicas = 0 if spec.suspend else deploy.replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(meta),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": math.ceil(_startup(deploy)) + 600,  # the image is pulled before the start
            "strategy": _strategy(deploy.replicas),
            "selector": {"matchLabels": selector(meta)},
            "template": {"metadata": {"labels": labels(meta)}, "spec": _pod(deploy)},
        },
    }


def service(meta: Meta) -> Json:
    """Its EndpointSlices copy its labels: by them the operator finds the replicas' addresses."""
    port = {"name": "http", "port": vllm_container.PORT, "targetPort": "http", "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(meta),
        "spec": {"selector": selector(meta), "ports": [port]},
    }


def selector(meta: Meta) -> dict[str, str]:
    """What tells the provider's Pods; never changed, as a Deployment's selector cannot be."""
    return {"app.kubernetes.io/name": "vllm", PROVIDER_LABEL: meta.name}


def labels(meta: Meta) -> dict[str, str]:
    return {
        **selector(meta),
        "app.kubernetes.io/instance": meta.name,
        "app.kubernetes.io/component": "inference-server",
        "app.kubernetes.io/part-of": "pointsman",
        MANAGED_BY: FIELD_MANAGER,
    }


def _metadata(meta: Meta) -> Json:
    owner = {
        "apiVersion": API_VERSION,
        "kind": "ModelProvider",
        "name": meta.name,
        "uid": meta.uid,
        "controller": True,
        # True would ask for the right to set finalizers on the owner, and hold its deletion up.
        "blockOwnerDeletion": False,
    }
    return {"name": meta.name, "namespace": meta.namespace, "labels": labels(meta), "ownerReferences": [owner]}


def _strategy(replicas: int) -> Json:
    """A surge would need GPUs that nobody has free: the old Pod goes first."""
    if replicas <= 1:
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}


def _startup(deploy: Deploy) -> float:
    return seconds(deploy.startup_timeout) if deploy.startup_timeout else STARTUP_SECONDS


def _pod(deploy: Deploy) -> Json:
    optional = {
        "imagePullSecrets": [{"name": ref.name} for ref in deploy.image_pull_secrets or ()],
        "nodeSelector": deploy.node_selector,
        "tolerations": _tolerations(deploy),
        "affinity": _pruned(deploy.affinity),
        "runtimeClassName": deploy.runtime_class_name,
        "priorityClassName": deploy.priority_class_name,
        "schedulerName": deploy.scheduler_name,
        "serviceAccountName": deploy.service_account_name,
    }
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,  # a Service called "vllm" would set VLLM_PORT to a URL
        "terminationGracePeriodSeconds": _GRACE,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(deploy)],
        "volumes": _volumes(deploy),
    } | {key: value for key, value in optional.items() if value}


def _container(deploy: Deploy) -> Json:
    out: Json = {
        "name": "vllm",
        "image": deploy.image or vllm_container.IMAGE,
        "imagePullPolicy": deploy.image_pull_policy or "IfNotPresent",
        "command": ["vllm", "serve"],
        "args": vllm_container.args(deploy),
        "env": [_pruned(entry) for entry in vllm_container.env(deploy)],
        "ports": [{"name": "http", "containerPort": vllm_container.PORT, "protocol": "TCP"}],
        **_probes(deploy),
        "lifecycle": {"preStop": {"sleep": {"seconds": _PRE_STOP}}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "terminationMessagePolicy": "FallbackToLogsOnError",  # the last log lines become the reason in our status
        "volumeMounts": [
            {"name": "home", "mountPath": vllm_container.HOME},
            {"name": "cache", "mountPath": vllm_container.CACHE},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the Pod's own
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - likewise
        ],
    }
    if amounts := _amounts(deploy):
        out["resources"] = {"requests": amounts, "limits": amounts}
    return out


def _probes(deploy: Deploy) -> Json:
    """Generous: a restart costs minutes of loading, and a busy engine may be slow to answer."""
    ask = {"httpGet": {"path": vllm_container.HEALTH, "port": "http", "scheme": "HTTP"}}
    tries = max(math.ceil(_startup(deploy) / _STARTUP_PERIOD), 1)
    return {
        "startupProbe": {**ask, "periodSeconds": _STARTUP_PERIOD, "timeoutSeconds": 5, "failureThreshold": tries},
        "readinessProbe": {**ask, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {**ask, "periodSeconds": 15, "timeoutSeconds": 15, "failureThreshold": 5},
    }


def _volumes(deploy: Deploy) -> list[Json]:
    # Tensor parallelism exchanges through shared memory; it counts against the Pod's memory limit.
    default = "8Gi" if vllm_container.tensor_parallel(deploy) > 1 else "2Gi"
    stated = deploy.shared_memory_size
    limit = canonical(default if stated is None else stated)
    writable: list[Json] = [{"name": name, "emptyDir": {}} for name in ("home", "cache", "tmp")]
    return [*writable, {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": limit}}]


def _amounts(deploy: Deploy) -> dict[str, str]:
    amounts = {key: canonical(value) for key, value in sorted((deploy.resources or {}).items())}
    return amounts | ({deploy.gpu_resource_name: str(deploy.gpus)} if deploy.gpus else {})


def _tolerations(deploy: Deploy) -> list[Json]:
    ours = [{"key": deploy.gpu_resource_name, "operator": "Exists", "effect": "NoSchedule"}] if deploy.gpus else []
    return [*ours, *(_pruned(each) for each in deploy.tolerations or ())]


def _pruned(node: Any) -> Any:
    """Without nulls, empty texts and empty lists, which the API server leaves out."""
    if isinstance(node, list):
        return [_pruned(item) for item in node]
    if not isinstance(node, dict):
        return node
    # In a map of labels an empty text is a value.
    return {
        key: value if key == "matchLabels" else _pruned(value)
        for key, value in node.items()
        if value not in (None, "", [])
    }
