"""What is said in Messages: requests, answers whole and streamed, and neutral answers of all kinds."""

from __future__ import annotations

import string
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import Raw

from pointsman.exchange import Usage
from pointsman.names import Dialect
from pointsman.neutral import (
    Finish,
    Foreign,
    Part,
    Reasoning,
    Refusal,
    Reply,
    Request,
    Role,
    Seal,
    Text,
    ToolCall,
    Turn,
)
from pointsman.sse import Frame, frames
from pointsman.table import Model, Provider

Json = Any
ANTHROPIC = Provider(name="anthropic", type="Anthropic", base_url="http://a", api=("anthropic-messages",), native=True)
LOCAL = Provider(name="box", type="VLLM", base_url="http://b", api=("anthropic-messages",))
SONNET = Model(id="claude-sonnet-4-5", max_tokens=64000)
NEWEST = Model(id="claude-opus-5-5", max_tokens=128000)
QWEN = Model(id="qwen3", reasoning=True)

WORDS = st.text(min_size=1, max_size=8)
TEXTS = st.text(max_size=8).filter(lambda text: bool(text.strip()))
NAMES = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=8)
SIGNATURES = st.text(string.ascii_letters + string.digits + "+/=", min_size=1, max_size=12)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | WORDS
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2), max_leaves=4
)
OBJECTS = st.dictionaries(WORDS, VALUES, max_size=3)
CACHED: Json = {"cache_control": st.just({"type": "ephemeral"})}


def fixed(required: Json, optional: Json | None = None) -> st.SearchStrategy[Json]:
    """Objects with these members, of which the optional ones may lack; whatever is no strategy stands as it is."""
    plain = {name: st.just(value) for name, value in required.items() if not isinstance(value, st.SearchStrategy)}
    return st.fixed_dictionaries({**required, **plain}, optional=optional or {})


def fields_of(request: Json) -> dict[str, Raw]:
    """A request as its edge reads it."""
    return {name: Raw(msgspec.json.encode(value)) for name, value in request.items()}


# Requests

TEXT = fixed({"type": "text", "text": WORDS}, CACHED)
IMAGE = fixed(
    {
        "type": "image",
        "source": fixed({"type": "base64", "media_type": "image/png", "data": st.just("aGk=")})
        | fixed({"type": "url", "url": st.just("https://x/y.png")})
        | fixed({"type": "file", "file_id": WORDS}),
    },
    CACHED,
)
DOCUMENT = fixed({"type": "document", "source": OBJECTS}, {"title": WORDS})
CALL = fixed({"type": "tool_use", "id": NAMES, "name": NAMES, "input": OBJECTS}, CACHED)
RESULT = fixed(
    {"type": "tool_result", "tool_use_id": NAMES},
    {"content": WORDS | st.lists(TEXT | IMAGE | DOCUMENT, max_size=2), "is_error": st.booleans(), **CACHED},
)
THINKING = fixed({"type": "thinking", "thinking": st.text(max_size=8), "signature": SIGNATURES})
UNSIGNED = fixed({"type": "thinking", "thinking": WORDS})
REDACTED = fixed({"type": "redacted_thinking", "data": SIGNATURES})
SERVED = fixed({"type": "server_tool_use", "id": NAMES, "name": "web_search", "input": OBJECTS})
MESSAGE = (
    fixed({"role": "user", "content": WORDS | st.lists(TEXT | IMAGE | DOCUMENT | RESULT, max_size=3)})
    | fixed(
        {
            "role": "assistant",
            "content": WORDS | st.lists(TEXT | CALL | THINKING | UNSIGNED | REDACTED | SERVED, max_size=3),
        }
    )
    | fixed({"role": "system", "content": WORDS | st.lists(TEXT, min_size=1, max_size=2)})
)
TOOL = fixed(
    {"name": NAMES, "input_schema": OBJECTS},
    {"description": WORDS, "type": st.just("custom"), "strict": st.booleans(), **CACHED},
) | fixed({"type": "web_search_20250305", "name": "web_search"}, {"max_uses": st.integers(1, 9)})
CHOICE = fixed({"type": st.sampled_from(["auto", "any"])}, {"disable_parallel_tool_use": st.booleans()}) | fixed(
    {
        "type": "tool",
        "name": NAMES,
    }
)
THOUGHTS = (
    fixed({"type": "enabled", "budget_tokens": st.integers(1024, 9999)}, {"display": st.just("omitted")})
    | fixed({"type": "adaptive"}, {"display": st.just("summarized")})
    | fixed({"type": st.sampled_from(["disabled", "between_tools", "later"])})
)
REQUESTS = fixed(
    {"model": NAMES, "max_tokens": st.integers(1, 9999), "messages": st.lists(MESSAGE, max_size=4)},
    {
        "system": WORDS | st.lists(TEXT, min_size=1, max_size=2),
        "stream": st.just(True),
        "tools": st.lists(TOOL, min_size=1, max_size=2),
        "tool_choice": CHOICE,
        "thinking": THOUGHTS,
        "output_config": st.fixed_dictionaries(
            {"effort": st.sampled_from(["low", "high", "max"])},
            optional={"format": fixed({"type": "json_schema", "schema": OBJECTS}), "task_budget": OBJECTS},
        ),
        "output_format": fixed({"type": "json_schema", "schema": OBJECTS}),
        "metadata": fixed({"user_id": WORDS}, {"team": WORDS}),
        "stop_sequences": st.lists(WORDS, min_size=1, max_size=2),
        "temperature": st.floats(0, 1),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(1, 99),
        "service_tier": st.just("auto"),
        "context_management": OBJECTS,
        "from_the_future": VALUES,
    },
)


