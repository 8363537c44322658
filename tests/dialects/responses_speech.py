"""What a Responses client may ask and be told: strategies, and the judges of what is written for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx2
import msgspec
import openai
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from openresponses_types import types as spec
from pydantic import BaseModel

from pointsman.dialects import fold
from pointsman.dialects.responses.codec import StreamReader, StreamWriter, read_request
from pointsman.exchange import Usage
from pointsman.names import Dialect
from pointsman.neutral import (
    Begun,
    Closed,
    Ended,
    Event,
    Finish,
    Foreign,
    Grew,
    Opened,
    Part,
    Reasoning,
    Refusal,
    Reply,
    Request,
    Seal,
    Text,
    ToolCall,
)
from pointsman.sse import Frame, frames
from pointsman.table import Model, Provider

Json = dict[str, Any]
LAW = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
MODEL = Model("target")
OPENAI = Provider("openai", "OpenAI", "https://x", (Dialect.RESPONSES,), native=True)
PLAIN = Provider("plain", "OpenAICompatible", "http://x", (Dialect.RESPONSES,))
VLLM = Provider("vllm", "VLLM", "http://x", (Dialect.RESPONSES,))
LLAMA = Provider("llama", "LlamaCpp", "http://x", (Dialect.RESPONSES,))
PROVIDERS = (OPENAI, PLAIN, VLLM, LLAMA)


def raw(request: Json) -> dict[str, msgspec.Raw]:
    """The top-level fields as the gateway has them."""
    return msgspec.json.decode(json.dumps(request).encode(), type=dict[str, msgspec.Raw])


def read(request: Json) -> Request:
    return read_request(raw(request))


# Requests

_WORDS = st.text(max_size=12)
_NAMES = st.text("abcdefgh_", min_size=1, max_size=8)
_EXTRA = st.dictionaries(st.sampled_from(["id", "status", "phase", "later"]), _WORDS, max_size=2)
_SCHEMAS = st.sampled_from([{"type": "object"}, {"type": "object", "properties": {"a": {"type": "string"}}}])
_INPUT_PARTS = st.one_of(
    st.fixed_dictionaries({"type": st.just("input_text"), "text": _WORDS}, optional={"breakpoint": _WORDS}),
    st.fixed_dictionaries(
        {"type": st.just("input_image"), "image_url": st.just("data:image/png;base64,AAAA")},
        optional={"detail": st.sampled_from(["low", "high", "auto", "original"])},
    ),
    st.fixed_dictionaries({"type": st.sampled_from(["input_file", "input_image"]), "file_id": _NAMES}),
    st.fixed_dictionaries({"type": st.just("input_later"), "what": _WORDS}),
)
_OUTPUT_PARTS = st.one_of(
    st.fixed_dictionaries({"type": st.just("output_text"), "text": _WORDS, "annotations": st.just([])}),
    st.fixed_dictionaries({"type": st.just("refusal"), "refusal": _WORDS}),
    st.fixed_dictionaries({"type": st.just("input_text"), "text": _WORDS}),
)


def _item(kind: str, **members: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.builds(lambda said, extra: {**extra, **said, "type": kind}, st.fixed_dictionaries(members), _EXTRA)


_MESSAGES = st.one_of(
    _item("message", role=st.sampled_from(["user", "system", "developer"]), content=st.lists(_INPUT_PARTS, max_size=3)),
    _item("message", role=st.just("assistant"), content=st.lists(_OUTPUT_PARTS, max_size=3)),
    _item("message", role=st.sampled_from(["user", "assistant"]), content=_WORDS),
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": _WORDS}),
    st.fixed_dictionaries({"role": st.just("user"), "content": st.lists(_INPUT_PARTS, max_size=2)}),
)
_THOUGHTS = _item(
    "reasoning",
    summary=st.lists(st.fixed_dictionaries({"type": st.just("summary_text"), "text": _WORDS}), max_size=2),
    encrypted_content=st.sampled_from(["gAAAAB", None]),
)
_OUTPUTS = _WORDS | st.lists(_INPUT_PARTS, max_size=2)
_ITEMS = st.one_of(
    _MESSAGES,
    _THOUGHTS,
    _item("function_call", call_id=_NAMES, name=_NAMES, arguments=st.just('{"a":1}')),
    _item("function_call_output", call_id=_NAMES, output=_OUTPUTS),
    _item("custom_tool_call", call_id=_NAMES, name=_NAMES, input=_WORDS),
    _item("custom_tool_call_output", call_id=_NAMES, output=_OUTPUTS),
    _item("web_search_call", action=st.just({"type": "search", "query": "q"})),
    st.fixed_dictionaries({"type": st.just("item_reference"), "id": _NAMES}),
    st.fixed_dictionaries({"id": _NAMES}),
)
_FUNCTIONS = st.fixed_dictionaries(
    {"type": st.just("function"), "name": _NAMES},
    optional={
        "description": _WORDS | st.none(),
        "parameters": _SCHEMAS | st.none(),
        "strict": st.booleans() | st.none(),
        "defer_loading": st.booleans(),
    },
)
_CUSTOMS = st.fixed_dictionaries(
    {"type": st.just("custom"), "name": _NAMES},
    optional={"format": st.just({"type": "grammar", "syntax": "lark", "definition": 'start: "x"'}), "later": _WORDS},
)
_TOOLS = st.one_of(_FUNCTIONS, _CUSTOMS, st.just({"type": "web_search", "search_context_size": "low"}))
_ALLOWED = {"type": "allowed_tools", "mode": "auto"}
_EFFORTS = st.sampled_from(["none", "low", "xhigh", None])
_CHOICES = st.one_of(
    st.sampled_from(["auto", "none", "required", {"type": "web_search"}, {"type": "mcp", "server_label": "x"}]),
    st.builds(lambda kind, name: {"type": kind, "name": name}, st.sampled_from(["function", "custom"]), _NAMES),
    st.builds(
        lambda name: {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": name}]}, _NAMES
    ),
)
_FORMS = st.one_of(
    st.sampled_from([{"type": "text"}, {"type": "json_object"}, None]),
    st.fixed_dictionaries(
        {"type": st.just("json_schema"), "name": _NAMES, "schema": _SCHEMAS},
        optional={"strict": st.booleans() | st.none(), "description": _WORDS},
    ),
)
_NUMBERS = st.integers(0, 9) | st.floats(0, 2) | st.none()
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "instructions": _WORDS | st.none(),
    "tools": st.lists(_TOOLS, max_size=3),
    "tool_choice": _CHOICES,
    "parallel_tool_calls": st.booleans(),
    "reasoning": st.none()
    | st.fixed_dictionaries(
        {},
        optional={
            "effort": st.sampled_from(["none", "low", "xhigh", None]),
            "summary": st.sampled_from(["auto", None]),
        },
    ),
    "text": st.fixed_dictionaries({}, optional={"format": _FORMS, "verbosity": st.sampled_from(["low", None])}),
    "max_output_tokens": st.integers(1, 9) | st.none(),
    "temperature": _NUMBERS,
    "top_p": _NUMBERS,
    "top_k": st.integers(0, 9),
    "presence_penalty": _NUMBERS,
    "seed": st.integers(0, 2**40),
    "stop": _WORDS | st.lists(_WORDS, max_size=2),
    "stream": st.booleans() | st.none(),
    "user": _WORDS,
    "store": st.booleans(),
    "include": st.lists(st.sampled_from(["reasoning.encrypted_content", "message.output_text.logprobs"]), max_size=2),
    "metadata": st.dictionaries(_NAMES, _WORDS, max_size=2),
    "prompt_cache_key": _WORDS,
    "client_metadata": st.just({"x": "y"}),
    "truncation": st.sampled_from(["auto", "disabled"]),
    "later": st.just({"some": ["thing"]}),
}
REQUESTS = st.fixed_dictionaries({"model": _NAMES, "input": _WORDS | st.lists(_ITEMS, max_size=4)}, optional=_FIELDS)
"""Requests in the dialect's plain spelling, and in most of the others that clients use."""

