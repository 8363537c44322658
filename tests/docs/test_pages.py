"""The pages tell the truth as far as a machine can see: links lead somewhere, examples are accepted, all is named."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.__main__ import parser
from pointsman.fleet import reasons, unimplemented, validity
from pointsman.fleet.objects import read_files
from pointsman.gateway import admin
from pointsman.kinds import kind
from pointsman.names import ProviderType
from pointsman.table import Policy, Provider, Route, RoutingTable

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(language: str) -> list[tuple[Path, str]]:
    return [(p, body) for p in PAGES for language_of, body in BLOCK.findall(p.read_text()) if language_of == language]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """Relative ones, headings included; others are not followed."""
    for link in LINK.findall(page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if heading:
            lines = target.read_text().splitlines()
            titles = [re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()) for line in lines if line.startswith("#")]
            assert heading in [title.strip().replace(" ", "-") for title in titles], link


@pytest.mark.parametrize(
    ("page", "text"), blocks("yaml"), ids=lambda part: name(part) if isinstance(part, Path) else ""
)
def test_examples_are_accepted(page: Path, text: str) -> None:
    """Every YAML block of ours can be pasted."""
    read = read_files({name(page): text})
    assert read.providers or read.routes
    for body in yaml.safe_load_all(text):
        check_spec(body)


def check_spec(body: dict[str, Any]) -> None:
    from pointsman.api.provider import ModelProviderSpec
    from pointsman.api.route import ModelRouteSpec

    if body["kind"] == "ModelProvider":
        provider = ModelProviderSpec.model_validate(body["spec"])
        assert [*validity.provider(provider), *unimplemented.refusals(provider)] == []
    if body["kind"] == "ModelRoute":
        route = ModelRouteSpec.model_validate(body["spec"])
        assert [*validity.route(route), *unimplemented.refusals(route)] == []


def fields(schema: dict[str, Any], path: str = "") -> list[str]:
    """Every path under a schema, `[]` for the items of a list."""
    out = []
    for key, child in schema.get("properties", {}).items():
        here = f"{path}.{key}" if path else key
        out += [here, *fields(child, here), *fields(child.get("items", {}), f"{here}[]")]
    return out


@pytest.mark.parametrize(("plural", "page"), [("modelproviders", "provider"), ("modelroutes", "route")])
def test_every_field_is_explained(plural: str, page: str) -> None:
    """The reference names every field of the CRD's spec by its whole path, and none that is not there."""
    crd = yaml.safe_load((ROOT / "crds" / f"{plural}.pointsman.dev.yaml").read_text())
    there = set(fields(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]))
    text = (ROOT / "docs" / f"reference-{page}.md").read_text()
    named = set(re.findall(r"`([a-z][A-Za-z]*(?:\[\])?(?:\.[A-Za-z]+(?:\[\])?)*)`", text))
    assert sorted(there - named) == []
    assert sorted(path for path in named if "." in path and path.split(".")[0] in there and path not in there) == []


@pytest.mark.parametrize(
    ("page", "gaps"), [("provider", unimplemented.PROVIDER), ("route", unimplemented.ROUTE)], ids=["provider", "route"]
)
def test_what_is_not_implemented_is_in_italics(page: str, gaps: tuple[unimplemented.Gap, ...]) -> None:
    """A reader must not find out from a condition. Fields of which some values work are told in their row."""
    text = (ROOT / "docs" / f"reference-{page}.md").read_text()
    partly = {"probe.mode", "deploy.model.source", "models[].compat{}", "models[].compat.toolCallArgumentsEncoding"}
    assert [gap.path for gap in gaps if gap.path not in partly and f"*`{gap.path}`*" not in text] == []


def test_every_reason_is_explained() -> None:
    """The page holds what the code says; to mend it, put `reasons.document()` after the page's own words."""
    page = (ROOT / "docs" / "status-reasons.md").read_text()
    named = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert named == set(reasons.REASONS)
    assert page.endswith(reasons.document())


def test_the_table_is_explained() -> None:
    """Every field of the contract, as it is called in the file."""
    text = (ROOT / "docs" / "routing-table.md").read_text()
    for struct in (RoutingTable, Provider, Route, Policy):
        for field in struct.__struct_encode_fields__:
            assert re.search(rf"[`.]{field}(\[\])?[`.]", text), f"{struct.__name__}.{field}"


@pytest.mark.parametrize(("page", "text"), blocks("sh"), ids=lambda part: name(part) if isinstance(part, Path) else "")
def test_commands_exist(page: Path, text: str) -> None:
    """`pointsman` commands of the pages are parsed, the gateway's own paths and `make` targets looked up."""
    for line in text.replace("\\\n", " ").splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["pointsman"] and len(words) > 1:
            parser().parse_args(words[1:])
        if words[:1] == ["make"]:
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), words[1]
        for path in re.findall(r":(?:8080|4180|18080)(/(?:-/\w+|metrics))", line):
            assert path in admin._PAGES or any(path.startswith(below.rstrip("/")) for below in admin._BELOW), path


ROW = re.compile(r"^\| (`\w+`.*?) \| (.*?) \| (.*?) \| as (\w+) \| (.*?) ?\|$", re.MULTILINE)


def test_defaults_by_type_are_as_told() -> None:
    """Dialects, authentication and vendors of the reference are those of the code."""
    told = {}
    for types, api, key, asked, note in ROW.findall((ROOT / "docs" / "reference-provider.md").read_text()):
        auth = "XApiKey" if "x-api-key" in key else key
        for each in re.findall(r"`(\w+)`", types):
            told[each] = (re.findall(r"`([\w-]+)`", api), auth, asked == "hosted", bool(note))
    known = {each.value: kind(each) for each in ProviderType}
    assert told == {name: ([*of.api], of.auth, of.hosted, of.native) for name, of in known.items()}
