"""The rest of an answer in Responses: read as any target streams it, written into the item that the client has open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from pointsman.dialects.rest import CALLS, FILTER, LENGTH, STOP, Heard, counts
from pointsman.dialects.told import Json, encode

if TYPE_CHECKING:
    from pointsman.dialects.told import Told

_ENDS: Final = frozenset({"response.completed", "response.incomplete"})
_ITEMS: Final = frozenset({"response.output_item.added", "response.output_item.done"})
_CLOSING: Final = ("response.output_text.done", "response.content_part.done", "response.output_item.done")
_TOLD: Final = frozenset({"response.created", "response.content_part.added", *_ITEMS, *_CLOSING})
_CUT: Final = {"max_output_tokens": LENGTH, "content_filter": FILTER}
_REASONS: Final = {word: reason for reason, word in _CUT.items()}


class Reader:
    """Reads events; None: a refusal, a citation."""

    def hear(self, event: Json) -> Heard | None:
        kind = str(event.get("type", ""))
        if kind == "response.output_text.delta":
            return Heard(text=event.get("delta") or "")
        if kind in _ENDS:
            return _hear_end(event.get("response") or {})
        if kind in _ITEMS:
            item = event["item"].get("type")
            return Heard(call=item not in {"message", "reasoning"}, reasoning=item == "reasoning")
        if "refusal" in kind or "annotation" in kind:
            return None
        if "_call" in kind:  # function_call_arguments, custom_tool_call_input, mcp_call_arguments, web_search_call
            return Heard(call=True)
        return Heard(reasoning=kind.startswith("response.reasoning"))


class Rest:
    """Writes events.

    State: the number of the last event, the pieces of the text, what is to close it, the items that are whole, and the
    index of each call by the target's name for it.
    """

    def __init__(self, told: Told, item: Json, part: Json) -> None:
        self.told = list(told.texts["response.output_text.delta"])
        self._pieces = list(self.told)
        self._sequence = told.sequence
        created = next((event for event in told.shapes if event["type"] == "response.created"), {})
        self._response: Json = created.get("response") or {}
        ended = [event["item"] for event in told.shapes if event["type"] == "response.output_item.done"]
        self._whole: list[Json] = ended
        self._item: Json = item["item"]
        self._index: int = item.get("output_index", sum(_of_reasoning({"type": "", "item": one}) for one in ended))
        self._part: Json = part.get("part") or {"type": "output_text"}
        self._place: Json = {
            "item_id": self._item.get("id", ""),
            "output_index": self._index,
            "content_index": part.get("content_index", 0),
        }
        self._calls: dict[Any, int] = {}
        # What closes the text and is still to come: a stream may break off between these three.
        closed = {event["type"] for event in told.shapes if not _of_reasoning(event)}
        self._closing = [kind for kind in _CLOSING if kind not in closed]

    @classmethod
    def after(cls, told: Told) -> Self | None:
        """None: no text was told, there are several items of it, or something in it that is no text."""
        if "response.output_text.delta" not in told.texts:
            return None
        shapes = [event for event in told.shapes if not _of_reasoning(event)]
        items = [event for event in shapes if event["type"] == "response.output_item.added"]
        parts = [event for event in shapes if event["type"] == "response.content_part.added"]
        if any(event["type"] not in _TOLD for event in shapes) or len(items) != 1 or len(parts) > 1:
            return None
        return cls(told, items[0], parts[0] if parts else {})

    def text(self, piece: str) -> bytes | None:
        if len(self._closing) < len(_CLOSING):
            return None
        self._pieces.append(piece)
        return self._event({"type": "response.output_text.delta", **self._place, "delta": piece, "logprobs": []})

    def call(self, event: Json) -> bytes:
        item = event.get("item") or {}
        key = event.get("output_index", event.get("item_id", item.get("id")))
        index = self._calls.setdefault(key, self._index + 1 + len(self._calls))
        written = self._close("completed") + self._event({**event, "output_index": index})
        if event["type"] == "response.output_item.done":
            self._whole.append(item)
        return written

    def end(self, ending: Heard, own: bool) -> bytes:
        answer = dict((ending.detail if own else None) or {"object": "response"})
        if not own:
            answer |= _state(ending.stop)
        status = answer.setdefault("status", "completed")
        answer["usage"] = ending.usage if own or ending.usage is None else _usage(ending.usage)
        closed = self._close(status)
        known = {name: value for name, value in self._response.items() if name not in answer or name in _NAMES}
        whole = {**answer, **known, "output": self._whole}
        kind = "response.incomplete" if status == "incomplete" else "response.completed"
        return closed + self._event({"type": kind, "response": whole})

    def _close(self, status: str) -> bytes:
        text = "".join(self._pieces)
        part = {"annotations": [], **self._part, "text": text}
        item = {**self._item, "status": status, "content": [part]}
        events: dict[str, Json] = {
            "response.output_text.done": {**self._place, "text": text, "logprobs": []},
            "response.content_part.done": {**self._place, "part": part},
            "response.output_item.done": {"output_index": self._index, "item": item},
        }
        if self._closing:
            self._whole.append(item)
        written = b"".join(self._event({"type": kind, **events[kind]}) for kind in self._closing)
        self._closing = []
        return written

    def _event(self, event: Json) -> bytes:
        if self._sequence >= 0:
            self._sequence += 1
            event = {**event, "sequence_number": self._sequence}
        return encode(event, event["type"].encode())


_NAMES: Final = ("id", "created_at", "model")
"""What of the answer's first words still holds at its end."""


def _of_reasoning(event: Json) -> bool:
    kind, item, part = event["type"], event.get("item") or {}, event.get("part") or {}
    told = str(item.get("type") or part.get("type") or "")
    return kind.startswith("response.reasoning") or told.startswith(("reasoning", "summary"))


def _hear_end(answer: Json) -> Heard:
    cut = answer.get("incomplete_details") or {}
    calls = any(item.get("type") not in {"message", "reasoning"} for item in answer.get("output") or ())
    stop = _CUT.get(str(cut.get("reason")), LENGTH) if cut else CALLS if calls else STOP
    return Heard(stop=stop, detail=answer, usage=answer.get("usage") or None, end=True)


def _state(stop: str) -> Json:
    if stop in _REASONS:
        return {"status": "incomplete", "incomplete_details": {"reason": _REASONS[stop]}}
    return {"status": "completed", "incomplete_details": None}


def _usage(usage: Json) -> Json:
    read, written, cached = counts(usage)
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }
