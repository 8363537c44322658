"""What every object of a deployed provider shares: its labels, its owner, and the form in which it reads back.

Nothing is written in a form that the API server would rewrite (quantities, empty values), so that what was applied
reads back the same and a settled cluster is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.names import API_VERSION, FIELD_MANAGER, MANAGED_BY, PROVIDER_LABEL

if TYPE_CHECKING:
    from pointsman.fleet.world import Meta

Json = dict[str, Any]

APP_LABEL: Final = "app.kubernetes.io/name"
ENGINE: Final = "vllm"  # the engine's container, and APP_LABEL of its Pods
PREFETCH: Final = "model-prefetch"

# Maps of people's own keys, in which an empty text is a value.
_MAPS: Final = frozenset({"matchLabels", "labels", "annotations", "nodeSelector"})


def selector(meta: Meta) -> dict[str, str]:
    """What tells the engine's Pods; never changed, as a Deployment's selector cannot be."""
    return {APP_LABEL: ENGINE, PROVIDER_LABEL: meta.name}


def labels(meta: Meta, app: str = ENGINE, component: str = "inference-server") -> dict[str, str]:
    return {
        APP_LABEL: app,
        PROVIDER_LABEL: meta.name,
        "app.kubernetes.io/instance": meta.name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "pointsman",
        MANAGED_BY: FIELD_MANAGER,
    }


def metadata(meta: Meta, name: str = "") -> Json:
    """Of an object that goes with the provider; named as it is unless said otherwise."""
    owner = {
        "apiVersion": API_VERSION,
        "kind": "ModelProvider",
        "name": meta.name,
        "uid": meta.uid,
        "controller": True,
        # True would ask for the right to set finalizers on the owner, and hold its deletion up.
        "blockOwnerDeletion": False,
    }
    named = {"name": name or meta.name, "namespace": meta.namespace}
    return {**named, "labels": labels(meta), "ownerReferences": [owner]}


def pruned(node: Any) -> Any:
    """Without nulls, empty texts and empty lists, which the API server leaves out."""
    if isinstance(node, list):
        return [pruned(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: value if key in _MAPS else pruned(value) for key, value in node.items() if value not in (None, "", [])}
