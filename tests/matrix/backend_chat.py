"""A backend that speaks chat completions: how it reads a request. How it answers: `output_chat`."""

from __future__ import annotations

from typing import Any, Final

from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from pydantic import TypeAdapter

from matrix.reading import Complaints
from matrix.speech import Ask, Call, Part, Picture, Refused, Result, Thought, Tool, Turn, Words, merged

Json = Any
PATH: Final = "/v1/chat/completions"
_KNOBS: Final = "temperature top_p seed stop presence_penalty frequency_penalty max_tokens max_completion_tokens"
_TOP: Final = (
    "stream stream_options tools tool_choice parallel_tool_calls response_format reasoning_effort "
    f"chat_template_kwargs user {_KNOBS}"
)
_STREAMED: Final = TypeAdapter[Any](CompletionCreateParamsStreaming)
_WHOLE: Final = TypeAdapter[Any](CompletionCreateParamsNonStreaming)


def understand(body: Json) -> tuple[Ask, Complaints]:
    """What a server of this dialect is asked, and what it would complain of."""
    bad = Complaints()
    bad.keys("body", body, "model messages", _TOP)
    bad.by_type("body", _STREAMED if body.get("stream") else _WHOLE, body)
    if body.get("stream") and body.get("stream_options") != {"include_usage": True}:
        bad.append(f"stream_options is {body.get('stream_options')!r}: no usage would be told")
    turns = [_turn(f"messages[{at}]", message, bad) for at, message in enumerate(body.get("messages", ()))]
    _paired(turns, bad)
    system = "\n\n".join(
        part.text for turn in turns if turn.role == "system" for part in turn.parts if isinstance(part, Words)
    )
    if any(turn.role == "system" for turn in turns[1:]) and turns[0].role != "system":
        bad.append("a system message stands in mid-conversation")
    stop = body.get("stop") or ()
    ask = Ask(
        turns=merged(tuple(turn for turn in turns if turn.role != "system")),
        system=system,
        tools=tuple(_tool(f"tools[{at}]", tool, bad) for at, tool in enumerate(body.get("tools", ()))),
        choice=_choice(body.get("tool_choice"), bad),
        parallel=body.get("parallel_tool_calls"),
        schema=_schema(body.get("response_format"), bad),
        thinks=body.get("reasoning_effort") not in {None, "none"},
        max_tokens=body.get("max_completion_tokens", body.get("max_tokens")),
        temperature=body.get("temperature"),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        seed=body.get("seed"),
        stream=body.get("stream") is True,
    )  # fmt: skip
    return ask, bad


def _paired(turns: list[Turn], bad: Complaints) -> None:
    # OpenAI: "an assistant message with 'tool_calls' must be followed by tool messages responding to each".
    waiting: set[str] = set()
    for turn in turns:
        results = {part.call for part in turn.parts if isinstance(part, Result)}
        if waiting and not results:
            bad.append(f"calls {sorted(waiting)} are not answered before the next message")
        if not results <= waiting:
            bad.append(f"results {sorted(results - waiting)} answer no call of the message before")
        waiting = waiting - results | {part.id for part in turn.parts if isinstance(part, Call)}


def _turn(where: str, message: Json, bad: Complaints) -> Turn:
    role = message.get("role")
    if role == "tool":
        bad.keys(where, message, "role content tool_call_id")
        texts = _content(where, message["content"], bad, text_only=True)
        return Turn("user", (Result(message["tool_call_id"], "".join(p.text for p in texts if isinstance(p, Words))),))
    bad.one_of(f"{where}.role", role, "system", "user", "assistant")
    if role != "assistant":
        bad.keys(where, message, "role content")
        return Turn(role, tuple(_content(where, message["content"], bad, text_only=role == "system")))
    bad.keys(where, message, "role", "content tool_calls refusal reasoning_content reasoning reasoning_details")
    if not message.get("content") and not message.get("tool_calls") and not message.get("refusal"):
        bad.append(f"{where} says nothing")
    parts: list[Part] = [_detail(detail) for detail in message.get("reasoning_details") or ()]
    parts += _content(where, message.get("content"), bad, text_only=True)
    parts += [Refused(message["refusal"])] if message.get("refusal") else []
    for at, call in enumerate(message.get("tool_calls") or ()):
        place = f"{where}.tool_calls[{at}]"
        if bad.keys(place, call, "id type function", "index") and bad.keys(
            f"{place}.function", call["function"], "name arguments"
        ):
            arguments = bad.arguments(f"{place}.function.arguments", call["function"]["arguments"])
            parts.append(Call(call["id"], call["function"]["name"], arguments))
    return Turn(role, tuple(parts))


def _detail(detail: Json) -> Part:
    text = detail.get("text") or detail.get("summary") or ""
    return Thought(text, detail.get("data") or detail.get("signature") or "")


def _content(where: str, content: Json, bad: Complaints, *, text_only: bool) -> list[Part]:
    if content is None:
        return []
    if isinstance(content, str):
        return [Words(content)] if content else []
    parts: list[Part] = []
    for at, part in enumerate(content):
        place = f"{where}.content[{at}]"
        if part.get("type") == "text":
            bad.keys(place, part, "type text")
            parts.append(Words(part["text"]))
        elif part.get("type") == "image_url" and not text_only:
            bad.keys(place, part, "type image_url")
            bad.keys(f"{place}.image_url", part["image_url"], "url", "detail")
            parts.append(Picture(bad.picture(f"{place}.image_url.url", part["image_url"]["url"])))
        else:
            bad.append(f"{place} is a {part.get('type')}")
    return parts


def _tool(where: str, tool: Json, bad: Complaints) -> Tool:
    bad.keys(where, tool, "type function")
    bad.one_of(f"{where}.type", tool.get("type"), "function")
    function = tool.get("function", {})
    bad.keys(f"{where}.function", function, "name", "description parameters strict")
    return Tool(function.get("name", ""), function.get("description", ""), function.get("parameters"))


def _choice(choice: Json, bad: Complaints) -> str:
    if choice is None or isinstance(choice, str):
        bad.one_of("tool_choice", choice, None, "auto", "none", "required")
        return choice or ""
    bad.keys("tool_choice", choice, "type function")
    return f"={choice['function']['name']}"


def _schema(form: Json, bad: Complaints) -> Json:
    if form is None:
        return None
    bad.keys("response_format", form, "type json_schema")
    bad.keys("response_format.json_schema", form.get("json_schema"), "name schema", "strict description")
    return form.get("json_schema", {}).get("schema")
