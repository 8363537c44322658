"""The documented reasons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pointsman.fleet
from pointsman.api.fields import Condition
from pointsman.fleet.reasons import REASONS, document
from pointsman.served import Finding

_NAMED = re.compile(r"(?:Finding|good|unknown)\(\s*\"([A-Za-z]+)\"")


@pytest.mark.parametrize("name", REASONS)
def test_every_reason_can_be_a_conditions(name: str) -> None:
    """CamelCase, with a meaning and a remedy as sentences."""
    condition = {"type": "Ready", "status": "False", "lastTransitionTime": "", "reason": name, "message": ""}
    assert Condition.model_validate(condition).reason == name
    assert all(text.endswith(".") for text in REASONS[name])


def test_every_reason_that_the_code_or_a_probe_gives_is_documented() -> None:
    """Those written in the source, and those that served.Finding lists."""
    source = "".join(each.read_text() for each in Path(pointsman.fleet.__file__).parent.glob("*.py"))
    assert set(_NAMED.findall(source)) <= REASONS.keys()
    assert Finding.__doc__
    probed = re.findall(r"[A-Z]\w+", Finding.__doc__.split("Reasons:")[1])
    assert len(probed) == 16
    assert set(probed) <= REASONS.keys()


def test_the_page_has_a_row_for_each() -> None:
    """docs/reasons.md is made of it."""
    assert document().count("\n") == len(REASONS) + 2
    assert "| `InsufficientGPU` | No node has enough free GPUs. |" in document()
