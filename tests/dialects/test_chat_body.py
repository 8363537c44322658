"""Requests of other dialects as chat completions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.chat_speech import MODEL, OPENAI, PROXY, abroad, said
from pointsman.dialects.chat import codec as chat_codec
from pointsman.names import Dialect
from pointsman.neutral import (
    Choice,
    Foreign,
    Form,
    Image,
    Reasoning,
    Refusal,
    Request,
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
from pointsman.table import Model

S, D, U, A, T = Role.SYSTEM, Role.DEVELOPER, Role.USER, Role.ASSISTANT, Role.TOOL
PICTURE = Image("data:image/png;base64,AA==")


def write(request: Request, model: Model = MODEL, provider: Any = PROXY) -> dict[str, Any]:
    """The body for a target."""
    return chat_codec.write_request(request, model, provider)


def talk(*turns: Turn, model: Model = MODEL, provider: Any = PROXY, **more: Any) -> list[Any]:
    """The messages of a conversation."""
    found: list[Any] = write(abroad(*turns, **more), model, provider)["messages"]
    return found


_words = st.text("ab\n", max_size=3)
_parts = st.one_of(
    st.builds(Text, _words), st.builds(Refusal, _words), st.builds(Reasoning, _words), st.just(PICTURE),
    st.builds(ToolCall, st.sampled_from(["1", "2"]), st.just("f"), st.just("{}"), st.booleans()),
    st.builds(ToolResult, st.sampled_from(["1", "2"]), st.lists(st.builds(Text, _words) | st.just(PICTURE)).map(tuple),
              st.booleans()),
    st.just(Foreign(Dialect.RESPONSES, "input_file", {})),
)  # fmt: skip
_turns = st.builds(Turn, st.sampled_from(Role), st.lists(_parts, max_size=3).map(tuple))


@settings(deadline=None)
@given(st.lists(_turns, max_size=5), st.sampled_from([PROXY, OPENAI]))
def test_whatever_is_said_is_chats_grammar(turns: list[Turn], provider: Any) -> None:
    """What was written is read by chat's own reader, and neither the user nor the assistant speaks twice in a row."""
    fields = write(abroad(*turns, system=(Text("s"),)), provider=provider)
    raw = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()}
    roles = [turn.role for turn in chat_codec.read_request(raw).turns]
    assert roles[0] is S
    assert not {(A, A), (U, U)} & set(pairwise(roles))


@settings(deadline=None)
@given(st.lists(_turns, max_size=5))
def test_no_call_and_no_result_is_lost(turns: list[Turn]) -> None:
    """Each has its place, in order."""
    messages = talk(*turns)
    calls = [call["id"] for message in messages for call in message.get("tool_calls", ())]
    results = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
    assert calls == [p.id for turn in turns if turn.role is A for p in turn.parts if isinstance(p, ToolCall)]
    assert results == [
        p.call_id for turn in turns if turn.role in {U, T} for p in turn.parts if isinstance(p, ToolResult)
    ]


def test_instructions_come_first() -> None:
    """Instructions and what the system says at the head are one message: many templates take only one."""
    found = talk(said(D, "b"), said(U, "hi"), system=(Text("a1"), Text("a2")))
    assert found == [{"role": "system", "content": "a1\n\na2\n\nb"}, {"role": "user", "content": "hi"}]


def test_the_developer_speaks_to_openai_alone() -> None:
    """Others take it for the system, unless it is stated that they know the role."""
    told = [said(D, "b"), said(U, "hi")]
    assert talk(*told, provider=OPENAI)[0]["role"] == "developer"
    assert talk(*told, model=Model(id="m", compat={"supportsDeveloperRole": True}))[0]["role"] == "developer"
    assert talk(*told)[0]["role"] == "system"


def test_one_text_is_a_string_and_several_are_parts() -> None:
    """Old servers take nothing but strings."""
    assert talk(said(U, "a"))[0]["content"] == "a"
    parts = talk(said(U, "a", PICTURE, "b"))[0]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "text"]
    assert parts[1]["image_url"] == {"url": PICTURE.url}


