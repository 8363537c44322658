"""Which of Anthropic's models a name means, and what that one takes."""

from __future__ import annotations

import pytest

from dialects.messages_speech import ANTHROPIC, LOCAL
from pointsman.dialects.messages.models import Claude, of
from pointsman.table import Model


@pytest.mark.parametrize(
    ("name", "family", "version"),
    [
        ("claude-3-7-sonnet-20250219", "", (3, 7)),
        ("claude-3-opus-20240229", "", (3, 0)),
        ("claude-sonnet-4-20250514", "sonnet", (4, 0)),
        ("claude-opus-4-5-20251101", "opus", (4, 5)),
        ("anthropic/claude-haiku-4.5:beta", "haiku", (4, 5)),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "sonnet", (4, 5)),
        ("claude-4.7-opus", "", (4, 7)),
        ("claude-fable-5-1", "fable", (5, 1)),
        ("claude-opus-latest", "opus", (99, 0)),
        ("Claude-Instant-1.2", "instant", (1, 2)),
    ],
)
def test_names(name: str, family: str, version: tuple[int, int]) -> None:
    """Under any prefix, with a date or without."""
    assert of(Model(id=name), LOCAL) == Claude(family, version)


def test_whatever_anthropic_serves_is_one() -> None:
    """And nobody else's model is."""
    assert of(Model(id="fast"), ANTHROPIC) == Claude("", (99, 0))
    assert of(Model(id="qwen3"), LOCAL) is None


@pytest.mark.parametrize(
    ("name", "takes"),
    [
        ("claude-3-5-sonnet-latest", {"samples", "prefill", "forced"}),
        ("claude-3-7-sonnet-latest", {"samples", "prefill", "forced", "thinks"}),
        ("claude-sonnet-4-5", {"samples", "prefill", "forced", "thinks", "schema", "one_of_two"}),
        ("claude-opus-4-6", {"samples", "forced", "thinks", "schema", "one_of_two", "adaptive"}),
        ("claude-opus-4-7", {"forced", "thinks", "schema", "one_of_two", "adaptive"}),
        ("claude-opus-5", {"forced", "thinks", "schema", "one_of_two", "adaptive", "thinks_anyway"}),
        ("claude-fable-5-1", {"thinks", "schema", "one_of_two", "adaptive", "thinks_anyway"}),
        ("claude-opus-5-5", {"thinks", "schema", "one_of_two", "adaptive", "thinks_anyway"}),
    ],
)
def test_generations(name: str, takes: set[str]) -> None:
    """Each new one takes something else."""
    claude = of(Model(id=name), ANTHROPIC)
    asked = ("samples", "prefill", "forced", "thinks", "schema", "one_of_two", "adaptive", "thinks_anyway")
    assert {what for what in asked if getattr(claude, what)} == takes


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("claude-opus-5", "disabled"), ("claude-opus-5-5", ""), ("claude-sonnet-5-5", "between_tools"),
        ("claude-haiku-5-5", "disabled"), ("claude-fable-5", ""), ("claude-mythos-preview", ""),
    ],
)  # fmt: skip
def test_how_to_keep_it_from_thinking(name: str, word: str) -> None:
    """If at all."""
    claude = of(Model(id=name), ANTHROPIC)
    assert claude is not None
    assert claude.off == word


@pytest.mark.parametrize(("name", "said"), [("claude-opus-4-6", "high"), ("claude-opus-4-7", "xhigh")])
def test_efforts(name: str, said: str) -> None:
    """Those that a model does not know become the nearest."""
    claude = of(Model(id=name), ANTHROPIC)
    assert claude is not None
    assert (claude.effort("xhigh"), claude.effort("minimal"), claude.effort("max")) == (said, "low", "max")
