"""A streamed answer in Messages, written event by event.

Blocks come one after the other, so parts that grow at the same time are written in the order in which they opened,
the later ones kept until the earlier are closed. A text or a thought begins its block with its first words, as an empty
block may not be sent back; a call is written when it is whole, so that its input is an object in any case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pointsman.dialects import messages, seals
from pointsman.dialects.calls import is_cut
from pointsman.dialects.messages import blocks
from pointsman.dialects.messages import reply as replies
from pointsman.dialects.messages.blocks import HOME, Object
from pointsman.neutral import Begun, Broken, Closed, Foreign, Grew, Opened, Reasoning, Refusal, Text, ToolCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.neutral import Ended, Event, Json, Part, Request

_TEXT: Final = "text"
_THINKING: Final = "thinking"
_CALL: Final = "call"
_WHOLE: Final = "whole"

_ENCODE: Final = msgspec.json.Encoder().encode
_END: Final = b"}}\n\n"
_FIELDS: Final = {_TEXT: b'"text_delta","text":', _THINKING: b'"thinking_delta","thinking":'}


class _Waiting:
    """A part that the writer has been told of: what of it is not written yet. `kind` "": it is not written at all."""

    __slots__ = ("closed", "kind", "part", "pieces", "prefix")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.kind = _kind_of(part)
        self.pieces: list[str] = []
        self.closed: Closed | None = None
        self.prefix = b""  # of the deltas of its block, once that has begun


class StreamWriter:
    """Writes a stream for a client. State: the parts that are not written to their ends, the number of blocks.

    The first of the parts is the one that is being written.
    """

    __slots__ = ("_begun", "_called", "_count", "_declined", "_now", "_parts", "_request")

    def __init__(self, request: Request, now: int) -> None:
        self._request = request
        self._now = now
        self._parts: dict[int, _Waiting] = {}
        self._count = 0
        self._begun = self._called = self._declined = False

    def feed(self, event: Event) -> bytes:
        """Whole frames, maybe none."""
        if isinstance(event, Grew):
            part = self._parts.get(event.index)
            if part is not None and part.prefix:
                # What nearly every event is: more of what is being written.
                return part.prefix + _ENCODE(event.text) + _END if event.text else b""
            if part is not None:
                part.pieces.append(event.text)
        elif isinstance(event, Opened):
            self._parts[event.index] = _Waiting(event.part)
            self._declined = self._declined or isinstance(event.part, Refusal)
        elif isinstance(event, Closed):
            if event.index in self._parts:
                self._parts[event.index].closed = event
        elif isinstance(event, Broken):
            return _broken(event)
        else:
            return self._begin(event) if isinstance(event, Begun) else self._end(event)
        return self._go_on()

    def _begin(self, begun: Begun) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message: Object = {
            "id": replies.ident(begun.id, self._now),
            "type": "message",
            "role": "assistant",
            "model": begun.model or self._request.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": replies.usage_of(begun.usage),
        }
        return _event("message_start", {"message": message})

    def _end(self, ended: Ended) -> bytes:
        out = self._begin(Begun())
        for index, part in self._parts.items():
            part.closed = part.closed or Closed(index)
        out += self._go_on()
        told = ([ToolCall("", "")] if self._called else []) + ([Refusal("")] if self._declined else [])
        usage = replies.usage_of(ended.usage)
        if ended.usage is None or not ended.usage.input:
            # What the beginning said of the prompt stands.
            usage = {name: usage[name] for name in ("output_tokens", "output_tokens_details") if name in usage}
        delta = replies.ending(ended.finish, ended.stop, told)
        out += _event("message_delta", {"delta": delta, "usage": usage})
        return out + _event("message_stop", {})

    def _go_on(self) -> bytes:
        """Writes what can be: the first part, and when that is at its end those behind it."""
        out = b""
        while self._parts:
            index, part = next(iter(self._parts.items()))
            out += self._write(part)
            if part.closed is None:
                break
            del self._parts[index]
        return out

    def _write(self, part: _Waiting) -> bytes:
        if part.kind in {_TEXT, _THINKING}:
            return self._write_words(part)
        if part.closed is None or not part.kind:
            return b""
        if isinstance(part.part, ToolCall):
            return self._write_call(part.part, "".join(part.pieces))
        return self._block(blocks.write(part.part))

    def _write_words(self, part: _Waiting) -> bytes:
        out, text = b"", "".join(part.pieces)
        part.pieces.clear()
        seal = part.closed.seal if part.closed is not None else None
        if seal is not None and blocks.redacted(seal) and not part.prefix:
            return self._block(blocks.write(Reasoning(seal=seal)))
        if not part.prefix:
            if seal is None and not (text if part.kind is _THINKING else text.strip()):
                part.pieces.append(text)  # words may follow the white space
                return b""
            out = self._start(part)
        if text:
            out += part.prefix + _ENCODE(text) + _END
        return out if part.closed is None else out + self._stop(part, part.closed)

    def _start(self, part: _Waiting) -> bytes:
        index = self._count
        self._count += 1
        head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":' % index
        part.prefix = head + _FIELDS[part.kind]
        begun = {"type": _TEXT, "text": ""}
        if part.kind is _THINKING:
            begun = {"type": _THINKING, "thinking": "", "signature": ""}
        return _event("content_block_start", {"index": index, "content_block": begun})

    def _stop(self, part: _Waiting, closed: Closed) -> bytes:
        # The block that is being written is the last that has begun.
        index = self._count - 1
        deltas: list[Object] = []
        if closed.seal is not None and not blocks.redacted(closed.seal):
            deltas = [{"type": "signature_delta", "signature": seals.write(HOME, closed.seal)}]
        elif part.kind is _TEXT:
            cited = blocks.own(closed.rest).get("citations") or ()
            deltas = [{"type": "citations_delta", "citation": citation} for citation in cited]
        out = b"".join(_event("content_block_delta", {"index": index, "delta": delta}) for delta in deltas)
        return out + _event("content_block_stop", {"index": index})

    def _write_call(self, call: ToolCall, pieces: str) -> bytes:
        whole = msgspec.structs.replace(call, arguments=call.arguments + pieces)
        if is_cut(whole):
            return b""  # an input is an object here: half of one cannot be said
        self._called = True
        given = _ENCODE(blocks.arguments(whole)).decode()
        block = blocks.write(msgspec.structs.replace(call, arguments="", free=False))
        return self._block(block, [{"type": "input_json_delta", "partial_json": given}])

    def _block(self, block: Json, deltas: Sequence[Object] = ()) -> bytes:
        index = self._count
        self._count += 1
        out = _event("content_block_start", {"index": index, "content_block": block})
        for delta in deltas:
            out += _event("content_block_delta", {"index": index, "delta": delta})
        return out + _event("content_block_stop", {"index": index})


def _kind_of(part: Part) -> str:
    if isinstance(part, Text | Refusal):
        return _TEXT
    if isinstance(part, Reasoning):
        return _WHOLE if part.seal is not None and blocks.redacted(part.seal) else _THINKING
    if isinstance(part, ToolCall):
        return _CALL
    return _WHOLE if isinstance(part, Foreign) and part.home is HOME else ""


def _event(kind: str, members: Object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _ENCODE({"type": kind, **members}))


def _broken(event: Broken) -> bytes:
    failure = event.failure
    return messages.write_stream_error(failure.status or 502, failure.kind.value, failure.message)
