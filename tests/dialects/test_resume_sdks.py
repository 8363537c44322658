"""The official SDKs read an answer out of two streams as they read any."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import openai
import pytest

from dialects.speakers import CALL, cut_after, speak
from dialects.test_joint import AT, PIECES, WHOLE, join, step_for
from pointsman.names import Dialect, Way
from pointsman.sse import frames

ways = pytest.mark.parametrize("way", list(Way))
calls = pytest.mark.parametrize("call", [False, True], ids=["text", "call"])
TURNS: Any = [{"role": "user", "content": "hi"}]


def served(dialect: Dialect, way: Way, call: bool) -> httpx2.Client:
    """A client whose every request gets the joined answer."""
    call = call and way is not Way.FLAGS
    sent = cut_after(dialect, speak(dialect, PIECES, "first", thought=["Hm"]), AT + 1)
    step = step_for(dialect, way, sent)
    said = [WHOLE[len(step.prefix) :]] if step.prefix else PIECES
    thought = () if step.prefix else ["Hm"]
    again = frames(speak(step.dialect, said, "second", thought=thought, call=call))
    stream = join(dialect, sent, step, again)
    assert isinstance(stream, bytes)
    headers = {"content-type": "text/event-stream"}
    return httpx2.Client(
        transport=httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=stream))
    )


@ways
@calls
def test_chat(way: Way, call: bool) -> None:
    """One completion, put together by the SDK."""
    client = openai.OpenAI(api_key="x", http_client=served(Dialect.CHAT, way, call))
    with client.chat.completions.stream(model="m", messages=TURNS) as stream:
        whole = stream.get_final_completion()
    assert whole.choices[0].message.content == WHOLE
    assert whole.choices[0].finish_reason == ("tool_calls" if call and way is not Way.FLAGS else "stop")
    assert [t.function.name for t in whole.choices[0].message.tool_calls or ()] == [CALL[0]] * (
        call and way is not Way.FLAGS
    )


@ways
@calls
def test_messages(way: Way, call: bool) -> None:
    """One message, put together by the SDK."""
    client = anthropic.Anthropic(api_key="x", http_client=served(Dialect.MESSAGES, way, call))
    with client.messages.stream(model="m", max_tokens=99, messages=TURNS) as stream:
        whole = stream.get_final_message()
    assert [block.type for block in whole.content] == ["thinking", "text", "tool_use"][
        : 2 + (call and way is not Way.FLAGS)
    ]
    assert whole.content[1].text == WHOLE
    assert whole.stop_reason in {"end_turn", "tool_use"}
    assert whole.usage.output_tokens > 0


@ways
@calls
def test_responses(way: Way, call: bool) -> None:
    """One response, put together by the SDK."""
    client = openai.OpenAI(api_key="x", http_client=served(Dialect.RESPONSES, way, call))
    with client.responses.stream(model="m", input="hi") as stream:
        events = list(stream)
        whole = stream.get_final_response()
    assert whole.output_text == WHOLE
    assert [item.type for item in whole.output] == ["reasoning", "message", "function_call"][
        : 2 + (call and way is not Way.FLAGS)
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
