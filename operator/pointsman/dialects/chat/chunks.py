"""A streamed answer as chat completions' clients read it.

One identifier for all chunks, the role in a chunk of its own, each call under a number of its own; reasoning as
`reasoning_content`, the word that most clients know, and what its maker wants back as `reasoning_details`. A chunk
with a piece of text is put together from bytes that are ready: only the text is written anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pointsman.dialects import citations, customs, errors
from pointsman.dialects.chat import usage as chat_usage
from pointsman.dialects.chat.parts import PARAGRAPH, THOUGHT, packed, write_seal, write_unsealed
from pointsman.dialects.chat.reply import FINISHES, answer_id, call_ident, custom_tools
from pointsman.names import Dialect
from pointsman.neutral import Begun, Broken, Closed, Ended, Foreign, Grew, Opened, Reasoning, Refusal, Text, ToolCall

if TYPE_CHECKING:
    from pointsman.exchange import Failure
    from pointsman.neutral import Event, Json, Part, Request, Rest

_ENCODE: Final = msgspec.json.Encoder().encode
_DONE: Final = b"data: [DONE]\n\n"
_END: Final = b'},"finish_reason":null}]}\n\n'
_NONE: Final = -1


class _Part:
    """A part that is open. `number`: of a call, or of reasoning, among its kind; `head`: of a chunk that grows it."""

    __slots__ = ("begins", "custom", "grown", "head", "number", "part", "start", "tail", "words")

    def __init__(self, part: Part, number: int) -> None:
        self.part = part
        self.number = number
        self.head = self.tail = b""
        self.custom = False  # its arguments are kept until they are whole
        self.grown = False
        self.start = 0  # of a text, in all of the content
        self.begins = isinstance(part, Text) and citations.begins_message(part)
        self.words: list[str] = []  # of what is told once more at its end


class StreamWriter:
    """See `codecs.StreamWriter`. State: the parts that are open, how many calls there are, which text was last."""

    __slots__ = ("_begun", "_beside", "_calls", "_chunk", "_custom", "_ident", "_now", "_parts", "_request", "_said",
                 "_seals", "_size", "_text", "_thought", "_thoughts", "_unsealed")  # fmt: skip

    def __init__(self, request: Request, now: int) -> None:
        self._request, self._now = request, now
        self._custom = custom_tools(request)
        self._begun: Begun | None = None
        self._chunk = self._ident = b""
        self._parts: dict[int, _Part] = {}
        self._calls = self._thoughts = 0
        self._size = 0  # characters of the content
        self._seals = False  # there are thoughts that this gateway has sealed
        self._unsealed: list[Json] = []  # thoughts without, which may be told again
        self._text = self._thought = _NONE  # the part whose words came last
        self._beside = True  # nothing but text has begun since

    def feed(self, event: Event) -> bytes:
        """The chunks of an event."""
        if type(event) is Grew:
            return self._grow(self._parts[event.index], event)
        if isinstance(event, Begun):
            return self._begin(event)
        if isinstance(event, Broken):
            return _broken(event.failure)
        start = b"" if self._begun is not None else self._begin(Begun())
        if isinstance(event, Opened):
            start += self._open(event)
        elif isinstance(event, Closed):
            start += self._close(event)
        elif isinstance(event, Ended):
            start += self._end(event)
        return start

    def _begin(self, event: Begun) -> bytes:
        self._begun = event
        self._ident = call_ident(event.id).encode()
        head = {
            "id": answer_id(event.id, self._now), "object": "chat.completion.chunk",
            "created": event.created or self._now, "model": event.model or self._request.model,
        }  # fmt: skip
        self._chunk = b"data: " + _ENCODE(head)[:-1] + b',"choices":['
        return self._delta(b'"role":"assistant","content":null')

    def _delta(self, fields: bytes) -> bytes:
        return self._chunk + b'{"index":0,"delta":{' + fields + _END

    # Parts

    def _open(self, event: Opened) -> bytes:
        part = event.part
        if isinstance(part, ToolCall):
            return self._open_call(event.index, part)
        opened = self._parts[event.index] = _Part(part, self._thoughts)
        if isinstance(part, Foreign):
            return self._show(part)
        if isinstance(part, Reasoning):
            self._thoughts += 1
        if not isinstance(part, Text):
            self._beside = False
        field = _FIELDS.get(type(part), b"content")
        opened.head = self._chunk + b'{"index":0,"delta":{"' + field + b'":'
        opened.tail = _END
        words = part.text if isinstance(part, Text | Reasoning | Refusal) else ""
        return self._grow(opened, Grew(event.index, words)) if words else b""

    def _open_call(self, index: int, call: ToolCall) -> bytes:
        opened = self._parts[index] = _Part(call, self._calls)
        self._calls += 1
        self._beside = False
        opened.custom = call.name in self._custom and not call.free
        kind, field = ("custom", "input") if opened.custom or call.free else ("function", "arguments")
        place = b'"tool_calls":[{"index":%d,' % opened.number
        opened.head = self._chunk + b'{"index":0,"delta":{' + place + b'"%b":{"%b":' % (kind.encode(), field.encode())
        opened.tail = b"}}]" + _END
        ident = call.id or f"{self._ident.decode()}{opened.number}"
        said = {"id": ident, "type": kind, kind: {"name": call.name, field: ""}}
        first = self._delta(place + _ENCODE(said)[1:] + b"]")
        return first + (self._grow(opened, Grew(index, call.arguments)) if call.arguments else b"")

    def _show(self, part: Foreign) -> bytes:
        if part.home is not Dialect.CHAT or part.kind not in ("images", "audio"):
            return b""
        return self._delta(_ENCODE({part.kind: part.payload})[1:-1])

    def _grow(self, part: _Part, event: Grew) -> bytes:
        words = event.text
        kind = type(part.part)
        if kind is Text:
            if event.index != self._text:
                words = self._paragraph(part, event)
            self._size += len(event.text)
        elif kind is Reasoning:
            part.words.append(words)
            if event.index != self._thought:
                words = words if self._thought == _NONE else PARAGRAPH + words
                self._thought = event.index
        elif part.custom:
            part.words.append(words)
            return b""
        part.grown = True
        return part.head + _ENCODE(words) + part.tail

    def _paragraph(self, part: _Part, event: Grew) -> str:
        pause = self._text != _NONE and (not self._beside or part.begins)
        self._size += len(PARAGRAPH) if pause else 0
        part.start = self._size
        self._text, self._beside = event.index, True
        return PARAGRAPH + event.text if pause else event.text

    def _close(self, event: Closed) -> bytes:
        closed = self._parts.pop(event.index)
        part = closed.part
        if isinstance(part, Reasoning):
            whole = Reasoning("".join(closed.words), part.summary, event.seal or part.seal)
            return self._close_thought(whole, closed.number)
        if isinstance(part, Text):
            return self._cite(closed, event.rest or part.rest)
        if not isinstance(part, ToolCall) or closed.grown:
            return b""
        if closed.custom:
            return closed.head + _ENCODE(customs.unwrap("".join(closed.words))) + closed.tail
        # Clients parse what they have been given of the arguments: nothing at all is no JSON.
        return b"" if part.free else closed.head + b'"{}"' + closed.tail

    def _cite(self, closed: _Part, rest: Rest) -> bytes:
        cited = citations.of(Text("", rest), self._size - closed.start) if rest else []
        moved = [each.moved(closed.start) for each in cited]
        return self._delta(b'"annotations":' + _ENCODE(citations.for_chat(moved))) if moved else b""

    def _close_thought(self, part: Reasoning, number: int) -> bytes:
        """What its maker wants back; with the first that this gateway seals, what was thought without a seal before."""
        if part.seal is None:
            self._unsealed += write_unsealed(part, number)
            entries = []
        else:
            entries = write_seal(part, part.seal, number)
            self._seals = self._seals or any(map(packed, entries))
        if self._seals:
            entries, self._unsealed = [*self._unsealed, *entries], []
        return self._delta(b'"reasoning_details":' + _ENCODE(entries)) if entries else b""

    # The end

    def _end(self, event: Ended) -> bytes:
        finish = b'{"index":0,"delta":{},"finish_reason":"%b"}]}\n\n' % FINISHES[event.finish].encode()
        usage, told = event.usage, b""
        if usage is not None and self._request.usage:
            told = self._chunk + b'],"usage":' + _ENCODE(chat_usage.write(usage)) + b"}\n\n"
        return self._chunk + finish + told + _DONE


_FIELDS: Final[dict[type, bytes]] = {Text: b"content", Refusal: b"refusal", Reasoning: THOUGHT[0].encode()}


def _broken(failure: Failure) -> bytes:
    status = failure.status if failure.status >= 400 else 502
    return b"data: " + errors.write_error(status, str(failure.kind), failure.message) + b"\n\n"
