"""Streams on the wire, event by event: what an SDK forgives is a breach here. Responses are judged by their schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, get_args

import openresponses_types
from pydantic import BaseModel, TypeAdapter, ValidationError

from matrix.speech import CHAT, RESPONSES
from wall.seen import Frame, frames

Json = Any


def breaches(dialect: str, body: bytes) -> Iterator[str]:
    """Each breach of a dialect's grammar in a streamed answer that ended well."""
    found, rest = frames(body)
    if rest.strip():
        yield f"half an event at the end: {rest[:60]!r}"
    judge = {CHAT: _chat, RESPONSES: _responses}.get(dialect, _messages)
    try:
        yield from judge(found)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        yield f"the stream cannot be read: {type(error).__name__}: {error}"


def _chat(found: list[Frame]) -> Iterator[str]:
    if [frame.data for frame in found].count("[DONE]") != 1 or found[-1].data != "[DONE]":
        yield "not exactly one [DONE] at the end"
    chunks = [json.loads(frame.data) for frame in found if frame.data != "[DONE]"]
    for name in ("id", "model", "created", "object"):
        if len({chunk[name] for chunk in chunks}) != 1:
            yield f"{name} changes in mid-stream"
    if len([chunk for chunk in chunks if chunk.get("usage")]) != 1 or chunks[-1]["choices"]:
        yield "usage is not told once, in the last chunk, whose choices are empty"
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    if [choice["finish_reason"] is not None for choice in choices].index(True) != len(choices) - 1:
        yield "finish_reason is not the last thing said"
    if [bool(choice["delta"].get("role")) for choice in choices] != [True] + [False] * (len(choices) - 1):
        yield "the role is not told once, at first"
    yield from _calls(call for choice in choices for call in choice["delta"].get("tool_calls") or ())


def _calls(calls: Iterable[Json]) -> Iterator[str]:
    named: list[int] = []
    for call in calls:
        if call.get("id"):
            named.append(call["index"])
            if not call["function"]["name"] or call.get("type") != "function":
                yield "a call begins without a name"
        elif call["index"] not in named:
            yield f"a piece of call {call['index']} before its beginning"
    if named != [*range(len(named))]:
        yield f"the calls have the indexes {named}"


def _union() -> TypeAdapter[Any]:
    events = [
        one
        for name, one in vars(openresponses_types).items()
        if name.endswith("StreamingEvent") and isinstance(one, type) and issubclass(one, BaseModel)
    ]
    return TypeAdapter(dict[str, Any]) if not events else TypeAdapter(_either(events))


def _either(events: list[type[BaseModel]]) -> Any:
    joined: Any = events[0]
    for one in events[1:]:
        joined |= one
    return joined


_EVENT: Final = _union()
# The specification named these before OpenAI, whose SDKs know no other names than their own.
_RENAMED: Final = {
    "response.reasoning_text.delta": "response.reasoning.delta",
    "response.reasoning_text.done": "response.reasoning.done",
}
_TERMINAL: Final = {"response.completed", "response.incomplete", "response.failed"}


def _responses(found: list[Frame]) -> Iterator[str]:
    events = [json.loads(frame.data) for frame in found]
    if [frame.event for frame in found] != [event["type"] for event in events]:
        yield "an event's name is not its type"
    if [event["sequence_number"] for event in events] != [*range(len(events))]:
        yield "sequence_number does not count from 0"
    if [event["type"] for event in events[:2]] != ["response.created", "response.in_progress"]:
        yield "does not begin with response.created and response.in_progress"
    if [event["type"] in _TERMINAL for event in events] != [False] * (len(events) - 1) + [True]:
        yield "not exactly one terminal event at the end"
    for event in events:
        yield from _of_schema(event)
    yield from _items(events)


def _of_schema(event: Json) -> Iterator[str]:
    known = {"type": _RENAMED.get(event["type"], event["type"])}
    try:
        _EVENT.validate_python(_without_schema({**event, **known}))
    except ValidationError as error:
        wanted = [one for one in error.errors() if _is_of(one["loc"], known["type"])] or error.errors()
        at = ".".join(str(step) for step in wanted[0]["loc"])
        yield f"{event['type']} is not of the schema: {at}: {wanted[0]['msg']}"


def _without_schema(event: Json) -> Json:
    # The types know no schema in `text.format`: theirs must be null.
    form = ((event.get("response") or {}).get("text") or {}).get("format") or {}
    if "schema" not in form:
        return event
    response = event["response"]
    return {**event, "response": {**response, "text": {**response["text"], "format": {**form, "schema": None}}}}


def _is_of(where: tuple[Any, ...], kind: str) -> bool:
    model = getattr(openresponses_types, str(where[0]), None)
    field = getattr(model, "model_fields", {}).get("type")
    kinds = (
        [member for one in (field.annotation, *get_args(field.annotation)) for member in _values(one)] if field else []
    )
    return kind in kinds


def _values(kind: Any) -> list[str]:
    return [str(one.value) for one in getattr(kind, "__members__", {}).values()]


def _items(events: list[Json]) -> Iterator[str]:
    added: dict[int, str] = {}
    done: dict[int, Json] = {}
    for event in events:
        if event["type"] == "response.output_item.added":
            added[event["output_index"]] = event["item"]["id"]
        elif event["type"] == "response.output_item.done":
            done[event["output_index"]] = event["item"]
        elif "item_id" in event and added.get(event["output_index"]) != event["item_id"]:
            yield f"{event['type']} of an item that was not added"
    output = events[-1]["response"]["output"]
    if [item["id"] for item in output] != [added[at] for at in sorted(added)] or sorted(added) != [*range(len(added))]:
        yield "the final output has other items than the stream"
    if [done.get(at) for at in range(len(output))] != output:
        yield "the final output differs from the items as they were done"


_FITS: Final = {
    "text_delta": "text", "input_json_delta": "tool_use", "thinking_delta": "thinking", "signature_delta": "thinking",
}  # fmt: skip


def _messages(found: list[Frame]) -> Iterator[str]:
    events = [json.loads(frame.data) for frame in found if json.loads(frame.data)["type"] != "ping"]
    kinds = [event["type"] for event in events]
    if [frame.event for frame in found if frame.event != "ping"] != kinds:
        yield "an event's name is not its type"
    if kinds[0] != "message_start" or kinds[-2:] != ["message_delta", "message_stop"]:
        yield f"begins with {kinds[0]}, ends with {kinds[-2:]}"
    if [kinds.count(kind) for kind in ("message_start", "message_delta", "message_stop")] != [1, 1, 1]:
        yield "message_start, message_delta or message_stop more than once"
    if not events[0]["message"]["usage"]["input_tokens"] > 0:
        yield "message_start tells no input_tokens"
    yield from _blocks(events)


def _blocks(events: list[Json]) -> Iterator[str]:
    opened, block, signed = -1, None, False
    for event in events:
        if event["type"] == "content_block_start":
            if block is not None or event["index"] != opened + 1:
                yield f"block {event['index']} opens out of turn"
            opened, block, signed = event["index"], event["content_block"]["type"], False
        elif event["type"] == "content_block_delta":
            kind = event["delta"]["type"]
            if event["index"] != opened or _FITS.get(kind) != block or signed:
                yield f"a {kind} in block {event['index']}, a {block}"
            signed = signed or kind == "signature_delta"
        elif event["type"] == "content_block_stop":
            if event["index"] != opened or block is None:
                yield "a block stops that is not open"
            block = None
