"""Requests from elsewhere, written for a Responses target; what of them is lost is said."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import response_create_params
from pydantic import TypeAdapter

from dialects.responses_speech import LAW, LLAMA, MODEL, OPENAI, PLAIN, PROVIDERS, VLLM, Json, read
from pointsman.dialects import faults
from pointsman.dialects.features import SHAPE
from pointsman.dialects.responses.codec import loss, write_request
from pointsman.names import Dialect
from pointsman.neutral import (
    Choice,
    Foreign,
    Form,
    Image,
    Part,
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
from pointsman.table import Model, Provider

USER = Turn(Role.USER, (Text("hi"),))
_SAID = st.text(min_size=1, max_size=8)
_IMAGES = st.builds(Image, st.just("https://x/y.png"), st.sampled_from(["", "low"]))
_WORDS = st.builds(Text, _SAID, st.just({"cache_control": {"type": "ephemeral"}}))
_CALLS = st.builds(ToolCall, _SAID, _SAID, st.sampled_from(["", '{"a":1}']))
_RESULTS = st.builds(ToolResult, _SAID, st.lists(_WORDS | _IMAGES, max_size=2).map(tuple), st.booleans())
_ASSISTANT = st.one_of(_WORDS, _CALLS, st.builds(Reasoning, _SAID), st.builds(Refusal, _SAID))
_TURNS = st.one_of(
    st.builds(Turn, st.sampled_from([Role.SYSTEM, Role.DEVELOPER, Role.USER]), st.lists(_WORDS | _IMAGES).map(tuple)),
    st.builds(Turn, st.just(Role.USER), st.lists(_RESULTS | _WORDS, max_size=3).map(tuple)),
    st.builds(Turn, st.just(Role.ASSISTANT), st.lists(_ASSISTANT, max_size=3).map(tuple)),
    st.builds(Turn, st.just(Role.TOOL), st.tuples(_RESULTS)),
)
_SCHEMAS = st.sampled_from([None, {"type": "object"}])
_TOOLS = st.builds(Tool, _SAID, _SAID, _SCHEMAS, st.sampled_from([None, True, False]))
_REQUESTS = st.builds(
    Request,
    st.sampled_from([Dialect.CHAT, Dialect.MESSAGES]),
    st.just("m"),
    st.lists(_TURNS, max_size=4).map(tuple),
    st.lists(_WORDS, max_size=2).map(tuple),
    stream=st.booleans(),
    tools=st.lists(_TOOLS, max_size=2).map(tuple),
    choice=st.none() | st.builds(Choice, st.sampled_from([ToolMode.AUTO, ToolMode.REQUIRED])),
    parallel=st.sampled_from([None, True, False]),
    form=st.sampled_from([None, Form(), Form({"type": "object"}, "n", "d", True), Form({"type": "object"}, "n")]),
    thinking=st.none() | st.builds(Thinking, st.sampled_from(["", "low", "max"]), shown=st.booleans()),
    max_tokens=st.none() | st.integers(1, 99),
    temperature=st.none() | st.floats(0, 2),
    seed=st.none() | st.integers(0, 9),
    top_k=st.none() | st.integers(0, 9),
    stop=st.lists(_SAID, max_size=2).map(tuple),
)


def written(request: Request, provider: Provider = OPENAI, model: Model = MODEL) -> Json:
    return write_request(request, model, provider)


def items(*turns: Turn, provider: Provider = OPENAI) -> Any:
    return written(Request(Dialect.MESSAGES, "m", turns), provider)["input"]


def words(parts: tuple[Part, ...]) -> list[str]:
    """All that is said, shown, called and answered, in order."""
    found = []
    for part in parts:
        if isinstance(part, Text | Refusal):
            found.append(part.text)
        elif isinstance(part, Image):
            found.append(part.url)
        elif isinstance(part, ToolCall):
            found += [part.id, part.name, part.arguments or "{}"]
        elif isinstance(part, ToolResult):
            told = faults.told(part)
            texts = [inner for inner in told if isinstance(inner, Text)]
            whole = (Text("\n".join(text.text for text in texts)),) if len(texts) == len(told) else told
            found += [part.call_id, *words(whole)]
    return found


def words_of(request: Request) -> list[str]:
    return [word for turn in request.turns for word in words(turn.parts)]


@LAW
@given(_REQUESTS, st.sampled_from(PROVIDERS))
def test_what_is_not_lost_is_said(request: Request, provider: Provider) -> None:
    """Read back, what was written says the same, but for what `loss` names."""
    lost = loss(request, MODEL, provider)
    said = read(written(request, provider))
    if any(each.reason == "assistant-image" for each in lost.refused):
        return
    assert words_of(said) == words_of(request)
    assert "\n\n".join(part.text for part in request.system) == "".join(part.text for part in said.system)
    kept = {name: getattr(said, name) for name in ("stream", "parallel", "temperature")}
    assert kept == {name: getattr(request, name) for name in kept}
    assert said.seed == (None if "seed" in lost.dropped else request.seed)
    assert said.top_k == (None if "top_k" in lost.dropped else request.top_k)
    assert said.stop == (() if any(each.reason == "stop-sequences" for each in lost.refused) else request.stop)
    assert [tool.name for tool in said.tools] == [tool.name for tool in request.tools]
    if "tools.strict" not in lost.dropped:
        assert [tool.strict for tool in said.tools] == [bool(tool.strict) for tool in request.tools]
    assert said.form == request.form
    if request.thinking is not None:
        assert (said.thinking.effort if said.thinking is not None else "") == request.thinking.effort


_PARAMS = TypeAdapter(response_create_params.ResponseCreateParamsBase)


@LAW
@given(_REQUESTS)
def test_openais_own_types_take_it(request: Request) -> None:
    """Nothing of another home is in it: no cache hints, no fields that OpenAI does not know."""
    fields = written(request, PLAIN)
    fields.pop("stream", None)
    _PARAMS.validate_python(fields)
    assert not fields.keys() - response_create_params.ResponseCreateParamsBase.__annotations__.keys()
    assert b"cache_control" not in msgspec.json.encode(fields)


def test_openai_keeps_nothing_and_gives_its_reasoning_back() -> None:
    """Stateless, so that any target can answer next; encrypted reasoning only of models that reason."""
    request = Request(Dialect.CHAT, "m", (USER,))
    assert written(request) == {
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "store": False,
    }
    assert written(request, model=Model("m", reasoning=True))["include"] == ["reasoning.encrypted_content"]
    assert "store" not in written(request, PLAIN)


def test_less_than_openai_takes_is_asked_for_as_the_least() -> None:
    """OpenAI refuses fewer than 16 tokens; others do as they are told."""
    request = Request(Dialect.MESSAGES, "m", (USER,), max_tokens=5)
    assert written(request)["max_output_tokens"] == 16
    assert written(request, LLAMA)["max_output_tokens"] == 5


def test_instructions_and_later_ones() -> None:
    """The system prompt is `instructions`; later ones are the developer's at OpenAI, the system's elsewhere."""
    turns = (USER, Turn(Role.DEVELOPER, (Text("be brief"),)))
    request = Request(Dialect.CHAT, "m", turns, (Text("a"), Text("b")))
    assert written(request)["instructions"] == "a\n\nb"
    assert [written(request, each)["input"][1]["role"] for each in (OPENAI, VLLM)] == ["developer", "system"]


def test_an_assistants_message_has_what_strict_servers_want() -> None:
    """VLLM takes it by OpenAI's types only with id, status and annotations; llama.cpp only with its type."""
    [item] = items(Turn(Role.ASSISTANT, (Text("yes"),)), provider=VLLM)
    assert item == {
        "type": "message", "role": "assistant", "id": "msg_0", "status": "completed",
        "content": [{"type": "output_text", "text": "yes", "annotations": []}],
    }  # fmt: skip


