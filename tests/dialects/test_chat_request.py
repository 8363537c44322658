"""Chat requests into the neutral form."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects import chat_speech as speech
from dialects.chat_speech import MODEL, PROXY, read
from pointsman.dialects.chat import codec as chat_codec
from pointsman.exchange import BadRequestError
from pointsman.names import Dialect
from pointsman.neutral import (
    Choice,
    Foreign,
    Form,
    Image,
    Reasoning,
    Request,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolMode,
    ToolResult,
    Turn,
)


def ask(**more: Any) -> Request:
    """A request with a conversation in it."""
    return read({"model": "m", "messages": [], **more})


def parts_of(**message: Any) -> tuple[Any, ...]:
    """The parts of one message."""
    return ask(messages=[message]).turns[0].parts


@settings(deadline=None)
@given(speech.requests)
def test_home(request: Any) -> None:
    """What a chat client wrote is written back as it was."""
    assert chat_codec.write_request(read(request), MODEL, PROXY) == request


@settings(deadline=None)
@given(speech.requests)
def test_reading_what_was_written_is_reading_it_once(request: Any) -> None:
    """Nothing changes on a second way through."""
    first = read(request)
    assert read(chat_codec.write_request(first, MODEL, PROXY)) == first


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([
    "model", "messages", "stream", "stream_options", "tools", "tool_choice", "response_format", "reasoning", "thinking",
    "stop", "n", "max_tokens", "seed", "temperature", "user", "chat_template_kwargs", "reasoning_effort",
    "parallel_tool_calls", "pointsman.shape",
]), speech.values))  # fmt: skip
def test_whatever_a_field_holds_only_a_bad_request_comes_of_it(request: Any) -> None:
    """A client may send anything; what can be read can be written."""
    try:
        found = read(request)
    except BadRequestError:
        return
    msgspec.json.encode(chat_codec.write_request(found, MODEL, PROXY))


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from([
    "role", "content", "tool_calls", "tool_call_id", "reasoning", "reasoning_details", "refusal", "function_call",
    "pointsman.shape",
]), speech.values | st.sampled_from(["user", "assistant", "tool", "function", "system"]))))  # fmt: skip
def test_whatever_a_message_holds_only_a_bad_request_comes_of_it(messages: Any) -> None:
    """A client may send anything."""
    try:
        found = ask(messages=messages)
    except BadRequestError:
        return
    msgspec.json.encode(chat_codec.write_request(found, MODEL, PROXY))


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b'{"messages":"hi"}', "messages: expected a list, not a string"),
        (b'{"model":"m"}', "messages: missing"),
        (b'{"messages":[7]}', "messages[0]: expected an object, not a number"),
        (b'{"messages":[{"content":"hi"}]}', "messages[0].role: expected a string, not null"),
        (b'{"messages":[{"role":"narrator"}]}', "messages[0].role: 'narrator' is none of system, developer"),
        (b'{"messages":[{"role":"user","content":7}]}', "messages[0].content: expected a string or a list of parts"),
        (b'{"messages":[{"role":"user","content":[{}]}]}', "messages[0].content[0].type: expected a string"),
        (b'{"messages":[{"role":"user","content":[{"type":"text"}]}]}', "messages[0].content[0].text: expected"),
        (b'{"messages":[{"role":"tool","content":"x"}]}', "messages[0].tool_call_id: expected a string"),
        (b'{"messages":[{"role":"assistant","tool_calls":[{}]}]}', "messages[0].tool_calls[0].function: expected"),
        (b'{"messages":[],"tools":[{"type":"function"}]}', "tools[0].function: expected an object, not null"),
        (b'{"messages":[],"tools":[{"type":"custom"}]}', "tools[0].custom: expected an object, not null"),
        (b'{"messages":[],"tool_choice":"maybe"}', "tool_choice: 'maybe' is none of auto, none, required"),
        (b'{"messages":[],"temperature":"hot"}', "temperature: expected a number, not a string"),
        (b'{"messages":[],"max_tokens":1.5}', "max_tokens: expected a whole number of 64 bits, not another number"),
        (b'{"messages":[],"seed":1e300}', "seed: expected a whole number"),
        (b'{"messages":[],"stop":[1]}', "stop[0]: expected a string, not a number"),
        (b'{"messages":[],"stream":1}', "stream: expected true or false, not a number"),
        (b'{"messages":[],"seed":123456789012345678901234567890}', "seed: expected a whole number"),
        (b'{"messages":[],"x":' + b"[" * 500 + b"]" * 500 + b"}", "x: nested deeper than 200 levels: flatten it"),
        (b'{"messages":[],"x":1e999}', "x: not JSON"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_path(raw: bytes, path: str) -> None:
    """The client is told what to mend, and where."""
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    with pytest.raises(BadRequestError) as told:
        chat_codec.read_request(fields)
    assert str(told.value).startswith(path)


def test_half_a_character_is_read_as_none() -> None:
    """Some clients tear a pair of surrogates in two: that is no reason to refuse them."""
    fields = {"messages": msgspec.Raw(b'[{"role":"user","content":"a\\ud83d"}]')}
    assert chat_codec.read_request(fields).turns[0].parts == (Text("a\ufffd"),)


def test_each_message_is_a_turn() -> None:
    """Readers never merge."""
    found = ask(messages=[{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])
    assert found.turns == (Turn(Role.USER, (Text("a"),)), Turn(Role.USER, (Text("b"),)))


def test_parts_of_content() -> None:
    """Texts and pictures are everybody's; sound and files are chat's alone."""
    sound = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
    image = {"type": "image_url", "image_url": {"url": "u", "detail": "low"}}
    found = parts_of(role="user", content=[{"type": "text", "text": "a"}, image, sound])
    assert found == (Text("a"), Image("u", "low"), Foreign(Dialect.CHAT, "input_audio", sound))


def test_some_clients_write_parts_in_short() -> None:
    """A text as a bare string, a picture's URL without an object around it."""
    content = ["a", {"type": "image_url", "image_url": "u"}]
    found = parts_of(role="user", content=content)
    assert [part.text if isinstance(part, Text) else part.url for part in found] == ["a", "u"]


