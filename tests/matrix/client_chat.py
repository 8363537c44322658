"""The OpenAI SDK on chat completions."""

from __future__ import annotations

import json
from typing import Any, Final

import openai

from matrix.speech import Ask, Call, Got, Native, Part, Picture, Result, Spent, Tool, Turn, Words
from matrix.wire import Wire

Json = Any
_FINISH: Final = {"stop": "stop", "length": "length", "tool_calls": "tools", "content_filter": "filter"}


async def run(url: str, model: str, ask: Ask) -> Got:
    """One request and what the SDK makes of its answer."""
    wire = Wire()
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0, http_client=wire.client()) as sdk:
        body = request(model, ask)
        if not ask.stream:
            return _read(await sdk.chat.completions.create(**body), wire)
        body["stream_options"] = {"include_usage": True}
        if ask.plain:
            return await _plainly(await sdk.chat.completions.create(**body, stream=True), wire)
        async with sdk.chat.completions.stream(**body) as stream:
            async for _ in stream:
                pass
            return _read(await stream.get_final_completion(), wire)


async def _plainly(stream: Any, wire: Wire) -> Got:
    text, finish, spent = "", "", Spent()
    async for chunk in stream:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = _FINISH[choice.finish_reason] if choice.finish_reason else finish
        spent = _spent(chunk.usage) if chunk.usage else spent
    return Got(text=text, finish=finish, spent=spent, wire=wire)


def request(model: str, ask: Ask) -> Json:
    """The parameters of the SDK's call."""
    messages = [message for turn in ask.turns for message in _messages(turn)]
    body: Json = {"model": model, "messages": messages, **ask.more}
    if ask.system:
        messages.insert(0, {"role": "system", "content": ask.system})
    if ask.max_tokens is not None:
        body["max_completion_tokens"] = ask.max_tokens
    if ask.tools:
        body["tools"] = [_tool(tool) for tool in ask.tools]
    if ask.choice:
        function = {"type": "function", "function": {"name": ask.choice[1:]}}
        body["tool_choice"] = function if ask.choice.startswith("=") else ask.choice
    if ask.schema is not None:
        form = {"name": "report", "schema": ask.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    if ask.thinks:
        body["reasoning_effort"] = "high"
    given = {
        "parallel_tool_calls": ask.parallel, "temperature": ask.temperature, "stop": list(ask.stop) or None,
        "seed": ask.seed,
    }  # fmt: skip
    return body | {name: value for name, value in given.items() if value is not None}


def _messages(turn: Turn) -> list[Json]:
    messages: list[Json] = []
    plain: list[Part] = []
    for part in turn.parts:
        if isinstance(part, Native):
            messages += part.items
        elif isinstance(part, Result):
            messages.append({"role": "tool", "tool_call_id": part.call, "content": part.text})
        else:
            plain.append(part)
    if plain:
        messages.append(
            _assistant(plain) if turn.role == "assistant" else {"role": turn.role, "content": _content(plain)}
        )
    return messages


def _content(parts: list[Part]) -> Json:
    if len(parts) == 1 and isinstance(parts[0], Words):
        return parts[0].text
    return [
        {"type": "image_url", "image_url": {"url": part.url}}
        if isinstance(part, Picture)
        else {"type": "text", "text": part.text}  # type: ignore[union-attr]
        for part in parts
    ]


def _assistant(parts: list[Part]) -> Json:
    text = "".join(part.text for part in parts if isinstance(part, Words))
    calls = [
        {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": json.dumps(part.arguments)}}
        for part in parts
        if isinstance(part, Call)
    ]
    return {"role": "assistant", "content": text or None} | ({"tool_calls": calls} if calls else {})


def _tool(tool: Tool) -> Json:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.schema, "strict": True}
    return {"type": "function", "function": function}


def _read(completion: Any, wire: Wire) -> Got:
    [choice] = completion.choices
    message = choice.message
    extra = message.model_extra or {}
    return Got(
        text=message.content or "",
        thoughts=extra.get("reasoning_content") or extra.get("reasoning") or "",
        calls=tuple(
            Call(call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()
        ),
        refused=message.refusal or "",
        finish=_FINISH[choice.finish_reason],
        spent=_spent(completion.usage),
        decision=wire.exchanges[-1].fields.get("x-pointsman-decision", ""),
        native=Native((_again(message),)),
        wire=wire,
    )


def _spent(usage: Any) -> Spent:
    details, more = usage.prompt_tokens_details, usage.completion_tokens_details
    cached, thought = (details and details.cached_tokens) or 0, (more and more.reasoning_tokens) or 0
    return Spent(usage.prompt_tokens, usage.completion_tokens, cached, 0, thought)


def _again(message: Any) -> Json:
    """The message as it is put back into the next request: what the SDK holds, without what it has parsed besides."""
    said = message.model_dump(exclude_none=True)
    said.pop("parsed", None)
    for call in said.get("tool_calls") or ():
        call["function"].pop("parsed_arguments", None)
        call.pop("index", None)
    return said
