"""A stream that was cut, taken up by another target: the same request again, what was sent already held back.

`Told` is what the client has been sent; `Replay` follows the new stream. As long as the new stream says again what
was told, nothing is passed on; where it goes on, its events are passed on under the ids that the client knows. A
stream that says anything else has diverged, and must not be glued to the first.

What an event amounts to is the dialect's to say (`said`): pieces of text on named channels, a mark (an event that
shapes the answer: an item opens, a block ends), ids. None: it says something that cannot be told twice in pieces, such
as a tool call, so an answer in which it was sent cannot be taken up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from pointsman.exchange import Failure, FailureKind
from pointsman.sse import frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.sse import Frame

Json = dict[str, Any]
FOLD: Final = 64 * 1024  # bytes kept as they were sent, before they are read and only their text is kept
LIMIT: Final = 4 * 1024 * 1024  # characters of an answer that can be taken up


class Said(msgspec.Struct, frozen=True, gc=False):
    """What one event amounts to. Nothing in it: it may be left out of a replay, as a ping may."""

    texts: tuple[tuple[str, str], ...] = ()  # channel, piece
    mark: str = ""
    ids: tuple[str, ...] = ()


class Speech(Protocol):
    """What a dialect's module provides for this."""

    def said(self, event: Json) -> Said | None: ...
    def resaid(self, event: Json, texts: Mapping[str, str]) -> Json: ...


class Told:
    """What a client was sent of one answer. State: the text by channel, marks and ids in order; bytes not read yet."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech
        self._unread: list[bytes] = []
        self._size = 0
        self.lost = False  # something was sent that cannot be told again
        self.texts: dict[str, list[str]] = {}
        self.marks: list[str] = []
        self.ids: list[str] = []
        self.first: Json = {}  # the first event that names the answer
        self.sequence = -1  # of the last event, where events are numbered
        self._length = 0

    def add(self, run: bytes) -> None:
        """Whole frames that were sent to the client."""
        if self.lost:
            return
        self._unread.append(run)
        self._size += len(run)
        if self._size > FOLD:
            self.fold()

    def fold(self) -> None:
        """Read what was sent, and keep what it amounts to."""
        run, self._size = b"".join(self._unread), 0
        self._unread.clear()
        for frame in frames(run):
            event = decode(frame)
            said = self._speech.said(event) if event is not None else Said()
            if said is None or self._length > LIMIT:
                self.lost = True
                return
            self._keep(said, event or {})

    def _keep(self, said: Said, event: Json) -> None:
        for channel, piece in said.texts:
            self.texts.setdefault(channel, []).append(piece)
            self._length += len(piece)
        if said.mark:
            self.marks.append(said.mark)
        self.ids.extend(said.ids)
        if not self.first and "id" in event:
            self.first = {key: event[key] for key in ("id", "created", "model") if key in event}
        if isinstance(number := event.get("sequence_number"), int):
            self.sequence = number


class Replay:
    """The new stream against what was told. State: what of it has not been said again yet."""

    def __init__(self, speech: Speech, told: Told) -> None:
        told.fold()
        self._speech, self._told = speech, told
        self._texts = {channel: "".join(pieces) for channel, pieces in told.texts.items()}
        self._marks = list(reversed(told.marks))
        self._ids = list(reversed(told.ids))
        self._renamed: dict[str, str] = {}
        self._sequence = told.sequence

    @property
    def caught_up(self) -> bool:
        return not self._marks and not any(self._texts.values())

    def feed(self, frame: Frame) -> bytes | Failure:
        """What may be passed on of a frame, maybe nothing; a Failure when the new answer is another one."""
        event, before = decode(frame), self.caught_up
        if event is None:
            return frame.raw if before else b""
        said = self._speech.said(event)
        if said is None:
            return self._written(frame, event) if before else DIVERGED
        self._learn(said)
        if said.texts:
            return self._feed_texts(frame, event, said)
        if before:
            return self._written(frame, event)
        return self._again(said.mark) if said.mark else b""

    def _feed_texts(self, frame: Frame, event: Json, said: Said) -> bytes | Failure:
        left = self._unsaid(said)
        if isinstance(left, Failure):
            return left
        if said.mark and not self.caught_up:
            return DIVERGED
        if not any(left.values()) and not said.mark:
            return b""
        return self._written(frame, self._speech.resaid(event, left))

    def _again(self, mark: str) -> bytes | Failure:
        # Another mark than the one that is due: another shape, or an end before all that was told was said again.
        if not self._marks or self._marks.pop() != mark:
            return DIVERGED
        return b""

    def _unsaid(self, said: Said) -> dict[str, str] | Failure:
        left: dict[str, str] = {}
        for channel, piece in said.texts:
            due = self._texts.get(channel, "")
            shared = min(len(due), len(piece))
            if due[:shared] != piece[:shared] or (len(piece) > shared and self._due_elsewhere(channel)):
                return DIVERGED
            self._texts[channel] = due[shared:]
            left[channel] = piece[shared:]
        return left

    def _due_elsewhere(self, channel: str) -> bool:
        return bool(self._marks) or any(text for other, text in self._texts.items() if other != channel)

    def _learn(self, said: Said) -> None:
        for new in said.ids:
            if self._ids:
                self._renamed[new] = self._ids.pop()

    def _written(self, frame: Frame, event: Json) -> bytes:
        event = {**_renamed(event, self._renamed), **{k: v for k, v in self._told.first.items() if k in event}}
        if "sequence_number" in event and self._sequence >= 0:
            self._sequence += 1
            event["sequence_number"] = self._sequence
        name = b"event: %b\n" % frame.event if frame.event else b""
        return b"%bdata: %b\n\n" % (name, msgspec.json.encode(event))


DIVERGED: Final = Failure(FailureKind.DIVERGED, "the next target's answer differs from what was sent already")


def decode(frame: Frame) -> Json | None:
    """The event of a frame; None for one without JSON, such as a comment or [DONE]."""
    if not frame.data.startswith(b"{"):
        return None
    try:
        event = msgspec.json.decode(frame.data)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if not names:
        return value
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, dict):
        return {key: _renamed(inner, names) for key, inner in value.items()}
    return [_renamed(inner, names) for inner in value] if isinstance(value, list) else value
