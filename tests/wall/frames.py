"""Answers on the wire, as vendors send them: the events of a stream, and the documents of whole answers.

An event is (mark, name, data). Marks: "before" the first output, "text" and "args" for output, "between" for what opens
or closes items, "after" for what follows the last output, "last" for the terminal event.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from wall.answers import ARGUMENT_PIECES, TOOL, Answer

Json = dict[str, Any]
CHAT: Final = "chat"
RESPONSES: Final = "responses"
MESSAGES: Final = "messages"
PATHS: Final = {CHAT: "/chat/completions", RESPONSES: "/responses", MESSAGES: "/messages"}
DONE: Final = "[DONE]"
CALL: Final = "call_7f3"


class Event(NamedTuple):
    mark: str
    data: Json | str
    name: str = ""


def events(dialect: str, answer: Answer, ident: str, *, usage: bool) -> list[Event]:
    """The stream of an answer; `ident` makes its ids unlike those of others. `usage`: chat was asked to tell it."""
    if dialect == CHAT:
        return _chat(answer, ident, usage=usage)
    return _responses(answer, ident) if dialect == RESPONSES else _messages(answer, ident)


def whole(dialect: str, answer: Answer, ident: str) -> Json:
    """The document of an answer that is not streamed."""
    if dialect == CHAT:
        return _completion(answer, ident)
    return _response(answer, ident, "completed") if dialect == RESPONSES else _message(answer, ident)


def error(dialect: str, status: int, message: str, code: str) -> Json:
    """The document of a refusal."""
    if dialect == MESSAGES:
        return {
            "type": "error",
            "error": {"type": _ANTHROPIC.get(status, "api_error"), "message": f"{message} ({code})"},
        }
    kind = "invalid_request_error" if status < 429 else "server_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def stream_error(dialect: str, ident: str, *, first: bool) -> Event:
    """An error inside a stream. In Responses there are two kinds: the first event may be a bare error."""
    if dialect == CHAT:
        return Event("error", {"error": {"message": "overloaded", "type": "server_error", "code": "overloaded"}})
    if dialect == MESSAGES:
        inner = {"type": "overloaded_error", "message": "Overloaded"}
        return Event("error", {"type": "error", "error": inner}, "error")
    if first:
        data = {"type": "error", "code": "server_error", "message": "overloaded", "param": None, "sequence_number": 0}
        return Event("error", data, "error")
    response = _response(Answer("", ()), ident, "failed")
    response |= {"error": {"code": "server_error", "message": "overloaded"}, "output": []}
    return Event("error", {"type": "response.failed", "response": response, "sequence_number": 99}, "response.failed")


_ANTHROPIC: Final = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error",
}  # fmt: skip


# Chat completions


def _chat(answer: Answer, ident: str, *, usage: bool) -> list[Event]:
    shell: Json = {"id": f"chatcmpl-{ident}", "object": "chat.completion.chunk", "created": 1_790_000_000}
    shell |= {"model": answer.model, "system_fingerprint": None}

    def chunk(delta: Json, finish: str | None = None) -> Json:
        return {**shell, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    made = [Event("before", chunk({"role": "assistant", "content": ""}))]
    made += [Event("text", chunk({"content": word})) for word in answer.words]
    if answer.call:
        head = {"index": 0, "id": CALL, "type": "function", "function": {"name": TOOL, "arguments": ""}}
        made.append(Event("between", chunk({"tool_calls": [head]})))
        parts = [{"index": 0, "function": {"arguments": piece}} for piece in ARGUMENT_PIECES]
        made += [Event("args", chunk({"tool_calls": [part]})) for part in parts]
    made.append(Event("after", chunk({}, "tool_calls" if answer.call else "stop")))
    if usage:
        made.append(Event("after", {**shell, "choices": [], "usage": _chat_usage(answer)}))
    return [*made, Event("last", DONE)]


def _chat_usage(answer: Answer) -> Json:
    spent = answer.tokens
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": spent,
        "total_tokens": answer.prompt_tokens + spent,
    }


def _completion(answer: Answer, ident: str) -> Json:
    message: Json = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.call:
        function = {"name": TOOL, "arguments": "".join(ARGUMENT_PIECES)}
        message["tool_calls"] = [{"id": CALL, "type": "function", "function": function}]
    finish = "tool_calls" if answer.call else "stop"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    shell = {"id": f"chatcmpl-{ident}", "object": "chat.completion", "created": 1_790_000_000, "model": answer.model}
    return {**shell, "choices": [choice], "usage": _chat_usage(answer)}


# Responses


def _response(answer: Answer, ident: str, status: str) -> Json:
    done = status == "completed"
    spent = answer.tokens
    usage = {
        "input_tokens": answer.prompt_tokens, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": spent,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": answer.prompt_tokens + spent,
    }  # fmt: skip
    return {
        "id": f"resp_{ident}", "object": "response", "created_at": 1_790_000_000, "status": status,
        "model": answer.model, "output": _items(answer, ident) if done else [], "error": None,
        "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True,
        "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0, "usage": usage if done else None,
    }  # fmt: skip


def _items(answer: Answer, ident: str) -> list[Json]:
    items: list[Json] = []
    if answer.words or not answer.call:
        part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        content = [part] if answer.words else []
        items.append(
            {"id": f"msg_{ident}", "type": "message", "role": "assistant", "status": "completed", "content": content}
        )
    if answer.call:
        call = {"id": f"fc_{ident}", "type": "function_call", "call_id": CALL, "name": TOOL, "status": "completed"}
        items.append({**call, "arguments": "".join(ARGUMENT_PIECES)})
    return items


def _responses(answer: Answer, ident: str) -> list[Event]:
    started = _response(answer, ident, "in_progress")
    made: list[tuple[str, Json]] = [
        ("before", {"type": "response.created", "response": started}),
        ("before", {"type": "response.in_progress", "response": started}),
    ]
    for index, item in enumerate(_items(answer, ident)):
        of_item = _message_events if item["type"] == "message" else _call_events
        made += of_item(answer, item, index, "before" if index == 0 else "between")
        made.append(("after", {"type": "response.output_item.done", "output_index": index, "item": item}))
    made.append(("last", {"type": "response.completed", "response": _response(answer, ident, "completed")}))
    return [Event(mark, {**data, "sequence_number": at}, data["type"]) for at, (mark, data) in enumerate(made)]


def _message_events(answer: Answer, item: Json, index: int, mark: str) -> list[tuple[str, Json]]:
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    opened = {**item, "status": "in_progress", "content": []}
    made: list[tuple[str, Json]] = [
        (mark, {"type": "response.output_item.added", "output_index": index, "item": opened}),
        (mark, {"type": "response.content_part.added", **place, "part": empty}),
    ]
    delta = {"type": "response.output_text.delta", **place, "logprobs": []}
    made += [("text", {**delta, "delta": word}) for word in answer.words]
    if answer.words:
        made.append(("after", {"type": "response.output_text.done", **place, "text": answer.text, "logprobs": []}))
        made.append(("after", {"type": "response.content_part.done", **place, "part": item["content"][0]}))
    return made


def _call_events(_answer: Answer, item: Json, index: int, mark: str) -> list[tuple[str, Json]]:
    place = {"item_id": item["id"], "output_index": index}
    opened = {**item, "status": "in_progress", "arguments": ""}
    made: list[tuple[str, Json]] = [
        (mark, {"type": "response.output_item.added", "output_index": index, "item": opened})
    ]
    delta = {"type": "response.function_call_arguments.delta", **place}
    made += [("args", {**delta, "delta": piece}) for piece in ARGUMENT_PIECES]
    done = {"type": "response.function_call_arguments.done", **place, "name": TOOL, "arguments": item["arguments"]}
    return [*made, ("after", done)]


# Messages


def _message(answer: Answer, ident: str) -> Json:
    content: list[Json] = [{"type": "text", "text": answer.text}] if answer.words else []
    if answer.call:
        content.append({"type": "tool_use", "id": CALL, "name": TOOL, "input": json.loads("".join(ARGUMENT_PIECES))})
    usage = {"input_tokens": answer.prompt_tokens, "output_tokens": answer.tokens}
    shell = {"id": f"msg_{ident}", "type": "message", "role": "assistant", "model": answer.model, "content": content}
    stop = "tool_use" if answer.call else "end_turn"
    return {**shell, "stop_reason": stop, "stop_sequence": None, "usage": usage}


def _messages(answer: Answer, ident: str) -> list[Event]:
    start = _message(Answer(answer.model, (), prompt_tokens=answer.prompt_tokens), ident) | {"stop_reason": None}
    start["usage"] = {**start["usage"], "output_tokens": 1}
    made: list[tuple[str, Json]] = [("before", {"type": "message_start", "message": start})]
    index = 0
    if answer.words or not answer.call:
        opened: Json = {"type": "text", "text": ""}
        made.append(("before", {"type": "content_block_start", "index": 0, "content_block": opened}))
        made.append(("before", {"type": "ping"}))
        deltas: list[Json] = [{"type": "text_delta", "text": word} for word in answer.words]
        made += [("text", {"type": "content_block_delta", "index": 0, "delta": delta}) for delta in deltas]
        made.append(("after", {"type": "content_block_stop", "index": 0}))
        index = 1
    if answer.call:
        mark = "between" if index else "before"
        opened = {"type": "tool_use", "id": CALL, "name": TOOL, "input": {}}
        made.append((mark, {"type": "content_block_start", "index": index, "content_block": opened}))
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *ARGUMENT_PIECES)]
        made += [("args", {"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas]
        made.append(("after", {"type": "content_block_stop", "index": index}))
    stop = {"stop_reason": "tool_use" if answer.call else "end_turn", "stop_sequence": None}
    made.append(("after", {"type": "message_delta", "delta": stop, "usage": {"output_tokens": answer.tokens}}))
    made.append(("last", {"type": "message_stop"}))
    return [Event(mark, data, data["type"]) for mark, data in made]
