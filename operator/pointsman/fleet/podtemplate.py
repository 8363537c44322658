"""What `spec.deploy.podTemplate` may not change: the engine would be lost to its Service, its probes, its provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.engines import vllm_container
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
    for path, why in _template(patch):
        yield str(PatchError(path, why))


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
        for each in spec.get(kind) or ():
            path = f"spec.{kind}[{each.get('name', '')}]"
            if kind == "containers" and each.get("name") == ENGINE:
                yield from _engine(each, path)
            else:
                yield from _beside(each.get("ports") or (), f"{path}.ports")


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


def _merges(items: Any) -> bool:
    return isinstance(items, list) and all(each.get(_DIRECTIVE) != "replace" for each in items)
