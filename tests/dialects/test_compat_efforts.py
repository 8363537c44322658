"""How much to reason, as servers want to be told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.fitting import Json, fitted
from pointsman.dialects import chat, responses
from pointsman.dialects.compat_efforts import level

EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
KWARGS = "chat_template_kwargs"


def asked(compat: Json, **fields: Any) -> tuple[Json, tuple[str, ...]]:
    """What is sent to a model that reasons."""
    return fitted(chat, compat, fields, reasoning=True)


@pytest.mark.parametrize(
    ("form", "high", "none"),
    [
        ("openai", {"reasoning_effort": "high"}, {"reasoning_effort": "none"}),
        ("openrouter", {"reasoning": {"effort": "high"}}, {"reasoning": {"effort": "none"}}),
        ("deepseek", {"thinking": {"type": "enabled"}}, {"thinking": {"type": "disabled"}}),
        ("together", {"reasoning": {"enabled": True}}, {"reasoning": {"enabled": False}}),
        ("qwen", {"enable_thinking": True}, {"enable_thinking": False}),
        ("qwen-chat-template", {KWARGS: {"enable_thinking": True}}, {KWARGS: {"enable_thinking": False}}),
        ("zai", {"thinking": {"type": "enabled"}}, {"thinking": {"type": "disabled"}}),
    ],
)
def test_each_way_to_write_it(form: str, high: Json, none: Json) -> None:
    """`thinkingFormat`: what says only whether, names how much as lost; where nothing is asked nothing is written."""
    lost = () if form in {"openai", "openrouter"} else ("reasoning_effort",)
    assert asked({"thinkingFormat": form}, reasoning_effort="high") == (high, lost)
    assert asked({"thinkingFormat": form}, reasoning_effort="none") == (none, ())
    assert asked({"thinkingFormat": form}, temperature=1) == ({"temperature": 1}, ())


@pytest.mark.parametrize(
    ("fields", "on"),
    [
        ({"reasoning": {"effort": "low"}}, True), ({"reasoning": {"enabled": False}}, False),
        ({"reasoning": {"max_tokens": 100}}, True), ({"thinking": {"type": "disabled"}}, False),
        ({"thinking": {"type": "adaptive"}}, True), ({KWARGS: {"enable_thinking": False}}, False),
        ({"enable_thinking": True}, True),
    ],
)  # fmt: skip
def test_a_client_may_say_it_in_any_way(fields: Json, on: bool) -> None:
    """It is found, taken out, and written as the server wants it."""
    assert asked({"thinkingFormat": "qwen"}, **fields)[0] == {"enable_thinking": on}


def test_other_settings_of_the_template_stay() -> None:
    """Only the switch is taken out, and put in."""
    others = {"x": 1, "enable_thinking": True}
    assert asked({"thinkingFormat": "qwen"}, **{KWARGS: others})[0] == {KWARGS: {"x": 1}, "enable_thinking": True}
    assert asked({"thinkingFormat": "qwen-chat-template"}, enable_thinking=False, **{KWARGS: {"x": 1}})[0] == {
        KWARGS: {"x": 1, "enable_thinking": False}
    }


@pytest.mark.parametrize(
    ("form", "switch"),
    [("deepseek", {"thinking": {"type": "enabled"}}), ("together", {"reasoning": {"enabled": True}})],
)
def test_some_servers_are_told_both(form: str, switch: Json) -> None:
    """With `supportsReasoningEffort: true` how much is told beside the switch, and nothing is lost."""
    compat = {"thinkingFormat": form, "supportsReasoningEffort": True}
    assert asked(compat, reasoning_effort="low") == ({**switch, "reasoning_effort": "low"}, ())
    assert "reasoning_effort" not in asked(compat, reasoning_effort="none")[0]


@pytest.mark.parametrize(
    ("fields", "sent", "lost"),
    [
        ({KWARGS: {"enable_thinking": False}}, {"reasoning_effort": "none"}, ()),
        ({KWARGS: {"enable_thinking": True, "x": 1}}, {KWARGS: {"x": 1}}, (KWARGS,)),
        ({"reasoning_effort": "low", KWARGS: {"enable_thinking": True}}, {"reasoning_effort": "low"}, ()),
        ({"reasoning": {"effort": "high"}}, {"reasoning_effort": "high"}, ()),
        ({"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}, ()),
        ({KWARGS: {"x": 1}}, {KWARGS: {"x": 1}}, ()),
    ],
)  # fmt: skip
def test_openais_way_takes_the_others_out(fields: Json, sent: Json, lost: tuple[str, ...]) -> None:
    """`thinkingFormat: openai`: whatever way the client says it; to reason at all has no word of its own."""
    assert asked({"thinkingFormat": "openai"}, **fields) == (sent, lost)
    assert asked({}, **fields) == (fields, ())


@pytest.mark.parametrize("form", [None, "openai"])
def test_an_effort_that_is_not_taken_is_left_out(form: str | None) -> None:
    """`supportsReasoningEffort: false`: and named."""
    compat: Json = {"supportsReasoningEffort": False} | ({"thinkingFormat": form} if form else {})
    assert asked(compat, reasoning_effort="low") == ({}, ("reasoning_effort",))


def test_openrouter_is_told_whether_where_not_how_much() -> None:
    """A model with a switch alone."""
    compat = {"thinkingFormat": "openrouter", "supportsReasoningEffort": False}
    assert asked(compat, reasoning_effort="low") == ({"reasoning": {"enabled": True}}, ("reasoning_effort",))


@pytest.mark.parametrize(
    ("supported", "effort", "sent"),
    [
        (["low", "high"], "high", "high"), (["low", "high"], "medium", "low"), (["high"], "low", "high"),
        (["low", "high"], "max", "high"), (["low"], "none", None), (["none", "low"], "none", "none"),
        ([], "high", None),
        (["on"], "high", "on"),
    ],
)  # fmt: skip
def test_only_labels_that_the_server_knows_are_sent(supported: list[str], effort: str, sent: str | None) -> None:
    """`supportedReasoningEfforts`: the next lower one, or the lowest; not to reason at all has no neighbour."""
    compat = {"supportedReasoningEfforts": supported}
    assert asked(compat, reasoning_effort=effort)[0] == ({"reasoning_effort": sent} if sent else {})
    body, dropped = fitted(responses, compat, {"reasoning": {"effort": effort, "summary": "auto"}}, reasoning=True)
    assert body["reasoning"] == {"summary": "auto"} | ({"effort": sent} if sent else {})
    assert dropped == (() if sent else ("reasoning.effort",))


def test_labels_are_translated() -> None:
    """`reasoningEffortMap`: OpenClaw's `off` is OpenAI's `none`; a model that cannot stop thinking thinks little."""
    compat = {"reasoningEffortMap": {"off": "low", "xhigh": "ultra"}, "supportedReasoningEfforts": ["low", "ultra"]}
    assert [level(compat, effort) for effort in ("none", "off", "xhigh")] == ["low", "low", "ultra"]
    assert asked(compat, reasoning_effort="xhigh") == ({"reasoning_effort": "ultra"}, ())
    assert fitted(responses, compat, {"reasoning": {"effort": "none"}}, reasoning=True)[0] == {
        "reasoning": {"effort": "low"}
    }


def test_a_model_that_does_not_reason_is_told_nothing() -> None:
    """Whatever the way to write it."""
    assert fitted(chat, {"thinkingFormat": "openai"}, {"reasoning_effort": "low"}) == ({}, ("reasoning_effort",))


@given(st.sampled_from(EFFORTS), st.lists(st.sampled_from(EFFORTS), unique=True))
def test_a_label_is_always_one_of_those_stated(effort: str, supported: list[str]) -> None:
    """Or none is sent."""
    found = level({"supportedReasoningEfforts": supported}, effort)
    assert found is None or found in supported
