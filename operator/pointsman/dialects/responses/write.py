"""How a Responses stream is written.

Items may grow at the same time, as their numbers tell them apart. Words that follow each other are one message, so a
message is done when something else begins, or the answer ends. Every event has the next number, from 0 on; the last
one repeats the whole answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from pointsman.dialects.calls import is_cut
from pointsman.dialects.responses import items
from pointsman.dialects.responses.items import CALLS, CUT, Called, Names
from pointsman.dialects.responses.reply import base, ended
from pointsman.dialects.responses.request import HOME
from pointsman.exchange import FailureKind
from pointsman.neutral import (
    Begun,
    Closed,
    Ended,
    Foreign,
    Grew,
    Opened,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)

if TYPE_CHECKING:
    from pointsman.exchange import Failure
    from pointsman.neutral import Event, Finish, Json, Part, Request, Rest

_ENCODE: Final = msgspec.json.Encoder().encode
_CODES: Final = {
    FailureKind.RATE_LIMITED: "rate_limit_exceeded",
    FailureKind.CONTEXT_LENGTH_EXCEEDED: "context_length_exceeded",
    FailureKind.CONTENT_POLICY: "invalid_prompt",
}
"""What a client is told of a failure; of all others, that it is the server's."""
_WITHIN: Final = {True: "summary_index", False: "content_index"}


class _Message:
    """A message that is being said. `open`: how many of its parts grow."""

    __slots__ = ("contents", "first", "ident", "number", "open", "retired")

    def __init__(self, ident: str, number: int, first: Part) -> None:
        self.ident, self.number, self.first = ident, number, first
        self.contents: list[Json] = []
        self.open = 0
        self.retired = False  # something else has begun since


class _Growing:
    """A part that grows. `head` and `tail`: its next delta, but for text and number; empty: it waits to be whole."""

    __slots__ = ("at", "head", "kind", "message", "part", "pieces", "place", "tail")

    def __init__(self, part: Part, kind: str, place: Rest) -> None:
        self.part = part
        self.kind = kind  # of its events
        self.place = place  # in them
        self.pieces: list[str] = []
        self.message: _Message | None = None
        self.at = 0  # in the message
        self.head = self.tail = b""

    def stream(self) -> None:
        """Makes the next delta ready."""
        kind = f"response.{self.kind}.delta"
        fields = _ENCODE({"type": kind, **self.place})
        self.head = b'event: %b\ndata: %b,"delta":' % (kind.encode(), fields[:-1])
        self.tail = b',"logprobs":[],"sequence_number":' if self.kind == "output_text" else b',"sequence_number":'

    def whole(self, closed: Closed) -> Part:
        """The part with all of its text, and with what was told at its end."""
        text, part = "".join(self.pieces), self.part
        if isinstance(part, ToolCall):
            part = replace(part, arguments=text)
        elif isinstance(part, Text | Refusal | Reasoning):
            part = replace(part, text=text)
        if closed.seal is not None and isinstance(part, Reasoning):
            part = replace(part, seal=closed.seal)
        return replace(part, rest=closed.rest) if closed.rest and not isinstance(part, Foreign) else part


