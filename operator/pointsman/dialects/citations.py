"""Where the words of an answer come from, and where a message of it begins: what all writers may know of a part's rest.

Chat marks a place in all of its content, Responses one in a text, Messages a whole block. Only what has a URL is
carried; Messages wants a cipher with each that nobody but Anthropic can make, so nothing is written for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pointsman.neutral import Json, Rest, Text

CITED: Final = "cited"
"""The key in a text's `rest` for what chat's readers found."""


class Citation(msgspec.Struct, frozen=True):
    """A source. `start` and `end`: the characters of the text that it is of."""

    url: str
    title: str = ""
    start: int = 0
    end: int = 0

    def moved(self, by: int) -> Citation:
        """The same in a text with so many characters more before it."""
        return Citation(self.url, self.title, max(self.start + by, 0), max(self.end + by, 0))


def of(part: Text, size: int) -> list[Citation]:
    """What the part names as its sources. `size`: characters of its text."""
    rest = part.rest
    found = [_flat(each, size) for each in _list(rest.get(CITED))]
    own, block = rest.get("responses"), rest.get("messages")
    said = own.get("part") if isinstance(own, dict) else None
    found += [_flat(each, size) for each in _list(said.get("annotations") if isinstance(said, dict) else None)]
    found += [_flat(each, size) for each in _list(block.get("citations") if isinstance(block, dict) else None)]
    return [each for each in found if each is not None]


def from_chat(annotations: Json) -> Rest:
    """The `rest` of a text that chat annotates so."""
    inner = [each.get("url_citation") for each in _list(annotations) if isinstance(each, dict)]
    found = [each for said in inner if (each := _flat(said, 0)) is not None]
    return {CITED: [msgspec.to_builtins(each) for each in found]} if found else {}


def for_chat(cited: Iterable[Citation]) -> list[Json]:
    """Chat's `annotations`."""
    return [{"type": "url_citation", "url_citation": _said(each)} for each in cited]


def for_responses(part: Text) -> list[Json]:
    """The `annotations` of an `output_text`."""
    return [{"type": "url_citation", **_said(each)} for each in of(part, len(part.text))]


def begins_message(part: Text) -> bool:
    """Whether the part is the first of a message of several that the answer has."""
    own = part.rest.get("responses")
    return isinstance(own, dict) and "item" in own


def _said(cited: Citation) -> Rest:
    return {"url": cited.url, "title": cited.title, "start_index": cited.start, "end_index": cited.end}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _flat(said: Json, size: int) -> Citation | None:
    url = said.get("url") if isinstance(said, dict) else None
    if not isinstance(url, str) or not url:
        return None
    title = said.get("title")
    start, end = (said.get(name, said.get(f"{name}_index")) for name in ("start", "end"))
    first, last = (value if isinstance(value, int) and value >= 0 else None for value in (start, end))
    return Citation(url, title if isinstance(title, str) else "", first or 0, size if last is None else last)
