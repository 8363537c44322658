"""Words and tokens for how much to reason."""

from __future__ import annotations

import pytest

from dialects.chat_speech import OPENAI
from pointsman.dialects import efforts
from pointsman.dialects.chat.body import effort_of
from pointsman.dialects.responses.ask import reasoning
from pointsman.neutral import Thinking
from pointsman.table import Model


@pytest.mark.parametrize("word", ["low", "medium", "high"])
def test_an_effort_comes_back_from_its_budget(word: str) -> None:
    """Whichever dialects the request goes through."""
    assert efforts.effort(efforts.budget(word)) == word


@pytest.mark.parametrize("budget", [1024, 2048, 2049, 4096, 8192, 8193, 16_384, 50_000])
def test_a_budget_is_the_same_effort_in_every_dialect(budget: int) -> None:
    """There is one table."""
    thinking = Thinking(budget=budget)
    assert effort_of(thinking, Model(id="m")) == reasoning(thinking, OPENAI)["effort"] == efforts.effort(budget)
    assert efforts.effort(None) == ""
