"""How a Responses stream is read.

Servers leave out what they like: llama.cpp numbers neither items nor parts and has no event for the end of a call's
arguments; vLLM says `completed` of an answer that is not; LiteLLM gives items other identifiers as it goes. So an
event belongs to the item of its `item_id`, else of its `output_index`, else to the last one of its kind. What a `done`
event has that no delta gave is taken from there; if nothing was streamed at all, from the answer that ends the stream.
A part opens when there is something in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import msgspec
from msgspec.structs import replace

from pointsman.dialects import errors, skim
from pointsman.dialects.calls import as_text
from pointsman.dialects.responses.frames import DECODER, MORE, Item, Slot
from pointsman.dialects.responses.items import CALLS, call_of, finish_of, marks, word_of
from pointsman.dialects.responses.reply import read_usage, told_of
from pointsman.dialects.responses.request import HOME, join_texts, seal_of, thoughts
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
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pointsman.dialects.responses.frames import Fields
    from pointsman.neutral import Event, Json, Part, Rest, Seal
    from pointsman.sse import Frame


_WORDS: Final = "response.output_text.delta"


class StreamReader:
    """Follows a target's stream. State: the items by identifier and number, and how many parts have opened."""

    __slots__ = ("_begun", "_called", "_ended", "_events", "_halves", "_hot", "_hot_at", "_hot_id", "_items", "_keys",
                 "_parts")  # fmt: skip

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._keys: dict[Json, Item] = {}
        self._parts = 0
        self._begun = self._ended = self._called = False
        self._halves = skim.Halves()
        self._events: list[Event] = []
        self._hot: Slot | None = None  # the part that grew last, and how events tell that it is meant
        self._hot_id: Json = None
        self._hot_at: Json = None

    def feed(self, frame: Frame) -> list[Event]:
        """What a frame means; nothing of comments and of events that nobody here knows."""
        data = frame.data
        if not data or data == b"[DONE]":
            return []
        try:
            event = self._halves.decode(DECODER, data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise StreamError(f"no Responses event: {data[:80]!r}") from error
        kind = event.type or frame.event.decode("ascii", "replace")
        if kind == _WORDS and self._hot is not None:
            delta = event.delta
            same = event.item_id == self._hot_id and event.content_index == self._hot_at
            if same and type(delta) is str and delta and not self._hot.closed:
                self._hot.pieces.append(delta)
                return [Grew(self._hot.index, delta)]
        return self._take(kind, event)

    def more(self, run: bytes) -> Grew | None:
        """See `codecs.StreamReader`."""
        hot = self._hot
        event = skim.only(run, MORE) if hot is not None and not hot.closed else None
        if hot is None or event is None or event.item_id != self._hot_id or event.content_index != self._hot_at:
            return None
        hot.pieces.append(event.delta)
        return Grew(hot.index, event.delta)

    def _take(self, kind: str, event: Fields) -> list[Event]:
        handle = self._HANDLERS.get(kind)
        if handle is None and event.error and not kind.startswith("response."):
            handle = StreamReader._fail
        if handle is None:
            return []
        if self._ended:
            raise StreamError(f"an event after the end of the answer: {kind}")
        events: list[Event] = []
        self._events = events
        if not self._begun and handle is not StreamReader._fail:
            self._begin(event)
        handle(self, event)
        return events

    # The answer

    def _begin(self, event: Fields) -> None:
        self._begun = True
        told = told_of(event.response) if isinstance(event.response, dict) else ()
        self._events.append(Begun(*told))

    def _go_on(self, event: Fields) -> None:
        """`created` and `in_progress` say what has begun, and nothing more."""

    def _fail(self, event: Fields) -> None:
        self._ended = True
        response = event.response if isinstance(event.response, dict) else {}
        error = response.get("error") or event.error or {"message": event.message or "", "code": event.code or ""}
        self._events.append(Broken(errors.read_stream_error(error)))

    def _end(self, event: Fields) -> None:
        answer: Rest = event.response if isinstance(event.response, dict) else {}
        details = answer.get("incomplete_details")
        failure = errors.read_reason(details.get("reason")) if isinstance(details, dict) else None
        if failure is not None:
            self._ended = True
            self._events.append(Broken(failure))
            return
        if answer.get("error") or answer.get("status") == "failed":
            self._fail(event)
            return
        output = answer.get("output")
        self._catch_up([item for item in output if isinstance(item, dict)] if isinstance(output, list) else [])
        self._ended = True
        cut = event.type == "response.incomplete"
        finish = finish_of(answer, cut=cut, called=self._called)
        self._events.append(Ended(finish, usage=read_usage(answer.get("usage"))))

    def _catch_up(self, output: list[Rest]) -> None:
        """What the whole answer has of items that were not told to be done; all of it, if nothing was streamed."""
        silent = not self._parts
        for number, said in enumerate(output):
            item = self._add(said, number) if silent else self._known(said.get("id"), number)
            if item is not None and item.kind == said.get("type"):
                self._finish(item, said)
        if not silent or not output:
            for item in self._items:
                self._finish(item, None)

    # Items

    def _known(self, ident: Json, number: Json) -> Item | None:
        found = self._keys.get(ident) if isinstance(ident, str) and ident else None
        return found or (self._keys.get(number) if isinstance(number, int) else None)

    def _add(self, said: Rest, number: Json) -> Item:
        kind = said.get("type")
        item = Item(kind if isinstance(kind, str) else "", said)
        self._items.append(item)
        for key in (said.get("id"), said.get("call_id"), number):
            if isinstance(key, str | int) and key != "":
                self._keys[key] = item
        return item

    def _of(self, event: Fields, *kinds: str) -> Item:
        """The item that an event belongs to, which may not have been told of."""
        found = self._known(event.item_id, event.output_index)
        if found is None or found.kind not in kinds:
            found = next((item for item in reversed(self._items) if item.kind in kinds and not item.done), None)
        if found is not None:
            return found
        said = {"type": kinds[0], "id": event.item_id} if isinstance(event.item_id, str) else {"type": kinds[0]}
        return self._add(said, event.output_index)

    def _added(self, event: Fields) -> None:
        if isinstance(event.item, dict):
            item = self._add(event.item, event.output_index)
            if item.kind in CALLS and event.item.get("name"):
                self._open(item.slot(), call_of(event.item))

    def _done(self, event: Fields) -> None:
        if not isinstance(event.item, dict):
            return
        ident = event.item.get("id")
        named = self._keys.get(ident) if isinstance(ident, str) else None
        if named is not None and named.done:
            return  # told twice
        item = named or self._known(None, event.output_index)
        if item is None or item.done or item.kind != event.item.get("type"):
            item = self._unnamed(event) or self._add(event.item, event.output_index)
        self._finish(item, event.item)

    def _unnamed(self, event: Fields) -> Item | None:
        """The last item of the kind that is not done, where events do not say which is meant."""
        if isinstance(event.output_index, int):
            return None
        kind = event.item.get("type")
        return next((item for item in reversed(self._items) if item.kind == kind and not item.done), None)

    def _finish(self, item: Item, said: Rest | None) -> None:
        """The item is whole. None: it was not told so."""
        if item.done:
            return
        item.done = True
        whole = item.said if said is None else said
        if item.kind == "message":
            self._finish_message(item, whole.get("content"))
        elif item.kind == "reasoning":
            self._finish_reasoning(item, whole)
        elif item.kind in CALLS:
            self._finish_call(item, whole)
        else:
            slot = item.slot()
            self._open(slot, Foreign(HOME, item.kind, whole))
            self._close(slot)

    # Parts

    def _open(self, slot: Slot, part: Part) -> None:
        slot.index = self._parts
        self._parts += 1
        self._events.append(Opened(slot.index, part))

    def _grow(self, slot: Slot, text: str) -> None:
        if slot.closed:
            raise StreamError("a part of the answer goes on after its end")
        slot.pieces.append(text)
        if slot.index >= 0:
            self._events.append(Grew(slot.index, text))

    def _settle(self, slot: Slot, text: str) -> None:
        """All of a part's text: what of it was not given yet."""
        given = "".join(slot.pieces)
        if len(text) > len(given) and text.startswith(given) and not slot.closed:
            self._grow(slot, text[len(given) :])

    def _close(self, slot: Slot, seal: Seal | None = None, rest: Rest | None = None) -> None:
        if slot.index >= 0 and not slot.closed:
            self._events.append(Closed(slot.index, seal, rest or {}))
        slot.closed = True

    # Messages

    def _say(self, event: Fields) -> None:
        self._speak(event, event.delta, Text(""))

    def _refuse(self, event: Fields) -> None:
        self._speak(event, event.delta, Refusal(""))

    def _speak(self, event: Fields, text: Json, part: Text | Refusal) -> None:
        item = self._of(event, "message")
        if not isinstance(text, str) or not text:
            return
        slot = item.slot(event.content_index, grows=True)
        self._begin_words(item, slot, part)
        self._grow(slot, text)
        self._hot, self._hot_id, self._hot_at = slot, event.item_id, event.content_index

    def _begin_words(self, item: Item, slot: Slot, part: Text | Refusal) -> None:
        if slot.index < 0 and not slot.closed:
            slot.rest = marks(item.first())
            self._open(slot, replace(part, rest=slot.rest))

    def _said(self, event: Fields) -> None:
        self._all_said(event, event.text, Text(""))

    def _refused(self, event: Fields) -> None:
        self._all_said(event, event.refusal, Refusal(""))

    def _all_said(self, event: Fields, text: Json, part: Text | Refusal) -> None:
        item = self._of(event, "message")
        slot = item.slot(event.content_index)
        if isinstance(text, str) and text:
            self._begin_words(item, slot, part)
            self._settle(slot, text)

    def _part_done(self, event: Fields) -> None:
        known = self._known(event.item_id, event.output_index)
        if known is None or known.kind == "message":
            item = self._of(event, "message")
            self._finish_part(item, item.slot(event.content_index), event.part)

    def _finish_message(self, item: Item, content: Json) -> None:
        if isinstance(content, str):
            content = [{"type": "output_text", "text": content}]
        for number, part in enumerate(content if isinstance(content, list) else ()):
            self._finish_part(item, item.slot(number), part)
        for slot in item.slots.values():
            self._close(slot)

    def _finish_part(self, item: Item, slot: Slot, said: Json) -> None:
        word = word_of(said, None)
        if slot.closed:
            return
        if isinstance(word, Text | Refusal):
            self._begin_words(item, slot, replace(word, text=""))
            self._settle(slot, word.text)
            beyond = marks(None, said)
            rest = {name: {**slot.rest.get(name, {}), **beyond[name]} for name in beyond}
            self._close(slot, rest=rest)
        elif isinstance(word, Foreign) and slot.index < 0:
            self._open(slot, word)
        self._close(slot)

    # Reasoning

    def _summarize(self, event: Fields) -> None:
        self._think(event, event.delta, event.summary_index, summary=True)

    def _reason(self, event: Fields) -> None:
        self._think(event, event.delta, event.content_index, summary=False)

    def _summarized(self, event: Fields) -> None:
        self._think(event, event.text, event.summary_index, summary=True, whole=True)

    def _reasoned(self, event: Fields) -> None:
        self._think(event, event.text, event.content_index, summary=False, whole=True)

    def _think(self, event: Fields, text: Json, place: Json, *, summary: bool, whole: bool = False) -> None:
        """More thoughts, or all of a part of them, of which what was not given yet is taken."""
        item = self._of(event, "reasoning")
        slot = item.slot()
        if not isinstance(text, str) or not text or (whole and slot.closed):
            return
        self._begin_thoughts(item, slot, summary=summary)
        if slot.summary is not summary:  # a summary and the thoughts themselves would be told as one
            return
        if slot.pieces and slot.place not in (None, place):
            self._grow(slot, "\n\n")
            slot.start = len(slot.pieces)
        slot.place = place
        given = "".join(slot.pieces[slot.start :]) if whole else ""
        if len(text) > len(given) and text.startswith(given):
            self._grow(slot, text[len(given) :])

    def _begin_thoughts(self, item: Item, slot: Slot, *, summary: bool) -> None:
        if slot.index < 0 and not slot.closed:
            slot.summary = summary
            self._open(slot, Reasoning(summary=summary, rest=marks(item.first())))

    def _finish_reasoning(self, item: Item, whole: Rest) -> None:
        slot = item.slot()
        text, summary = thoughts(whole)
        seal = seal_of(whole)
        if text or seal is not None:
            self._begin_thoughts(item, slot, summary=summary)
            same = text if slot.summary is summary else join_texts(whole.get("content"))
            self._settle(slot, same)
        self._close(slot, seal)

    # Calls

    def _call(self, event: Fields) -> None:
        slot = self._of(event, "function_call", "custom_tool_call").slot()
        text = as_text(event.delta)
        if text:
            self._grow(slot, text)

    def _called_with(self, event: Fields) -> None:
        slot = self._of(event, "function_call", "custom_tool_call").slot()
        self._settle(slot, as_text(event.arguments if event.arguments is not None else event.input))

    def _finish_call(self, item: Item, whole: Rest) -> None:
        slot = item.slot()
        self._called = True
        if slot.index < 0:  # it was not told by name before
            given = "".join(slot.pieces)
            self._open(slot, call_of(whole))
            if given:
                self._events.append(Grew(slot.index, given))
        self._settle(slot, as_text(whole.get(CALLS[item.kind])))
        self._close(slot)

    _HANDLERS: ClassVar[Mapping[str, Callable[[StreamReader, Fields], None]]] = {
        "response.created": _go_on,
        "response.in_progress": _go_on,
        "response.queued": _go_on,
        "response.output_item.added": _added,
        "response.output_item.done": _done,
        "response.content_part.done": _part_done,
        _WORDS: _say,
        "response.output_text.done": _said,
        "response.refusal.delta": _refuse,
        "response.refusal.done": _refused,
        "response.reasoning_summary_text.delta": _summarize,
        "response.reasoning_text.delta": _reason,
        "response.reasoning_summary_text.done": _summarized,
        "response.reasoning_text.done": _reasoned,
        "response.reasoning.delta": _reason,  # as Open Responses calls it
        "response.function_call_arguments.delta": _call,
        "response.function_call_arguments.done": _called_with,
        "response.custom_tool_call_input.delta": _call,
        "response.custom_tool_call_input.done": _called_with,
        "response.completed": _end,
        "response.incomplete": _end,
        "response.failed": _fail,
        "error": _fail,
    }
