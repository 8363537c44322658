"""What `spec.deploy.podTemplate` may not change: the engine would be lost to its Service, its probes, its provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.engines import vllm_container
from pointsman.engines.vllm_layout import CACHE
from pointsman.fleet import workload_volumes
from pointsman.fleet.strategicmerge import PatchError, faults
from pointsman.fleet.workload_metadata import APP_LABEL, ENGINE
from pointsman.names import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Deploy

Json = dict[str, Any]
_Fault = tuple[str, str]  # where under podTemplate, and what to do

_DIRECTIVE: Final = "$patch"
_OWNED_ENV: Final = frozenset(
    {"VLLM_SERVER_DEV_MODE", "VLLM_API_KEY", "VLLM_PORT", "VLLM_HOST_IP", "VLLM_ALLOW_RUNTIME_LORA_UPDATING"}
)
# Where the Job puts what it fetches, and the engine has to look.
_FETCHED_ENV: Final = frozenset({"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "VLLM_USE_MODELSCOPE"})
_ELSEWHERE: Final = {
    "args": "use spec.deploy.engine.extraArgs",
    "image": "use spec.deploy.image, which decides the arguments",
}


def refusals(deploy: Deploy) -> Iterator[str]:
    """Path, reason and how to mend it; nothing where the template can be merged and keeps what must be kept."""
    patch = deploy.pod_template or {}
    if wrong := [str(fault) for fault in faults(patch)]:
        yield from wrong
        return
    found = list(_template(patch))
    if not found and vllm_container.prefetches(deploy):
        found = list(_fetched(patch.get("spec", {})))
    yield from (str(PatchError(path, why)) for path, why in found)


def resources(deploy: Deploy) -> frozenset[str]:
    """Names of what the patch requests or limits for the engine; a request of ours could be more than its limit."""
    spec = _object((deploy.pod_template or {}).get("spec"))
    containers = spec.get("containers")
    listed = map(_object, containers if isinstance(containers, list) else ())
    of = [spec, *(each for each in listed if each.get("name") == ENGINE)]
    amounts = [_object(_object(each.get("resources")).get(kind)) for each in of for kind in ("requests", "limits")]
    return frozenset(name for each in amounts for name in each)


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _template(patch: Json) -> Iterator[_Fault]:
    for key in sorted(patch.keys() - {"metadata", "spec"}):
        yield key, "a Pod template has metadata and spec: remove it"
    metadata, spec = patch.get("metadata", {}), patch.get("spec", {})
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        yield "", "metadata and spec must be objects"
        return
    for key in sorted(metadata.keys() - {"labels", "annotations"}):
        yield f"metadata.{key}", "only labels and annotations can be set: remove it"
    for kind in ("labels", "annotations"):
        yield from _keys(metadata.get(kind, {}), f"metadata.{kind}")
    if _DIRECTIVE in spec:
        yield "spec", f"{_DIRECTIVE} would take the engine away: put it into what shall be replaced"
    if spec.get("restartPolicy", "Always") != "Always":
        yield "spec.restartPolicy", "an engine is always restarted: remove it"
    if "terminationGracePeriodSeconds" in spec:
        yield "spec.terminationGracePeriodSeconds", "vLLM has to know it too: use spec.deploy.terminationGracePeriod"
    yield from _containers(spec)


def _keys(of: Any, path: str) -> Iterator[_Fault]:
    if not isinstance(of, dict) or _DIRECTIVE in of:
        yield path, "must keep what is there: name the keys to set"
        return
    for key in of:
        if key == APP_LABEL or key.partition("/")[0] == GROUP:
            yield f"{path}[{key}]", "is the operator's to set: remove it"


def _containers(spec: Json) -> Iterator[_Fault]:
    if not _merges(spec.get("containers", [])):
        yield "spec.containers", f"must keep the container {ENGINE}: merge into it by its name"
        return
    for kind in ("containers", "initContainers"):
        listed = spec.get(kind) or []
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            yield f"spec.{kind}", "must be a list of objects, each with its name"
            return
        for each in listed:
            path = f"spec.{kind}[{each.get('name', '')}]"
            if kind == "containers" and each.get("name") == ENGINE:
                yield from _engine(each, path)
            else:
                ports = each.get("ports")
                yield from _beside(ports if isinstance(ports, list) else (), f"{path}.ports")


def _engine(patch: Json, path: str) -> Iterator[_Fault]:
    if _DIRECTIVE in patch:
        yield path, f"{_DIRECTIVE} would take the engine away: name what shall change"
    for key, instead in _ELSEWHERE.items():
        if key in patch:
            yield f"{path}.{key}", f"is the operator's to set: {instead}"
    for key in ("ports", "env"):
        if not _merges(patch.get(key, [])):
            yield f"{path}.{key}", "must keep what is there: merge by name or number"
            return
    yield from _ports(patch.get("ports", []), f"{path}.ports")
    for each in patch.get("env", []):
        if each.get("name") in _OWNED_ENV:
            yield f"{path}.env[{each['name']}]", "is the operator's to set: remove it"


def _ports(ports: list[Json], path: str) -> Iterator[_Fault]:
    ours = {"containerPort": vllm_container.PORT, "name": "http", "protocol": "TCP"}
    yield from _beside([each for each in ports if each["containerPort"] != vllm_container.PORT], path)
    if any(each["containerPort"] == vllm_container.PORT and not each.items() <= ours.items() for each in ports):
        yield f"{path}[{vllm_container.PORT}]", "is the one on which the engine listens: remove it"


def _beside(ports: Any, path: str) -> Iterator[_Fault]:
    for each in ports:
        if isinstance(each, dict) and each.get("name") == "http":
            yield path, "http is the name of the engine's port, by which its Service finds it: take another"


def _fetched(spec: Json) -> Iterator[_Fault]:
    """What would part the engine from what a Job fetches for it."""
    volumes = spec.get("volumes", [])
    if not _merges(volumes):
        yield "spec.volumes", "must keep the cache, which a Job fills: merge by name"
    elif any(each.get("name") == workload_volumes.CACHE for each in volumes):
        yield f"spec.volumes[{workload_volumes.CACHE}]", "is the one that a Job fills: use spec.deploy.cache"
    engine: Json = next((each for each in spec.get("containers", []) if each.get("name") == ENGINE), {})
    path, mounts = f"spec.containers[{ENGINE}]", engine.get("volumeMounts", [])
    if not _merges(mounts):
        yield f"{path}.volumeMounts", "must keep the cache, which a Job fills: merge by mountPath"
    elif any(_in_cache(each.get("mountPath")) for each in mounts):
        yield f"{path}.volumeMounts", f"{CACHE} is what a Job fills: use spec.deploy.cache"
    for each in engine.get("env", []):
        if each.get("name") in _FETCHED_ENV:
            why = "says where the prefetched model is: remove it, or set spec.deploy.cache.prefetch: false"
            yield f"{path}.env[{each['name']}]", why


def _in_cache(path: Any) -> bool:
    return isinstance(path, str) and f"{path.rstrip('/')}/".startswith(f"{CACHE}/")


def _merges(items: Any) -> bool:
    return isinstance(items, list) and all(each.get(_DIRECTIVE) != "replace" for each in items)