CODEX: Json = {
    "model": "gpt-5", "instructions": "You are a coding agent.", "stream": True, "store": False,
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "sandbox"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "fix it"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gAAAA"},
        {"type": "custom_tool_call", "status": "completed", "call_id": "c1", "name": "apply_patch",
         "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done"},
        {"type": "function_call", "name": "shell", "arguments": '{"command":["ls"]}', "call_id": "c2"},
        {"type": "function_call_output", "call_id": "c2", "output": "a.py"},
    ],
    "tools": [
        {"type": "function", "name": "shell", "description": "Runs.", "strict": False,
         "parameters": {"type": "object"}},
        {"type": "custom", "name": "apply_patch", "description": "Edits files.",
         "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin"'}},
    ],
    "tool_choice": "auto", "parallel_tool_calls": False, "reasoning": {"effort": "medium", "summary": "auto"},
    "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k", "text": {"verbosity": "low"},
    "client_metadata": {"originator": "codex_exec"},
}  # fmt: skip
"""What Codex sends, but for the length of it."""

# Answers

_SAID = st.text(min_size=1, max_size=12)
_SEALS = st.none() | st.builds(Seal, st.just(Dialect.MESSAGES), _SAID, st.just("a"))
PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, _SAID),
    st.builds(Refusal, _SAID),
    st.builds(Reasoning, _SAID, st.booleans(), _SEALS),
    st.builds(Reasoning, seal=st.builds(Seal, st.just(Dialect.MESSAGES), _SAID, st.just("a"))),
    st.builds(ToolCall, st.uuids().map(str), _NAMES, st.just('{"a":1}')),
    st.builds(ToolCall, st.uuids().map(str), st.just("patch"), _SAID, st.just(True)),
)
_USAGES = st.none() | st.builds(Usage, *[st.integers(1, 99)] * 5)
REPLIES = st.builds(
    Reply,
    st.sampled_from(["", "chatcmpl-1", "msg_1", "resp_1"]),
    st.sampled_from(["", "some-model"]),
    st.integers(0, 2**31),
    st.lists(PARTS, max_size=5).map(tuple),
    st.sampled_from([finish for finish in Finish if finish is not Finish.PAUSE]),
    usage=_USAGES,
)
"""Answers of a target that speaks another dialect."""