def test_an_assistant_thinks_then_speaks_then_calls() -> None:
    """Chat has no order among them: this is the one that models have."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    found = parts_of(role="assistant", tool_calls=[call], content="b", reasoning_content="a")
    assert found == (Reasoning("a"), Text("b"), ToolCall("c", "f", "{}"))


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_goes_by_two_names(name: str) -> None:
    """LiteLLM #20246, llama_index #21220: vLLM renamed it, so both are read."""
    (found,) = parts_of(role="assistant", **{name: "Hm"})
    assert found.text == "Hm"


def test_reasoning_that_both_names_say_is_said_once() -> None:
    """Some clients send back all that they were given."""
    (found,) = parts_of(role="assistant", reasoning="Hm", reasoning_content="Hm")
    assert found.text == "Hm"


def test_arguments_may_be_an_object() -> None:
    """Some clients write an object where JSON text is due."""
    call = {"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}
    assert parts_of(role="assistant", tool_calls=[call]) == (ToolCall("c", "f", '{"a":1}'),)


def test_calls_without_an_identifier_are_given_one() -> None:
    """Other dialects cannot do without."""
    call = {"function": {"name": "f", "arguments": ""}}
    found = parts_of(role="assistant", tool_calls=[call, call])
    assert [part.id for part in found] == ["call_0_0", "call_0_1"]


def test_results_know_whether_their_call_was_a_custom_tools() -> None:
    """Only the call says it."""
    call = {"id": "c", "type": "custom", "custom": {"name": "f", "input": "ls"}}
    found = ask(messages=[
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "x"},
        {"role": "tool", "tool_call_id": "d", "content": "y"},
    ])  # fmt: skip
    assert found.turns[0].parts == (ToolCall("c", "f", "ls", free=True),)
    assert [turn.parts[0] for turn in found.turns[1:]] == [
        ToolResult("c", (Text("x"),), free=True),
        ToolResult("d", (Text("y"),)),
    ]


def test_tools() -> None:
    """Functions are everybody's; other tools are chat's alone."""
    function = {"name": "f", "description": "does", "parameters": {"type": "object"}, "strict": True}
    hosted = {"type": "web_search"}
    found = ask(tools=[{"type": "function", "function": function}, hosted]).tools
    assert found == (Tool("f", "does", {"type": "object"}, strict=True), Tool("web_search", foreign=hosted))


