"""A backend that speaks Responses: how it reads a request. How it answers: `output_responses`."""

from __future__ import annotations

from typing import Any, Final

from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from pydantic import TypeAdapter

from matrix.reading import Complaints
from matrix.speech import Ask, Call, Part, Picture, Refused, Result, Thought, Tool, Turn, Words, merged

Json = Any
PATH: Final = "/v1/responses"
_TOP: Final = (
    "stream instructions tools tool_choice parallel_tool_calls text reasoning include max_output_tokens temperature "
    "top_p user truncation presence_penalty frequency_penalty"
)
_STREAMED: Final = TypeAdapter[Any](ResponseCreateParamsStreaming)
_WHOLE: Final = TypeAdapter[Any](ResponseCreateParamsNonStreaming)


def understand(body: Json) -> tuple[Ask, Complaints]:
    """What a server of this dialect is asked, and what it would complain of."""
    bad = Complaints()
    body = {**body}
    if body.pop("store", False) is not False:  # the default is true; it may be said that nothing is to be kept
        bad.append("store is not to be there")
    bad.keys("body", body, "model input", _TOP)
    bad.by_type("body", _STREAMED if body.get("stream") else _WHOLE, body)
    items = body.get("input")
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    turns = [_turn(f"input[{at}]", item, bad) for at, item in enumerate(items or ())]
    if not turns:
        bad.append("input is empty")
    _paired(turns, bad)
    systems = [part.text for turn in turns if turn.role == "system" for part in turn.parts if isinstance(part, Words)]
    reasoning = body.get("reasoning") or {}
    bad.keys("reasoning", reasoning, "", "effort summary")
    ask = Ask(
        turns=merged(tuple(turn for turn in turns if turn.role != "system")),
        system="\n\n".join([*([body["instructions"]] if body.get("instructions") else []), *systems]),
        tools=tuple(_tool(f"tools[{at}]", tool, bad) for at, tool in enumerate(body.get("tools", ()))),
        choice=_choice(body.get("tool_choice"), bad),
        parallel=body.get("parallel_tool_calls"),
        schema=_schema(body.get("text"), bad),
        thinks=reasoning.get("effort") not in {None, "none"},
        max_tokens=body.get("max_output_tokens"),
        temperature=body.get("temperature"),
        stream=body.get("stream") is True,
    )
    return ask, bad


def _paired(turns: list[Turn], bad: Complaints) -> None:
    # OpenAI: "No tool call found for function call output", "No tool output found for function call".
    calls = [part.id for turn in turns for part in turn.parts if isinstance(part, Call)]
    results = [part.call for turn in turns for part in turn.parts if isinstance(part, Result)]
    if sorted(calls) != sorted(results):
        bad.append(f"calls {calls} and results {results} do not match")


def _turn(where: str, item: Json, bad: Complaints) -> Turn:
    kind = item.get("type", "message")
    if kind == "message":
        return _message(where, item, bad)
    if kind == "function_call":
        bad.keys(where, item, "type call_id name arguments", "id status")
        arguments = bad.arguments(f"{where}.arguments", item.get("arguments"))
        _ident(f"{where}.id", item, "fc_", bad)
        return Turn("assistant", (Call(item.get("call_id", ""), item.get("name", ""), arguments),))
    if kind == "function_call_output":
        bad.keys(where, item, "type call_id output", "id status")
        return _output(where, item, bad)
    if kind == "reasoning":
        bad.keys(where, item, "type summary", "id encrypted_content content status")
        _ident(f"{where}.id", item, "rs_", bad)
        text = "".join(part["text"] for part in (*item.get("summary", ()), *(item.get("content") or ())))
        return Turn("assistant", (Thought(text, item.get("encrypted_content") or ""),))
    bad.append(f"{where} is a {kind}")
    return Turn("user", ())


def _ident(where: str, item: Json, prefix: str, bad: Complaints) -> None:
    # OpenAI: "Invalid 'input[1].id': 'chatcmpl-…'. Expected an ID that begins with 'fc'."
    if item.get("id") is not None and not str(item["id"]).startswith(prefix):
        bad.append(f"{where} is {item['id']!r}, which does not begin with {prefix}")


def _message(where: str, item: Json, bad: Complaints) -> Turn:
    bad.keys(where, item, "role content", "type id status")
    role = item.get("role")
    bad.one_of(f"{where}.role", role, "system", "user", "assistant")
    _ident(f"{where}.id", item, "msg_", bad)
    content = item.get("content")
    if isinstance(content, str):
        return Turn(role, (Words(content),) if content else ())
    own = "output_text" if role == "assistant" else "input_text"
    parts: list[Part] = []
    for at, part in enumerate(content or ()):
        place = f"{where}.content[{at}]"
        if part.get("type") == own:
            bad.keys(place, part, "type text", "annotations logprobs")
            parts.append(Words(part["text"]))
        elif part.get("type") == "input_image" and role == "user":
            bad.keys(place, part, "type image_url", "detail")
            parts.append(Picture(bad.picture(f"{place}.image_url", part["image_url"])))
        elif part.get("type") == "refusal" and role == "assistant":
            parts.append(Refused(part["refusal"]))
        else:
            bad.append(f"{place} of {role} is a {part.get('type')}")
    return Turn(role, tuple(parts))


def _output(where: str, item: Json, bad: Complaints) -> Turn:
    output = item.get("output")
    if not isinstance(output, str):
        for at, part in enumerate(output or ()):
            bad.keys(f"{where}.output[{at}]", part, "type text")
        output = "".join(part.get("text", "") for part in output or ())
    return Turn("user", (Result(item.get("call_id", ""), output),))


def _tool(where: str, tool: Json, bad: Complaints) -> Tool:
    bad.keys(where, tool, "type name parameters", "description strict")
    bad.one_of(f"{where}.type", tool.get("type"), "function")
    return Tool(tool.get("name", ""), tool.get("description") or "", tool.get("parameters"))


def _choice(choice: Json, bad: Complaints) -> str:
    if choice is None or isinstance(choice, str):
        bad.one_of("tool_choice", choice, None, "auto", "none", "required")
        return choice or ""
    bad.keys("tool_choice", choice, "type name")
    return f"={choice.get('name')}"


def _schema(text: Json, bad: Complaints) -> Json:
    if text is None:
        return None
    bad.keys("text", text, "", "format")
    form = text.get("format") or {"type": "text"}
    if form["type"] == "text":
        return None
    bad.keys("text.format", form, "type name schema", "strict description")
    bad.one_of("text.format.type", form["type"], "json_schema")
    return form.get("schema")
