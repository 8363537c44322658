"""A stream that was cut, taken up by another target: the same request again, what was sent already held back.

`Replay` follows the new stream against what was `Told`. As long as the new stream says again what was told, nothing is
passed on; where it goes on, its events are passed on under the ids that the client knows. A stream that says anything
else has diverged, and must not be glued to the first.

A signature in Messages is passed on with the end of thinking that this target has thought alike from its beginning.
What it sealed of a reasoning item in Responses is not: that holds under the item's own id alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.dialects.told import decode, encode, read, unreadable
from pointsman.exchange import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.dialects.told import Json, Said, Speech, Told
    from pointsman.sse import Frame

_DONE: Final = "response.output_item.done"
_SEALED: Final = "encrypted_content"
DIVERGED: Final = Failure(FailureKind.DIVERGED, "the next target's answer differs from what was sent already")


class Replay:
    """The new stream against what was told. State: what of it has not been said again yet."""

    def __init__(self, speech: Speech, told: Told) -> None:
        told.fold()
        self._speech, self._told = speech, told
        self._texts = {channel: "".join(pieces) for channel, pieces in told.texts.items()}
        self._marks = [(mark, _sorts(event)) for mark, event in zip(told.marks, told.shapes, strict=True)][::-1]
        self._ids = list(reversed(told.ids))
        self._renamed: dict[str, str] = {}
        self._items = _items(told)
        self._sequence = told.sequence

    @property
    def caught_up(self) -> bool:
        return not self._marks and not any(self._texts.values())

    def feed(self, frame: Frame) -> bytes | Failure:
        """What may be passed on of a frame, maybe nothing; a Failure when the new answer is another one."""
        event, before = decode(frame), self.caught_up
        if event is None and unreadable(frame):
            return DIVERGED
        if event is None:
            return frame.raw if before else b""
        said = read(self._speech, event)
        if said is None:
            return self._written(frame, event) if before else DIVERGED
        self._learn(said)
        if said.texts:
            return self._feed_texts(frame, event, said)
        if before:
            return self._written(frame, event)
        return self._again((said.mark, _sorts(event))) if said.mark else b""

    def close(self) -> bytes | Failure:
        """The stream has ended: nothing is held; a Failure when it ended before all that was told was said again."""
        return b"" if self.caught_up else DIVERGED

    def _feed_texts(self, frame: Frame, event: Json, said: Said) -> bytes | Failure:
        left = self._unsaid(said)
        if isinstance(left, Failure):
            return left
        if said.mark and not self.caught_up:
            return DIVERGED
        if not any(left.values()) and not said.mark:
            return b""
        return self._written(frame, self._speech.resaid(event, left))

    def _again(self, mark: tuple[str, list[Any]]) -> bytes | Failure:
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
        known = {name: value for name, value in self._told.first.items() if name in event}
        event = {**_renamed(event, self._renamed, self._items), **known}
        if "sequence_number" in event and self._sequence >= 0:
            self._sequence += 1
            event["sequence_number"] = self._sequence
        return encode(event, frame.event)


def _sorts(event: Json) -> list[Any]:
    """Of what sort the thing is that an event opens or ends, wherever the dialect says so."""
    things = [event.get(name) for name in ("content_block", "item", "part")]
    return [thing.get("type") for thing in things if isinstance(thing, dict)]


def _renamed(value: Any, names: Mapping[str, str], items: Mapping[str | None, Json]) -> Any:
    """A value with the ids that the client knows, and the items as it has them, which were told to their end."""
    if not names:
        return value
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, dict):
        known = names.get(str(value.get("id")))
        if known in items:
            return items[known]
        return {key: _renamed(inner, names, items) for key, inner in value.items() if key != _SEALED or known is None}
    return [_renamed(inner, names, items) for inner in value] if isinstance(value, list) else value


def _items(told: Told) -> dict[str | None, Json]:
    ended = [event.get("item") for event in told.shapes if event.get("type") == _DONE]
    return {str(item.get("id")): item for item in ended if isinstance(item, dict)}
