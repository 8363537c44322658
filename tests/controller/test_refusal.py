"""A table that cannot be made: said on every route, with the last good one in force."""

from __future__ import annotations

import pytest

from pointsman.controller.refusal import LIMIT, TooLargeError, check_size, event, marked

BEFORE, NOW = "2026-01-01T00:00:00Z", "2026-11-21T00:00:00Z"


def status(programmed: str, reason: str = "Programmed") -> dict[str, object]:
    condition = {
        "type": "Programmed",
        "status": programmed,
        "reason": reason,
        "message": "",
        "lastTransitionTime": BEFORE,
    }
    return {"observedGeneration": 2, "conditions": [{"type": "Ready", "status": "True"}, condition]}


def test_only_programmed_changes() -> None:
    """What the route itself is stays as planned."""
    out = marked(status("True"), status("True"), "too large", NOW)
    assert out["conditions"][0] == {"type": "Ready", "status": "True"}
    programmed = out["conditions"][1]
    assert (programmed["status"], programmed["reason"]) == ("False", "RenderFailed")
    assert "too large" in programmed["message"]
    assert programmed["lastTransitionTime"] == NOW


def test_saying_it_again_changes_nothing() -> None:
    """So that a failure that lasts is written once."""
    once = marked(status("True"), status("True"), "why", BEFORE)
    assert marked(status("True"), once, "why", NOW) == once
    assert marked(status("False", "Pending"), once, "why", NOW) == once


def test_a_table_that_does_not_fit_is_refused_whole() -> None:
    """Bytes count, not characters; half a table is never published."""
    assert check_size([{"data": {"a": "é" * 10}}, {"kind": "Secret"}]) == 20
    assert check_size(()) == 0
    with pytest.raises(TooLargeError, match=str(LIMIT)):
        check_size([{"data": {"a": "x" * LIMIT, "b": "y"}}])


def test_the_event_fits_too() -> None:
    """However long the reason is."""
    said = event("r", "x" * 5000)
    assert len(said.message) <= 1024
    assert said.reason == "RenderFailed"
