"""A request as a target of a model with this `compat` is sent it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pointsman.table import Model, Provider

if TYPE_CHECKING:
    from pointsman.dialects import Wire

Json = dict[str, Any]
PLACE = Provider(name="p", type="OpenAICompatible", base_url="http://x", api=("openai-completions",))
VENDOR = Provider(name="v", type="OpenAI", base_url="http://x", api=("openai-completions",), native=True)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def fitted(
    wire: Wire, compat: Json, fields: Json, place: Provider = PLACE, *, reasoning: bool = False
) -> tuple[Json, tuple[str, ...]]:
    """What is sent but for the model's name, and what is named as left out."""
    head = wire.read_head(json.dumps({"model": "asked", **fields}).encode())
    body, dropped = wire.with_model(head.fields, Model(id="m", compat=compat, reasoning=reasoning), place)
    sent = json.loads(body)
    assert sent.pop("model") == "m"
    return sent, dropped


def called(identifier: str = "c1", name: str = "look") -> Json:
    """A turn of chat's that calls a tool."""
    call = {"id": identifier, "type": "function", "function": {"name": name, "arguments": "{}"}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def tool(**more: Any) -> Json:
    """A tool as chat defines it."""
    return {"type": "function", "function": {"name": "look", "parameters": SCHEMA, **more}}
