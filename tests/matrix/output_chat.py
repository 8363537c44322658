"""How a backend answers that speaks chat completions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, Final

from matrix.pieces import cut, pieces
from matrix.speech import Call, Fault, Refused, Say, Thought, Words

Json = Any
_FINISH: Final = {
    "stop": "stop", "mark": "stop", "length": "length", "tools": "tool_calls", "filter": "content_filter",
}  # fmt: skip


def whole(say: Say, model: str, ident: str) -> Json:
    """An answer that is not streamed."""
    message: Json = {"role": "assistant", "content": _text(say) or None, "refusal": None}
    message |= _thoughts(say, index=False)
    message["refusal"] = next((part.text for part in say.parts if isinstance(part, Refused)), None)
    calls = [part for part in say.parts if isinstance(part, Call)]
    if calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for call in calls
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _FINISH[say.finish]}
    shell = {"id": f"chatcmpl-{ident}", "object": "chat.completion", "created": 1_790_000_000, "model": model}
    return {**shell, "choices": [choice], "usage": _usage(say)}


def events(say: Say, model: str, ident: str, *, until: int = -1) -> Iterator[tuple[str, Json]]:
    """A streamed one: no names, the last is [DONE]. `until`: only so many words of it."""
    shell: Json = {"id": f"chatcmpl-{ident}", "object": "chat.completion.chunk", "created": 1_790_000_000}
    shell |= {"model": model, "system_fingerprint": "fp_1"}

    def chunk(delta: Json, finish: str | None = None) -> tuple[str, Json]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return "", {**shell, "choices": [choice], "usage": None}

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    spoken = 0
    for delta in _deltas(say):
        if until >= 0 and spoken >= until:
            return
        yield chunk(delta)
        spoken += "content" in delta
    yield chunk({}, _FINISH[say.finish])
    yield "", {**shell, "choices": [], "usage": _usage(say)}
    yield "", "[DONE]"


def _deltas(say: Say) -> Iterator[Json]:
    thought = _thoughts(say, index=True)
    details = thought.pop("reasoning_details", None)
    for name, text in thought.items():
        yield from ({name: piece} for piece in pieces(text))
    if details:
        yield {"reasoning_details": details}
    yield from ({"content": piece} for piece in pieces(_text(say)))
    for part in say.parts:
        if isinstance(part, Refused):
            yield from ({"refusal": piece} for piece in pieces(part.text))
    calls = list(enumerate(part for part in say.parts if isinstance(part, Call)))
    if say.spelling == "woven":  # the index is there so that calls may grow at the same time
        yield from (_head(at, call) for at, call in calls)
        rows = zip_longest(*(_growth(at, call) for at, call in calls))
        yield from (delta for row in rows for delta in row if delta)
        return
    for at, call in calls:
        yield _head(at, call)
        yield from _growth(at, call)


def _head(at: int, call: Call) -> Json:
    function = {"name": call.name, "arguments": ""}
    return {"tool_calls": [{"index": at, "id": call.id, "type": "function", "function": function}]}


def _growth(at: int, call: Call) -> Iterator[Json]:
    for piece in cut(json.dumps(call.arguments)):
        yield {"tool_calls": [{"index": at, "function": {"arguments": piece}}]}


def _text(say: Say) -> str:
    text = "".join(part.text for part in say.parts if isinstance(part, Words))
    thoughts = "".join(part.text for part in say.parts if isinstance(part, Thought))
    return f"<think>\n{thoughts}\n</think>\n\n{text}" if say.spelling == "think-tags" else text


def _thoughts(say: Say, *, index: bool) -> Json:
    found = [part for part in say.parts if isinstance(part, Thought)]
    text = "".join(part.text for part in found)
    seal = next((part.seal for part in found if part.seal), "")
    if not found or say.spelling == "think-tags":
        return {}
    if seal:  # as OpenRouter has it
        detail = {"type": "reasoning.encrypted", "data": seal, "id": "rs_1", "format": "openai-responses-v1"}
        return {"reasoning": text, "reasoning_details": [detail | ({"index": 0} if index else {})]}
    return {"reasoning" if say.spelling == "reasoning" else "reasoning_content": text}


def _usage(say: Say) -> Json:
    spent = say.spent
    return {
        "prompt_tokens": spent.input, "completion_tokens": spent.output, "total_tokens": spent.input + spent.output,
        "prompt_tokens_details": {"cached_tokens": spent.cached},
        "completion_tokens_details": {"reasoning_tokens": spent.thought},
    }  # fmt: skip


def fault(fault: Fault) -> Json:
    """The document of a refusal."""
    kind = {429: "rate_limit_error"}.get(
        fault.status, "invalid_request_error" if fault.status < 500 else "server_error"
    )
    return {"error": {"message": fault.message, "type": kind, "param": None, "code": fault.code}}


def late(fault: Fault, _model: str, _ident: str) -> tuple[str, Json]:
    """An error inside a stream."""
    return "", {"error": {"message": fault.message, "type": "server_error", "code": fault.code}}
