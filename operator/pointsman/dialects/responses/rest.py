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


class _Numbered:
    """Writes events. State: the number of the last one, if the client's are numbered."""

    def __init__(self, told: Told) -> None:
        self._sequence = told.sequence

    def _event(self, event: Json) -> bytes:
        if self._sequence >= 0:
            self._sequence += 1
            event = {**event, "sequence_number": self._sequence}
        return encode(event, event["type"].encode())


class Rest(_Numbered):
    """Writes events.

    State: the number of the last event, the pieces of the text, what is to close it, the items that are whole, and the
    index of each call by the target's name for it.
    """

    def __init__(self, told: Told, item: Json, part: Json) -> None:
        super().__init__(told)
        self.told = list(told.texts["response.output_text.delta"])
        self._pieces = list(self.told)
        self._response = _created(told)
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
        whole = _completed(answer, self._response, self._whole)
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


class Answer(_Numbered):
    """Passes on items under the indexes that are next for the client; what was open is closed first.

    State: the client's index of each item by the target's and by its id (-1: it reasons, and is left out), the next
    one, the events that close the open item, that item if it is a message without words and by what id it is named
    again, the items that are whole, and whether the answer has ended. Its usage stays.
    """

    def __init__(self, told: Told) -> None:
        super().__init__(told)
        self._response = _created(told)
        self._whole = [event["item"] for event in told.shapes if event["type"] == "response.output_item.done"]
        begun = [event for event in told.shapes if event["type"] == "response.output_item.added"]
        self._next: int = begun[-1].get("output_index", len(begun) - 1) + 1 if begun else 0
        is_open = _unended(told.shapes)
        wordless = bool(is_open) and is_open[0]["item"].get("type") == "message"
        self._wordless = is_open if wordless else []
        self._closing = _silence(is_open, self._next - 1) if wordless else _closing(is_open, self._next - 1, told)
        self._indexes: dict[Any, int] = {}
        self._names: dict[Any, str] = {}
        self._opened: set[Any] = set()  # messages of which the client was told that a part begins
        self._ended = False

    @classmethod
    def after(cls, told: Told) -> Self | None:
        reasoned = bool(told.texts) and all(channel.startswith("response.reasoning") for channel in told.texts)
        others = {event["type"] for event in told.shapes if not _of_reasoning(event)}
        return cls(told) if reasoned and others <= _WORDLESS else None

    def feed(self, event: Json) -> bytes | None:
        kind = event["type"]
        if kind in _ENDS:
            return self._end(kind, event["response"])
        if kind in _PREAMBLE or not kind.startswith("response."):
            return b""
        if kind == "response.output_item.added":
            return self._begin(event, event["item"])
        item = event.get("item") or {}
        name = event.get("item_id", item.get("id"))
        index = self._indexes[event.get("output_index", name)]
        if index < 0:
            return b""
        if kind == "response.content_part.added" and name in self._opened:
            self._opened.discard(name)
            return b""
        return self._pass_on({**event, "output_index": index}, item)

    def close(self) -> bytes | None:
        return b"" if self._ended else None

    def _begin(self, event: Json, item: Json) -> bytes:
        adopted = bool(self._wordless) and item["type"] == "message"
        index = -1 if item["type"] == "reasoning" else self._next - 1 if adopted else self._next
        self._indexes |= dict.fromkeys((event.get("output_index", item.get("id")), item.get("id")), index)
        if index < 0:
            return b""
        if adopted:
            self._adopt(item.get("id"))
            return b""
        self._next += 1
        return self._close() + self._pass_on({**event, "output_index": index}, item)

    def _adopt(self, name: Any) -> None:
        self._names[name] = self._wordless[0]["item"].get("id", "")
        self._opened = {name} if len(self._wordless) > 1 else set()
        self._wordless, self._closing = [], []

    def _pass_on(self, event: Json, item: Json) -> bytes:
        if event.get("item_id") in self._names:
            event["item_id"] = self._names[event["item_id"]]
        if item.get("id") in self._names:
            event["item"] = item = {**item, "id": self._names[item["id"]]}
        if event["type"] == "response.output_item.done":
            self._whole.append(item)
        return self._event(event)

    def _end(self, kind: str, answer: Json) -> bytes:
        self._ended = True
        closed = self._close()
        return closed + self._event({"type": kind, "response": _completed(answer, self._response, self._whole)})

    def _close(self) -> bytes:
        self._whole += [event["item"] for event in self._closing if "item" in event]
        written = b"".join(map(self._event, self._closing))
        self._closing, self._wordless = [], []
        return written


