"""How a backend answers that speaks Anthropic's Messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from matrix.pieces import cut, pieces
from matrix.speech import Call, Fault, Part, Refused, Say, Thought, Words

Json = Any
Events = Iterator[tuple[str, Json]]
_STOP: Final = {
    "stop": "end_turn", "mark": "stop_sequence", "length": "max_tokens", "tools": "tool_use", "filter": "refusal",
}  # fmt: skip


def whole(say: Say, model: str, ident: str) -> Json:
    """An answer that is not streamed."""
    return {**_shell(say, model, ident), "content": [_block(part) for part in say.parts]}


def _shell(say: Say, model: str, ident: str) -> Json:
    return {
        "id": f"msg_{ident}", "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": _STOP[say.finish], "stop_sequence": say.mark or None, "usage": _usage(say),
    }  # fmt: skip


def _usage(say: Say) -> Json:
    spent = say.spent
    return {
        "input_tokens": spent.input - spent.cached - spent.written, "cache_read_input_tokens": spent.cached,
        "cache_creation_input_tokens": spent.written, "output_tokens": spent.output, "service_tier": "standard",
    }  # fmt: skip


def _block(part: Part) -> Json:
    if isinstance(part, Thought):
        if not part.text:
            return {"type": "redacted_thinking", "data": part.seal}
        return {"type": "thinking", "thinking": part.text, "signature": part.seal}
    if isinstance(part, Call):
        return {"type": "tool_use", "id": part.id, "name": part.name, "input": part.arguments}
    assert isinstance(part, Words | Refused)
    return {"type": "text", "text": part.text}


def events(say: Say, model: str, ident: str, *, until: int = -1) -> Events:
    """A streamed one. `until`: only so many words of it."""
    spoken = 0
    for name, data in _events(say, model, ident):
        if until >= 0 and spoken >= until:
            return
        yield name, {"type": name, **data}
        spoken += data.get("delta", {}).get("type") == "text_delta"


def _events(say: Say, model: str, ident: str) -> Events:
    start = {**_shell(say, model, ident), "stop_reason": None, "stop_sequence": None}
    yield "message_start", {"message": {**start, "usage": {**_usage(say), "output_tokens": 1}}}
    for at, part in enumerate(say.parts):
        block = _block(part)
        empty: Json = {"text": "", "thinking": "", "signature": "", "input": {}}
        opened = {**block, **{name: value for name, value in empty.items() if name in block}}
        yield "content_block_start", {"index": at, "content_block": opened}
        if at == 0:
            yield "ping", {}
        for delta in _deltas(part):
            yield "content_block_delta", {"index": at, "delta": delta}
        yield "content_block_stop", {"index": at}
    stop = {"stop_reason": _STOP[say.finish], "stop_sequence": say.mark or None}
    usage = {name: count for name, count in _usage(say).items() if name != "service_tier"}
    yield "message_delta", {"delta": stop, "usage": usage}
    yield "message_stop", {}


def _deltas(part: Part) -> Iterator[Json]:
    if isinstance(part, Call):
        yield {"type": "input_json_delta", "partial_json": ""}
        # No arguments at all are no more than that.
        for piece in cut(json.dumps(part.arguments)) if part.arguments else ():
            yield {"type": "input_json_delta", "partial_json": piece}
    elif isinstance(part, Thought) and part.text:
        for piece in pieces(part.text):
            yield {"type": "thinking_delta", "thinking": piece}
        yield {"type": "signature_delta", "signature": part.seal}
    elif isinstance(part, Words | Refused):
        for piece in pieces(part.text):
            yield {"type": "text_delta", "text": piece}


_KINDS: Final = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    429: "rate_limit_error", 529: "overloaded_error",
}  # fmt: skip


def fault(fault: Fault) -> Json:
    """The document of a refusal."""
    error = {"type": _KINDS.get(fault.status, "api_error"), "message": fault.message}
    return {"type": "error", "error": error, "request_id": "req_1"}


def late(fault: Fault, _model: str, _ident: str) -> tuple[str, Json]:
    """An error inside a stream."""
    return "error", {"type": "error", "error": {"type": "overloaded_error", "message": fault.message}}
