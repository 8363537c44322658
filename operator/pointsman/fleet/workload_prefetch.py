"""The Job that fetches a provider's model into its cache, once, before any engine starts."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from pointsman.engines import vllm_container, vllm_prefetch
from pointsman.fleet import strategicmerge, workload_pod, workload_prefetch_patch, workload_volumes
from pointsman.fleet.quantity import canonical
from pointsman.fleet.workload_metadata import PREFETCH, labels, metadata, pruned, selector
from pointsman.names import ROLE_LABEL

if TYPE_CHECKING:
    from pointsman.api.deploy import Deploy
    from pointsman.fleet.world import Meta

Json = dict[str, Any]

_LONGEST: Final = 63  # a Job's name becomes a label of its Pods
_TRIES: Final = 6  # with Kubernetes' pauses between them, about ten minutes


def job(meta: Meta, deploy: Deploy) -> Json | None:
    """None where there is nothing to fetch. Its name says what it fetches: another model is another Job."""
    if not vllm_container.prefetches(deploy):
        return None
    spec = {
        "backoffLimit": _TRIES,
        # A drained node is no failure of the download.
        "podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [_DISRUPTED]}]},
        "template": _template(meta, deploy),
    }
    named = metadata(meta, name(meta.name, vllm_prefetch.digest(deploy))) | {"labels": _labels(meta)}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": named, "spec": spec}


_REQUESTS: Final = {"cpu": "500m", "memory": "1Gi"}
_LIMITS: Final = {"cpu": "4", "memory": "8Gi"}
_DISRUPTED: Final = {"type": "DisruptionTarget", "status": "True"}


def name(provider: str, digest: str) -> str:
    """PROVIDER-prefetch-DIGEST; of a long provider's name its beginning, and what tells it from others."""
    tail = f"-prefetch-{digest}"
    if len(provider) + len(tail) <= _LONGEST:
        return provider + tail
    mark = hashlib.sha256(provider.encode()).hexdigest()[:6]
    return f"{provider[: _LONGEST - len(tail) - len(mark) - 1].rstrip('-')}-{mark}{tail}"


def _labels(meta: Meta) -> dict[str, str]:
    # Another name than the engine's: neither its Service nor an autoscaler may count these Pods.
    return labels(meta, PREFETCH, "prefetch")


def _template(meta: Meta, deploy: Deploy) -> Json:
    mounted = workload_volumes.prefetch(meta, deploy)
    container = workload_pod.bare(deploy, "prefetch", mounted) | {
        "command": vllm_prefetch.command(deploy),
        "env": [pruned(entry) for entry in vllm_prefetch.env(deploy)],
        "resources": _resources(deploy),
    }
    if deploy.engine and deploy.engine.env_from:
        container["envFrom"] = [pruned(each) for each in deploy.engine.env_from]
    spec = workload_pod.base(deploy) | {
        "restartPolicy": "Never",  # a Pod that failed stays, and what it said last with it
        "affinity": _near(meta, workload_prefetch_patch.beside(pruned(deploy.affinity))),
        "containers": [container],
        "volumes": [each.as_volume() for each in mounted],
    }
    made = {"metadata": {"labels": {**_labels(meta), ROLE_LABEL: "prefetch"}}, "spec": spec}
    if not deploy.pod_template:
        return made
    engines = frozenset(each.name for each in workload_volumes.engine(meta, deploy)) - {each.name for each in mounted}
    merged: Json = pruned(strategicmerge.merge(made, workload_prefetch_patch.patch(deploy, container, engines)))
    return merged


def _resources(deploy: Deploy) -> Json:
    """What is stated is requested and the limit; a namespace with a quota takes no Pod without."""
    amounts = (deploy.cache.resources if deploy.cache else None) or {}
    stated = {key: canonical(value) for key, value in sorted(amounts.items())}
    return {"requests": {**_REQUESTS, **stated}, "limits": {**_LIMITS, **stated}}


def _near(meta: Meta, affinity: Json) -> Json:
    """Where the engine runs, if it does: a claim for one node can be mounted there alone."""
    if affinity.get("podAffinity"):
        return affinity
    term = {"labelSelector": {"matchLabels": selector(meta)}, "topologyKey": "kubernetes.io/hostname"}
    # The scheduler counts it for engines that start meanwhile too: it must weigh less than what keeps those apart.
    preferred = [{"weight": 1, "podAffinityTerm": term}]
    return {**affinity, "podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
