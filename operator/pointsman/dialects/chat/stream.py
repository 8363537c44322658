"""A streamed answer of chat completions, as its target sends it.

Nothing on the wire opens or closes a part, so the order does: text ends reasoning, and reasoning text; calls stay open
to the end, since servers may interleave them. A choice's reason may come before its last pieces, and the usage in any
chunk, so the answer is whole at `[DONE]` and not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from pointsman.dialects import citations, errors, seals, skim
from pointsman.dialects.calls import as_text
from pointsman.dialects.chat import usage as chat_usage
from pointsman.dialects.chat.parts import PARAGRAPH, THOUGHT, detail_words, kept, merged, opaque, packed
from pointsman.dialects.chat.reply import call_ident, epoch, finish_of, text
from pointsman.dialects.chat.think import Thoughts
from pointsman.names import Dialect
from pointsman.neutral import (
    Begun,
    Broken,
    Closed,
    Ended,
    Foreign,
    Grew,
    Opened,
    Reasoning,
    Refusal,
    StreamError,
    Text,
    ToolCall,
)

if TYPE_CHECKING:
    from pointsman.dialects.chat.parts import Object
    from pointsman.exchange import Usage
    from pointsman.neutral import Event, Json, Part, Rest, Seal
    from pointsman.sse import Frame

_DONE: Final = b"[DONE]"
_SHUT: Final = -1  # no part of that kind is open


class _Delta(msgspec.Struct, gc=False):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    images: Any = None
    audio: Any = None
    annotations: Any = None


class _Choice(msgspec.Struct, gc=False):
    index: Any = None
    delta: _Delta | None = None
    finish_reason: Any = None
    stop_reason: Any = None
    error: Any = None


class _Chunk(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    created: Any = None
    choices: list[_Choice] | None = None
    error: Any = None
    usage: Any = None


class _Call:
    __slots__ = ("free", "held", "id", "part")

    def __init__(self, *, free: bool) -> None:
        self.free = free
        self.id = ""
        self.part = _SHUT  # until its name is known
        self.held: list[str] = []


_CHUNK: Final = msgspec.json.Decoder(_Chunk)


class _MoreDelta(msgspec.Struct, gc=False):
    content: skim.Filled
    reasoning_content: skim.Blank = None
    reasoning: skim.Blank = None
    reasoning_details: skim.Empty = None
    refusal: skim.Blank = None
    tool_calls: skim.Empty = None
    function_call: None = None
    images: skim.Empty = None
    audio: None = None
    annotations: skim.Empty = None


class _MoreChoice(msgspec.Struct, gc=False):
    delta: _MoreDelta
    index: Literal[0] | None = 0
    finish_reason: skim.Blank = None
    error: None = None


class _More(msgspec.Struct, gc=False):
    """A chunk with more of a text and nothing else."""

    choices: Annotated[list[_MoreChoice], msgspec.Meta(min_length=1, max_length=1)]
    usage: None = None
    error: None = None


_MORE: Final = msgspec.json.Decoder(_More)


class StreamReader:
    """See `codecs.StreamReader`. State: the parts that are open, by kind; calls by their index; what was said last."""

    __slots__ = (
        "_begun", "_call_ident", "_calls", "_cited", "_details", "_events", "_finish", "_halves", "_last", "_next",
        "_open", "_over", "_refusal", "_sound", "_stop", "_text", "_thought", "_thoughts", "_unsealed", "_usage",
        "_worded",
    )  # fmt: skip

    def __init__(self) -> None:
        self._halves = skim.Halves()
        self._events: list[Event] = []
        self._begun = self._over = False
        self._worded = False  # thoughts are told beside `reasoning_details`, which then only repeat them
        self._unsealed = False  # a thought was whole before the text began
        self._next = 0
        self._text = self._thought = self._refusal = _SHUT
        self._open: list[int] = []  # calls
        self._calls: dict[int, _Call] = {}
        self._last: list[_Call] = []  # all calls, in their order
        self._thoughts = Thoughts()
        self._details: list[Object] = []
        self._cited: list[Json] = []
        self._sound = False  # sound has come
        self._call_ident = self._stop = ""
        self._finish: str | None = None
        self._usage: Usage | None = None

    def feed(self, frame: Frame) -> list[Event]:
        """What a chunk means. StreamError: it is none, or stands after the end."""
        data = frame.data
        if not data:
            return []
        if self._over:
            raise StreamError(f"after the end of a chat stream: {data[:80]!r}")
        self._events = []
        if data == _DONE:
            self._end()
            return self._events
        try:
            chunk = self._halves.decode(_CHUNK, data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise StreamError(f"no chat chunk: {data[:80]!r}") from error
        self._read(chunk)
        return self._events

    def more(self, run: bytes) -> Grew | None:
        """See `codecs.StreamReader`."""
        if self._text == _SHUT or self._over:
            return None
        chunk = skim.only(run, _MORE)
        return None if chunk is None else Grew(self._text, chunk.choices[0].delta.content)

    def _read(self, chunk: _Chunk) -> None:
        if chunk.error:
            self._break(chunk.error)
            return
        if chunk.usage is not None:
            self._usage = chat_usage.read(chunk.usage) or self._usage
        for choice in chunk.choices or ():
            if not self._begun:
                self._begin(chunk)
            if choice.error:
                self._break(choice.error)
                return
            if choice.index in (None, 0):
                self._read_choice(choice)

    def _begin(self, chunk: _Chunk) -> None:
        self._begun = True
        ident = text(chunk.id)
        self._call_ident = call_ident(ident)
        self._events.append(Begun(ident, text(chunk.model), epoch(chunk.created)))

    def _break(self, error: Any) -> None:
        self._over = True
        self._events.append(Broken(errors.read_stream_error(error)))

    def _read_choice(self, choice: _Choice) -> None:
        delta = choice.delta
        if delta is not None:
            content = delta.content
            if content and self._text != _SHUT and _is_only_text(delta):
                self._events.append(Grew(self._text, content))
            else:
                self._read_delta(delta)
        if choice.finish_reason:
            self._finish = text(choice.finish_reason)
            self._stop = text(choice.stop_reason)
            failure = errors.read_reason(choice.finish_reason)
            if failure is not None:
                self._over = True
                self._events.append(Broken(failure))

    def _read_delta(self, delta: _Delta) -> None:
        self._read_thought(delta)
        if delta.content:
            self._read_content(_words(delta.content))
        if delta.refusal and isinstance(delta.refusal, str):
            self._flush()
            self._refusal = self._speak(self._refusal, Refusal(""), delta.refusal)
        if delta.images:
            self._flush()
            self._close(self._show(Foreign(Dialect.CHAT, "images", delta.images)))
        if delta.audio and not self._sound:
            self._sound = True
            self._close(self._show(Foreign(Dialect.CHAT, "audio", delta.audio)))
        if isinstance(delta.annotations, list):
            self._cited += delta.annotations
        if delta.tool_calls or delta.function_call:
            self._flush()
            self._hush()
            pieces = delta.tool_calls or [{"index": 0, "function": delta.function_call}]
            for place, piece in enumerate(pieces if isinstance(pieces, list) else [pieces]):
                self._read_call(piece, place)

    # Words

    def _read_thought(self, delta: _Delta) -> None:
        given = delta.reasoning_details if isinstance(delta.reasoning_details, list) else []
        entries = [entry for entry in given if isinstance(entry, dict)]
        ours = [entry for entry in entries if packed(entry)]
        self._details += [] if ours else entries
        said = {name: getattr(delta, name) for name in THOUGHT}
        words = next((each for each in said.values() if each and isinstance(each, str)), "")
        names = [name for name, each in said.items() if words and each == words]
        self._worded = self._worded or bool(words)
        if not self._worded:
            words = "".join(detail_words(entry) for entry in entries if entry not in ours)
        if words:
            self._flush()
            if self._thought == _SHUT and self._unsealed:
                words = words.removeprefix(PARAGRAPH)
            rest: Rest = kept({}, None if names == [THOUGHT[0]] else names)
            self._thought = self._speak(self._thought, Reasoning(rest=rest), words)
        for entry in ours:
            self._unseal(entry)

    def _unseal(self, entry: Object) -> None:
        """A thought that this gateway sealed is whole: the one that was told just now, or one that is only here."""
        text, seal = detail_words(entry), seals.read(Dialect.CHAT, packed(entry))
        self._flush()
        if self._thought == _SHUT or not text:
            self._hush()
            self._thought = self._speak(self._show(Reasoning()), Reasoning(), "" if self._worded else text)
        self._close(self._thought, seal)
        self._thought, self._unsealed = _SHUT, True

    def _read_content(self, content: str) -> None:
        if self._thoughts.plain:
            self._say(content)
            return
        for thought, words in self._thoughts.feed(content):
            if thought:
                self._thought = self._speak(self._thought, Reasoning(), words)
            else:
                self._say(words)

    def _flush(self) -> None:
        """No more of the head of the text can come: what was kept back of it is told."""
        if not self._thoughts.plain:
            for thought, words in self._thoughts.finish():
                if thought:
                    self._thought = self._speak(self._thought, Reasoning(), words)
                else:
                    self._say(words)

    def _say(self, words: str) -> None:
        self._text = self._speak(self._text, Text(""), words)

    def _speak(self, index: int, part: Part, words: str) -> int:
        if index == _SHUT:
            self._hush()
            index = self._show(part)
        if words:
            self._events.append(Grew(index, words))
        return index

    def _show(self, part: Part) -> int:
        index = self._next
        self._next += 1
        self._events.append(Opened(index, part))
        return index

    def _close(self, index: int, seal: Seal | None = None) -> None:
        self._events.append(Closed(index, seal))

    def _hush(self) -> None:
        """Whatever is being said ends here."""
        if self._thought != _SHUT:
            self._close(self._thought, self._seal())
        elif opaque(self._details):
            self._close(self._show(Reasoning()), self._seal())
        if self._text != _SHUT:
            cited, self._cited = self._cited, []
            self._events.append(Closed(self._text, rest=citations.from_chat(cited)))
        if self._refusal != _SHUT:
            self._close(self._refusal)
        self._text = self._thought = self._refusal = _SHUT

    def _seal(self) -> Seal | None:
        details, self._details = self._details, []
        return seals.read(Dialect.CHAT, merged(details)) if opaque(details) else None

    # Calls

    def _read_call(self, piece: Json, place: int) -> None:
        """A piece of a call. With a name and another id it is another call, though some servers number all alike."""
        if not isinstance(piece, dict):
            raise StreamError(f"no piece of a tool call: {piece!r:.80}")
        said = piece.get("index")
        key = said if isinstance(said, int) else place
        inner = piece.get("function") or piece.get("custom") or {}
        if not isinstance(inner, dict):
            raise StreamError(f"no function of a tool call: {inner!r:.80}")
        name, ident = text(inner.get("name")), text(piece.get("id"))
        call = self._calls.get(key)
        if call is None or (name and ident and call.id and ident != call.id):
            call = self._calls[key] = _Call(free=isinstance(piece.get("custom"), dict))
            self._last.append(call)
        call.id = call.id or ident
        if name and call.part == _SHUT:
            self._open_call(call, name)
        self._grow_call(call, as_text(inner.get("arguments")) or text(inner.get("input")))

    def _open_call(self, call: _Call, name: str) -> None:
        ident = call.id or f"{self._call_ident}{self._last.index(call)}"
        call.part = self._show(ToolCall(ident, name, free=call.free))
        self._open.append(call.part)
        held, call.held = call.held, []
        self._grow_call(call, "".join(held))

    def _grow_call(self, call: _Call, arguments: str) -> None:
        if not arguments:
            return
        if call.part == _SHUT:
            call.held.append(arguments)
        else:
            self._events.append(Grew(call.part, arguments))

    # The end

    def _end(self) -> None:
        if self._finish is None:
            raise StreamError("a chat stream that is closed before its choice has ended")
        if any(call.part == _SHUT for call in self._last):
            raise StreamError("a tool call without a name")
        self._flush()
        self._hush()
        for index in self._open:
            self._close(index)
        self._over = True
        self._events.append(Ended(finish_of(self._finish, called=bool(self._last)), self._stop, self._usage))


def _is_only_text(delta: _Delta) -> bool:
    return (
        type(delta.content) is str
        and not delta.tool_calls
        and not delta.reasoning_content
        and not delta.reasoning
        and not delta.reasoning_details
        and not delta.refusal
        and not delta.function_call
        and not delta.images
        and not delta.audio
        and not delta.annotations
    )


def _words(content: Json) -> str:
    """The text of a delta's content; some servers send it as parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    words = [part.get("text") if isinstance(part, dict) else None for part in parts]
    if not all(isinstance(each, str) for each in words):
        raise StreamError(f"content that is no text: {content!r:.80}")
    return "".join(filter(None, words))
