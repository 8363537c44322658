"""A streamed answer as one: what the events of its stream amount to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from pointsman.neutral import (
    Begun,
    Broken,
    Closed,
    Ended,
    Finish,
    Foreign,
    Grew,
    Opened,
    Reasoning,
    Refusal,
    Reply,
    Text,
    ToolCall,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pointsman.neutral import Event, Part


def fold(events: Iterable[Event]) -> Reply:
    """The answer. ValueError: the stream broke, or does not keep to the grammar of `neutral`."""
    begun, ended = Begun(), None
    parts: list[Part] = []
    texts: list[list[str]] = []
    open_parts: set[int] = set()
    for event in events:
        if ended is not None or isinstance(event, Broken):
            raise ValueError(f"no event may stand here: {event}")
        if isinstance(event, Begun):
            begun = event
        elif isinstance(event, Opened):
            if event.index != len(parts):
                raise ValueError(f"the part {event.index} opens out of turn")
            parts.append(event.part)
            texts.append([])
            open_parts.add(event.index)
        elif isinstance(event, Grew | Closed):
            if event.index not in open_parts:
                raise ValueError(f"the part {event.index} is not open")
            if isinstance(event, Grew):
                texts[event.index].append(event.text)
            else:
                open_parts.discard(event.index)
                parts[event.index] = _closed(parts[event.index], event)
        else:
            ended = event
    if ended is None or open_parts:
        raise ValueError("the stream has not ended, or a part of it has not")
    whole = tuple(_whole(part, "".join(pieces)) for part, pieces in zip(parts, texts, strict=True))
    return Reply(begun.id, begun.model, begun.created, whole, ended.finish, ended.stop, ended.usage or begun.usage)


def unfold(reply: Reply) -> list[Event]:
    """A stream that amounts to the answer, a part at a time."""
    events: list[Event] = [Begun(reply.id, reply.model, reply.created, reply.usage)]
    for i, part in enumerate(reply.parts):
        text = part.arguments if isinstance(part, ToolCall) else getattr(part, "text", "")
        seal = part.seal if isinstance(part, Reasoning) else None
        events.append(Opened(i, _empty(part)))
        if text:
            events.append(Grew(i, text))
        events.append(Closed(i, seal))
    events.append(Ended(reply.finish, reply.stop, reply.usage))
    return events


def finish_of(parts: Iterable[Part]) -> Finish:
    """Why an answer of these parts ended, where its target only says that it is complete."""
    return Finish.TOOL if any(isinstance(part, ToolCall) for part in parts) else Finish.STOP


def _empty(part: Part) -> Part:
    if isinstance(part, ToolCall):
        return replace(part, arguments="")
    if isinstance(part, Reasoning):
        return replace(part, text="", seal=None)
    return replace(part, text="") if isinstance(part, Text | Refusal) else part


def _whole(part: Part, text: str) -> Part:
    if not text:
        return part
    if isinstance(part, ToolCall):
        return replace(part, arguments=part.arguments + text)
    if isinstance(part, Text | Refusal | Reasoning):
        return replace(part, text=part.text + text)
    raise ValueError(f"a part that does not grow has grown: {part}")


def _closed(part: Part, event: Closed) -> Part:
    if event.seal is not None and isinstance(part, Reasoning):
        part = replace(part, seal=event.seal)
    if event.rest and not isinstance(part, Foreign):
        part = replace(part, rest=event.rest)
    return part
