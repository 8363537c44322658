"""The rest of an answer in Messages: read as any target streams it, written into the block that the client has open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from pointsman.dialects.rest import CALLS, FILTER, LENGTH, STOP, Heard, counts
from pointsman.dialects.told import Json, encode

if TYPE_CHECKING:
    from pointsman.dialects.told import Told

_WORDS: Final = {
    "end_turn": STOP,
    "stop_sequence": STOP,
    "max_tokens": LENGTH,
    "tool_use": CALLS,
    "refusal": FILTER,
}
_REASONS: Final = {STOP: "end_turn", LENGTH: "max_tokens", CALLS: "tool_use", FILTER: "refusal"}
_REASONING: Final = frozenset({"thinking", "redacted_thinking"})


class Reader:
    """Reads events; None: a citation. State: which blocks are calls, and which text."""

    def __init__(self) -> None:
        self._calls: set[Any] = set()

    def hear(self, event: Json) -> Heard | None:
        kind, index = event.get("type"), event.get("index")
        if kind == "content_block_start":
            return self._open(index, event.get("content_block") or {})
        if kind in {"content_block_delta", "content_block_stop"} and index in self._calls:
            return Heard(call=True)
        if kind == "content_block_delta":
            return _hear_delta(event.get("delta") or {})
        if kind == "message_delta":
            delta = event.get("delta") or {}
            reason = delta.get("stop_reason") or ""
            stop, matched = _WORDS.get(reason, reason), delta.get("stop_sequence") or ""
            return Heard(stop=stop, matched=matched, detail=delta, usage=event.get("usage") or None)
        return Heard(end=kind == "message_stop")

    def _open(self, index: Any, block: Json) -> Heard:
        kind = block.get("type")
        if kind == "text":
            return Heard(text=block.get("text") or "")
        if kind in _REASONING:
            return Heard(reasoning=True)
        self._calls.add(index)
        return Heard(call=True)


class Rest:
    """Writes events. State: the indexes of the blocks that have come, by the target's, and whether the text is open."""

    def __init__(self, told: Told, index: int) -> None:
        self.told = list(told.texts[f"{index}.text"])
        self._index = index
        self._calls: dict[Any, int] = {}
        self._open = f"content_block_stop {index}" not in told.marks

    @classmethod
    def after(cls, told: Told) -> Self | None:
        """None: no text was told, there are several blocks of it, or the answer has ended."""
        texts = [channel for channel in told.texts if channel.endswith(".text")]
        begun = [event.get("index", 0) for event in told.shapes if event["type"] == "content_block_start"]
        if not begun or texts != [f"{begun[-1]}.text"] or "message_delta 0" in told.marks:
            return None
        return cls(told, begun[-1])

    def text(self, piece: str) -> bytes | None:
        if not self._open:
            return None
        delta = {"type": "text_delta", "text": piece}
        return _event({"type": "content_block_delta", "index": self._index, "delta": delta})

    def call(self, event: Json) -> bytes:
        index = self._calls.setdefault(event.get("index"), self._index + 1 + len(self._calls))
        return self._close() + _event({**event, "index": index})

    def end(self, ending: Heard, own: bool) -> bytes:
        usage: Json = {"output_tokens": 0}
        if ending.usage is not None:
            usage = ending.usage if own else _usage(ending.usage)
        event = {"type": "message_delta", "delta": _delta(ending, own), "usage": usage}
        return self._close() + _event(event) + _event({"type": "message_stop"})

    def _close(self) -> bytes:
        was, self._open = self._open, False
        return _event({"type": "content_block_stop", "index": self._index}) if was else b""


class Answer:
    """Passes on blocks under the indexes that are next for the client; what was open is closed first.

    State: the client's index of each block by the target's (-1: it reasons, and is left out), the next one, what closes
    the block that is open, whether that is a text without words, and whether the answer has ended. Its usage stays.
    """

    def __init__(self, told: Told) -> None:
        begun = [event for event in told.shapes if event["type"] == "content_block_start"]
        last = begun[-1].get("index", 0)
        self._next = last + 1
        self._indexes: dict[Any, int] = {}
        self._stop = b"" if f"content_block_stop {last}" in told.marks else _closed(begun[-1], told)
        self._wordless = bool(self._stop) and begun[-1]["content_block"].get("type") == "text"
        self._ended = False

    @classmethod
    def after(cls, told: Told) -> Self | None:
        reasoned = bool(told.texts) and all(channel.endswith(".thinking") for channel in told.texts)
        begun = any(mark.startswith("content_block_start") for mark in told.marks)
        return cls(told) if reasoned and begun and "message_delta 0" not in told.marks else None

    def feed(self, event: Json) -> bytes | None:
        kind, index = event.get("type"), event.get("index")
        if kind == "content_block_start":
            return self._begin(event, event["content_block"])
        if kind in {"content_block_delta", "content_block_stop"}:
            place = self._indexes[index]
            return b"" if place < 0 else _event({**event, "index": place})
        if kind == "message_delta":
            self._ended = True
            return self._close() + _event(event)
        return _event(event) if kind in {"ping", "message_stop"} else b""

    def close(self) -> bytes | None:
        return _event({"type": "message_stop"}) if self._ended else None

    def _begin(self, event: Json, block: Json) -> bytes:
        if block["type"] in _REASONING:
            self._indexes[event.get("index")] = -1
            return b""
        if self._wordless and block["type"] == "text":
            self._stop, self._wordless = b"", False
            self._indexes[event.get("index")] = index = self._next - 1
            delta = {"type": "text_delta", "text": block.get("text")}
            return _event({"type": "content_block_delta", "index": index, "delta": delta}) if delta["text"] else b""
        self._indexes[event.get("index")] = index = self._next
        self._next += 1
        return self._close() + _event({**event, "index": index})

    def _close(self) -> bytes:
        stop, self._stop, self._wordless = self._stop, b"", False
        return stop


def _closed(start: Json, told: Told) -> bytes:
    """What ends a block. Thinking has a signature; what was not thought to its end has none, which is written ""."""
    block, index = start["content_block"], start.get("index", 0)
    stop = _event({"type": "content_block_stop", "index": index})
    if block.get("type") == "text" or "signature" in block or f"signature {index}" in told.marks:
        return stop
    delta = {"type": "signature_delta", "signature": ""}
    return _event({"type": "content_block_delta", "index": index, "delta": delta}) + stop


def _hear_delta(delta: Json) -> Heard | None:
    kind = delta.get("type")
    if kind == "text_delta":
        return Heard(text=delta.get("text") or "")
    return Heard(reasoning=True) if kind in {"thinking_delta", "signature_delta"} else None


def _delta(ending: Heard, own: bool) -> Json:
    if own and ending.detail:
        return ending.detail
    if ending.stop == STOP and ending.matched:
        return {"stop_reason": "stop_sequence", "stop_sequence": ending.matched}
    return {"stop_reason": _REASONS.get(ending.stop, "end_turn"), "stop_sequence": None}


def _usage(usage: Json) -> Json:
    read, written, cached = counts(usage)
    return {"input_tokens": max(0, read - cached), "cache_read_input_tokens": cached, "output_tokens": written}


def _event(event: Json) -> bytes:
    return encode(event, event["type"].encode())