# Answers

CITED = fixed({"type": "char_location", "cited_text": WORDS})
ANSWERED = fixed({"type": "text", "text": TEXTS}, {"citations": st.lists(CITED, min_size=1, max_size=2)})
FOUND = fixed({"type": "web_search_tool_result", "tool_use_id": NAMES, "content": st.lists(OBJECTS, max_size=1)})
USAGE = fixed(
    {
        "input_tokens": st.integers(1, 99),
        "output_tokens": st.integers(1, 99),
        "cache_creation_input_tokens": st.integers(0, 99),
        "cache_read_input_tokens": st.integers(0, 99),
    },
    {"output_tokens_details": fixed({"thinking_tokens": st.integers(1, 9)}), "service_tier": st.just("standard")},
)


@st.composite
def wholes(draw: st.DrawFn) -> Json:
    """An unstreamed answer."""
    blocks = ANSWERED | THINKING | REDACTED | CALL.map(_uncached) | SERVED | FOUND
    content = draw(st.lists(blocks, max_size=4))
    reason, stop = draw(st.sampled_from([("end_turn", None), ("stop_sequence", "x"), ("max_tokens", None),
                                         ("refusal", None), ("pause_turn", None),
                                         ("model_context_window_exceeded", None)]))  # fmt: skip
    if any(block["type"] == "tool_use" for block in content) and stop is None:
        reason = "tool_use"
    head = {"id": "msg_" + draw(NAMES), "type": "message", "role": "assistant", "model": draw(NAMES)}
    return {**head, "content": content, "stop_reason": reason, "stop_sequence": stop, "usage": draw(USAGE)}


def _uncached(block: Json) -> Json:
    return {name: value for name, value in block.items() if name != "cache_control"}


@st.composite
def streams(draw: st.DrawFn, whole: Json) -> list[Frame]:
    """The same answer as a stream, its texts torn anywhere."""
    usage = dict(whole["usage"])
    told = {name: usage.pop(name) for name in draw(st.sets(st.sampled_from(sorted(usage)))) if name in usage}
    begun = {**whole, "content": [], "stop_reason": None, "stop_sequence": None}
    events = [{"type": "message_start", "message": {**begun, "usage": told}}, {"type": "ping"}]
    for index, block in enumerate(whole["content"]):
        start, deltas = draw(_told(block))
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    ending = {"stop_reason": whole["stop_reason"], "stop_sequence": whole["stop_sequence"]}
    events += [{"type": "message_delta", "delta": ending, "usage": usage}, {"type": "message_stop"}]
    return frames(stream_of(events))


