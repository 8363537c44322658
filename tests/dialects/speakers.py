"""Streams that say given pieces of text, as strict servers do, under ids of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pointsman import dialects
from pointsman.dialects.told import Told
from pointsman.names import Dialect
from pointsman.sse import Frame, frames

Json = dict[str, Any]
CALL = ("look", '{"at":1}')
PROMPT = 30  # tokens


def speak(
    dialect: Dialect,
    pieces: Sequence[str],
    name: str,
    *,
    thought: Sequence[str] = (),
    call: bool = False,
    why: str = "",
) -> bytes:
    """A whole stream. `why`: how it ends, in the dialect's word; "": as answers do."""
    speaker = {Dialect.CHAT: chat, Dialect.MESSAGES: messages, Dialect.RESPONSES: responses}[dialect]
    return speaker(pieces, name, thought, call, why)


def chat(pieces: Sequence[str], name: str, thought: Sequence[str], call: bool, why: str) -> bytes:
    base = {"id": f"chatcmpl-{name}", "created": len(name), "model": name, "object": "chat.completion.chunk"}
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning": piece} for piece in thought] + [{"content": piece} for piece in pieces]
    if call:
        function = {"name": CALL[0], "arguments": CALL[1]}
        deltas.append({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]})
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    finish = why or ("tool_calls" if call else "stop")
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    said = len(pieces) + len(thought)
    usage = {"prompt_tokens": PROMPT, "completion_tokens": said, "total_tokens": PROMPT + said}
    chunks.append({**base, "choices": [], "usage": usage})
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def messages(pieces: Sequence[str], name: str, thought: Sequence[str], call: bool, why: str) -> bytes:
    start = {"id": f"msg_{name}", "content": [], "usage": {"input_tokens": PROMPT, "output_tokens": 0}}
    events: list[Json] = [{"type": "message_start", "message": start}, {"type": "ping"}]
    blocks: list[tuple[Json, list[Json]]] = []
    if thought:
        thinking: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in thought]
        thinking.append({"type": "signature_delta", "signature": name})
        blocks.append(({"type": "thinking", "thinking": ""}, thinking))
    if pieces or not call:
        blocks.append(({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]))
    if call:
        block = {"type": "tool_use", "id": "toolu_1", "name": CALL[0], "input": {}}
        blocks.append((block, [{"type": "input_json_delta", "partial_json": CALL[1]}]))
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    stop = why or ("tool_use" if call else "end_turn")
    usage = {"output_tokens": len(pieces) + len(thought)}
    events += [{"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage}]
    return named([*events, {"type": "message_stop"}])


def responses(pieces: Sequence[str], name: str, thought: Sequence[str], call: bool, why: str) -> bytes:
    whole: Json = {"id": f"resp_{name}", "object": "response", "model": name, "created_at": 1, "status": "in_progress"}
    events: list[Json] = [{"type": "response.created", "response": whole}]
    events.append({"type": "response.in_progress", "response": whole})
    output: list[Json] = []
    if thought:
        item: Json = {"type": "reasoning", "id": f"rs_{name}", "summary": []}
        place = {"output_index": 0, "item_id": item["id"], "content_index": 0}
        events.append({"type": "response.output_item.added", "output_index": 0, "item": item})
        events += [{"type": "response.reasoning_text.delta", **place, "delta": piece} for piece in thought]
        events.append({"type": "response.reasoning_text.done", **place, "text": "".join(thought)})
        events.append({"type": "response.output_item.done", "output_index": 0, "item": item})
        output.append(item)
    if pieces or not call:
        events += _message(pieces, name, len(output))
        output.append(events[-1]["item"])
    if call:
        item = {"type": "function_call", "id": f"fc_{name}", "call_id": "call_1", "name": CALL[0], "arguments": ""}
        at = {"output_index": len(output)}
        done = {**item, "arguments": CALL[1]}
        events.append({"type": "response.output_item.added", **at, "item": item})
        delta = {"item_id": item["id"], "delta": CALL[1]}
        events.append({"type": "response.function_call_arguments.delta", **at, **delta})
        events.append({"type": "response.output_item.done", **at, "item": done})
        output.append(done)
    said = len(pieces) + len(thought)
    usage = {"input_tokens": PROMPT, "output_tokens": said, "total_tokens": PROMPT + said}
    answer: Json = {**whole, "status": "completed", "output": output, "usage": usage}
    if why:
        answer |= {"status": "incomplete", "incomplete_details": {"reason": why}}
    events.append({"type": f"response.{answer['status']}", "response": answer})
    return named([{**event, "sequence_number": i} for i, event in enumerate(events)])


def _message(pieces: Sequence[str], name: str, index: int) -> list[Json]:
    item: Json = {"type": "message", "id": f"msg_{name}", "role": "assistant", "status": "in_progress", "content": []}
    at, place = {"output_index": index}, {"output_index": index, "item_id": item["id"], "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    full = {**part, "text": "".join(pieces)}
    return [
        {"type": "response.output_item.added", **at, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": piece} for piece in pieces),
        {"type": "response.output_text.done", **place, "text": full["text"]},
        {"type": "response.content_part.done", **place, "part": full},
        {"type": "response.output_item.done", **at, "item": {**item, "status": "completed", "content": [full]}},
    ]


def named(events: Sequence[Json]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events)


def told_of(dialect: Dialect, sent: Sequence[Frame]) -> Told:
    """What a client was told by these frames."""
    told = Told(dialects.ALL[dialect])
    for frame in sent:
        told.add(frame.raw)
    return told


def cut_after(dialect: Dialect, stream: bytes, pieces: int) -> list[Frame]:
    """The frames up to and with that many pieces of text, reasoning among them."""
    told, sent = Told(dialects.ALL[dialect]), []
    for frame in frames(stream):
        sent.append(frame)
        told.add(frame.raw)
        told.fold()
        if told.count() == pieces:
            return sent
    raise AssertionError("the answer is shorter")
