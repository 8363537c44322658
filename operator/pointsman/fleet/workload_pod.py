"""The Pods of a provider that runs here: the engine's (of one node, or leader and followers of several)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from pointsman.api.fields import seconds
from pointsman.engines import vllm_container
from pointsman.engines.vllm_layout import startup
from pointsman.fleet import podtemplate, strategicmerge, workload_volumes
from pointsman.fleet.quantity import canonical
from pointsman.fleet.workload_metadata import ENGINE, labels, pruned, selector
from pointsman.names import GROUP, ROLE_LABEL

if TYPE_CHECKING:
    from pointsman.api.deploy import Check, Deploy
    from pointsman.fleet.workload_volumes import Volume
    from pointsman.fleet.world import Meta

Json = dict[str, Any]

KEY_ANNOTATION: Final = f"{GROUP}/key-hash"  # another key means other Pods
USER: Final = 1000
_PRE_STOP: Final = 15  # until every gateway has seen the EndpointSlice without the Pod
_GRACE: Final = 75  # more than the pause before the stop and vLLM's own --shutdown-timeout
_STARTUP_PERIOD: Final = 5  # seconds: what an engine that is up again waits for at most, before it gets requests
_LEAST: Final = {"cpu": "1", "memory": "4Gi"}  # requested where neither is stated
# Karpenter and the cluster autoscaler ask for it, each in its own words.
_KEEP: Final = {"karpenter.sh/do-not-disrupt": "true", "cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}


def template(meta: Meta, deploy: Deploy, key_hash: str = "", *, follower: bool = False) -> Json:
    """The Pod template, `podTemplate` merged in. A follower computes with its leader and answers nobody."""
    notes = {"kubectl.kubernetes.io/default-container": ENGINE}  # whatever podTemplate puts beside it
    notes |= ({KEY_ANNOTATION: key_hash} if key_hash else {}) | (_KEEP if deploy.disruption == "Protect" else {})
    metadata = {"labels": {**labels(meta), ROLE_LABEL: "engine"}, "annotations": notes}
    mounted = workload_volumes.engine(meta, deploy)
    own = {
        "terminationGracePeriodSeconds": grace(deploy),
        "affinity": pruned(deploy.affinity) or _apart(meta, deploy),
        "topologySpreadConstraints": [pruned(each) for each in deploy.topology_spread_constraints or ()],
        "runtimeClassName": deploy.runtime_class_name,
        "priorityClassName": deploy.priority_class_name,
        "schedulerName": deploy.scheduler_name,
        "containers": [_container(meta, deploy, mounted, follower=follower)],
        "volumes": [each.as_volume() for each in mounted],
    }
    spec = base(deploy) | {key: value for key, value in own.items() if value}
    made = {"metadata": metadata, "spec": spec}
    return pruned(strategicmerge.merge(made, deploy.pod_template)) if deploy.pod_template else made


def base(deploy: Deploy) -> Json:
    """What every Pod of the provider has: not root, no token, and the same nodes to choose from."""
    own = {
        "imagePullSecrets": [{"name": ref.name} for ref in deploy.image_pull_secrets or ()],
        "nodeSelector": deploy.node_selector,
        "tolerations": _tolerations(deploy),
        "serviceAccountName": deploy.service_account_name,
    }
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,  # a Service called "vllm" would set VLLM_PORT to a URL
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            # Otherwise each start would go through every file of a large cache.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    } | {key: value for key, value in own.items() if value}


def bare(deploy: Deploy, name: str, mounted: tuple[Volume, ...]) -> Json:
    """What every container of the provider has."""
    return {
        "name": name,
        "image": deploy.image or vllm_container.IMAGE,
        "imagePullPolicy": deploy.image_pull_policy or "IfNotPresent",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "terminationMessagePolicy": "FallbackToLogsOnError",  # the last log lines become the reason in our status
        "volumeMounts": [each.as_mount() for each in mounted],
    }


def grace(deploy: Deploy) -> int:
    """Seconds until a Pod that ends is killed."""
    stated = deploy.termination_grace_period
    return max(math.ceil(seconds(stated)), 1) if stated else _GRACE


def _container(meta: Meta, deploy: Deploy, mounted: tuple[Volume, ...], *, follower: bool) -> Json:
    engine = deploy.engine
    out = bare(deploy, ENGINE, mounted) | {
        "command": ["vllm", "serve"],
        "args": vllm_container.worker_args(deploy) if follower else vllm_container.args(deploy),
        "env": [pruned(entry) for entry in vllm_container.env(deploy, meta.name)],
    }
    if not follower:
        out |= _answering(deploy)
    if engine and engine.env_from:
        out["envFrom"] = [pruned(each) for each in engine.env_from]
    if resources := _resources(deploy):
        out["resources"] = resources
    return out


def _answering(deploy: Deploy) -> Json:
    """Port, probes, end. Generous: a restart costs minutes of loading, and a busy engine may be slow to answer."""
    ask = {"httpGet": {"path": vllm_container.HEALTH, "port": "http", "scheme": "HTTP"}}
    tries = max(math.ceil(startup(deploy) / _STARTUP_PERIOD), 1)
    readiness, liveness = (deploy.probes.readiness, deploy.probes.liveness) if deploy.probes else (None, None)
    return {
        "ports": [{"name": "http", "containerPort": vllm_container.PORT, "protocol": "TCP"}],
        "startupProbe": {**ask, "periodSeconds": _STARTUP_PERIOD, "timeoutSeconds": 5, "failureThreshold": tries},
        "readinessProbe": {**ask, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3, **_stated(readiness)},
        "livenessProbe": {**ask, "periodSeconds": 15, "timeoutSeconds": 15, "failureThreshold": 5, **_stated(liveness)},
        # The pause is a part of the grace: of a short one it leaves half to the engine.
        "lifecycle": {"preStop": {"sleep": {"seconds": max(min(_PRE_STOP, grace(deploy) // 2), 1)}}},
    }


def _stated(check: Check | None) -> Json:
    return check.model_dump(by_alias=True, exclude_none=True) if check else {}


def _resources(deploy: Deploy) -> Json:
    """What is stated is requested and the limit. A Pod that requests nothing is the first one to be evicted."""
    amounts = _amounts(deploy)
    least = {} if (amounts.keys() | podtemplate.resources(deploy)) & _LEAST.keys() else _LEAST
    found = {"requests": least | amounts, "limits": amounts}
    return {kind: value for kind, value in found.items() if value}


def _amounts(deploy: Deploy) -> dict[str, str]:
    amounts = {key: canonical(value) for key, value in sorted((deploy.resources or {}).items())}
    return amounts | ({deploy.gpu_resource_name: str(deploy.gpus)} if deploy.gpus else {})


def _tolerations(deploy: Deploy) -> list[Json]:
    ours = [{"key": deploy.gpu_resource_name, "operator": "Exists", "effect": "NoSchedule"}] if deploy.gpus else []
    return [*ours, *(pruned(each) for each in deploy.tolerations or ())]


def _apart(meta: Meta, deploy: Deploy) -> Json:
    """Replicas on other nodes where there is room. It leaves the cluster's own spreading over zones as it is."""
    if deploy.topology_spread_constraints:
        return {}
    term = {"labelSelector": {"matchLabels": selector(meta)}, "topologyKey": "kubernetes.io/hostname"}
    preferred = [{"weight": 100, "podAffinityTerm": term}]
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
