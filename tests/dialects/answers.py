"""A strict client: what one streamed answer amounts to, where every event must come in its place."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pointsman.names import Dialect
from pointsman.sse import Frame, frames

Json = dict[str, Any]


@dataclass
class Answer:
    """The whole of it: text, reasoning, why it ended, usage (input, output; None: not told), calls by name, its ids."""

    text: str = ""
    thought: str = ""
    stop: str = ""
    usage: tuple[int, int] | None = None
    calls: dict[str, str] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    seals: set[str] = field(default_factory=set)  # signatures of thinking, encrypted reasoning


def read(dialect: Dialect, stream: bytes) -> Answer:
    """What a client has. AssertionError: a strict SDK would stumble over it."""
    return {Dialect.CHAT: read_chat, Dialect.MESSAGES: read_messages, Dialect.RESPONSES: read_responses}[dialect](
        frames(stream)
    )


def read_chat(stream: list[Frame]) -> Answer:
    answer = Answer()
    assert [frame.data == b"[DONE]" for frame in stream].index(True) == len(stream) - 1
    for chunk in (json.loads(frame.data) for frame in stream[:-1]):
        answer.ids.add(f"{chunk['id']} {chunk['created']} {chunk['model']}")
        assert chunk["object"] == "chat.completion.chunk"
        if usage := chunk.get("usage"):
            assert answer.usage is None
            assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
            answer.usage = usage["prompt_tokens"], usage["completion_tokens"]
        for choice in chunk["choices"]:
            assert choice["index"] == 0
            assert not answer.stop
            answer.text += choice["delta"].get("content") or ""
            answer.thought += choice["delta"].get("reasoning") or choice["delta"].get("reasoning_content") or ""
            for call in choice["delta"].get("tool_calls") or ():
                name = call["function"].get("name") or [*answer.calls][call["index"]]
                answer.calls[name] = answer.calls.get(name, "") + call["function"].get("arguments", "")
            answer.stop = choice["finish_reason"] or ""
    assert answer.stop
    return answer


def read_messages(stream: list[Frame]) -> Answer:
    answer, is_open = Answer(), False
    blocks: list[Json] = []
    events = [json.loads(frame.data) for frame in stream]
    assert [event["type"] for event in events] == [frame.event.decode() for frame in stream]
    events = [event for event in events if event["type"] != "ping"]
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    assert events[0]["type"] == "message_start"
    answer.ids.add(events[0]["message"]["id"])
    for event in events[1:-2]:
        if event["type"] == "content_block_start":
            assert not is_open
            assert event["index"] == len(blocks)
            blocks.append(event["content_block"])
            is_open = True
            continue
        assert is_open
        assert event["index"] == len(blocks) - 1
        if event["type"] == "content_block_stop":
            assert blocks[-1]["type"] != "thinking" or "signature" in blocks[-1]
            is_open = False
            continue
        assert event["type"] == "content_block_delta"
        delta, block = event["delta"], blocks[-1]
        if delta["type"] == "text_delta":
            assert block["type"] == "text"
            answer.text += delta["text"]
        elif delta["type"] == "input_json_delta":
            answer.calls[block["name"]] = answer.calls.get(block["name"], "") + delta["partial_json"]
        elif delta["type"] == "thinking_delta":
            assert block["type"] == "thinking"
            answer.thought += delta["thinking"]
        else:
            assert (block["type"], delta["type"]) == ("thinking", "signature_delta")
            assert not block.get("signature")
            block["signature"] = delta["signature"]
            answer.seals.add(delta["signature"])
    assert not is_open
    answer.stop = events[-2]["delta"]["stop_reason"]
    started = events[0]["message"].get("usage", {})
    usage = {**started, **events[-2]["usage"]}
    answer.usage = usage.get("input_tokens", 0), usage["output_tokens"]
    return answer


def read_responses(stream: list[Frame]) -> Answer:
    answer, texts = Answer(), dict[str, str]()
    items: list[Json] = []
    thoughts: dict[Any, str] = {}
    done: list[Json] = []
    events = [json.loads(frame.data) for frame in stream if frame.data != b"[DONE]"]
    numbers = [event["sequence_number"] for event in events if "sequence_number" in event]
    assert numbers in ([], list(range(len(events))))
    assert events[0]["type"] == "response.created"
    assert events[-1]["type"] in {"response.completed", "response.incomplete"}
    for event in events[1:-1]:
        kind = event["type"]
        assert kind not in {"response.created", "response.completed", "response.incomplete"}
        if kind == "response.output_item.added":
            assert event.get("output_index", len(items)) == len(items)
            items.append(event["item"])
        elif kind.startswith("response.reasoning") or _of_reasoning(event):
            _read_reasoning(answer, event, items[-1], thoughts)
        elif kind == "response.content_part.added":
            texts[event["item_id"]] = ""
        elif kind == "response.output_text.delta":
            assert event.get("output_index", len(items) - 1) == len(items) - 1
            assert event["item_id"] == items[-1]["id"]
            texts[event["item_id"]] += event["delta"]
        elif kind in {"response.output_text.done", "response.content_part.done"}:
            assert event.get("part", event)["text"] == texts[event["item_id"]]
        elif kind == "response.function_call_arguments.delta":
            answer.calls[items[-1]["name"]] = answer.calls.get(items[-1]["name"], "") + event["delta"]
        elif kind == "response.output_item.done":
            assert event["item"]["id"] == items[len(done)]["id"]
            done.append(event["item"])
        assert event.get("output_index", len(items) - 1) == len(items) - 1
    whole = events[-1]["response"]
    answer.seals = {item["encrypted_content"] for item in done if item.get("encrypted_content")}
    assert whole["output"] == done
    assert len(done) == len(items)
    said = [part["text"] for item in done if item["type"] == "message" for part in item["content"]]
    assert said == list(texts.values())
    answer.text, answer.stop = "".join(said), whole["status"]
    answer.ids = {event["response"]["id"] for event in events if "response" in event} | set(texts)
    usage = whole.get("usage")
    if usage:
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        answer.usage = usage["input_tokens"], usage["output_tokens"]
    return answer


def _of_reasoning(event: Json) -> bool:
    return str(event.get("part", {}).get("type", "")).startswith(("reasoning", "summary"))


def _read_reasoning(answer: Answer, event: Json, item: Json, thoughts: dict[Any, str]) -> None:
    """Its parts begin, are told and end one after another, within their item. `thoughts`: by item, kind and number."""
    assert item["type"] == "reasoning"
    assert event["item_id"] == item["id"]
    summary = "summary" in event["type"]
    place = (item["id"], summary, event.get("summary_index" if summary else "content_index", 0))
    if event["type"].endswith("added"):
        assert place not in thoughts
        thoughts[place] = ""
    elif event["type"].endswith("delta"):
        thoughts[place] = thoughts.get(place, "") + event["delta"]
        answer.thought += event["delta"]
    else:
        assert event.get("text", event.get("part", {}).get("text")) == thoughts[place]
