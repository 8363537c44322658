"""`compat` in chat completions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dialects.fitting import VENDOR, Json, called, fitted, tool
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


def test_thoughts_in_openrouters_words_become_text() -> None:
    """Also where they stand in `reasoning_details` alone; what is encrypted has no words."""
    details = [{"type": "reasoning.summary", "summary": "hm"}, {"type": "reasoning.encrypted", "data": "x"},
               {"type": "reasoning.text", "text": "so so", "signature": "s"}]  # fmt: skip
    turn = {"role": "assistant", "content": "so"}
    compat = {"requiresThinkingAsText": True}
    told = "<thinking>\nhm\n\nso so\n</thinking>\nso"
    assert messages(compat, turn | {"reasoning_details": details}) == [turn | {"content": told}]
    assert messages(compat, turn | {"reasoning_details": details, "reasoning": "hm\n\nso so"})[0]["content"] == told
    assert messages(compat, turn | {"reasoning_details": [details[1], "odd"]}) == [turn]


def test_a_refusal_is_joined_with_the_texts() -> None:
    """`requiresStringContent`: a part that refuses is words as well; other parts leave the message as it is."""
    text, no = {"type": "text", "text": "I am sorry."}, {"type": "refusal", "refusal": "I cannot."}
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    for content, told in (([text, no], "I am sorry.\nI cannot."), ([no], "I cannot."), ([no, image], [no, image])):
        turn = {"role": "assistant", "content": content}
        assert messages({"requiresStringContent": True}, turn) == [turn | {"content": told}]


HINT = {"cache_control": {"type": "ephemeral"}}
OPENROUTER = Provider(name="o", type="OpenRouter", base_url="http://x", api=("openai-completions",))


def hinted(**hint: Any) -> Json:
    """A request with hints wherever clients put them."""
    result = {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "x", **hint}]}
    return {
        **hint,
        "tools": [{**tool(), **hint}, tool(**hint)],
        "messages": [{"role": "system", "content": [{"type": "text", "text": "be brief", **hint}]},
                     USER | hint, called(), result],
    }  # fmt: skip


def test_hints_to_a_prompt_cache_go_where_they_are_followed() -> None:
    """`cacheControlFormat: anthropic` lets them through; else they are taken out and named, but for the vendor."""
    assert fitted(chat, {}, hinted(**HINT)) == (hinted(), ("cache_control",))
    assert fitted(chat, {"cacheControlFormat": "anthropic"}, hinted(**HINT)) == (hinted(**HINT), ())
    assert fitted(chat, {}, hinted(**HINT), VENDOR) == (hinted(**HINT), ())
    said = {"messages": [USER | {"content": 'what is "cache_control"?'}]}
    assert fitted(chat, {}, said) == (said, ())


@pytest.mark.parametrize("place", ["tools", "messages"])
def test_each_place_of_a_hint_alone(place: str) -> None:
    """They are found there."""
    assert fitted(chat, {}, {place: hinted(**HINT)[place]}) == ({place: hinted()[place]}, ("cache_control",))


def test_openrouter_hands_hints_on_to_anthropic() -> None:
    """Its documentation tells of them for these models."""
    fields = msgspec.json.decode(msgspec.json.encode(hinted(**HINT)), type=dict[str, msgspec.Raw])
    for ident, kept in (("anthropic/claude", True), ("mistral/large", False)):
        body, dropped = chat.with_model(fields, Model(id=ident), OPENROUTER)
        assert (b"cache_control" in body, dropped) == (kept, () if kept else ("cache_control",))


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
    odd: Json = {"reasoning": "hm", "refusal": None, "cache_control": {}, "name": "n"}
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


def test_a_client_brings_no_other_models_in_beside_a_pin() -> None:
    """`vercelGatewayRouting`: as with OpenRouter's `models`, they are left out and named."""
    stated = {"vercelGatewayRouting": {"only": ["a"]}}
    asked = {"providerOptions": {"gateway": {"models": ["x/y"], "only": ["a"]}}, "models": ["x/y"]}
    sent, lost = fitted(chat, stated, asked)
    assert sent == {"providerOptions": {"gateway": {"only": ["a"]}}}
    assert "providerOptions.gateway" in lost
