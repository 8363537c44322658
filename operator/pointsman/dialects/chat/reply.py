"""A whole answer of chat completions. Of several choices the first is read: `loss` refuses to ask for more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.dialects import citations, customs, idents, skim
from pointsman.dialects.chat import think as chat_think
from pointsman.dialects.chat import usage as chat_usage
from pointsman.dialects.chat.parts import (
    CUSTOM,
    beside_content,
    is_content,
    joined,
    kept,
    own,
    take_answer,
    without_shape,
    write_part,
)
from pointsman.exchange import BadRequestError
from pointsman.names import Dialect
from pointsman.neutral import Finish, Foreign, Reasoning, Reply, Text, ToolCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pointsman.dialects.chat.parts import Object
    from pointsman.neutral import Json, Part, Request

FINISHES: Final[Mapping[Finish, str]] = {
    Finish.STOP: "stop",
    Finish.LENGTH: "length",
    Finish.CONTEXT: "length",
    Finish.TOOL: "tool_calls",
    Finish.FILTER: "content_filter",
    Finish.PAUSE: "stop",
}
_CUT: Final = {"length": Finish.LENGTH, "content_filter": Finish.FILTER}
_PREFIX: Final = "chatcmpl-"
_JSON: Final = msgspec.json.Decoder()


def read_reply(body: bytes) -> Reply:
    """The answer. ValueError: it is none."""
    try:
        return _read(skim.decode(_JSON, body))
    except (BadRequestError, RecursionError, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise ValueError(f"no chat completion: {error}") from error


def _read(value: Json) -> Reply:
    left = dict(value) if isinstance(value, dict) else {}
    choices = left.pop("choices", None)
    choice = dict(choices[0]) if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.pop("message", None)
    if not isinstance(message, dict):
        raise BadRequestError("no choice with a message in it")
    ident, model, created = text(left.pop("id", "")), text(left.pop("model", "")), epoch(left.pop("created", 0))
    said = without_shape(message)
    parts = _take_parts(said, call_ident(ident))
    usage = chat_usage.read(left.get("usage"))
    if usage is not None and left["usage"] == chat_usage.write(usage):
        del left["usage"]
    called = any(isinstance(part, ToolCall) for part in parts)
    finish = finish_of(choice.pop("finish_reason", None), called=called)
    rest = kept(_left(left, choice, said, choices[1:]))
    return Reply(ident, model, created, parts, finish, text(choice.get("stop_reason")), usage, rest)


def _take_parts(said: Object, ident: str) -> tuple[Part, ...]:
    if isinstance(said.get("function_call"), dict) and not said.get("tool_calls"):
        said["tool_calls"] = [{"function": said.pop("function_call")}]
    parts = [part for part in take_answer(said, "choices[0].message", ident) if part != Text("")]
    first = next((i for i, part in enumerate(parts) if isinstance(part, Text)), None)
    if first is None:
        return tuple(parts)
    parts[first] = _with_sources(parts[first], said)
    whole = parts[first]
    if any(isinstance(part, Reasoning) for part in parts):
        return tuple(parts)
    thought, words = chat_think.split_whole(whole.text) if isinstance(whole, Text) else ("", "")
    if isinstance(whole, Text) and words != whole.text:
        parts[first : first + 1] = [Text(words, whole.rest)] if words else []
        parts[:0] = [Reasoning(thought)] if thought else []
    return tuple(parts)


def _with_sources(part: Part, said: Object) -> Part:
    rest = citations.from_chat(said.get("annotations"))
    return Text(part.text, {**part.rest, **rest}) if isinstance(part, Text) and rest else part


def _left(top: Object, choice: Object, message: Object, others: Sequence[Json]) -> Object:
    """What there is beyond the neutral form, laid out as on the wire."""
    _drop(top, object="chat.completion")
    _drop(choice, index=0, logprobs=None)
    _drop(message, role="assistant", refusal=None)
    nested = {"choice": choice, "message": message, "choices": list(others)}
    return {**top, **{name: value for name, value in nested.items() if value}}


def _drop(fields: Object, **usual: Json) -> None:
    for name, value in usual.items():
        if name in fields and fields[name] == value:
            del fields[name]


def write_reply(reply: Reply, request: Request, now: int) -> bytes:
    """The body of an answer for a client. Identifiers that a client could not use are made from the answer's own."""
    top = own(reply.rest)
    choice, message, others = (top.pop(name, None) for name in ("choice", "message", "choices"))
    parts = _for_client(reply, custom_tools(request))
    said = {
        "role": "assistant",
        "content": _content(parts),
        "refusal": None,
        **_cited(parts),
        **beside_content(parts),
        **(message or {}),
    }
    first = {
        "index": 0, "message": said, "logprobs": None, "finish_reason": FINISHES[reply.finish], **(choice or {}),
    }  # fmt: skip
    answer: dict[str, Any] = {
        "id": answer_id(reply.id, now), "object": "chat.completion", "created": reply.created or now,
        "model": reply.model or request.model, "choices": [first, *(others or [])],
    }  # fmt: skip
    if reply.usage is not None:
        answer["usage"] = chat_usage.write(reply.usage)
    return msgspec.json.encode({**answer, **top})


