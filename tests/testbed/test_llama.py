"""The real engine on the tiny models: what the other tests count on."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from testbed.llama import LlamaServer
from testbed.tinymodel import LONG, TEXT, TinyModel
from testbed.waiting import until

KEY = "secret"
QUESTION = [{"role": "user", "content": "What is the weather in Paris, and is it going to rain?"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}


def stream_until(server: LlamaServer, lines: list[str], count: int) -> None:
    """Append the stream's lines to `lines`, and kill the server when there are `count`."""
    body = {"model": "tiny", "messages": QUESTION, "stream": True}
    with httpx.stream("POST", f"{server.base_url}/v1/chat/completions", json=body) as response:
        for line in response.iter_lines():
            lines.append(line)
            if len(lines) == count:
                server.kill()


@pytest.fixture(scope="module")
def text() -> Iterator[LlamaServer]:
    with LlamaServer(api_key=KEY) as server:
        yield server


def post(server: LlamaServer, path: str, body: dict[str, Any]) -> httpx.Response:
    headers = {"authorization": f"Bearer {KEY}"}
    response = httpx.post(f"{server.base_url}{path}", json={"model": "tiny"} | body, headers=headers, timeout=60)
    return response.raise_for_status()


def events(response: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]


def test_chat_completions_give_the_sentence(text: LlamaServer) -> None:
    """Whole and streamed, at any temperature."""
    whole = post(text, "/v1/chat/completions", {"messages": QUESTION, "temperature": 2}).json()
    assert whole["choices"][0]["message"]["content"] == TEXT
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["usage"]["completion_tokens"] == 20
    streamed = events(post(text, "/v1/chat/completions", {"messages": QUESTION, "stream": True}))
    assert "".join(e["choices"][0]["delta"].get("content") or "" for e in streamed) == TEXT


def test_responses_give_the_sentence(text: LlamaServer) -> None:
    """Whole and streamed."""
    whole = post(text, "/v1/responses", {"input": "Hello?"}).json()
    assert whole["output"][0]["content"][0]["text"] == TEXT
    streamed = events(post(text, "/v1/responses", {"input": "Hello?", "stream": True}))
    assert "".join(e["delta"] for e in streamed if e["type"] == "response.output_text.delta") == TEXT


def test_messages_give_the_sentence(text: LlamaServer) -> None:
    """Whole and streamed."""
    body = {"messages": QUESTION, "max_tokens": 100}
    whole = post(text, "/v1/messages", body).json()
    assert whole["content"] == [{"type": "text", "text": TEXT}]
    streamed = events(post(text, "/v1/messages", body | {"stream": True}))
    assert "".join(e["delta"]["text"] for e in streamed if e["type"] == "content_block_delta") == TEXT


@pytest.mark.parametrize("said", ["Hello", "Hello from the tiny", "Hello from the tiny test model: 'one two"])
def test_an_open_assistant_message_is_continued_where_it_stops(text: LlamaServer, said: str) -> None:
    """The vocabulary encodes each beginning of the answer to the same tokens that the model makes."""
    messages = [*QUESTION, {"role": "assistant", "content": said}]
    whole = post(text, "/v1/chat/completions", {"messages": messages}).json()
    assert whole["choices"][0]["message"]["content"] == TEXT  # llama-server echoes what was said
    assert whole["usage"]["completion_tokens"] < 20


def test_the_key_is_asked_for(text: LlamaServer) -> None:
    """Inference without the key is 401; /health and the list of models stay open."""
    assert httpx.post(f"{text.base_url}/v1/chat/completions", json={"messages": QUESTION}).status_code == 401
    assert httpx.get(f"{text.base_url}/v1/models").json()["data"][0]["id"] == "tiny"
    assert text.healthy()


def test_a_tool_is_called_with_arguments_that_stream_in_pieces() -> None:
    """All three dialects see one call of get_weather."""
    with LlamaServer(TinyModel("tool")) as server:
        body = {"messages": QUESTION, "tools": [TOOL]}
        streamed = events(post(server, "/v1/chat/completions", body | {"stream": True}))
        calls = [c for e in streamed for c in e["choices"][0]["delta"].get("tool_calls", [])]
        assert len(calls) > 3
        assert json.loads("".join(c["function"]["arguments"] for c in calls)) == {"city": "Paris"}
        flat = {"type": "function", "name": "get_weather", "parameters": SCHEMA}
        [call] = post(server, "/v1/responses", {"input": "Hello?", "tools": [flat]}).json()["output"]
        assert (call["name"], json.loads(call["arguments"])) == ("get_weather", {"city": "Paris"})
        tools = [{"name": "get_weather", "input_schema": SCHEMA}]
        message = post(server, "/v1/messages", {"messages": QUESTION, "max_tokens": 100, "tools": tools}).json()
        assert message["content"][0]["input"] == {"city": "Paris"}


def test_a_loop_ends_only_at_the_limit() -> None:
    """For tests of length, overload and cancelling."""
    with LlamaServer(TinyModel("loop")) as server:
        choice = post(server, "/v1/chat/completions", {"messages": QUESTION, "max_tokens": 30}).json()["choices"][0]
        assert choice["finish_reason"] == "length"


def test_a_long_answer_can_be_cut_in_the_middle_and_is_whole_after_a_restart() -> None:
    """SIGKILL breaks the stream well before its end; the same port then serves all of it."""
    with LlamaServer(TinyModel("long")) as server:
        lines: list[str] = []
        with pytest.raises(httpx.HTTPError):
            stream_until(server, lines, 20)
        assert 20 <= len(lines) < 2000
        assert not server.healthy()
        server.restart()
        whole = post(server, "/v1/chat/completions", {"messages": QUESTION}).json()
        assert whole["choices"][0]["message"]["content"] == LONG


def test_a_frozen_server_takes_connections_and_says_nothing() -> None:
    """As an engine that hangs: only a time limit tells; it goes on where it stopped."""
    with LlamaServer() as server:
        server.freeze()
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{server.base_url}/health", timeout=0.2)
        server.thaw()
        until(server.healthy)


def test_a_server_that_cannot_start_says_why() -> None:
    """The error has the process's own last words."""
    with pytest.raises(RuntimeError, match="no-such-option"):
        LlamaServer(arguments=["--no-such-option"]).start()
