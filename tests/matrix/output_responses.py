"""How a backend answers that speaks Responses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from matrix.pieces import cut, pieces
from matrix.speech import Call, Fault, Part, Refused, Say, Thought, Words

Json = Any
Events = Iterator[tuple[str, Json]]
_REASONS: Final = {"length": "max_output_tokens", "filter": "content_filter"}


def whole(say: Say, model: str, ident: str) -> Json:
    """An answer that is not streamed."""
    status = "incomplete" if say.finish in _REASONS else "completed"
    return _response(say, model, ident, status)


def _response(say: Say, model: str, ident: str, status: str) -> Json:
    done = status in {"completed", "incomplete"}
    spent = say.spent
    usage = {
        "input_tokens": spent.input, "input_tokens_details": {"cached_tokens": spent.cached},
        "output_tokens": spent.output, "output_tokens_details": {"reasoning_tokens": spent.thought},
        "total_tokens": spent.input + spent.output,
    }  # fmt: skip
    reason = {"reason": _REASONS[say.finish]} if status == "incomplete" else None
    return {
        "id": f"resp_{ident}", "object": "response", "created_at": 1_790_000_000, "status": status, "model": model,
        "completed_at": 1_790_000_001 if status == "completed" else None, "background": False, "error": None,
        "incomplete_details": reason, "instructions": None, "max_output_tokens": None, "max_tool_calls": None,
        "output": [_item(part, at, ident) for at, part in enumerate(say.parts)] if done else [],
        "parallel_tool_calls": True, "previous_response_id": None, "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None}, "safety_identifier": None, "service_tier": "default",
        "store": False, "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [],
        "top_p": 1.0, "top_logprobs": 0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "truncation": "disabled",
        "metadata": {}, "usage": usage if done else None,
    }  # fmt: skip


def _item(part: Part, at: int, ident: str) -> Json:
    if isinstance(part, Thought):
        item: Json = {"id": f"rs_{ident}{at}", "type": "reasoning", "summary": []}
        if part.raw:
            item["content"] = [{"type": "reasoning_text", "text": part.text}]
        elif part.text:
            item["summary"] = [{"type": "summary_text", "text": part.text}]
        return item | ({"encrypted_content": part.seal} if part.seal else {})
    if isinstance(part, Call):
        arguments = json.dumps(part.arguments)
        item = {"id": f"fc_{ident}{at}", "type": "function_call", "status": "completed", "call_id": part.id}
        return item | {"name": part.name, "arguments": arguments}
    item = {"id": f"msg_{ident}{at}", "type": "message", "status": "completed", "role": "assistant"}
    return item | {"content": [_content(part)]}


def _content(part: Part) -> Json:
    if isinstance(part, Refused):
        return {"type": "refusal", "refusal": part.text}
    assert isinstance(part, Words)
    return {"type": "output_text", "text": part.text, "annotations": [], "logprobs": []}


def events(say: Say, model: str, ident: str, *, until: int = -1) -> Events:
    """A streamed one. `until`: only so many words of it."""
    spoken = 0
    for number, (name, data) in enumerate(_events(say, model, ident)):
        if until >= 0 and spoken >= until:
            return
        yield name, {"type": name, "sequence_number": number, **data}
        spoken += name == "response.output_text.delta"


def _events(say: Say, model: str, ident: str) -> Events:
    started = {"response": _response(say, model, ident, "in_progress")}
    yield "response.created", started
    yield "response.in_progress", started
    for at, part in enumerate(say.parts):
        item = _item(part, at, ident)
        empty = {"content": [], "arguments": "", "summary": []}
        opened = {**item, **{name: value for name, value in empty.items() if name in item}}
        opened.pop("encrypted_content", None)
        if "status" in item:
            opened["status"] = "in_progress"
        yield "response.output_item.added", {"output_index": at, "item": opened}
        yield from _grown(part, {"item_id": item["id"], "output_index": at})
        yield "response.output_item.done", {"output_index": at, "item": item}
    response = whole(say, model, ident)
    yield f"response.{response['status']}", {"response": response}


def _grown(part: Part, place: Json) -> Events:
    if isinstance(part, Call):
        arguments = json.dumps(part.arguments)
        for piece in cut(arguments):
            yield "response.function_call_arguments.delta", {**place, "delta": piece}
        yield "response.function_call_arguments.done", {**place, "name": part.name, "arguments": arguments}
    elif isinstance(part, Words):
        yield from _worded("output_text", part.text, {**place, "content_index": 0}, _content(part), {"logprobs": []})
    elif isinstance(part, Refused):
        yield from _worded("refusal", part.text, {**place, "content_index": 0}, _content(part), {})
    elif isinstance(part, Thought) and part.raw:
        content = {"type": "reasoning_text", "text": part.text}
        yield from _worded("reasoning_text", part.text, {**place, "content_index": 0}, content, {})
    elif isinstance(part, Thought) and part.text:
        yield from _summed(part.text, {**place, "summary_index": 0})


def _worded(kind: str, text: str, place: Json, content: Json, more: Json) -> Events:
    field = "refusal" if kind == "refusal" else "text"
    yield "response.content_part.added", {**place, "part": {**content, field: ""}}
    for piece in pieces(text):
        yield f"response.{kind}.delta", {**place, "delta": piece, **more}
    yield f"response.{kind}.done", {**place, field: text, **more}
    yield "response.content_part.done", {**place, "part": content}


def _summed(text: str, place: Json) -> Events:
    part = {"type": "summary_text", "text": text}
    yield "response.reasoning_summary_part.added", {**place, "part": {**part, "text": ""}}
    for piece in pieces(text):
        yield "response.reasoning_summary_text.delta", {**place, "delta": piece}
    yield "response.reasoning_summary_text.done", {**place, "text": text}
    yield "response.reasoning_summary_part.done", {**place, "part": part}


def fault(fault: Fault) -> Json:
    """The document of a refusal."""
    kind = {429: "rate_limit_error"}.get(
        fault.status, "invalid_request_error" if fault.status < 500 else "server_error"
    )
    return {"error": {"message": fault.message, "type": kind, "param": None, "code": fault.code}}


def late(fault: Fault, model: str, ident: str) -> tuple[str, Json]:
    """An error inside a stream."""
    response = _response(Say(()), model, ident, "failed") | {"error": {"code": fault.code, "message": fault.message}}
    return "response.failed", {"type": "response.failed", "sequence_number": 99, "response": response}
