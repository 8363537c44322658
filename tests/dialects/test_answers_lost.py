"""What an answer loses on its way into another dialect is never told as if it were whole."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.dialects.responses import codec as responses
from pointsman.dialects.translation import Crossing
from pointsman.names import Dialect
from pointsman.neutral import Request, StreamError

CUT = '{"x":"lo'


def crossing(home: Dialect, spoken: Dialect = Dialect.CHAT, request: Request | None = None) -> Crossing:
    """The way of an answer to a client."""
    return Crossing(home, spoken, request or Request(home, "m"), "p", 7, 50)


def whole(way: Crossing, body: Any) -> Any:
    """An answer in one piece."""
    return json.loads(way.answer(json.dumps(body).encode()))


def stream(way: Crossing, *events: Any) -> list[Any]:
    """One in many."""
    run = b"".join(b"data: %b\n\n" % (e if isinstance(e, bytes) else json.dumps(e).encode()) for e in events)
    out = way.translator().feed(run).decode()
    return [json.loads(line.removeprefix("data: ")) for line in out.splitlines() if line.startswith("data: {")]


def chat(message: dict[str, Any], finish: str = "stop") -> dict[str, Any]:
    """A whole answer of chat."""
    return {"id": "chatcmpl-1", "created": 1, "model": "m", "choices": [{"message": message, "finish_reason": finish}]}


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    """A chunk of one."""
    return {"id": "chatcmpl-1", "created": 1, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(arguments: str, name: str = "f") -> dict[str, Any]:
    """What calls a function."""
    return {"tool_calls": [{"index": 0, "id": "a", "function": {"name": name, "arguments": arguments}}]}


def test_messages_leave_out_a_call_that_was_cut() -> None:
    """Its input is an object: half of one cannot be said."""
    message = {"content": "Look", **call(CUT)}
    told = whole(crossing(Dialect.MESSAGES), chat(message, "length"))
    assert ([block["type"] for block in told["content"]], told["stop_reason"]) == (["text"], "max_tokens")
    events = stream(crossing(Dialect.MESSAGES), chunk(message), chunk({}, "length"), b"[DONE]")
    assert "tool_use" not in json.dumps(events)
    assert events[-2]["delta"]["stop_reason"] == "max_tokens"


def test_responses_say_that_a_call_was_cut() -> None:
    """The item is incomplete, and its arguments are not told as done."""
    [item] = whole(crossing(Dialect.RESPONSES), chat(call(CUT), "length"))["output"]
    assert (item["status"], item["arguments"]) == ("incomplete", CUT)
    events = stream(crossing(Dialect.RESPONSES), chunk(call(CUT)), chunk({}, "length"), b"[DONE]")
    kinds = [event["type"] for event in events]
    assert kinds[-1] == "response.incomplete"
    assert "response.function_call_arguments.done" not in kinds
    [done] = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert (done["status"], done["arguments"]) == ("incomplete", CUT)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [('{"input":"*** Be', "*** Be"), ('{"input": "a\\n\\', "a\n"), ('{"input":"\\ud83d', ""), ('{"inp', "")],
)
def test_a_custom_tool_is_never_told_the_wrapper(arguments: str, text: str) -> None:
    """Of a call that was cut, its text as far as it goes."""
    tools = json.dumps([{"type": "custom", "name": "patch"}]).encode()
    fields = {"model": msgspec.Raw(b'"m"'), "input": msgspec.Raw(b'"x"'), "tools": msgspec.Raw(tools)}
    request = responses.read_request(fields)
    way = crossing(Dialect.RESPONSES, request=request)
    [item] = whole(way, chat(call(arguments, "patch"), "length"))["output"]
    assert (item["type"], item["status"], item["input"]) == ("custom_tool_call", "incomplete", text)
    events = stream(way, chunk(call(arguments, "patch")), chunk({}, "length"), b"[DONE]")
    assert events[-1]["response"]["output"][0]["input"] == text
    assert '{\\"inp' not in json.dumps(events)


@pytest.mark.parametrize("home", [Dialect.RESPONSES, Dialect.MESSAGES])
@pytest.mark.parametrize("field", ["images", "audio"])
def test_an_answer_of_nothing_else_is_none(home: Dialect, field: str) -> None:
    """So that another target is asked; beside words it is left out."""
    shown: Any = [{"type": "image_url", "image_url": {"url": "data:,"}}] if field == "images" else {"data": "AA=="}
    with pytest.raises(ValueError, match="cannot be carried over"):
        whole(crossing(home), chat({"content": None, field: shown}))
    with pytest.raises(StreamError, match="cannot be carried over"):
        stream(crossing(home), chunk({field: shown}), chunk({}, "stop"), b"[DONE]")
    assert "Hi" in json.dumps(whole(crossing(home), chat({"content": "Hi", field: shown})))
    assert "Hi" in json.dumps(stream(crossing(home), chunk({"content": "Hi", field: shown}, "stop"), b"[DONE]"))


@pytest.mark.parametrize("home", [Dialect.CHAT, Dialect.MESSAGES])
def test_an_image_that_was_made_is_none_elsewhere(home: Dialect) -> None:
    """The same of a hosted tool's item."""
    made = {"type": "image_generation_call", "id": "ig", "result": "AA=="}
    with pytest.raises(ValueError, match="image_generation_call"):
        whole(crossing(home, Dialect.RESPONSES), {"id": "r", "status": "completed", "output": [made]})


