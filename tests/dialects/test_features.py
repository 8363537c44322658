"""What a request's `rest` means where nobody has a word for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.chat_speech import values as json_values
from pointsman.dialects import features
from pointsman.dialects.features import FEATURES, SHAPE
from pointsman.names import Dialect
from pointsman.neutral import Choice, Foreign, Loss, Request, Role, Tool, ToolMode, ToolResult, Turn


def loss(home: Dialect, **rest: Any) -> Loss:
    """What these fields lose."""
    return features.of(Request(home, "m", rest=rest))


@settings(deadline=None)
@given(st.sampled_from(Dialect), st.dictionaries(st.sampled_from(["x", "n", *FEATURES[Dialect.CHAT]]), json_values))
def test_a_field_is_named_once_if_it_asks_for_anything(home: Dialect, rest: dict[str, Any]) -> None:
    """Dropped or refused, never lost in silence."""
    found = loss(home, **rest)
    named = [*found.dropped, *(each.message.split("`")[1] for each in found.refused)]
    assert sorted(named) == sorted(name for name, value in rest.items() if features.asks(name, value))


@pytest.mark.parametrize("value", [None, False, "", [], {}])
def test_empty_values_ask_for_nothing(value: Any) -> None:
    """So they are never named."""
    assert loss(Dialect.CHAT, logprobs=value, x=value) == Loss()


@pytest.mark.parametrize(
    ("home", "field", "value"),
    [
        (Dialect.CHAT, "modalities", ["text"]),
        (Dialect.CHAT, "response_format", {"type": "text"}),
        (Dialect.CHAT, SHAPE, {"a": 1}),
        (Dialect.RESPONSES, "include", ["reasoning.encrypted_content"]),
        (Dialect.RESPONSES, "truncation", "disabled"),
        (Dialect.RESPONSES, "top_logprobs", 0),
    ],
)
def test_what_is_done_anyway_is_not_named(home: Dialect, field: str, value: Any) -> None:
    """It asks for nothing."""
    assert loss(home, **{field: value}) == Loss()


@pytest.mark.parametrize(
    ("home", "field", "value", "word"),
    [
        (Dialect.CHAT, "logprobs", True, "logprobs"),
        (Dialect.CHAT, "modalities", ["text", "audio"], "audio"),
        (Dialect.CHAT, "guided_json", {"type": "object"}, "grammar"),
        (Dialect.CHAT, "web_search_options", {"search_context_size": "low"}, "hosted-tool"),
        (Dialect.RESPONSES, "previous_response_id", "resp_1", "state"),
        (Dialect.RESPONSES, "background", True, "background"),
        (Dialect.RESPONSES, "include", ["message.output_text.logprobs"], "logprobs"),
        (Dialect.MESSAGES, "mcp_servers", [{"url": "u"}], "hosted-tool"),
        (Dialect.CHAT, "web_search_options", {}, "hosted-tool"),
        (Dialect.MESSAGES, "container", "c", "container"),
        (Dialect.MESSAGES, "context_management", {"edits": [{"type": "compact_20260112"}]}, "context-management"),
        (Dialect.MESSAGES, "inference_geo", "eu", "residency"),
    ],
)
def test_features_are_refused(home: Dialect, field: str, value: Any, word: str) -> None:
    """Without them the client would get another answer."""
    (found,) = loss(home, **{field: value}).refused
    assert found.reason == word
    assert f"`{field}`" in found.message


@pytest.mark.parametrize("field", ["metadata", "service_tier", "prompt_cache_key", "nobody_knows_it"])
def test_knobs_are_dropped_by_name(field: str) -> None:
    """So is what nobody here has heard of."""
    assert loss(Dialect.RESPONSES, **{field: "x"}) == Loss((field,))


def test_an_include_of_traces_is_a_knob() -> None:
    """The tool that would leave them is refused for itself."""
    assert loss(Dialect.RESPONSES, include=["file_search_call.results"]) == Loss(("include",))


def test_edits_that_only_clear_the_prompt_are_a_knob() -> None:
    """Claude Code asks for them in every request."""
    edits = [{"type": "clear_thinking_20251015", "keep": "all"}]
    assert loss(Dialect.MESSAGES, context_management={"edits": edits}) == Loss(("context_management",))


def test_foreign_parts_and_tools_are_refused() -> None:
    """Wherever they stand."""
    sound = Foreign(Dialect.RESPONSES, "input_audio", {})
    inner = ToolResult("c", (Foreign(Dialect.RESPONSES, "input_file", {}),))
    search, custom = Tool("web_search", foreign={}), Tool("custom", foreign={})
    choice = Choice(ToolMode.AUTO, foreign={})
    asked = Request(
        Dialect.RESPONSES,
        "m",
        (Turn(Role.USER, (sound,)), Turn(Role.TOOL, (inner,))),
        tools=(search, custom),
        choice=choice,
    )
    found = features.content(asked, Dialect.CHAT)
    assert [each.reason for each in found] == ["audio", "file", "hosted-tool", "custom-tool", "tool-choice"]
    assert found[1].message.startswith("input[1]: ")
    assert features.content(asked, Dialect.RESPONSES) == ()


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("web_search_call", "hosted-tool"),
        ("server_tool_use", "hosted-tool"),
        ("New Kind!", "new-kind"),
        ("", "unknown"),
    ],
)
def test_kinds_have_words_that_a_header_can_show(kind: str, word: str) -> None:
    """Lower case with hyphens."""
    assert features.word(kind) == word


def test_fields_are_called_as_their_clients_write_them() -> None:
    """A Messages client has stop_sequences."""
    assert features.name(Dialect.MESSAGES, "stop") == "stop_sequences"
    assert features.name(Dialect.CHAT, "top_k") == "top_k"


def test_notes_of_spelling_are_found() -> None:
    """They are the codec's own."""
    assert features.shape({SHAPE: 1}) == 1
    assert features.shape({}) is None


