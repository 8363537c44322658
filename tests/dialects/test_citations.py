"""What an answer's words are taken from, between the dialects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.dialects.translation import Crossing
from pointsman.names import Dialect
from pointsman.neutral import Request

WEB = {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}
CHAT: dict[str, Any] = {
    "id": "chatcmpl-1", "created": 5, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {
        "role": "assistant", "content": "Hello", "annotations": [{"type": "url_citation", "url_citation": WEB}],
    }}],
}  # fmt: skip


def message(text: str, ident: str, annotations: list[Any] | None = None) -> dict[str, Any]:
    """A message item of an answer."""
    part = {"type": "output_text", "text": text, "annotations": annotations or []}
    return {"type": "message", "id": ident, "role": "assistant", "status": "completed", "content": [part]}


def answer(home: Dialect, spoken: Dialect, body: Any) -> Any:
    """A target's whole answer as the client gets it."""
    return json.loads(Crossing(home, spoken, Request(home, "m"), "p", 7).answer(json.dumps(body).encode()))


def streamed(home: Dialect, spoken: Dialect, events: list[Any]) -> list[Any]:
    """The same of a stream."""
    run = b"".join(b"data: %b\n\n" % (e if isinstance(e, bytes) else json.dumps(e).encode()) for e in events)
    out = Crossing(home, spoken, Request(home, "m"), "p", 7).translator().feed(run)
    lines = [line.removeprefix("data: ") for line in out.decode().splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def test_chat_to_responses() -> None:
    """An annotation of the message is one of its text."""
    [item] = answer(Dialect.RESPONSES, Dialect.CHAT, CHAT)["output"]
    assert item["content"][0]["annotations"] == [{"type": "url_citation", **WEB}]


def test_responses_to_chat() -> None:
    """Two messages are two paragraphs, and the places are those in all of the text."""
    cited = {"type": "url_citation", **WEB}
    body = {"id": "resp_1", "status": "completed", "output": [message("One", "a"), message("Two", "b", [cited])]}
    said = answer(Dialect.CHAT, Dialect.RESPONSES, body)["choices"][0]["message"]
    assert said["content"] == "One\n\nTwo"
    assert said["annotations"] == [{"type": "url_citation", "url_citation": {**WEB, "start_index": 5, "end_index": 7}}]


def test_responses_to_chat_streamed() -> None:
    """The same in a stream."""
    cited = {"type": "url_citation", **WEB}
    whole = [message("One", "a"), message("Two", "b", [cited])]
    events: list[Any] = [{"type": "response.created", "response": {"id": "resp_1"}}]
    for i, item in enumerate(whole):
        place = {"item_id": item["id"], "output_index": i}
        text = item["content"][0]["text"]
        events += [
            {"type": "response.output_item.added", "output_index": i, "item": {**item, "content": []}},
            {"type": "response.output_text.delta", **place, "content_index": 0, "delta": text},
            {"type": "response.output_item.done", "output_index": i, "item": item},
        ]
    events.append({"type": "response.completed", "response": {"status": "completed", "output": whole}})
    deltas = [each["choices"][0]["delta"] for each in streamed(Dialect.CHAT, Dialect.RESPONSES, events)]
    assert "".join(delta.get("content") or "" for delta in deltas) == "One\n\nTwo"
    [found] = [delta["annotations"] for delta in deltas if "annotations" in delta]
    assert found == [{"type": "url_citation", "url_citation": {**WEB, "start_index": 5, "end_index": 7}}]


def test_chat_to_responses_streamed() -> None:
    """Each source is an event of its own, and stands in the part when that is done."""
    notes = [{"type": "url_citation", "url_citation": WEB}]
    chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hello"}}]}
    noted = {"id": "c", "choices": [{"index": 0, "delta": {"annotations": notes}, "finish_reason": "stop"}]}
    events = streamed(Dialect.RESPONSES, Dialect.CHAT, [chunk, noted, b"[DONE]"])
    [added] = [each for each in events if each["type"] == "response.output_text.annotation.added"]
    assert added["annotation"] == {"type": "url_citation", **WEB}
    assert events[-1]["response"]["output"][0]["content"][0]["annotations"] == [added["annotation"]]


@pytest.mark.parametrize("home", [Dialect.CHAT, Dialect.RESPONSES])
def test_messages_to_others(home: Dialect) -> None:
    """A block's citation is of all of it."""
    citation = {"type": "web_search_result_location", "url": WEB["url"], "title": "A", "cited_text": "x"}
    body = {"id": "msg_1", "content": [{"type": "text", "text": "Hello", "citations": [citation]}]}
    told = json.dumps(answer(home, Dialect.MESSAGES, body))
    assert '"end_index": 5' in told
    assert WEB["url"] in told
