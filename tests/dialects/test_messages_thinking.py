"""How targets are asked to think, and what they are not asked at the same time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.messages_speech import ANTHROPIC, LOCAL, NEWEST, QWEN, SONNET, asked
from pointsman.dialects.messages.codec import loss, write_request
from pointsman.names import Dialect
from pointsman.neutral import (
    Choice,
    Reasoning,
    Role,
    Seal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolMode,
    ToolResult,
    Turn,
)
from pointsman.table import Model, Provider

OPUS46, OPUS47, OPUS5 = (Model(id=f"claude-opus-{version}", max_tokens=128000) for version in ("4-6", "4-7", "5"))
SONNET55, SONNET35 = Model(id="claude-sonnet-5-5"), Model(id="claude-3-5-sonnet-latest", max_tokens=8192)
FORCED: Any = {"tools": (Tool("f"),), "choice": Choice(ToolMode.REQUIRED)}
NAMED = ("reasoning_effort",)


def written(
    model: Model, thinking: Thinking | None, *turns: Turn, provider: Provider = ANTHROPIC, **more: Any
) -> tuple[Any, Any, tuple[str, ...]]:
    """`thinking` and the effort as the target gets them, and what is dropped."""
    request = asked(*turns, thinking=thinking, **more)
    fields = write_request(request, model, provider)
    effort = fields.get("output_config", {}).get("effort")
    return fields.get("thinking"), effort, loss(request, model, provider).dropped


def budget(tokens: int) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": tokens}


ADAPTIVE = {"type": "adaptive"}
SHOWN = {"type": "adaptive", "display": "summarized"}
OFF = {"type": "disabled"}


@pytest.mark.parametrize(
    ("model", "thinking", "expected"),
    [
        (SONNET, Thinking("low"), (budget(2048), None, ())),
        (SONNET, Thinking("xhigh"), (budget(32000), None, ())),
        (SONNET, Thinking(budget=5000), (budget(5000), None, ())),
        (SONNET, Thinking(enabled=True), (budget(8192), None, ())),
        (SONNET, Thinking(budget=500), (None, None, NAMED)),
        (SONNET, Thinking(budget=64000), (None, None, NAMED)),
        (SONNET, Thinking("none"), (None, None, ())),
        (SONNET, Thinking(shown=True), (None, None, ())),
        (SONNET35, Thinking("high"), (None, None, NAMED)),
        (OPUS46, Thinking("xhigh"), (ADAPTIVE, "high", ())),
        (OPUS47, Thinking("xhigh"), (SHOWN, "xhigh", ())),
        (OPUS47, Thinking("minimal", shown=False), (ADAPTIVE, "low", ())),
        (OPUS47, Thinking(budget=8000), (SHOWN, "medium", ())),
        (OPUS47, Thinking(adaptive=True, enabled=True), (SHOWN, None, ())),
        (OPUS47, Thinking(enabled=False), (None, None, ())),
        (OPUS5, Thinking("none"), (OFF, None, ())),
        (SONNET55, Thinking("none"), ({"type": "between_tools"}, None, ())),
        (NEWEST, Thinking("none"), (None, "low", NAMED)),
        (NEWEST, None, (None, None, ())),
    ],
)
def test_anthropics_models(model: Model, thinking: Thinking | None, expected: Any) -> None:
    """A budget or an effort, by their generation."""
    assert written(model, thinking) == expected


@pytest.mark.parametrize(
    ("thinking", "expected"),
    [
        (Thinking("high"), (budget(4096), "high", ())),
        (Thinking("minimal"), (budget(1024), None, ())),
        (Thinking("none"), (OFF, None, ())),
        (Thinking(budget=100), (None, None, NAMED)),
        (None, (None, None, ())),
    ],
)
def test_other_servers(thinking: Thinking | None, expected: Any) -> None:
    """Both are said to a model that reasons."""
    assert written(QWEN, thinking, provider=LOCAL) == expected


def test_a_model_not_known_to_reason_is_not_asked_to() -> None:
    """Which is said, unless it was asked not to."""
    assert written(Model(id="llama"), Thinking("low"), provider=LOCAL) == (None, None, NAMED)
    assert written(Model(id="llama"), Thinking("none"), provider=LOCAL) == (None, None, ())
    assert written(OPUS47, Thinking("low"), provider=LOCAL) == (None, None, NAMED)


@given(st.integers(1, 200_000), st.sampled_from(["", "minimal", "low", "medium", "high", "xhigh", "max"]))
def test_a_budget_is_at_least_1024_and_less_than_the_answer(tokens: int, effort: str) -> None:
    """Anthropic refuses any other."""
    thinking, _, dropped = written(SONNET, Thinking(effort, enabled=True), max_tokens=tokens)
    limit = min(tokens, SONNET.max_tokens)
    if thinking is None:
        assert dropped == NAMED
        assert limit < 2048
    else:
        assert 1024 <= thinking["budget_tokens"] < limit


def test_thinking_gives_way_to_a_tool_that_must_be_called() -> None:
    """Anthropic refuses both together; models that think unasked are told not to."""
    assert written(SONNET, Thinking("low"), **FORCED) == (None, None, NAMED)
    assert written(OPUS47, Thinking("low"), **FORCED) == (None, None, NAMED)
    assert written(OPUS5, Thinking("low"), **FORCED) == (OFF, None, NAMED)
    assert written(OPUS5, None, **FORCED) == (OFF, None, ())
    assert written(SONNET, Thinking("low"), choice=Choice(ToolMode.REQUIRED))[0] == budget(2048)


def answered(*thoughts: Reasoning) -> tuple[Turn, ...]:
    """A turn that called a tool, and its result."""
    call = Turn(Role.ASSISTANT, (*thoughts, ToolCall("a", "f")))
    return Turn(Role.USER, (Text("hi"),)), call, Turn(Role.TOOL, (ToolResult("a"),))


def test_thinking_does_not_begin_in_the_middle_of_calls() -> None:
    """A turn with calls must begin with a signed thought where a budget is given, and nowhere else."""
    signed = Reasoning("hm", seal=Seal(Dialect.MESSAGES, "sig"))
    assert written(SONNET, Thinking("low"), *answered()) == (None, None, NAMED)
    assert written(SONNET, Thinking("low"), *answered(Reasoning("local"))) == (None, None, NAMED)
    assert written(SONNET, Thinking("low"), *answered(signed))[0] == budget(2048)
    assert written(SONNET, Thinking("low"), *answered(), Turn(Role.ASSISTANT, (Text("so"),)))[0] == budget(2048)
    assert written(OPUS46, Thinking("low"), *answered())[0] == ADAPTIVE


def test_what_may_not_be_set_while_it_thinks() -> None:
    """The thinking was asked for; the temperature gives way."""
    request = asked(thinking=Thinking("low"), temperature=0.2, top_p=1.0, top_k=5)
    fields = write_request(request, SONNET, ANTHROPIC)
    assert not {"temperature", "top_p", "top_k"} & fields.keys()
    assert loss(request, SONNET, ANTHROPIC).dropped == ("temperature", "top_k")