class StreamWriter:
    """Writes a stream for a client. State: the open parts, the message that is being said, the next event's number."""

    def __init__(self, request: Request, now: int) -> None:
        self._request = request
        self._now = now
        self._called = Called(request)
        self._number = 0
        self._names = Names("", "", now)
        self._answer: Rest = {}
        self._items: dict[int, Json] = {}  # the whole ones, by number
        self._count = 0
        self._growing: dict[int, _Growing] = {}
        self._message: _Message | None = None
        self._over = False

    def feed(self, event: Event) -> bytes:
        """The frames that say it, maybe none."""
        if isinstance(event, Grew):
            growing = self._growing.get(event.index)
            return self._grow(growing, event.text) if growing is not None and event.text else b""
        if self._over:
            return b""
        if isinstance(event, Begun):
            return self._begin(event) if not self._answer else b""
        start = b"" if self._answer else self._begin(Begun())
        if isinstance(event, Opened):
            return start + self._open(event.index, event.part)
        if isinstance(event, Closed):
            growing = self._growing.pop(event.index, None)
            return start + (self._close(growing, event) if growing is not None else b"")
        self._over = True
        return start + (self._end(event) if isinstance(event, Ended) else self._fail(event.failure))

    def _event(self, kind: str, fields: Rest) -> bytes:
        number, self._number = self._number, self._number + 1
        data = _ENCODE({"type": f"response.{kind}", **fields, "sequence_number": number})
        return b"event: response.%b\ndata: %b\n\n" % (kind.encode(), data)

    # The answer

    def _begin(self, event: Begun) -> bytes:
        created = event.created or self._now
        self._names = Names(event.id, event.model, created)
        self._answer = base(self._request, self._names, event.model, created)
        said = {"response": self._answer}
        return self._event("created", said) + self._event("in_progress", said)

    def _end(self, event: Ended) -> bytes:
        frames = [self._close(growing, Closed(0)) for growing in self._growing.values()]
        self._growing.clear()
        frames.append(self._retire(event.finish))
        output = [self._items[number] for number in sorted(self._items)]
        now = max(self._now, self._answer["created_at"])
        answer = ended(self._answer, output, event.finish, event.usage, now)
        frames.append(self._event(answer["status"], {"response": answer}))
        return b"".join(frames)

    def _fail(self, failure: Failure) -> bytes:
        self._growing.clear()
        error = {"code": _CODES.get(failure.kind, "server_error"), "message": failure.message or "the answer broke off"}
        output = [self._items[number] for number in sorted(self._items)]
        answer = {**self._answer, "status": "failed", "output": output, "error": error}
        return self._event("failed", {"response": answer})

    # Parts

    def _open(self, index: int, part: Part) -> bytes:
        if isinstance(part, Text | Refusal):
            return self._open_words(index, part)
        if isinstance(part, ToolCall):
            return self._retire() + self._open_call(index, part)
        if isinstance(part, Reasoning):
            return self._retire() + self._open_thoughts(index, part)
        if isinstance(part, Foreign) and part.home is HOME:
            number = self._take_number()
            return self._retire() + self._added(number, part.payload) + self._done(number, part.payload)
        return b""

    def _take_number(self) -> int:
        number, self._count = self._count, self._count + 1
        return number

    def _added(self, number: int, item: Json) -> bytes:
        return self._event("output_item.added", {"output_index": number, "item": item})

    def _done(self, number: int, item: Json) -> bytes:
        self._items[number] = item
        return self._event("output_item.done", {"output_index": number, "item": item})

    def _start(self, index: int, growing: _Growing, text: str) -> bytes:
        growing.stream()
        self._growing[index] = growing
        return self._grow(growing, text) if text else b""

    def _grow(self, growing: _Growing, text: str) -> bytes:
        growing.pieces.append(text)
        if not growing.head:
            return self._begin_thoughts(growing, text) if isinstance(growing.part, Reasoning) else b""
        number = self._number
        self._number = number + 1
        return b"%b%b%b%d}\n\n" % (growing.head, _ENCODE(text), growing.tail, number)

    def _close(self, growing: _Growing, event: Closed) -> bytes:
        part = growing.whole(event)
        if isinstance(part, Text | Refusal):
            return self._close_words(growing, part)
        if isinstance(part, ToolCall):
            return self._close_call(growing, part)
        return self._close_thoughts(growing, part) if isinstance(part, Reasoning) else b""

    # Words

    def _open_words(self, index: int, part: Text | Refusal) -> bytes:
        frames = []
        message = self._message
        if message is None or items.mark(part, "item"):
            frames.append(self._retire())
            number = self._take_number()
            message = self._message = _Message(self._names.item("msg", number, part), number, part)
            frames.append(self._added(number, items.message(message.ident, [], part, "in_progress")))
        place = {"item_id": message.ident, "output_index": message.number, "content_index": len(message.contents)}
        growing = _Growing(part, "output_text" if isinstance(part, Text) else "refusal", place)
        growing.message, growing.at = message, len(message.contents)
        bare = items.content(replace(part, text="", rest={}))
        message.contents.append(bare)
        message.open += 1
        frames.append(self._event("content_part.added", {**place, "part": bare}))
        frames.append(self._start(index, growing, part.text))
        return b"".join(frames)

    def _close_words(self, growing: _Growing, part: Text | Refusal) -> bytes:
        said = {"text": part.text, "logprobs": []} if isinstance(part, Text) else {"refusal": part.text}
        whole = items.content(part)
        frames = self._event(f"{growing.kind}.done", {**growing.place, **said})
        for number, cited in enumerate(whole.get("annotations") or ()):
            note = {**growing.place, "annotation_index": number, "annotation": cited}
            frames += self._event("output_text.annotation.added", note)
        frames += self._event("content_part.done", {**growing.place, "part": whole})
        message = growing.message
        if message is None:
            return frames
        message.contents[growing.at] = whole
        message.open -= 1
        if message.retired and not message.open:
            frames += self._finish(message, "completed")
        return frames

    def _retire(self, finish: Finish | None = None) -> bytes:
        """Something else begins, or the answer ends: the message is done, or will be when its parts are."""
        message, self._message = self._message, None
        if message is None:
            return b""
        message.retired = True
        return b"" if message.open else self._finish(message, "incomplete" if finish in CUT else "completed")

    def _finish(self, message: _Message, status: str) -> bytes:
        return self._done(message.number, items.message(message.ident, message.contents, message.first, status))

    # Reasoning

    def _open_thoughts(self, index: int, part: Reasoning) -> bytes:
        number = self._take_number()
        ident = self._names.item("rs", number, part)
        place: Rest = {"item_id": ident, "output_index": number, _WITHIN[part.summary]: 0}
        growing = _Growing(part, "reasoning_summary_text" if part.summary else "reasoning_text", place)
        self._growing[index] = growing
        frames = self._added(number, items.reasoning(ident, replace(part, text="", seal=None)))
        return frames + (self._grow(growing, part.text) if part.text else b"")

    def _begin_thoughts(self, growing: _Growing, text: str) -> bytes:
        """The part within the item opens with its first words: there may be none."""
        frames = self._thoughts_part("added", growing, "")
        growing.pieces.clear()
        growing.stream()
        return frames + self._grow(growing, text)

    def _thoughts_part(self, what: str, growing: _Growing, text: str) -> bytes:
        summary = growing.kind == "reasoning_summary_text"
        kind = "reasoning_summary_part" if summary else "content_part"
        part = {"type": "summary_text" if summary else "reasoning_text", "text": text}
        return self._event(f"{kind}.{what}", {**growing.place, "part": part})

    def _close_thoughts(self, growing: _Growing, part: Reasoning) -> bytes:
        frames = b""
        if growing.head:
            frames += self._event(f"{growing.kind}.done", {**growing.place, "text": part.text})
            frames += self._thoughts_part("done", growing, part.text)
        return frames + self._done(growing.place["output_index"], items.reasoning(growing.place["item_id"], part))

    # Calls

    def _open_call(self, index: int, part: ToolCall) -> bytes:
        number = self._take_number()
        custom = part.free or part.name in self._called.customs
        ident = self._names.item("ctc" if custom else "fc", number, part)
        place: Rest = {"item_id": ident, "output_index": number}
        growing = _Growing(part, "custom_tool_call_input" if custom else "function_call_arguments", place)
        item = items.call(ident, replace(part, arguments=""), self._called, "in_progress")
        frames = self._added(number, {**item, CALLS[item["type"]]: ""})
        if custom and not part.free:
            # A function's arguments are a custom tool's input only when they are whole.
            self._growing[index] = growing
            growing.pieces.append(part.arguments)
            return frames
        return frames + self._start(index, growing, part.arguments)

    def _close_call(self, growing: _Growing, part: ToolCall) -> bytes:
        custom = growing.kind == "custom_tool_call_input"
        item = items.call(growing.place["item_id"], part, self._called)
        field = CALLS[item["type"]]
        frames = b""
        if item[field] and not any(growing.pieces if growing.head else ()):
            growing.stream()
            frames += self._grow(growing, item[field])
        if not is_cut(part):  # clients take what is told here for whole
            named = {} if custom else {"name": item["name"]}
            frames += self._event(f"{growing.kind}.done", {**growing.place, **named, field: item[field]})
        return frames + self._done(growing.place["output_index"], item)
