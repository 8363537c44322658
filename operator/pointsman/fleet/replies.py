"""What a server's whole or streamed answer amounts to, in any dialect. Strangers' bytes: nothing raises. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pointsman import sse
from pointsman.modellist import decode, inside, text, tokens
from pointsman.names import Dialect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pointsman.served import Answer

Json = dict[str, Any]
_LONGEST: Final = 4096  # characters of an answer that are looked at
_ENDS: Final = {Dialect.RESPONSES: ("response.completed", "response.incomplete"), Dialect.MESSAGES: ("message_stop",)}
_BEGINS: Final = {Dialect.RESPONSES: "response.created", Dialect.MESSAGES: "message_start"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer. `prompt` and `output` are tokens, 0: not told; `apart`: reasoning came in a field of its own."""

    said: str = ""
    model: str = ""
    prompt: int = 0
    output: int = 0
    called: bool = False
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Stream:
    """What came of a stream. `numbers`: Responses' sequence numbers, None where an event had none."""

    reply: Reply
    events: int = 0
    ended: bool = False  # the dialect's own last event came ([DONE] in chat)
    fault: str = ""  # an error among the events
    numbers: tuple[int | None, ...] = ()


def whole(dialect: Dialect, answer: Answer) -> Reply | None:
    """The reply that a whole answer is; None when it is none of this dialect."""
    body = decode(answer.body) if answer.status == 200 else None
    if not isinstance(body, dict) or body.get("error"):
        return None
    reader = {Dialect.CHAT: _chat, Dialect.RESPONSES: _responses, Dialect.MESSAGES: _messages}[dialect]
    return reader(body)


def stream(dialect: Dialect, answer: Answer) -> Stream | None:
    """The reply of a stream; None when the answer is no stream of this dialect."""
    splitter = sse.Splitter()
    frames = [*splitter.feed(answer.body), *sse.frames(splitter.tail)] if answer.status == 200 else []
    datas = [frame.data for frame in frames if frame.data]
    events = [event for data in datas if isinstance(event := decode(data), dict)]
    if not any(_belongs(dialect, event) for event in events):
        return None
    return Stream(
        reply=_gathered(dialect, events),
        events=len(events),
        ended=b"[DONE]" in datas if dialect is Dialect.CHAT else any(_kind(e) in _ENDS[dialect] for e in events),
        fault=next(filter(None, (_fault(event) for event in events)), ""),
        numbers=tuple(_number(event) for event in events) if dialect is Dialect.RESPONSES else (),
    )


def _chat(body: Json) -> Reply | None:
    choice = _first(body.get("choices"))
    message = choice.get("message")
    if not isinstance(message, dict):
        return None
    apart = bool(message.get("reasoning_content") or message.get("reasoning"))
    return _counted(_said(message.get("content")), body, called=bool(message.get("tool_calls")), apart=apart)


def _responses(body: Json) -> Reply | None:
    if body.get("object") != "response" and not isinstance(body.get("output"), list):
        return None
    items = _objects(body.get("output"))
    kinds = {text(item.get("type")) for item in items}
    said = "".join(_said(item.get("content")) for item in items if item.get("type") == "message")
    return _counted(said, body, called="function_call" in kinds, apart="reasoning" in kinds)


def _messages(body: Json) -> Reply | None:
    if body.get("type") != "message" or not isinstance(body.get("content"), list):
        return None
    kinds = {text(block.get("type")) for block in _objects(body["content"])}
    return _counted(_said(body["content"]), body, called="tool_use" in kinds, apart="thinking" in kinds)


def _counted(said: str, body: Json, *, called: bool, apart: bool) -> Reply:
    usage = body.get("usage")
    return Reply(
        said[:_LONGEST],
        text(body.get("model")),
        tokens(inside(usage, "prompt_tokens"), inside(usage, "input_tokens")),
        tokens(inside(usage, "completion_tokens"), inside(usage, "output_tokens")),
        called,
        apart,
    )


def _gathered(dialect: Dialect, events: list[Json]) -> Reply:
    said = "".join(_delta(dialect, event) for event in events)
    usages = [usage for event in events for usage in _usages(event)]
    apart = any(_apart(event) for event in events)
    prompt = max((tokens(u.get("prompt_tokens"), u.get("input_tokens")) for u in usages), default=0)
    output = max((tokens(u.get("completion_tokens"), u.get("output_tokens")) for u in usages), default=0)
    return Reply(said[:_LONGEST], prompt=prompt, output=output, apart=apart)


def _delta(dialect: Dialect, event: Json) -> str:
    if dialect is Dialect.CHAT:
        return _said(inside(_first(event.get("choices")), "delta", "content"))
    if dialect is Dialect.RESPONSES:
        return _said(event.get("delta")) if _kind(event) == "response.output_text.delta" else ""
    return _said(inside(event, "delta", "text"))


def _apart(event: Json) -> bool:
    delta = inside(_first(event.get("choices")), "delta")
    named = bool(inside(delta, "reasoning_content") or inside(delta, "reasoning"))
    return named or "reasoning" in _kind(event) or inside(event, "delta", "type") == "thinking_delta"


def _usages(event: Json) -> Iterator[Json]:
    for where in (event, event.get("response"), event.get("message")):
        if isinstance(usage := inside(where, "usage"), dict):
            yield usage


def _belongs(dialect: Dialect, event: Json) -> bool:
    if dialect is Dialect.CHAT:
        return isinstance(event.get("choices"), list)
    return _kind(event) == _BEGINS[dialect]


def _fault(event: Json) -> str:
    error = event.get("error") or (inside(event, "response", "error"))
    if not error:
        return ""
    return text(inside(error, "message")) or text(error) or "an error among the events"


def _number(event: Json) -> int | None:
    number = event.get("sequence_number")
    return number if isinstance(number, int) else None


def _kind(event: Json) -> str:
    return text(event.get("type"))


def _said(content: object) -> str:
    # Text, or a list of parts with text.
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in _objects(content) if isinstance(part.get("text"), str))


def _first(value: object) -> Json:
    found = next(iter(_objects(value)), None)
    return found or {}


def _objects(value: object) -> list[Json]:
    items: Iterable[object] = value if isinstance(value, list) else ()
    return [item for item in items if isinstance(item, dict)]
