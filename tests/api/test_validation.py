"""Objects from files are taken and refused as a real API server takes and refuses them (see tests/cluster)."""

from __future__ import annotations

from typing import Any

import pytest

from api.examples import BAD, GOOD, UNKNOWN, Bad
from pointsman.api.crd import provider_crd, route_crd
from pointsman.api.rules import TWINS
from pointsman.api.validation import did_you_mean, problems

Json = dict[str, Any]
SCHEMAS = {
    crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for crd in (provider_crd(), route_crd())
}


def told(body: Json) -> list[str]:
    """What is wrong with an object, as "path: text"."""
    return [f"{dotted(path)}: {text}" for path, text in problems(SCHEMAS[body["kind"]], body)]


def dotted(path: tuple[str | int, ...]) -> str:
    """A path as the API server writes it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".") or "<nil>"


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD.keys())
def test_good_objects_are_taken(body: Json) -> None:
    """Every field of the API is in one of them."""
    assert told(body) == []


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.what)
def test_bad_objects_are_refused(bad: Bad) -> None:
    """At the right path, with the CRD's message where it has one."""
    found = told(bad.body)
    assert any(line.startswith(f"{bad.path}: ") and bad.message in line for line in found), found


@pytest.mark.parametrize("bad", UNKNOWN, ids=lambda bad: bad.what)
def test_unknown_fields_are_refused(bad: Bad) -> None:
    """With the closest field that there is."""
    assert any(line.startswith(f"{bad.path}: unknown field") and bad.message in line for line in told(bad.body))


def test_every_cel_rule_has_a_twin() -> None:
    """And no twin is left over; rules about changes have none, since files have no past."""
    rules = {rule["rule"] for schema in SCHEMAS.values() for rule in _rules(schema)}
    assert {rule for rule in rules if "oldSelf" not in rule} == TWINS.keys()


def test_a_close_word_is_proposed() -> None:
    """Whatever its case; a far one is not."""
    assert did_you_mean("BASEURL", ["baseUrl", "tls"]) == ", did you mean baseUrl?"
    assert did_you_mean("x", ["baseUrl", "tls"]) == ""


def _rules(node: Any) -> list[Json]:
    if isinstance(node, list):
        return [rule for item in node for rule in _rules(item)]
    if not isinstance(node, dict):
        return []
    inner = [rule for key, item in node.items() if key != "x-kubernetes-validations" for rule in _rules(item)]
    return [*node.get("x-kubernetes-validations", ()), *inner]