def stream_of(events: list[Json]) -> bytes:
    """Events as they stand on the wire."""
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event)) for event in events
    )


@st.composite
def _told(draw: st.DrawFn, block: Json) -> tuple[Json, list[Json]]:
    kind = block["type"]
    if kind == "text":
        texts = [{"type": "text_delta", "text": piece} for piece in draw(torn(block["text"]))]
        cited = [{"type": "citations_delta", "citation": citation} for citation in block.get("citations", ())]
        return {"type": "text", "text": ""}, texts + cited
    if kind == "thinking":
        thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in draw(torn(block["thinking"]))]
        signed = {"type": "signature_delta", "signature": block["signature"]}
        return {"type": "thinking", "thinking": "", "signature": ""}, [*thoughts, signed]
    if "input" in block:
        text = msgspec.json.encode(block["input"]).decode()
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": p} for p in draw(torn(text))]
    return block, []


@st.composite
def torn(draw: st.DrawFn, text: str) -> list[str]:
    """A text in pieces, some of them empty."""
    ends = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[i:j] for i, j in zip([0, *ends], [*ends, len(text)], strict=True)]


# What other dialects answer

_SEALED = st.one_of(
    st.tuples(st.just(Dialect.MESSAGES), SIGNATURES),
    st.tuples(st.just(Dialect.RESPONSES), st.fixed_dictionaries({"encrypted_content": SIGNATURES})),
    st.tuples(st.just(Dialect.CHAT), st.lists(st.fixed_dictionaries({"data": SIGNATURES}), min_size=1, max_size=2)),
)
SEALS = st.none() | st.builds(lambda sealed, maker: Seal(*sealed, maker), _SEALED, st.text(min_size=1, max_size=4))
PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, st.text(max_size=8)),
    st.builds(Refusal, WORDS),
    st.builds(Reasoning, st.text(max_size=8), st.booleans(), SEALS),
    st.builds(ToolCall, WORDS, NAMES, OBJECTS.map(lambda value: msgspec.json.encode(value).decode())),
    st.builds(ToolCall, NAMES, NAMES, st.sampled_from(["", "[1]", "no JSON", '{"a":'])),
    st.just(Foreign(Dialect.CHAT, "audio", {"id": "x"})),
)
COUNTS = st.builds(
    Usage, st.integers(1, 99), st.integers(0, 99), st.just(0) | st.just(1), st.just(0), st.integers(0, 9)
)
REPLIES = st.builds(
    Reply,
    st.text(max_size=8),
    NAMES,
    st.integers(0, 2**31),
    st.lists(PARTS, max_size=4).map(tuple),
    st.sampled_from(Finish),
    st.just("") | WORDS,
    COUNTS,
)


def asked(*turns: Turn | Part, home: Dialect = Dialect.CHAT, **more: Any) -> Request:
    """A request of another dialect; a bare part is the user's."""
    said = tuple(turn if isinstance(turn, Turn) else Turn(Role.USER, (turn,)) for turn in turns)
    return Request(home, "m", said or (Turn(Role.USER, (Text("hi"),)),), **more)


# What a hostile target streams

_BLOCKS = fixed(
    {"type": st.sampled_from(["text", "thinking", "redacted_thinking", "tool_use", "image", "later"])},
    dict.fromkeys(("text", "thinking", "signature", "data", "id", "name", "input"), VALUES),
)
_DELTAS = st.dictionaries(
    st.sampled_from(["text", "thinking", "signature", "partial_json", "citation", "stop_reason"]), WORDS | VALUES
)
HOSTILE_EVENTS = fixed(
    {"type": st.sampled_from([
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
        "message_stop", "error", "later",
    ])},
    {"index": st.integers(0, 2), "content_block": _BLOCKS, "delta": _DELTAS, "message": OBJECTS, "usage": VALUES},
)  # fmt: skip
