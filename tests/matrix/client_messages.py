"""The Anthropic SDK."""

from __future__ import annotations

from typing import Any, Final

import anthropic

from matrix.speech import Ask, Call, Got, Native, Part, Picture, Result, Spent, Tool, Turn, Words
from matrix.wire import Wire

Json = Any
_FINISH: Final = {
    "end_turn": "stop", "stop_sequence": "mark", "max_tokens": "length", "tool_use": "tools", "refusal": "filter",
}  # fmt: skip
_CHOICES: Final = {"auto": "auto", "required": "any", "none": "none"}


async def run(url: str, model: str, ask: Ask) -> Got:
    """One request and what the SDK makes of its answer."""
    wire = Wire()
    async with anthropic.AsyncAnthropic(base_url=url, api_key="x", max_retries=0, http_client=wire.client()) as sdk:
        body = request(model, ask)
        if not ask.stream:
            return _read(await sdk.messages.create(**body), wire)
        async with sdk.messages.stream(**body) as stream:
            async for _ in stream:
                pass
            return _read(await stream.get_final_message(), wire)


async def count(url: str, model: str, ask: Ask) -> Got:
    """How many tokens the request is said to have, as `spent.input`."""
    body = request(model, ask)
    body.pop("max_tokens")
    async with anthropic.AsyncAnthropic(base_url=url, api_key="x", max_retries=0, http_client=Wire().client()) as sdk:
        counted = await sdk.messages.count_tokens(**body)
        return Got(spent=Spent(counted.input_tokens))


def request(model: str, ask: Ask) -> Json:
    """The parameters of the SDK's call."""
    messages = [{"role": turn.role, "content": _content(turn)} for turn in ask.turns]
    body: Json = {"model": model, "messages": messages, "max_tokens": ask.max_tokens or 512, **ask.more}
    if ask.system:
        body["system"] = ask.system
    if ask.tools:
        body["tools"] = [_tool(tool) for tool in ask.tools]
    if choice := _choice(ask):
        body["tool_choice"] = choice
    if ask.schema is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": ask.schema}}
    if ask.thinks:
        body |= {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 8192}
    if ask.temperature is not None:
        body["extra_body"] = {"temperature": ask.temperature}  # newer models have none, so the SDK has none
    if ask.stop:
        body["stop_sequences"] = list(ask.stop)
    return body


def _choice(ask: Ask) -> Json:
    if ask.choice.startswith("="):
        choice = {"type": "tool", "name": ask.choice[1:]}
    elif ask.choice or ask.parallel is not None:
        choice = {"type": _CHOICES[ask.choice or "auto"]}
    else:
        return None
    return choice | ({} if ask.parallel is None else {"disable_parallel_tool_use": not ask.parallel})


def _content(turn: Turn) -> Json:
    if len(turn.parts) == 1 and isinstance(turn.parts[0], Words):
        return turn.parts[0].text
    return [block for part in turn.parts for block in _blocks(part)]


def _blocks(part: Part) -> list[Json]:
    if isinstance(part, Native):
        return [*part.items]
    if isinstance(part, Picture):
        return [{"type": "image", "source": _source(part.url)}]
    if isinstance(part, Call):
        return [{"type": "tool_use", "id": part.id, "name": part.name, "input": part.arguments}]
    if isinstance(part, Result):
        block = {"type": "tool_result", "tool_use_id": part.call, "content": part.text}
        return [block | ({"is_error": True} if part.error else {})]
    assert isinstance(part, Words)
    return [{"type": "text", "text": part.text}]


def _source(url: str) -> Json:
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    head, _, data = url.partition(",")
    return {"type": "base64", "media_type": head.removeprefix("data:").removesuffix(";base64"), "data": data}


def _tool(tool: Tool) -> Json:
    return {"name": tool.name, "description": tool.description, "input_schema": tool.schema}


def _read(message: Any, wire: Wire) -> Got:
    usage = message.usage
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return Got(
        text="".join(block.text for block in message.content if block.type == "text"),
        thoughts="".join(block.thinking for block in message.content if block.type == "thinking"),
        calls=tuple(Call(block.id, block.name, block.input) for block in message.content if block.type == "tool_use"),
        finish=_FINISH[message.stop_reason],
        mark=message.stop_sequence or "",
        spent=Spent(usage.input_tokens + cached + written, usage.output_tokens, cached, written),
        decision=wire.exchanges[-1].fields.get("x-pointsman-decision", ""),
        native=Native(tuple(block.model_dump(exclude_none=True) for block in message.content)),
        wire=wire,
    )