_PREAMBLE: Final = frozenset({"response.created", "response.in_progress", "response.queued"})
_WORDLESS: Final = frozenset({"response.created", "response.output_item.added", "response.content_part.added"})
_SUMMARY: Final = "response.reasoning_summary_text"
_THOUGHT: Final = "response.reasoning_text"
_PLACES: Final[tuple[str, ...]] = ("item_id", "output_index", "content_index", "summary_index")


def _unended(shapes: list[Json]) -> list[Json]:
    """The events of the item that is open, from its first on; []: none is."""
    since: list[Json] = []
    for event in shapes:
        if event["type"] in _ITEMS:
            since = [event] if event["type"] == "response.output_item.added" else []
        elif since:
            since.append(event)
    return since


def _silence(since: list[Json], index: int) -> list[Json]:
    """What closes a message without words."""
    item, *parts = since
    ended: list[Json] = []
    content = []
    for event in parts[:1]:
        place = {name: event[name] for name in _PLACES if name in event}
        content = [{"annotations": [], **event["part"], "text": ""}]
        ended.append({"type": "response.output_text.done", **place, "text": "", "logprobs": []})
        ended.append({"type": "response.content_part.done", **place, "part": content[0]})
    whole = {**item["item"], "status": "completed", "content": content}
    return [*ended, {"type": "response.output_item.done", "output_index": index, "item": whole}]


def _closing(since: list[Json], index: int, told: Told) -> list[Json]:
    """What closes reasoning where it stopped. What a provider sealed of it goes: that says something else."""
    if not since:
        return []
    item: Json = since[0]["item"]
    texts = {kind: [event.get("text") or "" for event in since if event["type"] == f"{kind}.done"]
             for kind in (_SUMMARY, _THOUGHT)}  # fmt: skip
    parts = [event for event in since if event["type"].endswith("part.added")]
    part = parts[-1] if len(parts) > sum(event["type"].endswith("part.done") for event in since) else None
    ended: list[Json] = []
    kind = _kind(part, told)
    if kind:
        number = "summary_index" if kind == _SUMMARY else "content_index"
        place = {"item_id": item.get("id", ""), "output_index": index, number: len(texts[kind])}
        place |= {name: part[name] for name in _PLACES if name in part} if part else {}
        if part is None or since[-1]["type"] != f"{kind}.done":
            texts[kind].append(_left(kind, told))
            ended.append({"type": f"{kind}.done", **place, "text": texts[kind][-1]})
        if part is not None:
            whole = {**part["part"], "text": texts[kind][-1]}
            ended.append({"type": part["type"].replace("added", "done"), **place, "part": whole})
    item = {name: value for name, value in item.items() if name != "encrypted_content"}
    item |= {"summary": [{"type": "summary_text", "text": text} for text in texts[_SUMMARY]], "status": "incomplete"}
    if texts[_THOUGHT]:
        item["content"] = [{"type": "reasoning_text", "text": text} for text in texts[_THOUGHT]]
    return [*ended, {"type": "response.output_item.done", "output_index": index, "item": item}]


def _kind(part: Json | None, told: Told) -> str:
    """Of which kind the text is that is open; "": none is. Not every server says that a part begins."""
    if part is not None:
        return _SUMMARY if "summary" in part["type"] else _THOUGHT
    return next((kind for kind in (_SUMMARY, _THOUGHT) if _left(kind, told)), "")


def _left(kind: str, told: Told) -> str:
    """What was told of a kind of text since the last one was closed."""
    text = "".join(told.texts.get(f"{kind}.delta", ()))
    for event in told.shapes:
        if event["type"] == f"{kind}.done":
            text = text.removeprefix(event.get("text") or "")
    return text


def _created(told: Told) -> Json:
    created = next((event for event in told.shapes if event["type"] == "response.created"), {})
    return created.get("response") or {}


def _completed(answer: Json, first: Json, output: list[Json]) -> Json:
    known = {name: value for name, value in first.items() if name not in answer or name in _NAMES}
    return {**answer, **known, "output": output}


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
