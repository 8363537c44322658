"""What was thought in earlier turns, on its way to Anthropic through the passthrough."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dialects.messages_speech import ANTHROPIC, LOCAL, QWEN, REQUESTS, SONNET, fields_of
from pointsman.dialects import errors, messages, seals
from pointsman.names import Dialect
from pointsman.neutral import Seal

Json = Any
SO = {"type": "text", "text": "so"}
CALL = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "1"}]}
BUDGET = {"type": "enabled", "budget_tokens": 2000}


def sent(content: list[Json], *after: Json, model: Any = SONNET, provider: Any = ANTHROPIC, **more: Json) -> Json:
    """The body that a target gets, and what is named as dropped."""
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": content}, *after]
    body, dropped = messages.with_model(fields_of({"model": "m", "messages": turns, **more}), model, provider)
    return msgspec.json.decode(body), dropped


def packed(seal: Seal) -> str:
    return str(seals.write(Dialect.MESSAGES, seal))


def thought(signature: str | None = "") -> Json:
    return {"type": "thinking", "thinking": "hm", **({} if signature is None else {"signature": signature})}


MINE = packed(Seal(Dialect.MESSAGES, "sig", "anthropic"))
OTHERS = packed(Seal(Dialect.RESPONSES, "enc", "openai"))


@given(REQUESTS.filter(lambda request: b'thinking"' not in msgspec.json.encode(request["messages"])))
def test_all_else_is_passed_on_as_it_came(request: Json) -> None:
    """Byte for byte."""
    fields = fields_of(request)
    body, _ = messages.with_model(fields, SONNET, ANTHROPIC)
    assert msgspec.json.decode(body, type=dict[str, Raw])["messages"] == fields["messages"]


@given(REQUESTS)
def test_what_anthropic_signed_is_not_touched(request: Json) -> None:
    """Only what it did not goes."""
    body, _ = messages.with_model(fields_of(request), SONNET, ANTHROPIC)
    left, signed = blocks(msgspec.json.decode(body)["messages"]), blocks(request["messages"])
    assert left == [block for block in signed if block["type"] != "thinking" or block.get("signature")]


def blocks(turns: list[Json]) -> list[Json]:
    """All that is said: two turns between which one is left out become one."""
    return [
        {"type": "text", "text": block} if isinstance(block, str) else block
        for turn in turns
        for block in (turn["content"] if isinstance(turn["content"], list) else [turn["content"]])
    ]


@pytest.mark.parametrize(
    ("block", "kept"),
    [
        (thought("sig"), thought("sig")),
        ({"type": "redacted_thinking", "data": "d"}, {"type": "redacted_thinking", "data": "d"}),
        (thought(MINE), thought("sig")),
        ({"type": "redacted_thinking", "data": packed(Seal(Dialect.MESSAGES, {"redacted": "d"}, "anthropic"))},
         {"type": "redacted_thinking", "data": "d"}),
        (thought(OTHERS), None),
        (thought(packed(Seal(Dialect.MESSAGES, "sig", "bedrock"))), None),
        (thought(packed(Seal(Dialect.RESPONSES, "enc", "anthropic"))), None),
        (thought("pm1.what"), None),
        (thought(""), None),
        (thought(None), None),
        ({"type": "redacted_thinking", "data": OTHERS}, None),
    ],
)  # fmt: skip
def test_anthropic_gets_what_it_signed(block: Json, kept: Json | None) -> None:
    """What others sealed, and what nobody did, stays here."""
    body, dropped = sent([block, SO])
    assert body["messages"][1]["content"] == ([SO] if kept is None else [kept, SO])
    assert dropped == ()


def test_other_servers_get_what_they_may_want() -> None:
    """They check nothing; one that hands on to Anthropic's models does."""
    assert sent([thought(), SO], model=QWEN, provider=LOCAL)[0]["messages"][1]["content"] == [thought(), SO]
    assert sent([thought(), SO], provider=LOCAL)[0]["messages"][1]["content"] == [SO]


def test_a_turn_that_is_empty_then_is_left_out() -> None:
    """And its neighbours are one."""
    body, _ = sent([thought()], {"role": "user", "content": [{"type": "text", "text": "hello?"}]})
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "hello?"}]}
    ]


def test_a_budget_goes_with_the_thought_before_a_call() -> None:
    """Anthropic refuses it then; a model that thinks as it sees fit is asked all the same."""
    edits = {"edits": [{"type": "clear_thinking_20251015"}]}
    body, dropped = sent([thought(), CALL], RESULT, thinking=BUDGET, context_management=edits)
    assert not {"thinking", "context_management"} & body.keys()
    assert dropped == ("context_management", "thinking")
    assert sent([thought(), CALL], RESULT, thinking={"type": "adaptive"})[1] == ()
    assert sent([thought(), SO], thinking=BUDGET)[0]["thinking"] == BUDGET


def test_all_thinking_is_taken_out_when_a_signature_is_refused() -> None:
    """To ask once more."""
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [thought("sig"), CALL]}, RESULT]
    fields = fields_of({"model": "m", "messages": turns, "thinking": BUDGET})
    found = messages.without_thinking(fields)
    assert found is not None
    assert msgspec.json.decode(found["messages"])[1]["content"] == [CALL]
    assert "thinking" not in found
    assert messages.without_thinking(found) is None


@given(st.binary(max_size=20) | REQUESTS.map(lambda request: msgspec.json.encode(request["messages"])))
def test_what_cannot_be_read_is_left_to_the_target(raw: bytes) -> None:
    """It will say what is wrong."""
    fields = {"messages": Raw(raw + b'"type":"thinking""signature":""')}
    assert messages.without_thinking(fields) is None


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        ("messages.1.content.0: Invalid `signature` in `thinking` block", True),
        ("messages.3.content.0: Invalid `data` in `redacted_thinking` block", True),
        ("messages.1.content.0.thinking.signature: Field required", True),
        ("`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified", True),
        ("thinking.budget_tokens: Input should be greater than or equal to 1024", False),
        ("max_tokens must be greater than thinking.budget_tokens", False),
        ("tools.0.input_schema: Field required", False),
    ],
)  # fmt: skip
def test_refused_signatures_are_known_by_their_words(message: str, refused: bool) -> None:
    """Of all that Anthropic answers with 400."""
    assert errors.seal_refused(message) is refused
