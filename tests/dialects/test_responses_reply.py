"""Whole answers of a Responses target, and for a Responses client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.responses_speech import CODEX, LAW, REPLIES, REQUESTS, Json, bare, judge_response, read, sdk_whole
from pointsman.dialects import seals
from pointsman.dialects.responses.codec import read_reply, write_reply
from pointsman.exchange import Usage
from pointsman.names import Dialect
from pointsman.neutral import Finish, Reasoning, Refusal, Reply, Request, Seal, Text, ToolCall

ASKED = read({"model": "m", "input": "hi"})
FUNCTIONS: Json = {"model": "m", "input": "hi", "tools": [{"type": "function", "name": "f"}]}


def written(reply: Reply, request: Request = ASKED) -> Any:
    return json.loads(write_reply(reply, request, 7))


@LAW
@given(REPLIES, REQUESTS)
def test_the_specification_takes_it(reply: Reply, request: Json) -> None:
    """Whatever was asked for and answered: every field that it requires is there."""
    request["reasoning"] = {"effort": "low", "summary": "auto"}
    if isinstance(request.get("tool_choice"), dict):
        del request["tool_choice"]  # Open Responses has no hosted tools
    judge_response(written(reply, read(request)))


@LAW
@given(REPLIES)
def test_an_answer_comes_home_as_it_was(reply: Reply) -> None:
    """What was written, read and written again is the same, identifiers and all."""
    body = write_reply(reply, ASKED, 7)
    assert json.loads(write_reply(read_reply(body), ASKED, json.loads(body)["completed_at"] or 7)) == json.loads(body)


@LAW
@given(REPLIES)
def test_nothing_of_an_answer_is_lost(reply: Reply) -> None:
    """Read back, it says the same; a call without arguments has none."""
    back = read_reply(write_reply(reply, ASKED, 7))
    assert bare(back).parts == bare(reply).parts
    assert back.usage == reply.usage
    called = any(isinstance(part, ToolCall) for part in reply.parts)
    same = {Finish.CONTEXT: Finish.LENGTH, Finish.STOP: Finish.TOOL if called else Finish.STOP}
    same[Finish.TOOL] = same[Finish.STOP]
    assert back.finish == same.get(reply.finish, reply.finish)


@LAW
@given(REPLIES)
def test_reasoning_is_never_in_the_text(reply: Reply) -> None:
    """A client that wants only the final text gets only that."""
    whole = sdk_whole(write_reply(reply, ASKED, 7))
    assert whole.output_text == "".join(part.text for part in reply.parts if isinstance(part, Text))


@LAW
@given(REPLIES)
def test_identifiers_are_openais(reply: Reply) -> None:
    """No `chatcmpl-` in an item (LiteLLM #37946): OpenAI would refuse them when they are sent back."""
    answer = written(reply)
    prefixes = {
        "message": "msg_", "reasoning": "rs_", "function_call": "fc_", "custom_tool_call": "ctc_",
    }  # fmt: skip
    assert answer["id"].startswith("resp_")
    assert all(item["id"].startswith(prefixes[item["type"]]) for item in answer["output"])
    assert len({item["id"] for item in answer["output"]}) == len(answer["output"])
    assert all(len(item["id"]) <= 64 for item in answer["output"])


def test_two_answers_share_no_identifier() -> None:
    """Some servers count their answers to a thousand and begin anew; a client keeps all items of a conversation."""
    first, second = (written(Reply("chatcmpl-1", "m", now, (Text("a"),))) for now in (1, 2))
    assert first["output"][0]["id"] != second["output"][0]["id"]


@pytest.mark.parametrize(
    ("finish", "status", "why"),
    [
        (Finish.STOP, "completed", None),
        (Finish.TOOL, "completed", None),
        (Finish.PAUSE, "completed", None),
        (Finish.LENGTH, "incomplete", {"reason": "max_output_tokens"}),
        (Finish.CONTEXT, "incomplete", {"reason": "max_output_tokens"}),
        (Finish.FILTER, "incomplete", {"reason": "content_filter"}),
    ],
)
def test_why_it_ended(finish: Finish, status: str, why: Json | None) -> None:
    """And the usage of an answer that was cut is told as well (LiteLLM #34351)."""
    answer = written(Reply("x", "m", 1, (Text("a"),), finish, usage=Usage(5, 3, 2, 1, 1)))
    assert (answer["status"], answer["incomplete_details"]) == (status, why)
    assert answer["output"][0]["status"] == status
    assert answer["usage"] == {
        "input_tokens": 5, "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1},
        "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 8,
    }  # fmt: skip


def test_neighbouring_words_are_one_message() -> None:
    """Words, refusals and words again, but not across a call."""
    reply = Reply("x", parts=(Text("a"), Refusal("no"), Text("b"), ToolCall("c", "f", ""), Text("d")))
    output = written(reply)["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "message"]
    assert [part["type"] for part in output[0]["content"]] == ["output_text", "refusal", "output_text"]
    assert output[1]["arguments"] == "{}"


def test_a_function_that_was_a_custom_tool_is_one_again() -> None:
    """Codex gets the call that it can make sense of, whether the model wrapped the input or not."""
    for arguments in ('{"input":"*** Begin"}', "*** Begin"):
        [item] = written(Reply("x", parts=(ToolCall("c", "apply_patch", arguments),)), read(CODEX))["output"]
        assert (item["type"], item["call_id"], item["input"]) == ("custom_tool_call", "c", "*** Begin")
    [item] = written(Reply("x", parts=(ToolCall("c", "shell", '{"input":"x"}'),)), read(CODEX))["output"]
    assert (item["type"], item["arguments"]) == ("function_call", '{"input":"x"}')


def test_a_seal_is_carried_in_encrypted_content() -> None:
    """And comes back as its maker's; OpenAI's own is told as it is."""
    theirs = Reasoning("hm", seal=Seal(Dialect.MESSAGES, "sig", "claude"))
    [item] = written(Reply("x", parts=(theirs,)))["output"]
    assert item["content"] == [{"type": "reasoning_text", "text": "hm"}]
    assert item["encrypted_content"].startswith(seals.PREFIX)
    back = read({"model": "m", "input": [item]}).turns[0].parts[0]
    assert isinstance(back, Reasoning)
    assert (back.text, back.seal) == ("hm", theirs.seal)
    payload = {"id": "rs_1", "encrypted_content": "gAAAA", "summary": [{"type": "summary_text", "text": "hm"}]}
    seal, rest = Seal(Dialect.RESPONSES, payload), {"responses": {"item": {"id": "rs_1"}}}
    own = Reasoning("hm", summary=True, seal=seal, rest=rest)
    assert written(Reply("x", parts=(own,)))["output"] == [{"type": "reasoning", **payload}]


def test_the_response_repeats_the_request() -> None:
    """As the schema wants it, with what stands there where nothing was said."""
    request = {
        **FUNCTIONS, "instructions": "be", "temperature": 0.5, "max_output_tokens": 9, "metadata": {"a": "b"},
        "reasoning": {"effort": "low"}, "tool_choice": {"type": "function", "name": "f"}, "parallel_tool_calls": False,
        "text": {"verbosity": "low", "format": {"type": "json_object"}}, "user": "u", "store": True,
    }  # fmt: skip
    answer = written(Reply("x", parts=(Text("a"),)), read(request))
    same = ("instructions", "temperature", "max_output_tokens", "metadata", "tool_choice", "text", "user")
    assert {name: answer[name] for name in same} == {name: request[name] for name in same}
    assert answer["reasoning"] == {"effort": "low", "summary": None}
    assert answer["tools"] == [{**FUNCTIONS["tools"][0], "description": None, "parameters": None, "strict": None}]
    assert (answer["store"], answer["top_p"], answer["parallel_tool_calls"]) == (False, 1.0, False)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b"null", b'{"output": 1}', b'{"error": {"message": "x"}, "output": []}', b"\xff",
        b'{"status": "failed", "output": []}', b'{"output":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_answer(body: bytes) -> None:
    """It says so, and nothing else is raised."""
    with pytest.raises(ValueError, match=r"."):
        read_reply(body)


_MEMBERS = ["type", "content", "text", "summary", "id", "name", "usage"]
_LEAF: Any = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
_JUNK: Any = st.recursive(
    _LEAF,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "content", "text", "summary", "id", "name", "usage"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)
_TYPES = st.sampled_from(["message", "reasoning", "function_call", "custom_tool_call", "later"])


@LAW
@given(st.lists(st.builds(lambda kind, junk: {**junk, "type": kind}, _TYPES, st.dictionaries(
    st.sampled_from(["content", "summary", "arguments", "input", "id", "name", "call_id", "encrypted_content"]), _JUNK
)), max_size=3), _JUNK, _JUNK)  # fmt: skip
def test_sloppy_answers_are_read(output: list[Json], usage: Any, created: Any) -> None:
    """Wrong types where they do not matter are no reason to lose an answer."""
    body = {"id": usage, "output": output, "usage": usage, "created_at": created, "incomplete_details": created}
    reply = read_reply(json.dumps(body).encode())
    assert read_reply(write_reply(reply, ASKED, 7)).finish in Finish


def test_a_real_answer() -> None:
    """vLLM's: null where OpenAI has lists; what a cache gave and got is told."""
    body = {
        "id": "resp_1", "object": "response", "created_at": 1795242527, "model": "tiny", "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"}, "error": None,
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}],
             "encrypted_content": None, "status": None},
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "phase": None,
             "content": [{"type": "output_text", "text": "so", "annotations": [], "logprobs": None}]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": {"a": 1}},
        ],
        "usage": {"input_tokens": 13, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
                  "output_tokens": 8, "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 21},
    }  # fmt: skip
    reply = read_reply(json.dumps(body).encode())
    assert bare(reply) == Reply(
        "resp_1",
        "tiny",
        1795242527,
        (Reasoning("hm"), Text("so"), ToolCall("call_1", "f", '{"a":1}')),
        Finish.LENGTH,
        usage=Usage(13, 8, 4, 2, 5),
    )
