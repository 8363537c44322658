"""An answer in Messages, read and written whole; and what its stream has in common with that: ends, usage, names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.dialects import skim
from pointsman.dialects.calls import is_cut
from pointsman.dialects.fold import finish_of
from pointsman.dialects.messages import blocks
from pointsman.dialects.messages.blocks import HOME, MARK, Object
from pointsman.exchange import Usage
from pointsman.neutral import Finish, Foreign, Image, Reasoning, Refusal, Reply, Text, ToolCall, ToolResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pointsman.neutral import Json, Part, Request, Rest

_FINISHES: Final = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "tool_use": Finish.TOOL,
    "refusal": Finish.FILTER,
    "pause_turn": Finish.PAUSE,
    "model_context_window_exceeded": Finish.CONTEXT,
}
_REASONS: Final = {
    Finish.STOP: "end_turn",
    Finish.LENGTH: "max_tokens",
    Finish.TOOL: "tool_use",
    Finish.FILTER: "refusal",
    Finish.PAUSE: "pause_turn",
    Finish.CONTEXT: "model_context_window_exceeded",
}
_KNOWN: Final = frozenset({"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"})
_ODD: Final = re.compile(r"[^a-zA-Z0-9]+")
_MADE: Final = re.compile(r"^(?:chatcmpl|resp|cmpl|gen)[-_]")
_DECODER: Final = msgspec.json.Decoder()


class Thought(msgspec.Struct, gc=False):
    thinking_tokens: int | None = None


class Counts(msgspec.Struct, gc=False):
    """A `usage`: what was read from a cache and what was put into one is not in `input_tokens`."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: Thought | None = None


_COUNTED: Final = frozenset(Counts.__struct_fields__)


def read_reply(body: bytes) -> Reply:
    """The answer. ValueError: the body is none, with what is wrong with it."""
    try:
        answer = skim.decode(_DECODER, body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError(f"no message: {error}") from error
    content = answer.get("content") if isinstance(answer, dict) else None
    if not isinstance(content, list):
        raise ValueError("no message: it has no list `content`")  # noqa: TRY004 - the contract's error
    parts = tuple(_read(block, f"content[{i}]") for i, block in enumerate(content))
    stop = answer.get("stop_sequence")
    usage = answer.get("usage")
    return Reply(
        id=_string(answer.get("id")),
        model=_string(answer.get("model")),
        parts=parts,
        finish=finish(answer.get("stop_reason"), parts),
        stop=_string(stop),
        usage=None if usage is None else counted([usage]),
        rest=_rest(answer, usage),
    )


def write_reply(reply: Reply, request: Request, now: int) -> bytes:
    """The body of the answer. Hosted tools' traces of other dialects are not in it."""
    # An input is an object here: half of one cannot be said.
    parts = [part for part in reply.parts if not (isinstance(part, ToolCall) and is_cut(part))]
    content = [block for part in parts if not blocks.blank(part) and (block := written(part)) is not None]
    kept = blocks.own(reply.rest)
    message: Object = {
        "id": reply.id if kept else ident(reply.id, now),
        "type": "message",
        "role": "assistant",
        "model": reply.model or request.model,
        "content": content,
        **ending(reply.finish, reply.stop, parts),
        "usage": usage_of(reply.usage),
    }
    return msgspec.json.encode(blocks.merged(message, kept))


def finish(reason: Json, parts: Iterable[Part] = ()) -> Finish:
    """Why an answer of these parts ended, by its `stop_reason`, which need not be there."""
    known = _FINISHES.get(reason) if isinstance(reason, str) else None
    return finish_of(parts) if known is None else known


def ending(end: Finish, stop: str, parts: Iterable[Part]) -> Object:
    """`stop_reason` and `stop_sequence`. Some servers that were told which tool to call end with "stop".

    Words that decline are a part of their own elsewhere, at the end of an answer that is whole; here it is its end.
    """
    parts = tuple(parts)
    if end is Finish.STOP and any(isinstance(part, Refusal) for part in parts):
        return {"stop_reason": _REASONS[Finish.FILTER], "stop_sequence": None}
    called = end is Finish.STOP and not stop and any(isinstance(part, ToolCall) for part in parts)
    reason = "stop_sequence" if end is Finish.STOP and stop else _REASONS[Finish.TOOL if called else end]
    return {"stop_reason": reason, "stop_sequence": stop or None}


def counted(said: list[Json]) -> Usage | None:
    """What the `usage` objects of an answer amount to, a later one's numbers in place of an earlier one's."""
    numbers: Object = {}
    for usage in said:
        if isinstance(usage, dict):
            numbers |= {name: usage[name] for name in _COUNTED if usage.get(name) is not None}
    try:
        return total(msgspec.convert(numbers, Counts))
    except msgspec.ValidationError:
        return None


def total(counts: Counts) -> Usage | None:
    """As `exchange.Usage` counts; None: nothing was said."""
    read, put = max(counts.cache_read_input_tokens or 0, 0), max(counts.cache_creation_input_tokens or 0, 0)
    new, output = max(counts.input_tokens or 0, 0), max(counts.output_tokens or 0, 0)
    details = counts.output_tokens_details
    thought = max(details.thinking_tokens or 0, 0) if details is not None else 0
    return Usage(new + read + put, output, read, put, thought) if new + read + put + output else None


def usage_of(usage: Usage | None) -> Object:
    """A `usage`, with all that SDKs look for."""
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    told: Object = {
        "input_tokens": max(usage.input - usage.cached - usage.written, 0),
        "output_tokens": usage.output,
        "cache_creation_input_tokens": usage.written,
        "cache_read_input_tokens": usage.cached,
    }
    if usage.reasoning:
        told["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return told


def ident(name: str, now: int) -> str:
    """An identifier such as Anthropic's: `msg_` and what is left of the target's own; of the time, if it has none."""
    if name.startswith("msg_"):
        return name
    return "msg_" + (_ODD.sub("", _MADE.sub("", name)) or f"{max(now, 0):x}")


def written(part: Part) -> Json | None:
    """A part as a block of an answer; None: an answer in Messages has none for it."""
    if isinstance(part, Text | Reasoning | Refusal | ToolCall | Foreign):
        return blocks.write(part)
    return None


def _read(block: Json, path: str) -> Part:
    part = blocks.read(block, path)
    # Images and results are as foreign to an answer as what nobody here knows.
    return Foreign(HOME, block["type"], block) if isinstance(part, Image | ToolResult) else _as_streamed(part)


def _as_streamed(part: Part) -> Part:
    """Without `citations: null` and notes on the spelling, which the stream of the same answer would not show."""
    if isinstance(part, Foreign):
        return part
    kept = {name: value for name, value in blocks.own(part.rest).items() if name != "citations" or value}
    return msgspec.structs.replace(part, rest={MARK: kept} if kept else {})


def _rest(answer: Object, usage: Any) -> Rest:
    kept = {name: value for name, value in answer.items() if name not in _KNOWN}
    if isinstance(usage, dict):
        more = {name: value for name, value in usage.items() if name not in _COUNTED}
        if more:
            kept["usage"] = more
    return {MARK: kept} if kept else {}


def _string(value: Json) -> str:
    return value if isinstance(value, str) else ""
