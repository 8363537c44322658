"""What of `spec.deploy` goes into objects of Kubernetes as it is stated: what the API server would refuse in it.

Of `podTemplate` the rendered template decides, since what is missing in the patch may be there already.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

from pointsman.engines import vllm_sources_validity
from pointsman.engines.vllm_parallelism import nodes
from pointsman.fleet import pod_environment, pod_names, pod_placement, pod_shapes, workload_pod
from pointsman.fleet.quantity import canonical
from pointsman.fleet.shapes import both, listed, record
from pointsman.fleet.workload_metadata import pruned
from pointsman.fleet.world import Meta

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Cache, Deploy, Engine
    from pointsman.fleet.shapes import Shape

Json = dict[str, Any]

_AT: Final = "spec.deploy"
_ANY: Final = Meta("default", "name")  # nothing of it is looked at
_GRACE: Final = 30  # seconds, where a Pod states none


def refusals(deploy: Deploy) -> Iterator[str]:
    """Path, reason and how to mend it; nothing for what is sound."""
    for name, stated, shape in _stated(deploy):
        if stated not in (None, ""):
            yield from shape(pruned(stated), f"{_AT}.{name}")
    yield from _devices(deploy)
    if deploy.image and (trouble := vllm_sources_validity.image_trouble(deploy.image)):
        yield f"{_AT}.image: {deploy.image!r} {trouble}"
    yield from _environment(deploy.engine) if deploy.engine else ()
    yield from _cache(deploy.cache) if deploy.cache else ()


def template_refusals(deploy: Deploy) -> Iterator[str]:
    """Of `podTemplate`, merged into a template that is sound without it."""
    if not deploy.pod_template:
        return
    templates = [workload_pod.template(_ANY, deploy)]
    if nodes(deploy) > 1:
        templates.append(workload_pod.template(_ANY, deploy, follower=True))
    found = [line for template in templates for line in _template(template, f"{_AT}.podTemplate")]
    yield from dict.fromkeys(found)


def _stated(deploy: Deploy) -> Iterator[tuple[str, Any, Shape]]:
    yield "tolerations", deploy.tolerations, pod_placement.TOLERATIONS
    yield "affinity", deploy.affinity, pod_placement.AFFINITY
    yield "topologySpreadConstraints", deploy.topology_spread_constraints, pod_placement.SPREAD
    yield "nodeSelector", deploy.node_selector, pod_names.LABELS
    yield "serviceAccountName", deploy.service_account_name, pod_names.DOMAIN_NAME
    yield "priorityClassName", deploy.priority_class_name, pod_names.DOMAIN_NAME
    yield "schedulerName", deploy.scheduler_name, pod_names.DOMAIN_NAME
    yield "runtimeClassName", deploy.runtime_class_name, pod_names.DOMAIN_NAME
    yield "resources", deploy.resources, pod_names.amounts
    yield "networkPolicy.allowFrom", deploy.network_policy and deploy.network_policy.allow_from, _PEERS
    yield "cache.resources", deploy.cache and deploy.cache.resources, pod_names.amounts


def _devices(deploy: Deploy) -> Iterator[str]:
    name = deploy.gpu_resource_name
    if "/" not in name or "kubernetes.io/" in name or pod_names.resource_name(name):
        yield f"{_AT}.gpuResourceName: {name!r} must be a device's name with its domain, as nvidia.com/gpu"


def _environment(engine: Engine) -> Iterator[str]:
    path = f"{_AT}.engine"
    for entry in engine.env or ():
        yield from pod_names.ENV_NAME(entry.name, f"{path}.env[{entry.name[:80]}].name")
        if entry.value_from is not None:
            yield from pod_environment.VALUE_FROM(pruned(entry.value_from), f"{path}.env[{entry.name[:80]}].valueFrom")
    yield from pod_environment.ENV_FROM(pruned(engine.env_from or []), f"{path}.envFrom")


def _cache(cache: Cache) -> Iterator[str]:
    if cache.size is not None and not any(pod_names.quantity(cache.size, "")) and canonical(cache.size) == "0":
        yield f"{_AT}.cache.size: a claim of nothing cannot be made: state what the weights need"
    modes = set(cache.access_modes or ())
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        yield f"{_AT}.cache.accessModes: ReadWriteOncePod excludes others: keep one"


def _network(value: Any, path: str) -> Iterator[str]:
    """As CIDR, with its mask: without one it is no network to the API server."""
    try:
        masked = isinstance(value, str) and "/" in value and bool(ipaddress.ip_network(value, strict=False))
    except ValueError:
        masked = False
    if not masked:
        yield f"{path}: {value!r} must be a network with its mask, as 10.0.0.0/8 or, of one address, 10.1.2.3/32"


def _except(value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict) or any(_network(value.get("cidr"), path)):
        return
    whole = ipaddress.ip_network(value["cidr"], strict=False)
    for at, each in enumerate(value["except"] if isinstance(value.get("except"), list) else ()):
        if any(_network(each, path)):
            continue
        part = ipaddress.ip_network(each, strict=False)
        if part.version != whole.version or part.prefixlen <= whole.prefixlen or part.network_address not in whole:
            yield f"{path}.except[{at}]: {each} must lie within {value['cidr']}, and be smaller"


def _peer(value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    there = [name for name in ("ipBlock", "podSelector", "namespaceSelector") if value.get(name) is not None]
    if not value:
        yield f"{path}: names nobody: add podSelector, namespaceSelector or ipBlock ({{}} as selector means all)"
    elif "ipBlock" in there and len(there) > 1:
        yield f"{path}: ipBlock cannot stand beside selectors: make two entries of it"


_PEERS = listed(
    both(
        record(
            {
                "podSelector": pod_placement.SELECTOR,
                "namespaceSelector": pod_placement.SELECTOR,
                "ipBlock": both(record({"cidr": _network, "except": listed(_network)}, needs=("cidr",)), _except),
            }
        ),
        _peer,
    )
)


def _template(template: Json, path: str) -> Iterator[str]:
    found = list(pod_shapes.TEMPLATE(template, path))
    yield from found
    if found:
        return
    spec = template["spec"]
    path = f"{path}.spec"
    for name in ("activeDeadlineSeconds", "ephemeralContainers"):
        if name in spec:
            yield f"{path}.{name}: cannot be in a template: remove it"
    volumes = {each["name"] for each in spec.get("volumes", ())}
    names: list[str] = []
    for kind in ("initContainers", "containers"):
        for each in spec.get(kind, ()):
            at = f"{path}.{kind}[{each['name']}]"
            if each["name"] in names:
                yield f"{at}.name: is there twice: rename one"
            names.append(each["name"])
            yield from _mounts(each, volumes, at)
            yield from _paused(each, spec.get("terminationGracePeriodSeconds", _GRACE), at)


def _mounts(container: Json, volumes: set[str], path: str) -> Iterator[str]:
    for each in container.get("volumeMounts", ()):
        if each["name"] not in volumes:
            there = ", ".join(sorted(volumes)) or "none"
            yield f"{path}.volumeMounts[{each['name']}]: there is no such volume, only {there}: add it to spec.volumes"


def _paused(container: Json, grace: int, path: str) -> Iterator[str]:
    for name in ("livenessProbe", "startupProbe"):
        if container.get(name, {}).get("successThreshold", 1) > 1:
            yield f"{path}.{name}.successThreshold: must be 1 here: remove it"
    seconds = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    if seconds > grace:
        yield f"{path}.lifecycle.preStop.sleep.seconds: {seconds} is more than terminationGracePeriodSeconds, {grace}"
