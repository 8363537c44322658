"""The OpenAI SDK on Responses."""

from __future__ import annotations

import json
from typing import Any, Final

import openai

from matrix.speech import Ask, Call, Got, Native, Part, Picture, Result, Spent, Tool, Turn, Words
from matrix.wire import Wire

Json = Any
_REASONS: Final = {"max_output_tokens": "length", "content_filter": "filter"}


async def run(url: str, model: str, ask: Ask) -> Got:
    """One request and what the SDK makes of its answer."""
    wire = Wire()
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0, http_client=wire.client()) as sdk:
        body = request(model, ask)
        if not ask.stream:
            return _read(await sdk.responses.create(**body), wire)
        last: Any = None
        async with sdk.responses.stream(**body) as stream:
            async for event in stream:
                if event.type in {"response.completed", "response.incomplete", "response.failed"}:
                    last = event
        if last is None or last.type == "response.failed":
            error = None if last is None else last.response.error
            return Got(error="APIError", message=error.message if error else "no terminal event", wire=wire)
        return _read(last.response, wire)


def request(model: str, ask: Ask) -> Json:
    """The parameters of the SDK's call."""
    items = [item for turn in ask.turns for item in _items(turn)]
    body: Json = {"model": model, "input": items, "store": False, **ask.more}
    if ask.system:
        body["instructions"] = ask.system
    if ask.max_tokens is not None:
        body["max_output_tokens"] = ask.max_tokens
    if ask.tools:
        body["tools"] = [_tool(tool) for tool in ask.tools]
    if ask.choice:
        body["tool_choice"] = {"type": "function", "name": ask.choice[1:]} if ask.choice[0] == "=" else ask.choice
    if ask.schema is not None:
        body["text"] = {"format": {"type": "json_schema", "name": "report", "schema": ask.schema, "strict": True}}
    if ask.thinks:
        body |= {"reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    given = {"parallel_tool_calls": ask.parallel, "temperature": ask.temperature}
    return body | {name: value for name, value in given.items() if value is not None}


def _items(turn: Turn) -> list[Json]:
    items: list[Json] = []
    plain: list[Part] = []
    calls: list[Json] = []
    for part in turn.parts:
        if isinstance(part, Native):
            items += part.items
        elif isinstance(part, Result):
            items.append({"type": "function_call_output", "call_id": part.call, "output": part.text})
        elif isinstance(part, Call):
            call = {"type": "function_call", "call_id": part.id, "name": part.name}
            calls.append(call | {"arguments": json.dumps(part.arguments)})
        else:
            plain.append(part)
    if plain:
        items.append({"type": "message", "role": turn.role, "content": _content(turn.role, plain)})
    return items + calls


def _content(role: str, parts: list[Part]) -> Json:
    if len(parts) == 1 and isinstance(parts[0], Words):
        return parts[0].text
    own = "output_text" if role == "assistant" else "input_text"
    return [
        {"type": "input_image", "image_url": part.url, "detail": "auto"}
        if isinstance(part, Picture)
        else {"type": own, "text": part.text}  # type: ignore[union-attr]
        for part in parts
    ]


def _tool(tool: Tool) -> Json:
    described = {"name": tool.name, "description": tool.description, "parameters": tool.schema}
    return {"type": "function", **described, "strict": True}


def _read(response: Any, wire: Wire) -> Got:
    usage = response.usage
    return Got(
        text=response.output_text,
        thoughts="".join(_thought(item) for item in response.output if item.type == "reasoning"),
        calls=tuple(
            Call(item.call_id, item.name, json.loads(item.arguments))
            for item in response.output
            if item.type == "function_call"
        ),
        refused="".join(
            part.refusal
            for item in response.output
            if item.type == "message"
            for part in item.content
            if part.type == "refusal"
        ),
        finish=_finish(response),
        spent=Spent(
            usage.input_tokens,
            usage.output_tokens,
            usage.input_tokens_details.cached_tokens,
            0,
            usage.output_tokens_details.reasoning_tokens,
        ),
        decision=wire.exchanges[-1].fields.get("x-pointsman-decision", ""),
        native=Native(tuple(_again(item) for item in response.output)),
        wire=wire,
    )


def _thought(item: Any) -> str:
    return "".join(part.text for part in (*item.summary, *(item.content or ())))


def _finish(response: Any) -> str:
    if response.status == "incomplete":
        return _REASONS[response.incomplete_details.reason]
    return "tools" if any(item.type == "function_call" for item in response.output) else "stop"


def _again(item: Any) -> Json:
    """The item as it is put back into the next request: `input += response.output`."""
    said = item.model_dump(exclude_none=True)
    said.pop("parsed_arguments", None)
    for part in said.get("content") or ():
        part.pop("parsed", None)
    return said
