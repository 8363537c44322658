"""A streamed answer in Messages, read event by event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from pointsman.dialects import errors, seals, skim
from pointsman.dialects.messages import blocks
from pointsman.dialects.messages import reply as replies
from pointsman.dialects.messages.blocks import HOME, MARK, Object
from pointsman.exchange import BadRequestError
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
    StreamError,
    Text,
    ToolCall,
)

if TYPE_CHECKING:
    from pointsman.neutral import Event, Json, Part, Rest, Seal
    from pointsman.sse import Frame


class _Delta(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    citation: Any = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    index: int = 0
    delta: _Delta | None = None
    content_block: Any = None
    message: Any = None
    usage: Any = None
    error: Any = None


class _MoreDelta(msgspec.Struct, gc=False):
    type: Literal["text_delta"]
    text: skim.Filled


class _More(msgspec.Struct, gc=False):
    """An event with more of a text and nothing else."""

    type: Literal["content_block_delta"]
    delta: _MoreDelta
    index: int = 0
    error: None = None


_EVENT: Final = msgspec.json.Decoder(_Event)
_MORE: Final = msgspec.json.Decoder(_More)
_TEXT: Final = "text"
_THINKING: Final = "thinking"
_CALL: Final = "call"
_FOREIGN: Final = "foreign"
_KINDS: Final = frozenset({
    "message_start", "message_delta", "message_stop",
    "content_block_start", "content_block_delta", "content_block_stop",
})  # fmt: skip


class _Block:
    """A block of the stream that is open, with the part that it amounts to; `part` -1: that has not been opened.

    `given`: a call's arguments, where its start tells them. `held`: what its start says beyond the part, or all of it.
    """

    __slots__ = ("cited", "given", "held", "kind", "part", "pieces", "seal")

    def __init__(self, kind: str, part: int = -1, held: Json = None, given: str = "") -> None:
        self.kind = kind
        self.part = part
        self.held = held or {}
        self.given = given
        self.pieces: list[str] = []  # of the input of a hosted tool
        self.cited: list[Json] = []
        self.seal: Seal | None = None


class StreamReader:
    """Follows a target's stream. State: the blocks that are open, the stop reason, what was said of the usage.

    A text's part opens with its first word: some servers announce a text and send thoughts, which is put right here.
    A block of a hosted tool is whole when it closes.
    """

    __slots__ = ("_begun", "_blocks", "_called", "_ended", "_halves", "_next", "_reason", "_stop", "_usage")

    def __init__(self) -> None:
        self._halves = skim.Halves()
        self._blocks: dict[int, _Block] = {}
        self._next = 0
        self._begun = self._called = self._ended = False
        self._reason: str | None = None
        self._stop = ""
        self._usage: list[Json] = []

    def feed(self, frame: Frame) -> list[Event]:
        """What a frame means. StreamError: it is no event of Messages, or may not stand here."""
        data = frame.data
        if not data or data == b"[DONE]":
            return []
        try:
            event = self._halves.decode(_EVENT, data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            event = _tolerant(data)
        kind = event.type or frame.event.decode("ascii", "replace")
        if kind == "content_block_delta" and event.delta is not None:
            block = self._blocks.get(event.index)
            # What nearly every event is: more of what is open.
            if block is not None and block.kind is _TEXT and block.part >= 0 and event.delta.text:
                return [Grew(block.part, event.delta.text)]
        if kind == "error" or event.error:
            return [Broken(errors.read_stream_error(event.error or {}))]
        if self._ended:
            raise StreamError(f"an event after the message's end: {kind}")
        return self._read(kind, event)

    def more(self, run: bytes) -> Grew | None:
        """See `codecs.StreamReader`."""
        event = skim.only(run, _MORE)
        block = None if event is None else self._blocks.get(event.index)
        if event is None or block is None or block.kind is not _TEXT or block.part < 0:
            return None
        return Grew(block.part, event.delta.text)

    def _read(self, kind: str, event: _Event) -> list[Event]:
        if kind == "message_start":
            return self._begin(event.message)
        if kind == "content_block_start":
            return [*self._begin(None), *self._open(event.index, event.content_block)]
        if kind == "content_block_delta":
            return [*self._begin(None), *self._grow(event.index, event.delta or _Delta())]
        if kind == "content_block_stop":
            return self._close(event.index)
        if kind == "message_delta":
            self._note(event)
        elif kind == "message_stop":
            return self._end()
        return []

    def _begin(self, message: Json) -> list[Event]:
        told = message if isinstance(message, dict) else {}
        if told.get("usage") is not None:
            self._usage.append(told["usage"])
        if self._begun:
            return []
        self._begun = True
        name, model = (value if isinstance(value, str) else "" for value in (told.get("id"), told.get("model")))
        return [Begun(name, model, usage=replies.counted(self._usage))]

    def _note(self, event: _Event) -> None:
        if event.delta is not None:
            self._reason = event.delta.stop_reason or self._reason
            self._stop = event.delta.stop_sequence or self._stop
        self._usage.append(event.usage)

    def _end(self) -> list[Event]:
        events = self._begin(None)
        for index in list(self._blocks):
            events += self._close(index)
        self._ended = True
        ended = replies.finish(self._reason) if self._reason or not self._called else Finish.TOOL
        return [*events, Ended(ended, self._stop, replies.counted(self._usage))]

    def _open(self, index: int, block: Json) -> list[Event]:
        events = self._close(index)
        try:
            part = blocks.read(block, "content_block")
        except BadRequestError as error:
            raise StreamError(str(error)) from error
        if isinstance(part, ToolCall):
            self._called = True
            given = part.arguments or "{}"
            events.append(self._opened(index, _CALL, msgspec.structs.replace(part, arguments=""), given))
        elif isinstance(part, Reasoning):
            events += self._think(index, part)
        elif isinstance(part, Text):
            self._blocks[index] = opened = _Block(_TEXT, held=blocks.own(part.rest))
            events += self._say(opened, _TEXT, part.text) if part.text else []
        else:
            # Images and results are as foreign to an answer as what nobody here knows.
            self._blocks[index] = _Block(_FOREIGN, held=block)
        return events

    def _think(self, index: int, part: Reasoning) -> list[Event]:
        whole = part.seal is not None and blocks.redacted(part.seal)
        begun = Reasoning(seal=part.seal if whole else None, rest=unspelt(part.rest))
        events = [self._opened(index, _THINKING, begun)]
        self._blocks[index].seal = None if whole else part.seal
        if part.text:
            events.append(Grew(self._blocks[index].part, part.text))
        return events

    def _opened(self, index: int, kind: str, part: Part, given: str = "") -> Event:
        self._blocks[index] = _Block(kind, self._next, given=given)
        self._next += 1
        return Opened(self._next - 1, part)

    def _grow(self, index: int, delta: _Delta) -> list[Event]:
        block = self._blocks.get(index)
        if block is None:
            if delta.partial_json is not None:
                raise StreamError(f"a piece of a call that has not begun, in the block {index}")
            block = self._blocks[index] = _Block(_TEXT)
        if delta.text and block.kind in {_TEXT, _THINKING}:
            return self._say(block, _TEXT, delta.text)
        if delta.thinking and block.kind in {_TEXT, _THINKING}:
            return self._say(block, _THINKING, delta.thinking)
        if delta.partial_json:
            return self._call(block, delta.partial_json)
        if delta.signature:
            block.seal = seals.read(HOME, delta.signature)
        if delta.citation is not None:
            block.cited.append(delta.citation)
        return []

    def _say(self, block: _Block, kind: str, text: str) -> list[Event]:
        events: list[Event] = []
        if block.kind is not kind or block.part < 0:
            if block.part >= 0:
                events.append(_closed(block))
            block.kind, block.part, block.seal = kind, self._next, None
            self._next += 1
            events.append(Opened(block.part, Text("") if kind is _TEXT else Reasoning()))
        return [*events, Grew(block.part, text)]

    def _call(self, block: _Block, piece: str) -> list[Event]:
        if block.kind is _CALL:
            block.given = ""
            return [Grew(block.part, piece)]
        if block.kind is not _FOREIGN:
            raise StreamError("a piece of a call in a block that is none")
        block.pieces.append(piece)
        return []

    def _close(self, index: int) -> list[Event]:
        block = self._blocks.pop(index, None)
        if block is None:
            return []
        if block.kind is _FOREIGN:
            return self._whole(_put_together(block))
        if block.part < 0:
            block.part = self._next
            self._next += 1
            return [Opened(block.part, Text("")), _closed(block)]
        return [Grew(block.part, block.given), _closed(block)] if block.given else [_closed(block)]

    def _whole(self, payload: Object) -> list[Event]:
        self._next += 1
        return [Opened(self._next - 1, Foreign(HOME, payload["type"], payload)), Closed(self._next - 1)]


def _tolerant(data: bytes) -> _Event:
    """An event with members of other types than are read here: an error's, or one that nobody here knows."""
    try:
        event = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        event = None
    kind = event.get("type") if isinstance(event, dict) else None
    if not isinstance(kind, str) or kind in _KINDS:
        raise StreamError(f"no Messages event: {data[:80]!r}")
    return _Event(kind, error=event.get("error") if isinstance(event, dict) else None)


def unspelt(rest: Rest) -> Rest:
    """A part's `rest` without the note on how it was spelt, which an answer's has not."""
    return {MARK: rest[MARK]} if MARK in rest else {}


def _closed(block: _Block) -> Closed:
    rest: Rest = {}
    if block.kind is _TEXT:
        kept = {name: value for name, value in block.held.items() if name != "citations"}
        if block.cited:
            kept["citations"] = [*block.cited]
        rest = {MARK: kept} if kept else {}
    return Closed(block.part, block.seal if block.kind is _THINKING else None, rest)


def _put_together(block: _Block) -> Object:
    if not block.pieces:
        return dict(block.held)
    try:
        return {**block.held, "input": msgspec.json.decode("".join(block.pieces))}
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise StreamError(f"the input of `{block.held['type']}` is not JSON") from error
