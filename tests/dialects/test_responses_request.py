"""Requests of Responses clients come back home as they were, and say elsewhere what they mean."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.responses_speech import CODEX, LAW, MODEL, OPENAI, PLAIN, REQUESTS, Json, raw, read
from pointsman.dialects import customs, features, seals
from pointsman.dialects.responses.codec import loss, read_request, write_request
from pointsman.exchange import BadRequestError
from pointsman.names import Dialect
from pointsman.neutral import Choice, Form, Image, Loss, Reasoning, Role, Seal, Text, ToolCall, ToolMode, ToolResult


@LAW
@given(REQUESTS)
def test_a_request_comes_home_as_it_was(request: Json) -> None:
    """Written in its own dialect it is the same JSON, and nothing of it is lost."""
    said = read(request)
    assert write_request(said, MODEL, OPENAI) == request
    assert loss(said, MODEL, PLAIN) == Loss()


@LAW
@given(REQUESTS)
def test_reading_what_was_written_is_reading_the_same(request: Json) -> None:
    """However a client spells it, one reading is enough."""
    said = read(request)
    assert read(write_request(said, MODEL, OPENAI)) == said


@LAW
@given(REQUESTS)
def test_no_note_of_ours_is_written(request: Json) -> None:
    """How the wire spelt something is remembered, never said."""
    assert features.SHAPE not in json.dumps(write_request(read({**request, features.SHAPE: 1}), MODEL, OPENAI))


_MEMBERS = ["type", "role", "content", "text", "name", "output", "call_id"]
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "text", "name", "output", "call_id"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
_FIELDS = (
    "input", "tools", "tool_choice", "text", "reasoning", "stop", "instructions", "stream", "max_output_tokens", "user",
)  # fmt: skip


@LAW
@given(st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=4), _JSON)
def test_hostile_requests_are_refused_in_words(fields: Json, item: Any) -> None:
    """Whatever a client sends, it is read or told what is wrong with it."""
    for request in (fields, {"input": [item]}, {"input": "x", "tools": [item]}):
        try:
            said = read({"model": "m", **request})
        except BadRequestError as error:
            assert str(error)  # noqa: PT017 - there need not be one
        else:
            assert read(write_request(said, MODEL, OPENAI)) == said


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (b'"\\ud800"', "input"),
        (b"[" * 5000 + b"]" * 5000, "input"),
        (b'[{"role": "user", "content": 1e999}]', "input"),
        (b"[" + b"9" * 400 + b"]", "input"),
        (b'"\xff"', "input"),
    ],
    ids=["surrogate", "deep", "infinite", "long", "bytes"],
)
def test_json_that_cannot_be_read(text: bytes, where: str) -> None:
    """It is refused with the field's name, or read."""
    try:
        read_request({"model": msgspec.Raw(b'"m"'), "input": msgspec.Raw(text)})
    except BadRequestError as error:
        assert str(error).startswith(where)  # noqa: PT017


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"input": [{"type": "message", "role": "user", "content": [{"text": "x"}]}]}, "input[0].content[0].type"),
        ({"input": [{"type": "message", "role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [{"type": "message", "role": "user"}]}, "input[0].content"),
        ({"input": ["x"]}, "input[0]"),
        ({"input": [{}]}, "input[0].type"),
        ({"input": 1}, "input"),
        ({}, "input"),
        ({"input": [{"type": "function_call", "call_id": "c", "arguments": ""}]}, "input[0].name"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": 1}]}, "input[0].output"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"input": "x", "tools": [{"name": "f"}]}, "tools[0].type"),
        ({"input": "x", "tools": [{"type": "function"}]}, "tools[0].name"),
        ({"input": "x", "tools": [{"type": "function", "name": "f", "parameters": 1}]}, "tools[0].parameters"),
        ({"input": "x", "tool_choice": "any"}, "tool_choice"),
        ({"input": "x", "text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"input": "x", "text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"input": "x", "temperature": "1"}, "temperature"),
        ({"input": "x", "max_output_tokens": 1.5}, "max_output_tokens"),
    ],
)
def test_an_error_names_the_path(request_: Json, words: str) -> None:
    """So that a client finds what to mend."""
    with pytest.raises(BadRequestError) as caught:
        read({"model": "m", **request_})
    assert str(caught.value).startswith(words + ":")


def test_each_item_is_a_turn() -> None:
    """Codex' conversation, item by item."""
    said = read(CODEX)
    assert said.system == (Text("You are a coding agent."),)
    assert [turn.role for turn in said.turns] == [
        Role.DEVELOPER, Role.USER, Role.ASSISTANT, Role.ASSISTANT, Role.TOOL, Role.ASSISTANT, Role.TOOL,
    ]  # fmt: skip
    summary = [{"type": "summary_text", "text": "hm"}]
    sealed = Seal(Dialect.RESPONSES, {"encrypted_content": "gAAAA", "summary": summary})
    assert said.turns[2].parts == (Reasoning("hm", summary=True, seal=sealed, rest={"summary": summary}),)
    assert said.turns[3].parts == (ToolCall("c1", "apply_patch", "*** Begin", free=True, rest={"status": "completed"}),)
    assert said.turns[4].parts == (ToolResult("c1", (Text("Done"),), free=True),)
    assert said.turns[5].parts == (ToolCall("c2", "shell", '{"command":["ls"]}'),)
    assert said.thinking is not None
    assert (said.thinking.effort, said.thinking.shown, said.parallel, said.stream) == ("medium", True, False, True)


def test_codex_asks_for_no_feature() -> None:
    """What its vendor alone knows are knobs: any backend can answer it."""
    told = features.of(read(CODEX))
    assert told.refused == ()
    assert set(told.dropped) == {"prompt_cache_key", "client_metadata", "text.verbosity"}


def test_a_custom_tool_is_a_function_elsewhere() -> None:
    """With one argument, whose description has the grammar that nobody else holds a model to."""
    [shell, patch] = read(CODEX).tools
    assert shell.schema == {"type": "object"}
    assert (patch.name, patch.description, patch.foreign) == ("apply_patch", "Edits files.", None)
    assert patch.schema["required"] == [customs.ARGUMENT]
    assert "lark" in patch.schema["properties"]["input"]["description"]
    assert "*** Begin" in patch.schema["properties"]["input"]["description"]


def test_what_only_openai_runs_is_foreign() -> None:
    """Hosted tools, their calls, files and references are whole, or not at all."""
    request = {
        "model": "m",
        "input": [
            {"type": "web_search_call", "id": "ws_1"},
            {"type": "item_reference", "id": "msg_1"},
            {
                "role": "user",
                "content": [{"type": "input_file", "file_id": "f"}, {"type": "input_image", "file_id": "f"}],
            },
        ],
        "tools": [{"type": "web_search"}],
        "tool_choice": {"type": "web_search"},
    }
    said = read(request)
    kinds = [part.kind for turn in said.turns for part in turn.parts]  # type: ignore[union-attr]
    assert kinds == ["web_search_call", "item_reference", "input_file", "input_image"]
    assert said.tools[0].foreign == {"type": "web_search"}
    assert said.choice is not None
    assert said.choice.foreign == {"type": "web_search"}


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("previous_response_id", "resp_1", "state"),
        ("conversation", "conv_1", "state"),
        ("background", True, "background"),
        ("prompt", {"id": "pmpt_1"}, "prompt-template"),
        ("top_logprobs", 2, "logprobs"),
        ("include", ["message.output_text.logprobs"], "logprobs"),
    ],
)
def test_what_changes_the_answer_is_refused_elsewhere(field: str, value: Any, reason: str) -> None:
    """State, templates and log probabilities are features, not knobs."""
    assert [each.reason for each in features.of(read({"model": "m", "input": "x", field: value})).refused] == [reason]


def test_forms_and_choices() -> None:
    """What the answer must look like, and which tools may be called."""
    text = {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}}
    assert read({"model": "m", "input": "x", "text": text}).form == Form({"type": "object"}, "n", strict=True)
    assert read({"model": "m", "input": "x", "text": {"format": {"type": "json_object"}}}).form == Form()
    assert read({"model": "m", "input": "x", "text": {"format": {"type": "text"}}}).form is None
    assert read({"model": "m", "input": "x", "tool_choice": "required"}).choice == Choice(ToolMode.REQUIRED)
    named = read({"model": "m", "input": "x", "tool_choice": {"type": "function", "name": "f"}}).choice
    assert named is not None
    assert (named.mode, named.name) == (ToolMode.ONE, "f")
    tools = [{"type": "function", "name": "f"}]
    some = read({"model": "m", "input": "x", "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": tools}})
    assert some.choice is not None
    assert (some.choice.mode, some.choice.allowed) == (ToolMode.AUTO, ("f",))


def test_a_picture_is_its_url() -> None:
    """Whether it is given or fetched."""
    part = {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"}
    said = read({"model": "m", "input": [{"role": "user", "content": [part]}]})
    assert said.turns[0].parts == (Image("https://x/y.png", "low"),)


def test_a_seal_that_was_carried_here_is_its_makers_again() -> None:
    """And is not given to OpenAI, which did not make it."""
    packed = seals.write(Dialect.RESPONSES, Seal(Dialect.MESSAGES, "sig", "claude"))
    item = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}
    said = read({"model": "m", "input": [{**item, "encrypted_content": packed}]})
    assert said.turns[0].parts[0] == Reasoning(
        "hm",
        summary=True,
        seal=Seal(Dialect.MESSAGES, "sig", "claude"),
        rest={"id": "rs_1", "summary": item["summary"]},
    )
    mine = seals.only(said, "openai", Dialect.RESPONSES)
    assert write_request(mine, MODEL, OPENAI)["input"] == [item]


def test_the_fields_are_read_byte_for_byte() -> None:
    """As the gateway has them."""
    assert read_request(raw({"model": "m", "input": "hi"})).turns[0].parts == (Text("hi"),)
