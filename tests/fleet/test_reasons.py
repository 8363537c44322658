"""The documented reasons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pointsman.fleet
from pointsman.api.fields import Condition
from pointsman.engines.vllm_sayings import ALL, DIED
from pointsman.engines.vllm_words import UNCLEAR
from pointsman.fleet.reasons import NOTHING, REASONS, document, remedy_of
from pointsman.served import Finding

_NAMED = re.compile(r"(?:Finding|Kept|good|unknown)\(\s*\"([A-Za-z]+)\"")
_BAD = re.compile(r"(?:Finding|Kept|unknown)\(\s*\"([A-Za-z]+)\"")
_FINE = {
    "Accepted", "NoSecretNeeded", "SecretsFound", "Authorized", "ReplicasReady", "Reachable", "Static", "Discovered",
    "Serving", "Ready", "ResolvedRefs", "Programmed", "OnPrimary", "InsideFence", "ContextKept", "ContextWindowEnough",
    "NotTold", "AdaptersLoaded", "ModelCached", "NotInMaintenance",
    "PrimaryAsleep",
}  # fmt: skip


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
    assert "| `InsufficientGPU` | No node that the Pod may run on has enough free GPUs. |" in document()


def test_every_reason_that_is_no_good_news_says_what_to_do() -> None:
    """Those that only True conditions bear may leave it at that; so may what is not known and needs nobody."""
    source = "".join(each.read_text() for each in Path(pointsman.fleet.__file__).parent.glob("*.py"))
    bad = set(_BAD.findall(source)) | {saying.reason for saying in ALL} | {"CrashLoopBackOff", UNCLEAR, DIED}
    assert len(bad) > 40
    assert {name for name in bad if not remedy_of(name, "p")} <= _FINE
    assert {name for name, reason in REASONS.items() if reason.remedy == NOTHING} <= _FINE


def test_a_remedy_names_the_provider() -> None:
    """So that its command can be copied."""
    assert "pointsman.dev/provider=qwen " in remedy_of("CrashLoopBackOff", "qwen")
    taints = remedy_of("UntoleratedTaint", "qwen")
    assert "NODE:.metadata.name,TAINTS:.spec.taints[*].key" in taints
    assert "qwen" not in taints
    assert remedy_of("Ready", "qwen") == remedy_of("NoSuchReason", "qwen") == ""