@st.composite
def streams(draw: st.DrawFn, *, together: bool = True) -> tuple[Reply, list[Event]]:
    """An answer and a stream that amounts to it, whose parts grow in pieces and maybe at the same time."""
    reply = draw(REPLIES)
    tracks: list[list[Event]] = []
    for index, part in enumerate(reply.parts):
        opened, *rest = [event for event in fold.unfold(Reply(parts=(part,))) if not isinstance(event, Begun | Ended)]
        assert isinstance(opened, Opened)
        track: list[Event] = [Opened(index, opened.part)]
        for event in rest:
            if isinstance(event, Grew):
                at = draw(st.integers(0, len(event.text)))
                track += [Grew(index, piece) for piece in (event.text[:at], event.text[at:]) if piece]
            elif isinstance(event, Closed):
                track.append(Closed(index, event.seal, event.rest))
        tracks.append(track)
    events: list[Event] = [Begun(reply.id, reply.model, reply.created)]
    together = together and draw(st.booleans())
    opened_so_far = 0
    while any(tracks):
        # A part may open only after those before it have.
        ready = [i for i, track in enumerate(tracks) if track and i <= opened_so_far]
        i = draw(st.sampled_from(ready)) if together else ready[0]
        events.append(tracks[i].pop(0))
        opened_so_far += isinstance(events[-1], Opened)
    return reply, [*events, Ended(reply.finish, reply.stop, reply.usage)]


def write(request: Request, events: Sequence[Event], now: int = 7) -> bytes:
    """The stream for the client."""
    writer = StreamWriter(request, now)
    return b"".join(writer.feed(event) for event in events)


def follow(stream: bytes | Sequence[Frame]) -> list[Event]:
    """What a stream means."""
    reader = StreamReader()
    return [
        event for frame in (frames(stream) if isinstance(stream, bytes) else stream) for event in reader.feed(frame)
    ]


def told(*events: Json) -> bytes:
    """A stream of these events."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events)


def bare(reply: Reply) -> Reply:
    """An answer without what its dialect alone says of it, neighbouring words as one."""
    parts: list[Part] = []
    for part in reply.parts:
        last = parts[-1] if parts else None
        if isinstance(part, Text) and isinstance(last, Text):
            parts[-1] = Text(last.text + part.text)
        else:
            parts.append(part if isinstance(part, Foreign) else msgspec.structs.replace(part, rest={}))
    return msgspec.structs.replace(reply, parts=tuple(parts))


# Judges

_EVENTS: dict[str, type[BaseModel]] = {}
for _name, _class in vars(spec).items():
    if _name.endswith("StreamingEvent") and isinstance(_class, type) and issubclass(_class, BaseModel):
        for _kind in _class.model_fields["type"].annotation or ():
            _EVENTS[str(_kind)] = _class


def judge_response(response: Json) -> None:
    """The specification's own types take it, but for what Open Responses does not know: custom tools.

    Their type for a schema in `text.format` takes nothing but null, whatever is asked for.
    """
    plain = json.loads(json.dumps(response))
    if "schema" in plain["text"]["format"]:
        plain["text"]["format"] |= {"schema": None}
        plain["text"]["format"].setdefault("description", None)
        plain["text"]["format"].setdefault("strict", False)
    plain["tools"] = [tool for tool in plain["tools"] if tool["type"] == "function"]
    plain["output"] = [item for item in plain["output"] if item["type"] != "custom_tool_call"]
    spec.ResponseResource.model_validate(plain)


def judge_stream(stream: bytes) -> list[Json]:
    """The events, each of which the specification knows, and which are numbered from 0 on."""
    said = [json.loads(frame.data) for frame in frames(stream)]
    assert [frame.event.decode() for frame in frames(stream)] == [event["type"] for event in said]
    assert [event["sequence_number"] for event in said] == list(range(len(said)))
    for event in said:
        if "response" in event:
            judge_response(event["response"])
        elif event.get("item", {}).get("type") != "custom_tool_call" and "custom_tool" not in event["type"]:
            kind = event["type"].replace("reasoning_text", "reasoning")  # OpenAI's name, and Open Responses'
            _EVENTS[kind].model_validate({**event, "type": kind})
    return said


def sdk_stream(stream: bytes) -> Any:
    """The last response that OpenAI's SDK puts together out of a stream, and all of its events."""
    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=stream))
    client = openai.OpenAI(api_key="x", base_url="http://x", http_client=httpx2.Client(transport=transport))
    with client.responses.stream(model="m", input="hi") as events:
        return list(events)


def sdk_whole(body: bytes) -> Any:
    """The response as OpenAI's SDK reads it."""
    headers = {"content-type": "application/json"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=body))
    client = openai.OpenAI(api_key="x", base_url="http://x", http_client=httpx2.Client(transport=transport))
    return client.responses.create(model="m", input="hi")
