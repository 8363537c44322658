"""What an answer of chat says that it cost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.chat_speech import usages
from dialects.chat_speech import values as json_values
from pointsman.dialects.chat import usage as chat_usage
from pointsman.exchange import Usage


@given(usages)
def test_home(said: Any) -> None:
    """What was said is said again."""
    found = chat_usage.read(said)
    assert found is not None
    assert chat_usage.write(found) == said


@given(json_values | st.dictionaries(st.sampled_from(["prompt_tokens", "prompt_tokens_details"]), json_values))
def test_anything_may_be_there(said: Any) -> None:
    """What cannot be read counts for nothing."""
    found = chat_usage.read(said)
    assert found is None or found.input >= 0


@pytest.mark.parametrize(
    ("more", "usage"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 3}}, Usage(5, 2, 3)),
        ({"prompt_cache_hit_tokens": 3}, Usage(5, 2, 3)),
        ({"prompt_tokens_details": {"cache_write_tokens": 3}}, Usage(5, 2, written=3)),
        ({"cache_creation_input_tokens": 3}, Usage(5, 2, written=3)),
        ({"completion_tokens_details": {"reasoning_tokens": 1}}, Usage(5, 2, reasoning=1)),
        ({"prompt_tokens_details": None, "completion_tokens_details": {"reasoning_tokens": -1}}, Usage(5, 2)),
    ],
)
def test_details_go_by_many_names(more: Any, usage: Usage) -> None:
    """LiteLLM #34351, #22192: cached tokens are not lost."""
    assert chat_usage.read({"prompt_tokens": 5, "completion_tokens": 2, **more}) == usage


def test_no_tokens_at_all_are_nothing_said() -> None:
    """Some servers send zeros before they know."""
    assert chat_usage.read({"prompt_tokens": 0, "completion_tokens": 0}) is None