def test_a_custom_tool_is_read_as_the_function_that_stands_for_it() -> None:
    """So that every target can have it; the grammar is told to the model."""
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: X"}}
    (found,) = ask(tools=[{"type": "custom", "custom": {"name": "patch", "format": grammar}}]).tools
    assert (found.name, found.foreign) == ("patch", None)
    assert "start: X" in found.schema["properties"]["input"]["description"]


def test_choices() -> None:
    """Which tools may be called."""
    one = {"type": "function", "function": {"name": "f"}}
    some = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [one]}}
    assert ask(tool_choice="required").choice == Choice(ToolMode.REQUIRED)
    assert ask(tool_choice=one).choice == Choice(ToolMode.ONE, "f")
    assert ask(tool_choice=some).choice == Choice(ToolMode.REQUIRED, allowed=("f",))
    assert ask(tool_choice={"type": "odd"}).choice == Choice(ToolMode.AUTO, foreign={"type": "odd"})


def test_forms() -> None:
    """JSON by a schema, any JSON, or text."""
    schema = {"name": "n", "schema": {"type": "object"}, "strict": True}
    assert ask(response_format={"type": "json_object"}).form == Form()
    assert ask(response_format={"type": "text"}).form is None
    found = ask(response_format={"type": "json_schema", "json_schema": schema}).form
    assert found == Form({"type": "object"}, "n", strict=True)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ({"reasoning_effort": "high"}, Thinking("high")),
        ({"reasoning_effort": "none"}, Thinking("none", enabled=False)),
        ({"reasoning": {"effort": "low", "exclude": True}}, Thinking("low", shown=False)),
        ({"reasoning": {"max_tokens": 99}}, Thinking(budget=99)),
        ({"reasoning": {"enabled": True}}, Thinking(enabled=True)),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, Thinking(budget=9, enabled=True)),
        ({"thinking": {"type": "disabled"}}, Thinking(enabled=False)),
        ({"thinking": {"type": "adaptive"}}, Thinking(adaptive=True)),
        ({"enable_thinking": False}, Thinking(enabled=False)),
        ({"chat_template_kwargs": {"thinking": True}}, Thinking(enabled=True)),
        ({"reasoning_effort": "odd"}, None),
        ({"chat_template_kwargs": {"thinking": True, "x": 1}}, None),
    ],
)
def test_how_to_reason_is_said_in_many_ways(asked: dict[str, Any], meant: Thinking | None) -> None:
    """OpenAI's, OpenRouter's, DeepSeek's and Qwen's; what cannot be read is kept as it is."""
    found = ask(**asked)
    if meant is None:
        assert (found.thinking, found.rest) == (None, asked)
    else:
        assert found.thinking is not None
        assert msgspec.structs.replace(found.thinking, rest={}) == meant


def test_usage_is_told_to_those_who_ask() -> None:
    """Chat streams have none otherwise."""
    assert ask(stream=True, stream_options={"include_usage": True}).usage
    assert not ask(stream=True).usage


@pytest.mark.parametrize("limit", [0, -1])
def test_no_limit_is_none(limit: int) -> None:
    """LM Studio's clients say -1."""
    assert ask(max_tokens=limit).max_tokens is None


def test_legacy_functions_stay_what_they_are() -> None:
    """They have no identifiers to answer by: they are chat's alone."""
    asked = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    answered = {"role": "function", "name": "f", "content": "x"}
    found = ask(messages=[asked, answered], functions=[{"name": "f"}])
    kinds = [part.kind for turn in found.turns for part in turn.parts if isinstance(part, Foreign)]
    assert kinds == ["function_call", "function"]
    assert "functions" in found.rest


def test_nobody_but_us_notes_how_a_field_was_spelt() -> None:
    """A client's own note is not believed."""
    found = read({"model": "m", "messages": [], "pointsman.shape": {"limit": "model"}, "max_tokens": 9})
    assert chat_codec.write_request(found, MODEL, PROXY) == {"model": "m", "messages": [], "max_tokens": 9}