def test_usage_that_nobody_told_is_not_told() -> None:
    """An estimate of the prompt is only good for the beginning."""
    end = [chunk({"content": "Hi"}, "stop"), b"[DONE]"]
    assert stream(crossing(Dialect.RESPONSES), *end)[-1]["response"]["usage"] is None
    events = stream(crossing(Dialect.MESSAGES), *end)
    assert events[0]["message"]["usage"]["input_tokens"] == 50
    assert events[-2]["usage"] == {"output_tokens": 0}


def test_a_tag_that_only_closes_ends_thoughts() -> None:
    """The template has opened it; one in quotes is spoken of."""
    told = whole(crossing(Dialect.MESSAGES), chat({"content": "abc</think>\n\nans"}))["content"]
    assert [(block["type"], block.get("thinking") or block.get("text")) for block in told] == [
        ("thinking", "abc"), ("text", "ans"),
    ]  # fmt: skip
    [block] = whole(crossing(Dialect.MESSAGES), chat({"content": "The `</think>` tag"}))["content"]
    assert block["text"] == "The `</think>` tag"


HALVES = [b"\\ud83d", b"\\ude00 \\ud83d\\ude01"]
TORN = {
    Dialect.CHAT: [b'{"choices":[{"index":0,"delta":{"content":"%b"}}]}' % half for half in HALVES]
    + [json.dumps(chunk({}, "stop")).encode(), b"[DONE]"],
    Dialect.RESPONSES: [b'{"type":"response.output_text.delta","item_id":"a","delta":"%b"}' % half for half in HALVES]
    + [b'{"type":"response.completed","response":{"status":"completed"}}'],
    Dialect.MESSAGES: [b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}']
    + [b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%b"}}' % half for half in HALVES]
    + [b'{"type":"message_stop"}'],
}


@pytest.mark.parametrize("spoken", list(Dialect))
def test_a_character_torn_in_two_is_one_again(spoken: Dialect) -> None:
    """Half of a pair of surrogates in each event."""
    home = Dialect.CHAT if spoken is Dialect.MESSAGES else Dialect.MESSAGES
    events = stream(crossing(home, spoken), *TORN[spoken])
    texts = [each.get("delta", {}).get("text") or "" for each in events if home is Dialect.MESSAGES]
    texts += [each["choices"][0]["delta"].get("content") or "" for each in events if home is Dialect.CHAT]
    assert "".join(texts) == "😀 😁"
