"""Functions that a Responses client groups under a namespace, as Codex does in every request."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.responses_speech import LAW, MODEL, OPENAI, judge_stream, read, sdk_stream, sdk_whole, write
from pointsman.dialects import fold
from pointsman.dialects.chat import codec as chat
from pointsman.dialects.messages import codec as messages
from pointsman.dialects.responses import namespaces
from pointsman.dialects.responses.codec import write_reply, write_request
from pointsman.exchange import BadRequestError
from pointsman.names import Dialect
from pointsman.neutral import Finish, Reply, Tool, ToolCall
from pointsman.table import Provider

Json = dict[str, Any]
CHAT = Provider("c", "VLLM", "http://x", (Dialect.CHAT,))
CLAUDE = Provider("m", "VLLM", "http://x", (Dialect.MESSAGES,))
CLOSE: Json = {"type": "function", "name": "close_agent", "description": "Closes one.", "strict": False,
               "parameters": {"type": "object"}, "defer_loading": True}  # fmt: skip
PATCH: Json = {"type": "custom", "name": "patch", "description": "Edits."}
SHELL: Json = {"type": "function", "name": "shell", "parameters": {"type": "object"}}
AGENTS: Json = {"type": "namespace", "name": "multi_agent_v1", "description": "Other agents.", "tools": [CLOSE, PATCH]}
ASKED: Json = {
    "model": "m",
    "tools": [SHELL, AGENTS],
    "input": [
        {"role": "user", "content": "close it"},
        {"type": "function_call", "call_id": "c1", "name": "close_agent", "namespace": "multi_agent_v1",
         "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "closed"},
    ],
}  # fmt: skip


def test_chat_is_told_of_functions() -> None:
    """Each by a name that says where it stood, in the tools and in the conversation."""
    written = chat.write_request(read(ASKED), MODEL, CHAT)
    told = [tool["function"] for tool in written["tools"]]
    names = ["shell", "multi_agent_v1__close_agent", "multi_agent_v1__patch"]
    assert [tool["name"] for tool in told] == names
    assert told[1]["description"] == "Other agents.\n\nCloses one."
    assert written["messages"][1]["tool_calls"][0]["function"]["name"] == "multi_agent_v1__close_agent"
    assert chat.loss(read(ASKED), MODEL, CHAT).refused == ()


def test_messages_is_told_of_tools() -> None:
    """As chat is; that they are to be loaded later is named as dropped."""
    written = messages.write_request(read(ASKED), MODEL, CLAUDE)
    assert [tool["name"] for tool in written["tools"]][1:] == ["multi_agent_v1__close_agent", "multi_agent_v1__patch"]
    assert messages.loss(read(ASKED), MODEL, CLAUDE).refused == ()
    assert "tools.defer_loading" in messages.loss(read(ASKED), MODEL, CLAUDE).dropped


REPLY = Reply(
    "a",
    "m",
    1,
    (
        ToolCall("c2", "multi_agent_v1__close_agent", '{"id":1}'),
        ToolCall("c3", "multi_agent_v1__patch", '{"input":"x"}'),
        ToolCall("c4", "shell", "{}"),
    ),
    Finish.TOOL,
)
CALLED = [
    ("function_call", "close_agent", "multi_agent_v1"),
    ("custom_tool_call", "patch", "multi_agent_v1"),
    ("function_call", "shell", None),
]


def test_the_client_is_told_of_its_own_function() -> None:
    """By its name and its namespace, whole and streamed."""
    whole = sdk_whole(write_reply(REPLY, read(ASKED), 1))
    assert [(item.type, item.name, item.namespace) for item in whole.output] == CALLED
    assert [tool.type for tool in whole.tools] == ["function", "namespace"]
    stream = write(read(ASKED), fold.unfold(REPLY))
    last = sdk_stream(stream)[-1].response
    assert [(item.type, item.name, item.namespace) for item in last.output] == CALLED
    done = [event for event in judge_stream(stream) if event["type"] == "response.function_call_arguments.done"]
    assert [event["name"] for event in done] == ["close_agent", "shell"]


@pytest.mark.parametrize(
    ("choice", "name", "allowed"),
    [
        ({"type": "function", "name": "close_agent", "namespace": "multi_agent_v1"}, "multi_agent_v1__close_agent", ()),
        ({"type": "function", "name": "close_agent"}, "multi_agent_v1__close_agent", ()),
        ({"type": "function", "name": "shell"}, "shell", ()),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "close_agent"}]}, "",
         ("multi_agent_v1__close_agent",)),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "namespace", "name": "multi_agent_v1"}]}, "",
         ("multi_agent_v1__close_agent", "multi_agent_v1__patch")),
    ],
)  # fmt: skip
def test_a_choice_finds_it(choice: Json, name: str, allowed: tuple[str, ...]) -> None:
    """With its namespace, or without where there is but one of that name; at home as it came."""
    request = read({**ASKED, "tool_choice": choice})
    assert request.choice is not None
    assert (request.choice.name, request.choice.allowed) == (name, allowed)
    assert write_request(request, MODEL, OPENAI)["tool_choice"] == choice


def test_home_is_as_it_came() -> None:
    """The namespace where it stood, the call under its own name."""
    written = write_request(read(ASKED), MODEL, OPENAI)
    assert written["tools"] == ASKED["tools"]
    assert written["input"] == [{"role": "user", "content": "close it"}, *ASKED["input"][1:]]


_NAMES = st.text("ab_", min_size=1, max_size=5) | st.text(min_size=1, max_size=80)


@LAW
@given(_NAMES, _NAMES)
def test_every_name_is_one_that_vendors_take(namespace: str, name: str) -> None:
    """Whatever the client calls them; and always the same one."""
    found = namespaces.flat(namespace, name)
    assert 0 < len(found) <= 64
    assert found.isascii()
    assert found.replace("_", "").replace("-", "").isalnum() or not found.strip("_-")
    assert namespaces.flat(namespace, name) == found


@LAW
@given(st.lists(st.tuples(_NAMES, st.lists(_NAMES, min_size=1, max_size=3, unique=True)), max_size=3))
def test_each_is_found_again(groups: list[tuple[str, list[str]]]) -> None:
    """By the client's own request alone; names that would be one are refused."""
    tools = [{"type": "namespace", "name": space, "tools": [{"type": "function", "name": name} for name in names]}
             for space, names in groups]  # fmt: skip
    names = [namespaces.flat(space, name) for space, inner in groups for name in inner]
    if len(set(names)) < len(names):
        with pytest.raises(BadRequestError, match="rename one"):
            read({"model": "m", "input": "x", "tools": tools})
        return
    request = read({"model": "m", "input": "x", "tools": tools})
    answer = Reply("a", "m", 1, tuple(ToolCall(str(i), tool.name, "{}") for i, tool in enumerate(request.tools)))
    output = msgspec.json.decode(write_reply(answer, request, 1))["output"]
    assert [(item["namespace"], item["name"]) for item in output] == [
        (space, name) for space, names in groups for name in names
    ]
    assert write_request(request, MODEL, OPENAI).get("tools", []) == tools


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "namespace", "name": "x", "tools": []},
        {"type": "namespace", "name": "x", "tools": [{"type": "web_search"}]},
        {"type": "namespace", "name": "x", "tools": [1]},
        {"type": "namespace", "tools": [SHELL]},
        {"type": "namespace", "name": "x"},
    ],
)
def test_what_is_no_group_of_functions_stays_foreign(tool: Json) -> None:
    """Home gets it as it is."""
    request = read({"model": "m", "input": "x", "tools": [tool]})
    assert request.tools == (Tool("namespace", foreign=tool),)
    assert write_request(request, MODEL, OPENAI)["tools"] == [tool]


def test_two_of_one_name_are_refused() -> None:
    """Nobody could tell which was called."""
    with pytest.raises(BadRequestError, match="multi_agent_v1__patch"):
        read({**ASKED, "tools": [AGENTS, {"type": "function", "name": "multi_agent_v1__patch"}]})
