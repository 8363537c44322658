"""The CustomResourceDefinitions as they are shipped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.api import crd

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
CRDS = {body["spec"]["names"]["kind"]: body for body in (crd.provider_crd(), crd.route_crd())}


def version(kind: str) -> Json:
    [only] = CRDS[kind]["spec"]["versions"]
    assert isinstance(only, dict)
    return only


def nodes(schema: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every node of a schema with its path."""
    yield path, schema
    for key, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{key}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from nodes(schema["additionalProperties"], f"{path}{{}}")


def tree(kind: str, part: str) -> list[tuple[str, Json]]:
    return list(nodes(version(kind)["schema"]["openAPIV3Schema"]["properties"][part], part))


@pytest.mark.parametrize("folder", ["crds", "charts/pointsman/files/crds"])
def test_the_shipped_files_are_the_generated_ones(folder: str) -> None:
    """Else: `python -m pointsman.api.crd FOLDER` and commit."""
    found = {path.name: path.read_text() for path in (ROOT / folder).glob("*.yaml")}
    if not found and folder != "crds":
        pytest.skip(f"{folder} holds no CRDs")
    assert found == crd.documents()


def test_main_writes_every_folder(tmp_path: Path) -> None:
    """The command that the drift test names."""
    crd.main([str(tmp_path)])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == crd.documents()


@pytest.mark.parametrize("text", crd.documents().values(), ids=crd.documents().keys())
def test_the_files_can_be_read_by_people_and_machines(text: str) -> None:
    """Plain YAML without anchors."""
    assert yaml.safe_load(text) in CRDS.values()
    assert not re.search(r"[&*]id\d", text)


@pytest.mark.parametrize(("kind", "short"), [("ModelProvider", "lmp"), ("ModelRoute", "lmr")])
def test_names(kind: str, short: str) -> None:
    """Short name, category, group and scope of the design."""
    spec = CRDS[kind]["spec"]
    assert spec["names"]["shortNames"] == [short]
    assert spec["names"]["categories"] == ["pointsman"]
    assert (spec["group"], spec["scope"], version(kind)["name"]) == ("pointsman.dev", "Namespaced", "v1alpha1")


def test_columns() -> None:
    """What `kubectl get` shows; each column's path exists in the schema."""
    shown = {kind: [c["name"] for c in version(kind)["additionalPrinterColumns"] if not c["priority"]] for kind in CRDS}
    assert shown == {
        "ModelProvider": ["Type", "Location", "Models", "Ready", "Reason", "Age"],
        "ModelRoute": ["Model", "Active", "Healthy", "Programmed", "Ready", "Reason", "Age"],
    }
    for kind in CRDS:
        known = {path for part in ("spec", "status") for path, _ in tree(kind, part)} | {"metadata.creationTimestamp"}
        for column in version(kind)["additionalPrinterColumns"]:
            path = re.sub(r"\[\?.*?\]", "[]", column["jsonPath"]).removeprefix(".")
            assert path in known, column


def test_subresources() -> None:
    """Both have a status; a provider can be scaled, by paths that exist."""
    assert version("ModelRoute")["subresources"] == {"status": {}}
    scale = version("ModelProvider")["subresources"]["scale"]
    known = {f".{path}" for part in ("spec", "status") for path, _ in tree("ModelProvider", part)}
    assert set(scale.values()) <= known


@pytest.mark.parametrize("kind", CRDS)
@pytest.mark.parametrize("part", ["spec", "status"])
def test_everything_is_bounded(kind: str, part: str) -> None:
    """Every text, list and map has a largest size, so that no object grows without end and CEL stays within budget."""
    bounds = {"string": ("maxLength", "enum"), "array": ("maxItems",), "object": ("maxProperties",)}
    unbounded = [
        path
        for path, node in tree(kind, part)
        if node.get("type") in bounds
        and not any(bound in node for bound in bounds[node["type"]])
        and not ("properties" in node or node.get("format") == "date-time")
        and not node.get("x-kubernetes-preserve-unknown-fields")
    ]
    assert unbounded == []


@pytest.mark.parametrize("kind", CRDS)
def test_every_node_is_structural(kind: str) -> None:
    """A type everywhere (or int-or-string), and nothing that a structural schema must not have."""
    for path, node in nodes(version(kind)["schema"]["openAPIV3Schema"]):
        assert ("type" in node) != bool(node.get("x-kubernetes-int-or-string")), path
        assert not node.keys() & {"$ref", "anyOf", "oneOf", "allOf", "not", "nullable", "title", "const"}, path
        assert node.get("additionalProperties") is not False, path


@pytest.mark.parametrize("kind", CRDS)
def test_lists_say_how_they_merge(kind: str) -> None:
    """Server-side apply needs to know: atomic, set, or map by keys that every item has."""
    for path, node in tree(kind, "spec") + tree(kind, "status"):
        if node.get("type") == "array" and not node.get("x-kubernetes-preserve-unknown-fields"):
            assert node.get("x-kubernetes-list-type") in {"atomic", "set", "map"}, path
            keys = node.get("x-kubernetes-list-map-keys", [])
            assert set(keys) <= set(node["items"].get("required", [])), path