def test_an_assistants_turns_become_one_message() -> None:
    """Each item of a Responses conversation is a turn; chat has one message for all of them."""
    found = talk(said(A, "a"), said(A, ToolCall("1", "f", '{"x":1}')), said(A, ToolCall("2", "g")), said(A, "b"))
    (message,) = found
    assert message["content"] == "a\n\nb"
    assert message["tool_calls"] == [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"id": "2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


def test_neighbouring_texts_of_a_turn_are_one_text() -> None:
    """Messages tears a sentence where a citation begins."""
    assert talk(said(A, "a", "b"))[0]["content"] == "ab"


def test_calls_without_words_have_null_content() -> None:
    """As OpenAI writes it."""
    (found,) = talk(said(A, ToolCall("1", "f")))
    assert found["content"] is None


def test_results_stand_before_the_rest_of_a_turn() -> None:
    """Chat wants each right after the call, in a message of its own."""
    found = talk(
        said(A, ToolCall("1", "f"), ToolCall("2", "g")),
        said(U, ToolResult("1", (Text("a"), Text("b"))), "so?", ToolResult("2", (Text("no"),), error=True)),
    )
    assert found[1:] == [
        {"role": "tool", "tool_call_id": "1", "content": "a\nb"},
        {"role": "tool", "tool_call_id": "2", "content": "Error: no"},
        {"role": "user", "content": "so?"},
    ]


def test_pictures_in_results_follow_all_results() -> None:
    """Chat takes none in them; a message of the user's between two results would be refused."""
    found = talk(said(T, ToolResult("1", (PICTURE,))), said(T, ToolResult("2", (Text("x"),))), said(A, "a"))
    assert [message["role"] for message in found] == ["tool", "tool", "user", "assistant"]
    assert found[0]["content"] == "The result is shown in the next message."
    assert found[2]["content"] == [
        {"type": "text", "text": "The result of the call 1:"},
        {"type": "image_url", "image_url": {"url": PICTURE.url}},
    ]


def test_thoughts_stay_behind_unless_they_are_wanted() -> None:
    """Most templates do not take them; some servers refuse a call without them."""
    turns = [said(A, Reasoning("Hm"), ToolCall("1", "f"))]
    assert "reasoning_content" not in talk(*turns)[0]
    wanted = Model(id="m", compat={"requiresReasoningContentOnAssistantMessages": True})
    assert talk(*turns, model=wanted)[0]["reasoning_content"] == "Hm"


def test_thoughts_alone_are_no_message() -> None:
    """Servers refuse one that says nothing."""
    assert talk(said(U, "a"), said(A, Reasoning("Hm")))[1:] == []


def test_neighbouring_turns_of_the_user_are_one_message() -> None:
    """Codex sends two; the templates of Gemma and Mistral insist that roles alternate."""
    assert talk(said(U, "a"), said(U, "b")) == [{"role": "user", "content": "a\n\nb"}]
    (found,) = talk(said(U, "a"), said(U, PICTURE, "b"))
    assert [part["type"] for part in found["content"]] == ["text", "image_url", "text"]


def test_a_seal_of_chats_own_goes_back() -> None:
    """OpenRouter wants what it gave; nobody is given another's."""
    details = [{"type": "reasoning.encrypted", "data": "x"}]
    own, other = Seal(Dialect.CHAT, details), Seal(Dialect.MESSAGES, "sig")
    (found,) = talk(said(A, Reasoning("a", seal=own), Reasoning("b", seal=other), "so"))
    assert found["reasoning_details"] == details
    assert "sig" not in str(found)


def test_a_refusal_is_words_to_those_who_know_no_other() -> None:
    """Only OpenAI has a field for it."""
    turns = [said(A, Refusal("no"))]
    assert talk(*turns) == [{"role": "assistant", "content": "no"}]
    assert talk(*turns, provider=OPENAI) == [{"role": "assistant", "content": None, "refusal": "no"}]


def test_a_custom_tools_call_is_the_one_of_the_function_in_its_place() -> None:
    """Codex' apply_patch takes any text; chat's servers know functions."""
    found = talk(
        said(A, ToolCall("1", "patch", "*** Begin", free=True)), said(T, ToolResult("1", (Text("ok"),), free=True))
    )
    assert found[0]["tool_calls"][0]["function"] == {"name": "patch", "arguments": '{"input":"*** Begin"}'}
    assert found[1] == {"role": "tool", "tool_call_id": "1", "content": "ok"}


def test_tools_and_forms() -> None:
    """A function that takes nothing has an empty object for its schema: some servers insist on one."""
    empty = {"type": "object", "properties": {}}
    tools = (Tool("f", "does", {"type": "object"}, strict=False), Tool("g"), Tool("web_search", foreign={}))
    found = write(abroad(tools=tools, form=Form({"type": "object"}), parallel=False))
    assert found["tools"] == [
        {
            "type": "function",
            "function": {"name": "f", "description": "does", "parameters": empty, "strict": False},
        },
        {"type": "function", "function": {"name": "g", "parameters": empty}},
    ]
    assert found["parallel_tool_calls"] is False
    assert found["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}},
    }
    assert write(abroad(form=Form()))["response_format"] == {"type": "json_object"}


def test_a_choice_among_some_leaves_the_others_out() -> None:
    """Few servers know `allowed_tools`."""
    tools = (Tool("f"), Tool("g"))
    found = write(abroad(tools=tools, choice=Choice(ToolMode.REQUIRED, allowed=("g",))))
    assert [tool["function"]["name"] for tool in found["tools"]] == ["g"]
    assert found["tool_choice"] == "required"
    one = write(abroad(tools=tools, choice=Choice(ToolMode.ONE, "f")))
    assert one["tool_choice"] == {"type": "function", "function": {"name": "f"}}


def test_no_choice_without_tools() -> None:
    """OpenAI refuses it."""
    found = write(abroad(choice=Choice(ToolMode.AUTO), parallel=True))
    assert found.keys() == {"model", "messages"}


@pytest.mark.parametrize(
    ("thinking", "compat", "effort"),
    [
        (None, {}, None),
        (Thinking("high"), {}, "high"),
        (Thinking(budget=1024), {}, "low"),
        (Thinking(budget=4000), {}, "medium"),
        (Thinking(budget=31999), {}, "high"),
        (Thinking(adaptive=True), {}, None),
        (Thinking(enabled=True), {}, None),
        (Thinking(enabled=False), {}, None),
        (Thinking("none"), {"supportedReasoningEfforts": ["none", "low"]}, "none"),
        (Thinking(enabled=False), {"reasoningEffortMap": {"off": "low"}}, "none"),
        (Thinking(enabled=False), {"thinkingFormat": "qwen"}, "none"),
        (Thinking(enabled=False), {"thinkingFormat": "openai"}, None),
    ],
)
def test_how_much_to_reason(thinking: Thinking | None, compat: dict[str, Any], effort: str | None) -> None:
    """A budget is told as an effort; that it shall not reason only where it is stated how."""
    found = write(abroad(thinking=thinking), Model(id="m", reasoning=True, compat=compat))
    assert found.get("reasoning_effort") == effort


def test_the_limit_goes_by_two_names() -> None:
    """OpenAI refuses the old one of its newer models, and others do not know the new one."""
    assert write(abroad(max_tokens=9))["max_tokens"] == 9
    assert write(abroad(max_tokens=9), provider=OPENAI)["max_completion_tokens"] == 9


def test_no_more_is_asked_for_than_the_model_can() -> None:
    """Claude Code asks any model for what Claude can write; vLLM refuses that."""
    assert write(abroad(max_tokens=32000), Model(id="m", max_tokens=4096))["max_tokens"] == 4096
    assert write(abroad(max_tokens=9), Model(id="m", max_tokens=4096))["max_tokens"] == 9


def test_an_answer_that_the_client_has_begun_is_gone_on_with() -> None:
    """By vLLM, which can be told so; in other dialects than Messages a last turn of the assistant's is history."""
    turns = (said(U, "hi"), said(A, "{"))
    assert write(abroad(*turns, home=Dialect.MESSAGES))["continue_final_message"] is True
    assert "continue_final_message" not in write(abroad(*turns))
    assert "continue_final_message" not in write(abroad(said(A, "a", ToolCall("1", "f")), home=Dialect.MESSAGES))


def test_what_only_open_servers_know() -> None:
    """OpenAI refuses fields that it does not know."""
    asked = abroad(top_k=1, min_p=0.1, repetition_penalty=1.1, temperature=0.5, stop=("a",), user="u")
    assert write(asked).keys() - write(asked, provider=OPENAI).keys() == {"top_k", "min_p", "repetition_penalty"}
    assert write(asked)["stop"] == ["a"]


def test_streams_are_asked_to_tell_the_usage() -> None:
    """LiteLLM #34351, OpenClaw #40941: other dialects' clients are always told."""
    assert write(abroad(stream=True))["stream_options"] == {"include_usage": True}
    assert "stream_options" not in write(abroad())


def test_rest_stays_at_home() -> None:
    """What another dialect alone knows is never given to a chat server."""
    rest = {"chat": {"x": 1}, "cache_control": {"type": "ephemeral"}}
    asked = abroad(
        Turn(U, (Text("a", rest),), rest), rest=rest, tools=(Tool("f", rest=rest),), form=Form({}, rest=rest)
    )
    assert "cache_control" not in str(write(asked))
    assert "'x'" not in str(write(asked))


THINKER = Model(id="m", reasoning=True)


def test_what_was_thought_between_calls_is_told_again() -> None:
    """Models that think between their calls go on from it: what was thought since the user's last question."""
    call, result = ToolCall("1", "f", "{}"), said(T, ToolResult("1", (Text("r"),)))
    reminded = said(U, ToolResult("1", (Text("r"),)), "remember")
    turns = (said(U, "a"), said(A, Reasoning("old"), "b"), said(U, "c"), said(A, Reasoning("new"), call), result,
             said(A, Reasoning("newer"), call), reminded)  # fmt: skip
    told = [message.get("reasoning_content") for message in talk(*turns, model=THINKER) if message["role"] == A]
    assert told == [None, "new", "newer"]


def test_thoughts_go_to_nobody_who_does_not_think_or_has_them_sealed() -> None:
    """Nor alone: there would be a message that says nothing."""
    turns = (said(U, "a"), said(A, Reasoning("new"), ToolCall("1", "f", "{}")), said(T, ToolResult("1")))
    native = talk(*turns, model=THINKER, provider=OPENAI)
    sealed = Reasoning("s", seal=Seal(Dialect.CHAT, [{"type": "reasoning.encrypted", "data": "x"}]))
    for messages in (talk(*turns), native, talk(turns[0], said(A, sealed, "b"), model=THINKER)):
        assert all("reasoning_content" not in message for message in messages)
    assert talk(said(U, "a"), said(A, Reasoning("new")), model=THINKER) == [{"role": "user", "content": "a"}]
