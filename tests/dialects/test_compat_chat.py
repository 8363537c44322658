"""`compat` in chat completions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dialects.fitting import Json, called, fitted, tool
from pointsman.dialects import chat
from pointsman.table import Model, Provider

USER = {"role": "user", "content": "hi"}


def messages(compat: Json, *given: Json) -> list[Json]:
    """The messages as they are sent; nothing of them is ever named as left out."""
    sent, dropped = fitted(chat, compat, {"messages": list(given)})
    assert dropped == ()
    return list(sent["messages"])


def test_the_developer_speaks_as_the_system() -> None:
    """`supportsDeveloperRole: false`: many templates know no such role."""
    said = {"role": "developer", "content": "be brief"}
    assert messages({"supportsDeveloperRole": False}, said, USER) == [{"role": "system", "content": "be brief"}, USER]
    assert messages({"supportsDeveloperRole": True}, said, USER) == [said, USER]


@pytest.mark.parametrize(
    ("content", "told"),
    [("so", "<thinking>\nhm\n</thinking>\nso"), (None, "<thinking>\nhm\n</thinking>"),
     ([{"type": "text", "text": "so"}],
      [{"type": "text", "text": "<thinking>\nhm\n</thinking>"}, {"type": "text", "text": "so"}])],
)  # fmt: skip
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thoughts_become_text(field: str, content: Any, told: Any) -> None:
    """`requiresThinkingAsText`: of the model's own turns, before what it said."""
    turn = {"role": "assistant", "content": content, field: "hm"}
    assert messages({"requiresThinkingAsText": True}, USER, turn) == [USER, {"role": "assistant", "content": told}]


def test_thoughts_become_text_before_texts_are_joined() -> None:
    """With `requiresStringContent` they end up in one string."""
    turn = {"role": "assistant", "content": [{"type": "text", "text": "so"}], "reasoning": "hm"}
    both = {"requiresThinkingAsText": True, "requiresStringContent": True}
    assert messages(both, turn)[0]["content"] == "<thinking>\nhm\n</thinking>\nso"


def test_every_turn_of_the_model_has_its_thoughts() -> None:
    """`requiresReasoningContentOnAssistantMessages`: empty where there are none; vLLM's name is DeepSeek's."""
    bare, told = {"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b", "reasoning": "hm"}
    sent = messages({"requiresReasoningContentOnAssistantMessages": True}, USER, bare, told)
    assert sent == [
        USER,
        bare | {"reasoning_content": ""},
        {"role": "assistant", "content": "b", "reasoning_content": "hm"},
    ]


def test_results_bear_the_name_of_their_tool() -> None:
    """`requiresToolResultName`: from the call that they answer, unless they have one."""
    results = [{"role": "tool", "tool_call_id": i, "content": "x"} for i in ("c1", "c2", "unknown")]
    sent = messages({"requiresToolResultName": True}, called("c1", "one"), called("c2", "two"), *results)
    assert [message.get("name") for message in sent[2:]] == ["one", "two", None]


def test_the_model_speaks_between_a_tool_and_the_user() -> None:
    """`requiresAssistantAfterToolResult`: a turn is put in there, and nowhere else."""
    result = {"role": "tool", "tool_call_id": "c1", "content": "x"}
    sent = messages({"requiresAssistantAfterToolResult": True}, USER, called(), result, result, USER, USER)
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool", "assistant", "user", "user"]
    assert sent[4]["content"]


def test_messages_have_no_other_keys() -> None:
    """`strictMessageKeys`: but calls and what answers them stay, as nothing could be made of a tool's result else."""
    odd = {"reasoning": "hm", "refusal": None, "cache_control": {}, "name": "n"}
    result = {"role": "tool", "tool_call_id": "c1", "content": "x"}
    sent = messages({"strictMessageKeys": True}, USER | odd, called() | odd, result | {"odd": 1})
    assert sent == [USER | {"name": "n"}, called() | {"name": "n"}, result]


