"""What of `spec.deploy.podTemplate` holds for the Job that fetches too: what the Pod is and may, not what it serves.

A proxy's certificates, names of hosts, another user: whoever needs them to start an engine needs them to download. The
patch for the container vllm is that for the Job's container. Left out is what belongs to an engine alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.engines import vllm_prefetch
from pointsman.fleet.workload_metadata import ENGINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Deploy

Json = dict[str, Any]

_DIRECTIVE: Final = "$patch"
# A Job ends, asks for no GPU, and stands beside engines rather than apart from them.
_OF_PODS: Final = frozenset(
    {
        *("activeDeadlineSeconds", "containers", "initContainers", "readinessGates", "resourceClaims", "resources"),
        *("restartPolicy", "terminationGracePeriodSeconds", "topologySpreadConstraints", "volumes", "affinity"),
    }
)
_OF_CONTAINERS: Final = frozenset(
    {
        *("args", "command", "image", "lifecycle", "ports", "resizePolicy", "resources", "restartPolicyRules"),
        *("livenessProbe", "readinessProbe", "startupProbe", "env", "volumeDevices", "volumeMounts"),
    }
)


def patch(deploy: Deploy, container: Json, engines: frozenset[str]) -> Json:
    """A strategic merge patch for the Job's Pod, whose only container this is.

    `engines` are the names of volumes that an engine has and the Job has not.
    """
    stated = deploy.pod_template or {}
    spec = _object(stated.get("spec"))
    volumes = [each for each in _objects(spec.get("volumes")) if each.get("name") not in engines]
    there = {each.get("name") for each in (*container["volumeMounts"], *volumes) if _DIRECTIVE not in each}
    ours = next((each for each in _objects(spec.get("containers")) if each.get("name") == ENGINE), {})
    lists = {
        "containers": [_container(ours, container, there)],
        "initContainers": list(_before(deploy, spec, there)),
        "volumes": volumes,
    }
    kept = {key: value for key, value in spec.items() if key not in _OF_PODS}
    if affinity := _affinity(spec.get("affinity")):
        kept["affinity"] = affinity
    return {**stated, "spec": {**kept, **{key: value for key, value in lists.items() if value}}}


def beside(affinity: Any) -> Json:
    """Without what keeps engines apart: a claim of one node is mounted there alone, beside the engine."""
    return {key: value for key, value in _object(affinity).items() if key != "podAntiAffinity"}


def _affinity(stated: Any) -> Json:
    return beside(stated) if isinstance(stated, dict) else {}


def _container(stated: Json, container: Json, there: set[Any]) -> Json:
    paths = {each["mountPath"] for each in container["volumeMounts"]}
    mounts = [
        each
        for each in _objects(stated.get("volumeMounts"))
        if each.get("mountPath") in paths or (each.get("name") in there and _DIRECTIVE not in each)
    ]
    env = [each for each in _objects(stated.get("env")) if not vllm_prefetch.is_engines_own(str(each.get("name")))]
    kept = {key: value for key, value in stated.items() if key not in _OF_CONTAINERS}
    return {**kept, "name": container["name"], "env": env, "volumeMounts": mounts}


def _before(deploy: Deploy, spec: Json, there: set[Any]) -> Iterator[Json]:
    """The init containers that can run here: without a GPU, and with volumes that are there."""
    for each in _objects(spec.get("initContainers")):
        amounts = _object(each.get("resources"))
        asked = {name for kind in ("limits", "requests") for name in _object(amounts.get(kind))}
        mounted = {mount.get("name") for mount in _objects(each.get("volumeMounts"))}
        if (
            _DIRECTIVE not in each
            and mounted <= there
            and not asked & {deploy.gpu_resource_name}
            and not amounts.get("claims")
        ):
            yield each


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
