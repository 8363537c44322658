"""What Kubernetes needs to run a provider: the engine's own object, what stands beside it, and the Job that fetches."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pointsman.engines.vllm_layout import startup
from pointsman.engines.vllm_parallelism import nodes
from pointsman.fleet import workload_beside, workload_pod, workload_prefetch, workload_volumes
from pointsman.fleet.workload_metadata import labels, metadata, selector
from pointsman.names import REVISION_ANNOTATION

if TYPE_CHECKING:
    from pointsman.api.deploy import Deploy
    from pointsman.api.provider import ModelProviderSpec
    from pointsman.fleet.world import Meta

__all__ = ["Rendered", "labels", "render", "selector"]

Json = dict[str, Any]

_PULLING: Final = 600  # seconds: the image is pulled before the start
_STEADY: Final = 5  # seconds for which a new replica must stay ready, before the next one goes


class Rendered(NamedTuple):
    """Whole objects, all owned by the provider."""

    engine: Json  # a Deployment, or a LeaderWorkerSet; named as the provider
    revision: str  # of its Pods: the same for the same Pods, whatever their number
    beside: tuple[Json, ...]  # Service first
    prefetch: Json | None  # the Job that must be done before the engine starts


def render(  # noqa: PLR0913 - what it is made of
    meta: Meta,
    spec: ModelProviderSpec,
    deploy: Deploy,
    *,
    replicas: int,
    key_hash: str = "",
    operator_namespace: str = "",
) -> Rendered:
    """`replicas` is how many there shall be now (0 while suspended); `key_hash` tells one API key from another.

    PatchError for a `podTemplate` that is no patch; `podtemplate.refusals` tells of it before.
    """
    count = 0 if spec.suspend else replicas
    make = _leader_worker_set if nodes(deploy) > 1 else _deployment
    engine, revision = make(meta, deploy, count, key_hash)
    beside = tuple(workload_beside.beside(meta, deploy, count, operator_namespace))
    return Rendered(engine, revision, beside, workload_prefetch.job(meta, deploy))


def _deployment(meta: Meta, deploy: Deploy, replicas: int, key_hash: str) -> tuple[Json, str]:
    template = workload_pod.template(meta, deploy, key_hash)
    revision = _revision(template)
    spec = {
        "replicas": replicas,
        "revisionHistoryLimit": 3,
        "progressDeadlineSeconds": math.ceil(startup(deploy)) + _PULLING,
        "minReadySeconds": _STEADY,
        "strategy": _strategy(deploy),
        "selector": {"matchLabels": selector(meta)},
        "template": _marked(template, revision),
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(meta), "spec": spec}, revision


def _leader_worker_set(meta: Meta, deploy: Deploy, replicas: int, key_hash: str) -> tuple[Json, str]:
    """Groups of Pods, each one engine: when one Pod of a group goes, the group starts anew.

    Source: leaderworkerset.x-k8s.io/v1.
    """
    leader = workload_pod.template(meta, deploy, key_hash)
    follower = workload_pod.template(meta, deploy, key_hash, follower=True)
    size = nodes(deploy)
    revision = _revision([leader, follower, size])
    spec = {
        "replicas": replicas,
        "startupPolicy": "LeaderCreated",  # the leader is ready only when all of its group compute
        "rolloutStrategy": {
            "type": "RollingUpdate",
            "rollingUpdateConfiguration": {"maxSurge": 0, "maxUnavailable": 1},  # as for a Deployment
        },
        # With a headless Service for all it would be named as ours is, which is none.
        "networkConfig": {"subdomainPolicy": "UniquePerReplica"},
        "leaderWorkerTemplate": {
            "size": size,
            "restartPolicy": "RecreateGroupOnPodRestart",
            "leaderTemplate": _marked(leader, revision),
            "workerTemplate": _marked(follower, revision),
        },
    }
    kind = {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet"}
    return {**kind, "metadata": metadata(meta), "spec": spec}, revision


def _strategy(deploy: Deploy) -> Json:
    """A surge would need GPUs that nobody has free: the old Pod goes first."""
    if _recreates(deploy):
        return {"type": "Recreate"}
    numbers = {"maxSurge": 1, "maxUnavailable": 0} if _surges(deploy) else {"maxSurge": 0, "maxUnavailable": 1}
    return {"type": "RollingUpdate", "rollingUpdate": numbers}


def in_place(deploy: Deploy, live: int, replicas: int) -> bool:
    """Whether a change begins with the end of the last old replica, from `live` of them to `replicas`."""
    groups = nodes(deploy) > 1  # one after another, whatever is stated
    if replicas == 0 or (not groups and _recreates(deploy)):
        return True
    return min(live, replicas) <= 1 and (groups or not _surges(deploy))


def _recreates(deploy: Deploy) -> bool:
    alone = deploy.replicas <= 1 or "ReadWriteOncePod" in workload_volumes.access_modes(deploy)
    return _stated(deploy) == "Recreate" or (_stated(deploy) == "Auto" and alone)


def _surges(deploy: Deploy) -> bool:
    """Only where it is asked for, and neither GPUs nor a claim of one Pod stand in its way."""
    return _stated(deploy) == "RollingUpdate" and not deploy.gpus and not (deploy.cache and deploy.cache.size)


def _stated(deploy: Deploy) -> str:
    return (deploy.rollout.strategy if deploy.rollout else None) or "Auto"


def _revision(templates: Any) -> str:
    text = json.dumps(templates, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _marked(template: Json, revision: str) -> Json:
    notes = {**template["metadata"].get("annotations", {}), REVISION_ANNOTATION: revision}
    return {**template, "metadata": {**template["metadata"], "annotations": notes}}