def _content(parts: Sequence[Part]) -> Json:
    said = [part for part in parts if is_content(part)]
    if any(not isinstance(part, Text) for part in said):
        return [write_part(part) for part in said if is_content(part)]
    return joined(parts) or None


def _cited(parts: Sequence[Part]) -> Object:
    """The sources of the content, each at its place in all of it."""
    found: list[citations.Citation] = []
    for i, part in enumerate(parts):
        if isinstance(part, Text) and (cited := citations.of(part, len(part.text))):
            before = len(joined(parts[: i + 1])) - len(part.text)
            found += [each.moved(before) for each in cited]
    return {"annotations": citations.for_chat(found)} if found else {}


def _for_client(reply: Reply, custom: frozenset[str]) -> list[Part]:
    """What a chat client can be told of, its calls as it knows their tools."""
    parts: list[Part] = []
    calls = 0
    for part in reply.parts:
        if isinstance(part, ToolCall):
            parts.append(_call_for(part, custom, f"{call_ident(reply.id)}{calls}"))
            calls += 1
        elif not isinstance(part, Foreign) or part.home is Dialect.CHAT:
            parts.append(part)
    return parts


def _call_for(call: ToolCall, custom: frozenset[str], ident: str) -> ToolCall:
    if call.id and call.name not in custom:
        return call
    free = call.name in custom
    arguments = customs.unwrap(call.arguments) if free and not call.free else call.arguments
    return ToolCall(call.id or ident, call.name, arguments, free or call.free, call.rest)


# What whole and streamed answers have in common


def finish_of(reason: Json, *, called: bool) -> Finish:
    """Why an answer ended. Servers differ in what they say of one that ends with calls, so the calls decide."""
    if isinstance(reason, str) and reason in _CUT:
        return _CUT[reason]
    return Finish.TOOL if called else Finish.STOP


def answer_id(ident: str, now: int) -> str:
    """The answer's identifier as chat's clients know it."""
    if ident.startswith(_PREFIX):
        return ident
    return f"{_PREFIX}{idents.letters(ident) or now}"


def call_ident(ident: str) -> str:
    """What the calls of an answer are called that have no identifier of their own, but for their number."""
    return idents.base(ident)


def custom_tools(request: Request) -> frozenset[str]:
    """The names of the custom tools that a chat client has, of which targets were told as functions."""
    if request.home is not Dialect.CHAT:
        return frozenset()
    return frozenset(tool.name for tool in request.tools if CUSTOM in own(tool.rest))


def text(value: Json) -> str:
    """A value that should be text; "" for any other."""
    return value if isinstance(value, str) else ""


def epoch(value: Json) -> int:
    """A value that should be seconds of the epoch; 0 for any other."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0
