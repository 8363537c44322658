"""How servers are asked to count tokens, and what is known of a prompt without them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman import counting
from pointsman.dialects import body as bodies
from pointsman.names import Counting, Dialect
from testbed.llama import LlamaServer

TURNS = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello, what is up? " * 20}]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
REQUESTS: dict[Dialect, dict[str, Any]] = {
    Dialect.CHAT: {"messages": TURNS, "tools": TOOLS, "max_tokens": 1},
    Dialect.RESPONSES: {"input": "Hello, what is up? " * 20, "instructions": "Be kind.", "max_output_tokens": 16},
    Dialect.MESSAGES: {
        "messages": TURNS[1:], "system": [{"type": "text", "text": "Be kind."}], "max_tokens": 1,
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
    },
}  # fmt: skip
PATHS = {
    Dialect.CHAT: "/v1/chat/completions", Dialect.RESPONSES: "/v1/responses", Dialect.MESSAGES: "/v1/messages",
}  # fmt: skip


def read(**fields: Any) -> bodies.Fields:
    return bodies.read_fields(json.dumps(fields).encode())


@pytest.fixture(scope="module")
def llama() -> Iterator[httpx.Client]:
    with LlamaServer() as server, httpx.Client(base_url=server.base_url, trust_env=False, timeout=30) as client:
        yield client


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_real_server_counts_what_it_then_reads(llama: httpx.Client, dialect: Dialect) -> None:
    """The count is the usage's, template and tools included."""
    question = counting.request(Counting.LLAMA_CPP, dialect, read(**REQUESTS[dialect], stream=False), "tiny")
    assert question is not None
    answer = llama.post(question[0], content=question[1])
    usage = llama.post(PATHS[dialect], json={"model": "tiny", **REQUESTS[dialect]}).json()["usage"]
    sent = usage.get("prompt_tokens") or usage["input_tokens"] + usage.get("cache_read_input_tokens", 0)
    assert answer.status_code == 200
    assert counting.read(Counting.LLAMA_CPP, answer.content) == sent > 100


def test_vllm_is_asked_with_the_messages() -> None:
    """/tokenize applies the chat template; it counts for Messages at Anthropic's path."""
    path, body = counting.request(Counting.VLLM, Dialect.CHAT, read(**REQUESTS[Dialect.CHAT]), "m") or ("", b"")
    assert (path, json.loads(body)) == ("/tokenize", {"model": "m", "messages": TURNS, "tools": TOOLS})
    path, body = counting.request(Counting.VLLM, Dialect.MESSAGES, read(**REQUESTS[Dialect.MESSAGES]), "m") or ("", b"")
    assert path == "/v1/messages/count_tokens"
    assert set(json.loads(body)) == {"model", "messages", "system", "tools"}
    path, body = counting.request(Counting.VLLM, Dialect.RESPONSES, read(**REQUESTS[Dialect.RESPONSES]), "m") or (
        "",
        b"",
    )
    assert path == "/tokenize"
    assert "Be kind." in json.loads(body)["prompt"]


@pytest.mark.parametrize(
    ("how", "dialect"),
    [(Counting.NONE, Dialect.CHAT), (Counting.ANTHROPIC, Dialect.CHAT), (Counting.NONE, Dialect.MESSAGES)],
)
def test_who_cannot_count_is_not_asked(how: Counting, dialect: Dialect) -> None:
    """Anthropic counts its own dialect alone."""
    assert counting.request(how, dialect, read(model="m"), "m") is None
    assert counting.request(Counting.ANTHROPIC, Dialect.MESSAGES, read(model="m"), "m") is not None


@pytest.mark.parametrize(
    ("how", "body", "tokens"),
    [
        (Counting.VLLM, b'{"count":7,"max_model_len":8,"tokens":[1,2]}', 7), (Counting.VLLM, b'{"input_tokens":5}', 5),
        (Counting.LLAMA_CPP, b'{"input_tokens":5,"object":"response.input_tokens"}', 5),
        (Counting.ANTHROPIC, b'{"input_tokens":9}', 9), (Counting.ANTHROPIC, b"", 0), (Counting.VLLM, b"<html>", 0),
        (Counting.VLLM, b'{"count":-1}', 0), (Counting.VLLM, b'{"count":"x"}', 0), (Counting.VLLM, b"[]", 0),
        (Counting.LLAMA_CPP, b"{}", 0),
    ],
)  # fmt: skip
def test_reads_the_answer(how: Counting, body: bytes, tokens: int) -> None:
    """What is no count is none."""
    assert counting.read(how, body) == tokens


def test_media_are_no_text() -> None:
    """A picture of a megabyte is not a megabyte of prompt; a text that begins like one is."""
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10_000}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "B" * 10_000}},
        {"type": "text", "text": "data:" + "C" * 500},
    ]
    found = counting.prompt(read(messages=[{"role": "user", "content": parts}]))
    assert (found.turns, found.media) == (1, 2)
    assert found.data > 20_000
    assert found.text.count(b"C") == 500
    assert found.text.startswith(b"look")
    assert b"AAAA" not in found.text
    assert b"BBBB" not in found.text


@pytest.mark.parametrize(
    ("text", "least"),
    [("word " * 100, 100), ("7" * 100, 100), ("中" * 100, 200), ("!?" * 50, 100), ("aGVsbG8gd29y" * 10, 60)],
)  # fmt: skip
def test_no_tokenizer_makes_more(text: str, least: int) -> None:
    """Words, digits, other scripts, signs, random letters: each at its worst."""
    assert counting.most(counting.prompt(read(input=text))) >= least


@given(st.dictionaries(st.sampled_from(["messages", "input", "system", "tools", "instructions"]), st.recursive(
    st.none() | st.booleans() | st.text(max_size=20), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)))  # fmt: skip
def test_no_request_is_too_odd(fields: dict[str, Any]) -> None:
    """Never an error, never a negative count."""
    found = counting.prompt(read(**fields))
    assert counting.most(found) >= 64
    for dialect in Dialect:
        assert counting.request(Counting.VLLM, dialect, read(**fields), "m") is not None
