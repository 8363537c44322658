"""What is mounted into an engine's Pod: weights, cache, shared memory, and folders that a user not root can write.

No volume is mounted twice: mounts are told apart by their volume's name (`controller.covered`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pointsman.engines import vllm_layout, vllm_sources
from pointsman.engines.vllm_parallelism import nodes
from pointsman.fleet.quantity import canonical
from pointsman.fleet.workload_metadata import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Cache, Deploy
    from pointsman.engines.vllm_sources import Source
    from pointsman.fleet.world import Meta

Json = dict[str, Any]

CACHE: Final = "cache"


class Volume(NamedTuple):
    """A volume of a Pod and where its container sees it."""

    name: str
    path: str
    source: Json
    read_only: bool = False

    def as_volume(self) -> Json:
        return {"name": self.name, **self.source}

    def as_mount(self) -> Json:
        return {"name": self.name, "mountPath": self.path} | ({"readOnly": True} if self.read_only else {})


def engine(meta: Meta, deploy: Deploy) -> tuple[Volume, ...]:
    shm = Volume("shm", "/dev/shm", {"emptyDir": {"medium": "Memory", "sizeLimit": _shared_memory(deploy)}})  # noqa: S108
    return (*prefetch(meta, deploy), shm, *_sources(deploy), *_chat_template(deploy))


def prefetch(meta: Meta, deploy: Deploy) -> tuple[Volume, ...]:
    """What the Job needs that fetches the weights: the engine's cache, and folders of its own."""
    return (
        Volume("home", vllm_layout.HOME, {"emptyDir": {}}),
        Volume(CACHE, vllm_layout.CACHE, _cache(meta, deploy.cache)),
        Volume("tmp", "/tmp", {"emptyDir": {}}),  # noqa: S108 - a volume of the Pod's own
    )


def claim(meta: Meta, deploy: Deploy) -> Json | None:
    """The PersistentVolumeClaim that is made for the cache; it goes with the provider."""
    cache = deploy.cache
    if not cache or cache.size is None or cache.claim_name:
        return None
    spec: Json = {
        "accessModes": access_modes(deploy),
        "resources": {"requests": {"storage": canonical(cache.size)}},
    }
    if cache.storage_class_name:
        spec["storageClassName"] = cache.storage_class_name
    named = metadata(meta, _claim_name(meta, cache))
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": named, "spec": spec}


def access_modes(deploy: Deploy) -> list[str]:
    """Of the cache's claim as far as they are known: what is stated, and of a claim that is made its default."""
    cache = deploy.cache
    if not cache or cache.access_modes or cache.size is None:
        return list(cache.access_modes or ()) if cache else []
    return ["ReadWriteMany" if deploy.replicas > 1 or nodes(deploy) > 1 else "ReadWriteOnce"]


def cache_refusals(deploy: Deploy) -> Iterator[str]:
    """What of `spec.deploy.cache` leaves Pods waiting for ever, or does nothing: path, reason, how to mend it."""
    cache = deploy.cache
    if not cache:
        return
    if "ReadWriteOncePod" in (cache.access_modes or ()):
        yield from _one_pod_refusals(deploy)
    if deploy.gpu_resource_name in (cache.resources or {}):
        yield f"spec.deploy.cache.resources: a download needs no {deploy.gpu_resource_name}: remove it"
    if cache.resources and not vllm_sources.fetches(deploy):
        yield "spec.deploy.cache.resources: is of the Job that downloads, and there is none: remove it"


def _one_pod_refusals(deploy: Deploy) -> Iterator[str]:
    at = "spec.deploy.cache.accessModes"
    if deploy.replicas > 1 or nodes(deploy) > 1:
        yield f"{at}: ReadWriteOncePod is for one Pod, and there are several: write ReadWriteMany"
    elif vllm_sources.fetches(deploy):
        yield (
            f"{at}: the engine holds a ReadWriteOncePod claim, and the Job that downloads the next model would wait "
            "for ever: write ReadWriteOnce, or set spec.deploy.cache.prefetch: false"
        )


def _claim_name(meta: Meta, cache: Cache) -> str:
    return cache.claim_name or f"{meta.name}-cache"


def _cache(meta: Meta, cache: Cache | None) -> Json:
    if cache and cache.host_path:
        # A folder that is made on the way is root's, and an engine is not root: it has to be there, and writable.
        return {"hostPath": {"path": cache.host_path, "type": "Directory"}}
    if cache and (cache.claim_name or cache.size is not None):
        return {"persistentVolumeClaim": {"claimName": _claim_name(meta, cache)}}
    return {"emptyDir": {}}


def _shared_memory(deploy: Deploy) -> str:
    # GPUs that work together exchange through it; it counts against the Pod's memory limit.
    default = "8Gi" if deploy.gpus > 1 or nodes(deploy) > 1 else "2Gi"
    return canonical(default if deploy.shared_memory_size is None else deploy.shared_memory_size)


def _sources(deploy: Deploy) -> Iterator[Volume]:
    """The weights' volume and the adapters', each claim and each image once."""
    for path, source in vllm_sources.mounts(deploy):
        name = "model" if path == vllm_layout.MODEL_DIR else f"adapters-{path.rpartition('/')[2]}"
        yield Volume(name, path, _read_only(source, deploy), read_only=True)


def _read_only(source: Source, deploy: Deploy) -> Json:
    if source.scheme == "oci":
        return {"image": {"reference": source.name, "pullPolicy": deploy.image_pull_policy or "IfNotPresent"}}
    return {"persistentVolumeClaim": {"claimName": source.name, "readOnly": True}}


def _chat_template(deploy: Deploy) -> Iterator[Volume]:
    ref = deploy.engine.chat_template_ref if deploy.engine else None
    if ref:
        source = {"configMap": {"name": ref.name, "items": [{"key": ref.key, "path": vllm_layout.CHAT_TEMPLATE_FILE}]}}
        yield Volume("chat-template", vllm_layout.CHAT_TEMPLATE_DIR, source, read_only=True)
