"""What makes `spec.deploy` unusable beyond vLLM's own side: each finding says path, reason and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.api.fields import seconds
from pointsman.engines import vllm_container
from pointsman.fleet import pod_validity, podtemplate, scale, workload_validity, workload_volumes
from pointsman.fleet.quantity import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Cache, Deploy

_WEEK = 7 * 86400


def refusals(deploy: Deploy) -> Iterator[str]:
    """Nothing when it is sound."""
    found = list(dict.fromkeys(_by_field(deploy)))
    yield from found or pod_validity.template_refusals(deploy)


def _by_field(deploy: Deploy) -> Iterator[str]:
    yield from vllm_container.refusals(deploy)
    yield from podtemplate.refusals(deploy)
    yield from scale.refusals(deploy)
    yield from _durations(deploy)
    yield from _quantities(deploy)
    yield from pod_validity.refusals(deploy)
    yield from _cache(deploy.cache) if deploy.cache else ()
    yield from workload_volumes.cache_refusals(deploy)
    yield from workload_validity.refusals(deploy)
    if deploy.gpus and deploy.gpu_resource_name in (deploy.resources or {}):
        yield f"spec.deploy.resources: {deploy.gpu_resource_name} is set by spec.deploy.gpus: remove it"
    access = deploy.network_policy
    if access and access.mode == "None":
        stated = {"allowFrom": access.allow_from, "prometheusNamespace": access.prometheus_namespace}
        for name in (name for name, value in stated.items() if value):
            yield f"spec.deploy.networkPolicy.{name}: mode None lets everybody in: leave one of them out"


def _durations(deploy: Deploy) -> Iterator[str]:
    stated = {
        "startupTimeout": deploy.startup_timeout,
        "terminationGracePeriod": deploy.termination_grace_period,
        "scaling.idle": deploy.scaling.idle if deploy.scaling else None,
        "rollout.drainTimeout": deploy.rollout.drain_timeout if deploy.rollout else None,
    }
    for path, duration in stated.items():
        if duration is not None and not 0 < seconds(duration) <= _WEEK:
            yield f"spec.deploy.{path}: {duration} must be longer than 0 and at most a week"


def _quantities(deploy: Deploy) -> Iterator[str]:
    stated: dict[str, Any] = {
        "sharedMemorySize": deploy.shared_memory_size,
        "cache.size": deploy.cache.size if deploy.cache else None,
    }
    for path, value in stated.items():
        try:
            canonical("0" if value is None else value)
        except ValueError as error:
            yield f"spec.deploy.{path}: {error}"


def _cache(cache: Cache) -> Iterator[str]:
    places = {"claimName": cache.claim_name, "size": cache.size, "hostPath": cache.host_path}
    stated = [name for name, value in places.items() if value is not None]
    if len(stated) != 1:
        said = f"{' and '.join(stated)} are both there" if stated else "none is there"
        yield f"spec.deploy.cache: needs exactly one of claimName, size and hostPath, and {said}"
    for name, value in (("storageClassName", cache.storage_class_name), ("accessModes", cache.access_modes)):
        if value is not None and cache.size is None:
            yield f"spec.deploy.cache.{name}: only for the claim that is made with size: leave it out"
    if cache.host_path and cache.prefetch:
        yield "spec.deploy.cache.prefetch: one Job cannot fill a folder of each node: use a claim, or leave it out"
