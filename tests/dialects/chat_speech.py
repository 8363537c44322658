"""Chat as clients and servers write it: strategies for requests and answers, and streams made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import strategies as st

from pointsman.dialects.chat import codec as chat_codec
from pointsman.names import Dialect
from pointsman.neutral import Request, Role, Text, Turn
from pointsman.sse import Frame, frames
from pointsman.table import Model, Provider

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pointsman.neutral import Event

Json = Any
MODEL = Model(id="m")
PROXY = Provider(name="box", type="VLLM", base_url="http://box", api=(Dialect.CHAT,))
OPENAI = Provider(name="openai", type="OpenAI", base_url="https://api", api=(Dialect.CHAT,), native=True)
ASKED = Request(Dialect.CHAT, "m", stream=True)

words = st.text(max_size=12).filter(lambda text: "<" not in text)
names = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
idents = st.from_regex(r"call_[a-z0-9]{1,6}", fullmatch=True)
numbers = st.integers(-9, 9) | st.floats(-2, 2)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
more = st.dictionaries(st.sampled_from(["x_hint", "cache_control", "extra_content"]), values, max_size=1)
objects = st.dictionaries(names, values, max_size=3)
arguments = objects.map(lambda value: msgspec.json.encode(value).decode())


def _obj(required: dict[str, Any], optional: dict[str, Any] | None = None) -> st.SearchStrategy[Json]:
    both = st.fixed_dictionaries(required, optional=optional or {})
    return st.tuples(more, both).map(lambda two: {**two[0], **two[1]})


def _is(word: str) -> st.SearchStrategy[str]:
    return st.just(word)


# Parts, messages, tools

texts = _obj({"type": _is("text"), "text": words})
images = _obj({
    "type": _is("image_url"),
    "image_url": _obj({"url": _is("data:image/png;base64,AA==")}, {"detail": st.sampled_from(["low", "auto", "odd"])}),
})  # fmt: skip
sounds = _obj({"type": _is("input_audio"), "input_audio": objects})
refusals = _obj({"type": _is("refusal"), "refusal": words})
calls = _obj({
    "id": idents, "type": _is("function"), "function": _obj({"name": names, "arguments": arguments}),
}) | _obj({
    "id": idents, "type": _is("custom"), "custom": _obj({"name": names, "input": words}),
})  # fmt: skip
details = st.lists(
    _obj({"type": _is("reasoning.text"), "text": words, "signature": st.text("abc", min_size=1)})
    | _obj({"type": _is("reasoning.encrypted"), "data": st.text("abc", min_size=1)}),
    min_size=1,
    max_size=2,
)
thought = words.filter(bool)

_spoken = _obj({"role": _is("user"), "content": words | st.lists(texts | images | sounds, max_size=3)}, {"name": names})
_system = _obj({"role": st.sampled_from(["system", "developer"]), "content": words | st.lists(texts, max_size=2)})
_assistant = _obj(
    {"role": _is("assistant"), "content": st.none() | words | st.lists(texts | refusals, max_size=2)},
    {
        "tool_calls": st.lists(calls, min_size=1, max_size=2), "reasoning_content": thought, "reasoning": thought,
        "reasoning_details": details, "refusal": st.none() | thought, "name": names, "audio": st.just({"id": "a"}),
    },
) | _obj({"role": _is("assistant"), "tool_calls": st.lists(calls, min_size=1, max_size=2)})  # fmt: skip
_result = _obj({"role": _is("tool"), "tool_call_id": idents, "content": words | st.lists(texts, max_size=2)})
_legacy = _obj({"role": _is("function"), "name": names, "content": words})
messages = _spoken | _system | _assistant | _result | _legacy

tools = st.one_of(
    _obj({
        "type": _is("function"),
        "function": _obj({"name": names}, {"description": words, "parameters": objects, "strict": st.booleans()}),
    }),
    _obj({"type": _is("custom"), "custom": _obj({"name": names}, {"description": words})}),
    _obj({"type": _is("web_search")}),
)  # fmt: skip
_one = st.builds(lambda name: {"type": "function", "function": {"name": name}}, names)
choices = st.one_of(
    st.sampled_from(["auto", "none", "required"]),
    _one,
    st.builds(lambda name: {"type": "custom", "custom": {"name": name}}, names),
    st.builds(
        lambda mode, tools: {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}},
        st.sampled_from(["auto", "required"]),
        st.lists(_one, max_size=2),
    ),
)
forms = st.one_of(
    st.just({"type": "text"}),
    st.just({"type": "json_object"}),
    _obj({
        "type": _is("json_schema"),
        "json_schema": _obj({"name": names, "schema": objects}, {"strict": st.booleans(), "description": words}),
    }),
)  # fmt: skip

requests = _obj(
    {"model": _is("m"), "messages": st.lists(messages, max_size=4)},
    {
        "stream": st.booleans(),
        "stream_options": st.fixed_dictionaries({}, optional={"include_usage": st.booleans(), "x": st.booleans()}),
        "tools": st.lists(tools, max_size=2), "tool_choice": choices, "parallel_tool_calls": st.booleans(),
        "response_format": forms, "n": st.integers(1, 3), "max_tokens": st.none() | st.integers(-1, 99),
        "max_completion_tokens": st.integers(1, 99), "temperature": st.none() | numbers, "top_p": numbers,
        "top_k": st.integers(-1, 9), "min_p": numbers, "repetition_penalty": numbers, "presence_penalty": numbers,
        "frequency_penalty": numbers, "seed": st.integers(), "stop": st.none() | words | st.lists(words, max_size=5),
        "user": words, "logprobs": st.booleans(), "metadata": objects, "service_tier": words, "store": st.booleans(),
        "reasoning_effort": st.none() | st.sampled_from(["none", "low", "xhigh", "odd"]),
        "reasoning": st.fixed_dictionaries({}, optional={
            "effort": st.sampled_from(["low", "odd"]), "max_tokens": st.integers(0, 9), "enabled": st.booleans(),
            "exclude": st.booleans(),
        }),
        "thinking": st.fixed_dictionaries({"type": st.sampled_from(["enabled", "disabled", "adaptive", "odd"])}),
        "enable_thinking": st.booleans(),
        "chat_template_kwargs": st.dictionaries(st.sampled_from(["enable_thinking", "x"]), st.booleans(), max_size=2),
        "functions": st.just([{"name": "f"}]), "function_call": st.sampled_from(["auto", "none"]),
    },
).filter(lambda request: -(2**63) <= request.get("seed", 0) < 2**63)  # fmt: skip

# Answers, as the better servers write them

_answered = st.fixed_dictionaries(
    {"role": _is("assistant"), "content": st.none() | words.filter(bool), "refusal": st.none() | thought},
    optional={"reasoning_content": thought, "tool_calls": st.lists(calls, min_size=1, max_size=3)},
)
usages = st.builds(
    lambda prompt, output, cached, thoughts: {
        "prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output,
        **({"prompt_tokens_details": {"cached_tokens": cached}} if cached else {}),
        **({"completion_tokens_details": {"reasoning_tokens": thoughts}} if thoughts else {}),
    },
    st.integers(1, 99), st.integers(1, 99), st.integers(0, 9), st.integers(0, 9),
)  # fmt: skip


def _finish(message: Json, reason: str) -> str:
    return "tool_calls" if message.get("tool_calls") and reason == "stop" else reason


replies = st.builds(
    lambda top, message, reason, usage: {
        **top, "id": "chatcmpl-a1", "object": "chat.completion", "created": 7, "model": "m",
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(message, reason)},
        ],
        **({"usage": usage} if usage else {}),
    },
    more, _answered, st.sampled_from(["stop", "length", "content_filter"]), st.none() | usages,
)  # fmt: skip


def fields(request: Json) -> dict[str, msgspec.Raw]:
    """A request as `body.read_fields` gives it."""
    return {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in request.items()}


def read(request: Json) -> Request:
    """A request of a chat client."""
    return chat_codec.read_request(fields(request))


def said(role: Role, *parts: Any, **rest: Any) -> Turn:
    """A turn; a string is a text."""
    return Turn(role, tuple(Text(part) if isinstance(part, str) else part for part in parts), rest)


def abroad(*turns: Turn, **more: Any) -> Request:
    """A request of a client of Responses."""
    return Request(more.pop("home", Dialect.RESPONSES), "m", turns, **more)


def chunk(**choice: Any) -> bytes:
    """A frame with one choice."""
    event = {"id": "chatcmpl-a1", "created": 7, "model": "m", "choices": [{"index": 0, **choice}]}
    return b"data: " + msgspec.json.encode(event) + b"\n\n"


def delta(**said: Any) -> bytes:
    """A frame with a delta."""
    return chunk(delta=said)


DONE = b"data: [DONE]\n\n"
STOP = chunk(delta={}, finish_reason="stop") + DONE


def hear(*run: bytes) -> list[Event]:
    """What a stream amounts to."""
    reader = chat_codec.StreamReader()
    return [event for frame in frames(b"".join(run)) for event in reader.feed(frame)]


def tell(events: Iterable[Event], request: Request = ASKED, now: int = 7) -> bytes:
    """A stream for a client."""
    writer = chat_codec.StreamWriter(request, now)
    return b"".join(writer.feed(event) for event in events)


def chunks(run: bytes) -> list[Json]:
    """The events of a stream, without its end."""
    return [msgspec.json.decode(frame.data) for frame in frames(run) if frame.data != b"[DONE]"]


def frame(data: bytes) -> Frame:
    """A frame of these data."""
    return Frame(b"data: " + data + b"\n\n", b"", data)