def test_strict_keys_leave_required_thoughts() -> None:
    """What another key demands is no odd key."""
    both = {"strictMessageKeys": True, "requiresReasoningContentOnAssistantMessages": True}
    assert messages(both, {"role": "assistant", "content": "a"})[0] == {
        "role": "assistant", "content": "a", "reasoning_content": "",
    }  # fmt: skip


def test_a_stream_is_not_asked_for_usage() -> None:
    """`supportsUsageInStreaming: false`: some servers refuse the field."""
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    assert fitted(chat, {"supportsUsageInStreaming": False}, asked) == ({"stream": True}, ("stream_options",))
    assert fitted(chat, {"supportsUsageInStreaming": True}, asked) == (asked, ())


@pytest.mark.parametrize(
    ("stated", "asked", "sent"),
    [
        ("max_tokens", {"max_completion_tokens": 5}, {"max_tokens": 5}),
        ("max_completion_tokens", {"max_tokens": 5}, {"max_completion_tokens": 5}),
        ("max_tokens", {"max_completion_tokens": 5, "max_tokens": 6}, {"max_tokens": 6}),
        ("max_tokens", {"max_tokens": 6}, {"max_tokens": 6}), ("max_tokens", {}, {}),
    ],
)  # fmt: skip
def test_the_limit_has_the_name_that_the_server_knows(stated: str, asked: Json, sent: Json) -> None:
    """`maxTokensField`: renamed, and never lost."""
    assert fitted(chat, {"maxTokensField": stated}, asked) == (sent, ())


def test_tools_are_not_strict() -> None:
    """`supportsStrictMode: false`: named where one asked for it."""
    asked = {"tools": [tool(strict=True), tool(strict=False), tool()]}
    sent = {"tools": [tool()] * 3}
    assert fitted(chat, {"supportsStrictMode": False}, asked) == (sent, ("tools.strict",))
    assert fitted(chat, {"supportsStrictMode": False}, {"tools": [tool(strict=False)]}) == ({"tools": [tool()]}, ())
    assert fitted(chat, {"supportsStrictMode": True}, asked) == (asked, ())


@pytest.mark.parametrize(
    ("asked", "streamed"),
    [({"tools": [tool()], "stream": True}, True), ({"tools": [tool()]}, False), ({"stream": True}, False)],
)
def test_calls_come_in_pieces_from_zai(asked: Json, streamed: bool) -> None:
    """`zaiToolStream`: asked for where there are tools and a stream."""
    sent, dropped = fitted(chat, {"zaiToolStream": True}, asked)
    assert (sent, dropped) == (asked | ({"tool_stream": True} if streamed else {}), ())


def test_vercels_gateway_is_told_who_may_answer() -> None:
    """`vercelGatewayRouting`: whatever the client says of it, which is named; other options stay."""
    pin = {"only": ["mistral"], "order": ["mistral"]}
    stated = {"vercelGatewayRouting": pin}
    assert fitted(chat, stated, {}) == ({"providerOptions": {"gateway": pin}}, ())
    asked = {"providerOptions": {"gateway": {"only": ["evil"], "sort": "cost"}, "openai": {"a": 1}}}
    sent, dropped = fitted(chat, stated, asked)
    assert sent == {"providerOptions": {"gateway": {**pin, "sort": "cost"}, "openai": {"a": 1}}}
    assert dropped == ("providerOptions.gateway",)
    assert fitted(chat, {}, asked) == (asked, ())


def test_what_no_rule_looks_at_stays_byte_for_byte() -> None:
    """Numbers that this machine would round, escapes, white space, inside messages that are edited."""
    odd = b'[ {"type":"text", "text":"\\ud83d\\ude00 \\u00e9"}, 1e999, 123456789012345678901234567890 ]'
    raw = b'[{"role":"developer","content":' + odd + b"}]"
    fields = {"model": msgspec.Raw(b'"a"'), "messages": msgspec.Raw(raw)}
    place = Provider(name="p", type="VLLM", base_url="http://x", api=())
    compat = {"supportsDeveloperRole": False, "requiresStringContent": True, "strictMessageKeys": True}
    body, _ = chat.with_model(fields, Model(id="m", compat=compat), place)
    assert odd in body
    assert b'"role":"system"' in body
