"""The CustomResourceDefinitions, made from the models: `python -m pointsman.api.crd FOLDER…` writes them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pointsman.api.provider import ModelProviderSpec, ModelProviderStatus
from pointsman.api.route import ModelRouteSpec, ModelRouteStatus
from pointsman.api.schema import cel, structural
from pointsman.names import GROUP, PROVIDERS, ROUTES, VERSION

if TYPE_CHECKING:
    from pydantic import BaseModel


def column(name: str, path: str, kind: str = "string", *, wide: bool = False) -> dict[str, Any]:
    return {"name": name, "type": kind, "jsonPath": path, "priority": int(wide)}


def condition(kind: str, member: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{member}'


_READY = [column("Ready", condition("Ready", "status")), column("Reason", condition("Ready", "reason"))]
_AGE = column("Age", ".metadata.creationTimestamp", "date")
_MESSAGE = column("Message", condition("Ready", "message"), wide=True)

PROVIDER_COLUMNS = [
    column("Type", ".spec.type"),
    column("Location", ".status.location"),
    column("Models", ".status.modelCount", "integer"),
    *_READY,
    _AGE,
    column("Phase", ".status.phase", wide=True),
    column("Replicas", ".status.readyReplicas", "integer", wide=True),
    column("URL", ".status.resolvedUrl", wide=True),
    _MESSAGE,
]
ROUTE_COLUMNS = [
    column("Model", ".spec.modelName"),
    column("Active", ".status.activeTarget"),
    column("Healthy", ".status.healthyTargets"),
    column("Programmed", condition("Programmed", "status")),
    *_READY,
    _AGE,
    _MESSAGE,
]
# The name becomes a Service's name, a label's value and a file's name.
_NAME_RULES = cel(
    ("size(self.metadata.name) <= 52", "metadata.name must have at most 52 characters"),
    ("!self.metadata.name.contains('.')", "metadata.name must hold no dots"),
)
_SCALE = {
    "specReplicasPath": ".spec.deploy.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.selector",
}


def provider_crd() -> dict[str, Any]:
    """The CustomResourceDefinition of ModelProvider."""
    version = _version(ModelProviderSpec, ModelProviderStatus, PROVIDER_COLUMNS)
    version["subresources"]["scale"] = _SCALE
    return _crd("ModelProvider", PROVIDERS, "lmp", version)


def route_crd() -> dict[str, Any]:
    """The CustomResourceDefinition of ModelRoute."""
    return _crd("ModelRoute", ROUTES, "lmr", _version(ModelRouteSpec, ModelRouteStatus, ROUTE_COLUMNS))


def _version(spec: type[BaseModel], status: type[BaseModel], columns: list[dict[str, Any]]) -> dict[str, Any]:
    properties = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": structural(spec),
        "status": structural(status),
    }
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {
            "openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": properties} | _NAME_RULES,
        },
    }


def _crd(kind: str, plural: str, short: str, version: dict[str, Any]) -> dict[str, Any]:
    names = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": [short],
        "categories": ["pointsman"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "annotations": {"helm.sh/resource-policy": "keep"}},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def documents() -> dict[str, str]:
    """File name -> YAML text of each CustomResourceDefinition."""
    crds = (provider_crd(), route_crd())
    return {
        f"{crd['metadata']['name']}.yaml": yaml.dump(crd, Dumper=_Plain, sort_keys=False, width=120) for crd in crds
    }


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True  # anchors would be valid YAML, but nobody can read them


def main(folders: list[str]) -> None:
    """Write the files into each folder."""
    for folder in folders:
        for name, text in documents().items():
            (Path(folder) / name).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:] or ["crds"])
