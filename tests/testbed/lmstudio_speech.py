"""What the stand-in for LM Studio says: its lists of models, its errors, and one answer in the three dialects."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from testbed.lmstudio import Downloaded, Instance

Json = dict[str, Any]
_COUNTER = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, whole and as events."""

    ident: str
    whole: Json
    events: Sequence[tuple[str, str]]


def refusal(code: str, message: str, param: str | None = None) -> Json:
    """An error as OpenAI has it. What is said of models has no code there, but a type."""
    return {"error": {"message": message, "type": code, "param": param, "code": None}}


def listed(name: str) -> Json:
    return {"id": name, "object": "model", "owned_by": "organization_owner"}


def old(name: str, of: Downloaded, loaded: Instance | None) -> Json:
    """An entry of /api/v0/models."""
    kind = "embeddings" if of.kind == "embedding" else "vlm" if of.vision else "llm"
    told: Json = {
        "id": name,
        "object": "model",
        "type": kind,
        "publisher": "tests",
        "arch": "llama",
        "quantization": "F32",
    }
    told |= {"compatibility_type": "gguf", "state": "loaded" if loaded else "not-loaded"}
    told |= {"max_context_length": of.longest}
    return told | ({"loaded_context_length": loaded.window} if loaded else {})


def new(name: str, of: Downloaded, loaded: Instance | None) -> Json:
    """An entry of /api/v1/models."""
    told: Json = {"type": of.kind, "publisher": "tests", "key": name, "display_name": name.title()}
    told |= {"quantization": {"name": "F32", "bits_per_weight": 32}, "size_bytes": 1_720_422, "params_string": "1M"}
    config = {"context_length": loaded.window, "eval_batch_size": 512, "parallel": 4} if loaded else {}
    told |= {"loaded_instances": [{"id": name, "config": config}] if loaded else []}
    told |= {"max_context_length": of.longest, "format": "gguf"}
    if of.kind == "llm":
        abilities = {"vision": of.vision, "trained_for_tool_use": of.tools}
        told |= {"architecture": "llama", "capabilities": abilities, "description": None}
    return told


def turns(body: Json) -> list[Json]:
    """The turns of a request of any dialect."""
    said = body.get("messages") or body.get("input") or []
    return [{"role": "user", "content": said}] if isinstance(said, str) else list(said)


def tokens(of: Sequence[Json]) -> int:
    """A rough count of what was read."""
    return len(json.dumps(of)) // 4


def chat(model: str, text: str, read: int) -> Told:
    ident, words = f"chatcmpl-{next(_COUNTER)}", text.split(" ")
    usage = {"prompt_tokens": read, "completion_tokens": len(words), "total_tokens": read + len(words)}
    base: Json = {"id": ident, "created": 1, "model": model, "system_fingerprint": model}
    message = {"role": "assistant", "content": text, "tool_calls": []}
    choice = {"index": 0, "logprobs": None, "finish_reason": "stop", "message": message}
    whole = base | {"object": "chat.completion", "choices": [choice], "usage": usage, "stats": {}}
    deltas: list[tuple[Json, str | None]] = [
        ({"role": "assistant", "content": piece}, None) for piece in pieces(text)
    ] + [({}, "stop")]
    chunks = [
        base | {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in deltas
    ]
    return Told(ident, whole, [*(("", json.dumps(chunk)) for chunk in chunks), ("", "[DONE]")])


def responses(model: str, text: str, read: int) -> Told:
    ident, item = f"resp_{next(_COUNTER)}", f"msg_{next(_COUNTER)}"
    part: Json = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message: Json = {"id": item, "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    count = len(text.split(" "))
    usage = {"input_tokens": read, "output_tokens": count, "total_tokens": read + count}
    usage_details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    begun: Json = {"id": ident, "object": "response", "created_at": 1, "model": model, "output": [], "tools": []}
    begun |= {"status": "in_progress", "parallel_tool_calls": True, "tool_choice": "auto"}
    whole = begun | {"status": "completed", "output": [message], "usage": usage | usage_details}
    at = {"output_index": 0, "item_id": item, "content_index": 0}
    events: list[Json] = [{"type": "response.created", "response": begun}]
    started = message | {"content": [], "status": "in_progress"}
    events += [{"type": "response.output_item.added", "output_index": 0, "item": started}]
    events += [{"type": "response.content_part.added", **at, "part": part | {"text": ""}}]
    events += [{"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []} for piece in pieces(text)]
    events += [{"type": "response.output_text.done", **at, "text": text, "logprobs": []}]
    events += [{"type": "response.content_part.done", **at, "part": part}]
    events += [{"type": "response.output_item.done", "output_index": 0, "item": message}]
    events += [{"type": "response.completed", "response": whole}]
    numbered = [event | {"sequence_number": number} for number, event in enumerate(events)]
    return Told(ident, whole, [(event["type"], json.dumps(event)) for event in numbered])


def messages(model: str, text: str, read: int) -> Told:
    ident, count = f"msg_{next(_COUNTER)}", len(text.split(" "))
    begun: Json = {"id": ident, "type": "message", "role": "assistant", "model": model, "content": []}
    begun |= {"stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": read, "output_tokens": 0}}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    usage = {"input_tokens": read, "output_tokens": count}
    whole = begun | end | {"content": [{"type": "text", "text": text}], "usage": usage}
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces(text)]
    events: list[Json] = [{"type": "message_start", "message": begun}]
    events += [{"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}]
    events += [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
    events += [{"type": "content_block_stop", "index": 0}, {"type": "message_delta", "delta": end, "usage": usage}]
    events += [{"type": "message_stop"}]
    return Told(ident, whole, [(event["type"], json.dumps(event)) for event in events])


def pieces(text: str) -> list[str]:
    """The text word by word, each with the space before it."""
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]


ALL: Final[Mapping[str, Callable[[str, str, int], Told]]] = {
    "/v1/chat/completions": chat,
    "/v1/responses": responses,
    "/v1/messages": messages,
}
