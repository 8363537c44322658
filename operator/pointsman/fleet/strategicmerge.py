"""Kubernetes' strategic merge patch over a Pod template: how `spec.deploy.podTemplate` comes to be in what is applied.

Source: k8s.io/apimachinery, pkg/util/strategicpatch; the merge keys are those of k8s.io/api, core/v1, PodTemplateSpec.
Lists without one are replaced whole. Not taken: `$retainKeys`, `$setElementOrder`, `$deleteFromPrimitiveList`.

One thing is otherwise, as `kubectl patch` leaves both and the API server then refuses them: of what has one of several
members (a handler's kind, a volume's source, a variable's value), the patch's member takes the place of another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

_POD_LISTS: Final = {
    "volumes": "name",
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "schedulingGates": "name",
    "resourceClaims": "name",
}
_CONTAINER_LISTS: Final = {
    "ports": "containerPort",
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
}
MERGE_KEYS: Final = {f"spec.{name}": key for name, key in _POD_LISTS.items()} | {
    f"spec.{containers}.{name}": key
    for containers in ("containers", "initContainers", "ephemeralContainers")
    for name, key in _CONTAINER_LISTS.items()
}
_PROBE_KINDS: Final = frozenset({"exec", "httpGet", "tcpSocket", "grpc"})
_HOOK_KINDS: Final = frozenset({"exec", "httpGet", "tcpSocket", "sleep"})
_VALUES: Final = frozenset({"secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef", "fileKeyRef"})
# Of these members an object has one; of a volume's, all but its name.
_UNIONS: Final = {
    f"spec.{containers}.{name}": members
    for containers in ("containers", "initContainers")
    for name, members in {
        **dict.fromkeys(("startupProbe", "readinessProbe", "livenessProbe"), _PROBE_KINDS),
        **dict.fromkeys(("lifecycle.preStop", "lifecycle.postStart"), _HOOK_KINDS),
        "env": frozenset({"value", "valueFrom"}),
        "env.valueFrom": _VALUES,
    }.items()
}
_DIRECTIVE: Final = "$patch"


class PatchError(ValueError):
    """What is wrong with a patch: where under spec.deploy.podTemplate, and what to do."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"spec.deploy.podTemplate{path and '.' + path}: {why}")


def merge(template: Json, patch: Json) -> Json:
    """The Pod template with the patch merged in; neither is changed. PatchError for what is no patch."""
    if bad := next(faults(patch), None):
        raise bad
    return _map(template, patch, "")


def faults(patch: Json) -> Iterator[PatchError]:
    """Whatever in a patch `merge` could stumble over, over any template."""
    return _faults(patch, "")


def _faults(node: Any, path: str) -> Iterator[PatchError]:
    if isinstance(node, dict):
        if node.get(_DIRECTIVE, "delete") not in ("replace", "delete"):
            yield PatchError(path, f"{_DIRECTIVE} is replace or delete, not {node[_DIRECTIVE]!r}")
        for key, value in node.items():
            if key.startswith("$") and key != _DIRECTIVE:
                yield PatchError(path, f"{key} is not taken here: write {_DIRECTIVE}, or null for what shall go")
            yield from _faults(value, f"{path}.{key}" if path else key)
    elif isinstance(node, list):
        if key := MERGE_KEYS.get(path):
            yield from _item_faults(node, key, path)
        for item in node:
            yield from _faults(item, path)


def _item_faults(items: list[Any], key: str, path: str) -> Iterator[PatchError]:
    seen = set()
    for item in items:
        if not _is_item(item, key):
            yield PatchError(path, f"each item needs {key}, by which it is merged: {str(item)[:60]}")
        elif _DIRECTIVE not in item and item[key] in seen:
            yield PatchError(path, f"{item[key]} is there twice: keep one")
        elif _DIRECTIVE not in item:
            seen.add(item[key])


def _is_item(item: Any, key: str) -> bool:
    return isinstance(item, dict) and (isinstance(item.get(key), str | int) or item.get(_DIRECTIVE) == "replace")


def _map(original: Json, patch: Json, path: str) -> Json:
    if _DIRECTIVE in patch:
        replaces = patch[_DIRECTIVE] == "replace"
        return {key: _plain(value) for key, value in patch.items() if key != _DIRECTIVE} if replaces else {}
    displaced = _displaced(original, patch, path)
    out = {key: value for key, value in original.items() if key not in displaced}
    for key, value in patch.items():
        where = f"{path}.{key}" if path else key
        merged = _value(out.get(key), value, where)
        if merged is None:
            out.pop(key, None)
        else:
            out[key] = merged
    return out


def _displaced(original: Json, patch: Json, path: str) -> frozenset[str]:
    """The members that go because the patch names another one."""
    members = _UNIONS.get(path, frozenset())
    if path == "spec.volumes":
        members = frozenset((original.keys() | patch.keys()) - {"name"})
    named = any(_plain(patch[key]) is not None for key in members & patch.keys())
    return (members & original.keys()) - patch.keys() if named else frozenset()


def _value(original: Any, value: Any, path: str) -> Any:
    """None: the key goes."""
    if isinstance(original, dict) and isinstance(value, dict):
        return _map(original, value, path)
    if isinstance(value, list) and (key := MERGE_KEYS.get(path)):
        return _list(original if isinstance(original, list) else [], value, key, path)
    return _plain(value)


def _list(original: list[Json], patch: list[Any], key: str, path: str) -> list[Json]:
    told = [item.get(_DIRECTIVE) for item in patch]
    items = [item for item, directive in zip(patch, told, strict=True) if directive is None]
    if "replace" in told:
        return [_plain(item) for item in items]
    gone = [item[key] for item, directive in zip(patch, told, strict=True) if directive == "delete"]
    merged = {item[key]: item for item in original if item[key] not in gone}
    order = list(merged)
    for item in items:
        name = item[key]
        merged[name] = _map(merged[name], item, path) if name in merged else _plain(item)
    return [merged[name] for name in _order(order, list(dict.fromkeys(item[key] for item in items)))]


def _order(stood: list[Any], patched: list[Any]) -> list[Any]:
    """As Kubernetes sets it: the patch's order holds; what stood before goes in between where its place shows."""
    places = {name: place for place, name in enumerate(stood)}
    others = [name for name in stood if name not in patched]
    out: list[Any] = []
    for name in patched:
        while others and name in places and places[others[0]] < places[name]:
            out.append(others.pop(0))
        out.append(name)
    return out + others


def _plain(value: Any) -> Any:
    """What stands in no template yet, without what only says how to merge."""
    if isinstance(value, dict):
        if _DIRECTIVE in value:
            return None
        plain = {key: _plain(item) for key, item in value.items()}
        return {key: item for key, item in plain.items() if item is not None}
    if isinstance(value, list):
        return [item for item in map(_plain, value) if item is not None]
    return value