def test_calls_and_results_are_items_in_their_order() -> None:
    """Words before a call are a message of their own; results of several parts are one text."""
    call, result = ToolCall("c", "f"), ToolResult("c", (Text("a"), Text("b")), error=True)
    said = items(Turn(Role.ASSISTANT, (Text("so"), call)), Turn(Role.USER, (result, Text("and?"))))
    assert [item["type"] for item in said] == ["message", "function_call", "function_call_output", "message"]
    assert said[1] == {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    assert said[2] == {"type": "function_call_output", "call_id": "c", "output": "Error: a\nb"}


def test_a_result_with_a_picture_is_a_list() -> None:
    """Where the server takes one; llama.cpp does not."""
    turn = Turn(Role.TOOL, (ToolResult("c", (Text("see"), Image("data:x"))),))
    assert items(turn)[0]["output"] == [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "data:x", "detail": "auto"},
    ]
    request = Request(Dialect.MESSAGES, "m", (turn,))
    assert [each.reason for each in loss(request, MODEL, LLAMA).refused] == ["tool-result-image"]
    assert loss(request, MODEL, OPENAI).refused == ()


def test_reasoning_goes_back_to_its_maker_alone() -> None:
    """With a seal of this dialect it is restored, without one it is left out."""
    payload = {"id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gAAAA"}
    mine = Reasoning("hm", seal=Seal(Dialect.RESPONSES, payload))
    others = Reasoning("hm", seal=Seal(Dialect.MESSAGES, "sig"))
    assert items(Turn(Role.ASSISTANT, (Reasoning("hm"), others, mine))) == [{"type": "reasoning", **payload}]