SEARCH = Tool("web_search", foreign={"type": "web_search"})
PLAIN_TOOL = Tool("f")


def test_a_tool_that_finds_tools_is_not_missed() -> None:
    """All of them are in the request, and a target of another dialect is told of them at once."""
    finder = Tool("tool_search_tool_regex_20251119", foreign={"type": "tool_search_tool_regex_20251119"})
    request = Request(Dialect.MESSAGES, "m", tools=(finder, Tool("f", rest={"defer_loading": True})))
    assert features.content(request, Dialect.CHAT) == ()
    assert features.of(request).dropped == ("tools.tool_search_tool_regex_20251119", "tools.defer_loading")
    asking = Tool("tool_search", foreign={"type": "tool_search", "execution": "client"})
    (found,) = features.content(Request(Dialect.RESPONSES, "m", tools=(asking,)), Dialect.CHAT)
    assert found.reason == "hosted-tool"


@pytest.mark.parametrize(
    ("tools", "choice", "left"),
    [
        ((SEARCH, PLAIN_TOOL), None, (PLAIN_TOOL,)),
        ((SEARCH,), Choice(ToolMode.AUTO), ()),
        ((SEARCH, PLAIN_TOOL), Choice(ToolMode.REQUIRED), (PLAIN_TOOL,)),
        ((SEARCH,), Choice(ToolMode.REQUIRED), (SEARCH,)),
        ((PLAIN_TOOL,), None, (PLAIN_TOOL,)),
    ],
)
def test_hosted_tools_may_be_left_out(tools: tuple[Tool, ...], choice: Choice | None, left: tuple[Tool, ...]) -> None:
    """By name; not if one must be called and there is no other."""
    request = Request(Dialect.RESPONSES, "m", tools=tools, choice=choice)
    found, names = features.without_hosted(request)
    assert found.tools == left
    assert names == (("tools.web_search",) if left != tools else ())
