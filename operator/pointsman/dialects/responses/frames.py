"""What a Responses stream is made of while it is read: its events' fields, and the items and parts they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from pointsman.dialects import skim

if TYPE_CHECKING:
    from pointsman.neutral import Json, Rest


class Fields(msgspec.Struct, gc=False):
    """An event. What is not looked at in most events is read as it comes, and checked where it is used."""

    type: str = ""
    item_id: Any = None
    output_index: Any = None
    content_index: Any = None
    summary_index: Any = None
    delta: Any = None
    text: Any = None
    arguments: Any = None
    input: Any = None
    refusal: Any = None
    item: Any = None
    part: Any = None
    response: Any = None
    error: Any = None
    message: Any = None
    code: Any = None


class More(msgspec.Struct, gc=False):
    """An event with more of a text and nothing else."""

    type: Literal["response.output_text.delta"]
    delta: skim.Filled
    item_id: str | None = None
    content_index: int | None = None
    error: None = None


class Slot:
    """A part of the answer. `index`: its own, -1 before it opens."""

    __slots__ = ("closed", "index", "pieces", "place", "rest", "start", "summary")

    def __init__(self) -> None:
        self.index = -1
        self.pieces: list[str] = []
        self.closed = False
        self.summary = False  # of reasoning
        self.place: Json = None  # of reasoning: the number of the part that grew last, and where it begins
        self.start = 0
        self.rest: Rest = {}


class Item:
    """An item of the output, with its parts by their numbers. A part without one is the last."""

    __slots__ = ("done", "kind", "last", "marked", "said", "slots")

    def __init__(self, kind: str, said: Rest) -> None:
        self.kind = kind
        self.said = said  # the item as it was told of last
        self.slots: dict[Json, Slot] = {}
        self.last = 0
        self.marked = False  # whether a part has what the item says beyond its parts
        self.done = False

    def slot(self, number: Json = None, *, grows: bool = False) -> Slot:
        """The part of a number, else the last one; `grows`: a new one, if that has closed."""
        at = number if isinstance(number, int) else self.last
        if grows and number is None and at in self.slots and self.slots[at].closed:
            at += 1
        self.last = at
        found = self.slots.get(at)
        if found is None:
            found = self.slots[at] = Slot()
        return found

    def first(self) -> Rest | None:
        """The item, for the first of its parts that opens."""
        if self.marked:
            return None
        self.marked = True
        return self.said


DECODER: Final = msgspec.json.Decoder(Fields)
MORE: Final = msgspec.json.Decoder(More)