def test_tools_are_not_strict_unless_they_say_so() -> None:
    """Left out, `strict` would mean true at OpenAI, and it would refuse most schemas."""
    whole = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    tools = (Tool("f", "d", {"type": "object"}), Tool("g", "", whole, strict=True))
    assert written(Request(Dialect.CHAT, "m", (USER,), tools=tools))["tools"] == [
        {
            "type": "function",
            "name": "f",
            "description": "d",
            "parameters": {"type": "object", "properties": {}},
            "strict": False,
        },
        {"type": "function", "name": "g", "parameters": whole, "strict": True},
    ]


def test_a_choice_among_some_tools() -> None:
    """OpenAI is told; others are shown no others."""
    choice = Choice(ToolMode.REQUIRED, allowed=("f",))
    request = Request(Dialect.CHAT, "m", (USER,), tools=(Tool("f"), Tool("g")), choice=choice)
    assert written(request)["tool_choice"]["tools"] == [{"type": "function", "name": "f"}]
    assert len(written(request)["tools"]) == 2
    assert written(request, VLLM)["tool_choice"] == "required"
    assert [tool["name"] for tool in written(request, VLLM)["tools"]] == ["f"]
    one = msgspec.structs.replace(request, choice=Choice(ToolMode.ONE, "g"))
    assert written(one, VLLM)["tool_choice"] == {"type": "function", "name": "g"}


@pytest.mark.parametrize(
    ("thinking", "openai", "others"),
    [
        (Thinking("high", shown=True), {"effort": "high", "summary": "auto"}, {"effort": "high", "summary": "auto"}),
        (Thinking(budget=2000), {"effort": "low"}, {"effort": "low"}),
        (Thinking(budget=8000, enabled=True), {"effort": "medium"}, {"effort": "medium"}),
        (Thinking(budget=50_000), {"effort": "high"}, {"effort": "high"}),
        (Thinking(adaptive=True, shown=True), {"summary": "auto"}, {"summary": "auto"}),
        (Thinking(enabled=False), None, {"effort": "none"}),
        (Thinking("none", enabled=False), {"effort": "none"}, {"effort": "none"}),
    ],
)
def test_how_much_to_reason(thinking: Thinking, openai: Json | None, others: Json) -> None:
    """Budgets are efforts. Not at all is a word that OpenAI's older models refuse, so it is only said if it was."""
    request = Request(Dialect.MESSAGES, "m", (USER,), thinking=thinking)
    assert written(request).get("reasoning") == openai
    assert written(request, VLLM).get("reasoning") == others
    unmet = openai is None or "effort" not in openai
    assert loss(request, MODEL, OPENAI).dropped == (("thinking",) if unmet else ())


