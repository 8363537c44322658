"""Conditions: when their times change, and that nothing else does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleet.worlds import LATER, NOW
from pointsman.api.fields import Condition
from pointsman.fleet.conditions import Finding, good, merge, status_of, unknown

_FINDINGS = st.dictionaries(
    st.sampled_from(["Accepted", "Reachable", "Ready"]),
    st.builds(Finding, st.sampled_from(["A", "B"]), st.text(), st.sampled_from(["True", "False", "Unknown"])),
)


def test_the_time_changes_with_the_status_alone() -> None:
    """A new reason or message is a write, not a transition."""
    old = merge([], {"Ready": Finding("Timeout", "slow")}, NOW, 1)
    (same,) = merge(old, {"Ready": Finding("ServerError", "500")}, LATER, 2)
    assert (same["lastTransitionTime"], same["reason"], same["observedGeneration"]) == (NOW, "ServerError", 2)
    (turned,) = merge(old, {"Ready": good("Ready", "serves")}, LATER, 2)
    assert (turned["lastTransitionTime"], turned["status"]) == (LATER, "True")


def test_conditions_come_in_the_order_of_the_findings_and_others_go() -> None:
    """What no longer applies (WorkloadReady of an endpoint) is not kept."""
    old = merge([], {"WorkloadReady": good("Ready", ""), "Ready": good("Ready", "")}, NOW, 1)
    new = merge(old, {"Accepted": good("Accepted", ""), "Ready": unknown("NotProbedYet", "")}, NOW, 1)
    assert [each["type"] for each in new] == ["Accepted", "Ready"]
    assert (status_of(new, "Ready"), status_of(new, "Gone")) == ("Unknown", "")


@given(_FINDINGS, _FINDINGS)
def test_equal_findings_give_an_equal_list(before: dict[str, Finding], findings: dict[str, Finding]) -> None:
    """Merged again at another time, nothing changes: nothing is written in a settled cluster."""
    once = merge(merge([], before, NOW, 1), findings, NOW, 1)
    assert merge(once, findings, LATER, 1) == once
    for each in once:
        Condition.model_validate(each)
        assert len(each["message"]) <= 1024
