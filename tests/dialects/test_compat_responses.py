"""`compat` in Responses."""

from __future__ import annotations

from typing import Any

import pytest

from dialects.fitting import SCHEMA, fitted
from pointsman.dialects import responses

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
SYSTEM = {"role": "system", "content": "be brief"}


@pytest.mark.parametrize(
    ("given", "sent"),
    [("hi", [SYSTEM, {"role": "user", "content": "hi"}]), ([USER], [SYSTEM, USER]), (None, [SYSTEM]), ([], [SYSTEM])],
)
def test_instructions_stand_at_the_head_of_the_input(given: Any, sent: Any) -> None:
    """`supportsInstructions: false`: some servers ignore them in silence."""
    asked = {"instructions": "be brief", "input": given}
    assert fitted(responses, {"supportsInstructions": False}, asked) == ({"input": sent}, ())
    assert fitted(responses, {"supportsInstructions": True}, asked) == (asked, ())


@pytest.mark.parametrize(
    "asked", [{"input": "hi"}, {"instructions": None, "input": "hi"}, {"instructions": [], "input": 1}]
)
def test_no_instructions_no_head(asked: dict[str, Any]) -> None:
    """Where there are none, or none that can be read, nothing moves."""
    assert fitted(responses, {"supportsInstructions": False}, asked) == (asked, ())


def test_the_developer_speaks_as_the_system() -> None:
    """`supportsDeveloperRole: false`: also in the items of a Responses request."""
    item = {"type": "message", "role": "developer", "content": "x"}
    sent, _ = fitted(responses, {"supportsDeveloperRole": False}, {"input": [item, USER, {"type": "reasoning"}]})
    assert sent == {"input": [item | {"role": "system"}, USER, {"type": "reasoning"}]}


def test_tools_are_not_strict() -> None:
    """`supportsStrictMode: false`."""
    tool = {"type": "function", "name": "look", "parameters": SCHEMA}
    sent, dropped = fitted(responses, {"supportsStrictMode": False}, {"tools": [tool | {"strict": True}]})
    assert (sent, dropped) == ({"tools": [tool]}, ("tools.strict",))


@pytest.mark.parametrize(
    ("reasoning", "sent"),
    [({"effort": "low"}, {}), ({"effort": "low", "summary": "auto"}, {"reasoning": {"summary": "auto"}})],
)
def test_an_effort_that_is_not_taken_is_left_out(reasoning: dict[str, Any], sent: dict[str, Any]) -> None:
    """`supportsReasoningEffort: false`: and named; a summary may be asked for all the same."""
    found = fitted(responses, {"supportsReasoningEffort": False}, {"reasoning": reasoning}, reasoning=True)
    assert found == (sent, ("reasoning.effort",))