def test_forms() -> None:
    """A schema has a name, whether it had one or not."""
    request = Request(Dialect.CHAT, "m", (USER,), form=Form({"type": "object"}, strict=True))
    schema = {"type": "json_schema", "name": "answer", "schema": {"type": "object"}, "strict": True}
    assert written(request)["text"] == {"format": schema}
    assert written(msgspec.structs.replace(request, form=Form()))["text"] == {"format": {"type": "json_object"}}


def test_a_custom_tools_history_is_a_functions() -> None:
    """As the tool is one."""
    call = ToolCall("c", "patch", "*** Begin", free=True)
    said = items(Turn(Role.ASSISTANT, (call,)), Turn(Role.TOOL, (ToolResult("c", (Text("ok"),), free=True),)))
    assert said[0]["arguments"] == '{"input":"*** Begin"}'
    assert said[1] == {"type": "function_call_output", "call_id": "c", "output": "ok"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"choices": 2}, "choices"),
        ({"stop": ("x",)}, "stop-sequences"),
        ({"tools": (Tool("web_search", foreign={"type": "web_search_20250305"}),)}, "hosted-tool"),
        ({"choice": Choice(ToolMode.AUTO, foreign={"type": "x"})}, "tool-choice"),
        ({"rest": {"logprobs": True}}, "logprobs"),
        ({"turns": (Turn(Role.USER, (Foreign(Dialect.CHAT, "input_audio", {}),)),)}, "audio"),
        ({"turns": (Turn(Role.USER, (Foreign(Dialect.CHAT, "file", {}),)),)}, "file"),
        ({"turns": (Turn(Role.USER, (Foreign(Dialect.CHAT, "Later Kind!", {}),)),)}, "later-kind"),
        ({"turns": (Turn(Role.TOOL, (ToolResult("c", (Foreign(Dialect.CHAT, "x", {}),)),)),)}, "x"),
        ({"turns": (Turn(Role.ASSISTANT, (Image("data:x"),)),)}, "assistant-image"),
    ],
)
def test_what_cannot_be_said_is_refused(change: Json, reason: str) -> None:
    """By a word, and with where it stands."""
    request = msgspec.structs.replace(Request(Dialect.CHAT, "m", (USER,)), **change)
    [refused] = loss(request, MODEL, PLAIN).refused
    assert refused.reason == reason
    assert refused.message


def test_knobs_are_dropped_by_the_clients_names() -> None:
    """Unless the server is known to have them."""
    request = Request(
        Dialect.CHAT, "m", (USER,), seed=1, top_k=2, min_p=0.1, presence_penalty=0.5, rest={"logit_bias": {"1": 2}}
    )
    assert set(loss(request, MODEL, OPENAI).dropped) == {"seed", "top_k", "min_p", "presence_penalty", "logit_bias"}
    assert set(loss(request, MODEL, VLLM).dropped) == {"min_p", "logit_bias"}
    assert set(loss(request, MODEL, LLAMA).dropped) == {"logit_bias"}
    assert written(request, VLLM)["seed"] == 1


def test_a_failed_tool_says_so() -> None:
    """The dialect has no mark for it: its first word does."""
    turn = Turn(Role.USER, (ToolResult("c", (Text("boom"),), error=True),))
    request = Request(Dialect.MESSAGES, "m", (turn,))
    assert loss(request, MODEL, OPENAI).dropped == ()
    assert written(request, OPENAI)["input"][0]["output"] == "Error: boom"


def test_a_limit_that_is_raised_is_named() -> None:
    """As the client wrote it; others than OpenAI take it as it is."""
    request = Request(Dialect.CHAT, "m", (USER,), max_tokens=5, rest={SHAPE: {"limit": "max_completion_tokens"}})
    assert loss(request, MODEL, OPENAI).dropped == ("max_completion_tokens",)
    assert loss(msgspec.structs.replace(request, rest={}), MODEL, OPENAI).dropped == ("max_tokens",)
    assert loss(request, MODEL, VLLM).dropped == ()
