"""The parts of chat's messages."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dialects import chat_speech as speech
from pointsman.dialects.chat import parts
from pointsman.dialects.features import SHAPE
from pointsman.names import Dialect
from pointsman.neutral import Foreign, Reasoning, Refusal, Seal, Text, ToolCall

_seals = (
    st.none()
    | st.builds(Seal, st.just(Dialect.MESSAGES), st.text(min_size=1), st.just("anna"))
    | st.builds(
        Seal,
        st.just(Dialect.RESPONSES),
        st.builds(lambda text: {"encrypted_content": text}, st.text()),
        st.just("anna"),
    )
)


@settings(deadline=None)
@given(st.lists(speech.texts | speech.images | speech.sounds | speech.refusals))
def test_content_is_written_as_it_was_read(content: list[Any]) -> None:
    """Every part, with all that it has."""
    read = parts.read_content(content, "x")
    assert [parts.write_part(part) for part in read if parts.is_content(part)] == content


@settings(deadline=None)
@given(st.lists(speech.calls))
def test_so_are_calls(calls: list[Any]) -> None:
    """Functions' and custom tools'."""
    read = parts.read_calls(calls, "x")
    assert [parts.write_call(call) for call in read if isinstance(call, ToolCall)] == calls


@settings(deadline=None)
@given(st.lists(st.builds(Reasoning, speech.words, st.booleans(), _seals), max_size=3))
def test_seals_of_other_dialects_come_back_as_they_went(thoughts: list[Reasoning]) -> None:
    """With the words that they sign, part by part, through the field in which OpenRouter's clients keep them."""
    said = parts.write_reasoning(thoughts)
    found = parts.take_reasoning(dict(said))
    sealed = [
        Reasoning(part.text, part.summary and bool(part.text) and part.seal is not None, part.seal)
        for part in thoughts
        if part.seal or part.text
    ]
    if any(part.seal for part in thoughts):
        assert found == sealed
    else:
        assert "".join(part.text for part in found if isinstance(part, Reasoning)) == said.get("reasoning_content", "")


def test_a_seal_that_is_not_ours_to_read_is_kept_whole() -> None:
    """OpenRouter's go back to OpenRouter."""
    details = [{"type": "reasoning.text", "text": "Hm", "signature": "sig"}]
    left: dict[str, Any] = {"reasoning_details": details, "x": 1}
    assert parts.take_reasoning(left) == [Reasoning("Hm", seal=Seal(Dialect.CHAT, details), rest={"chat": {SHAPE: []}})]
    assert left == {"x": 1}


def test_a_seal_of_ours_that_is_torn_is_none() -> None:
    """The words remain."""
    left = {"reasoning_details": [{"type": "reasoning.text", "text": "Hm", "signature": "pm1.torn"}]}
    assert parts.take_reasoning(left) == [Reasoning("Hm")]


def test_details_of_a_stream_are_put_together() -> None:
    """Pieces of one entry have one index and one type."""
    pieces = [
        {"type": "reasoning.text", "text": "H", "index": 0},
        {"type": "reasoning.text", "text": "m", "index": 0, "signature": None},
        {"type": "reasoning.text", "index": 0, "signature": "sig"},
        {"type": "reasoning.encrypted", "data": "x", "index": 1},
    ]
    assert parts.merged(pieces) == [
        {"type": "reasoning.text", "text": "Hm", "index": 0, "signature": "sig"},
        {"type": "reasoning.encrypted", "data": "x", "index": 1},
    ]


def test_texts_beside_each_other_are_one() -> None:
    """What stands after something else is a paragraph of its own; what only its home has does not count."""
    call = ToolCall("1", "f")
    foreign = Foreign(Dialect.MESSAGES, "server_tool_use", {})
    assert parts.joined([Text("a"), Text("b"), call, Text(""), Text("c"), foreign, Text("d")]) == "ab\n\ncd"
    assert parts.joined([Reasoning("Hm"), Text("a")]) == "a"
    assert parts.joined([]) == ""


def test_fields_that_stand_beside_the_content() -> None:
    """A refusal of the message's own, calls of a kind that nobody knows, sound."""
    said = {"refusal": "no", "tool_calls": [{"type": "odd", "odd": 1}], "audio": {"id": "a"}, "content": None}
    found = parts.take_answer(dict(said), "x")
    assert [type(part) for part in found] == [Refusal, Foreign, Foreign]
    assert parts.beside_content(found) == {name: value for name, value in said.items() if name != "content"}
