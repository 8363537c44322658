"""What a client makes of an answer, and the events of a stream as the WHATWG has them read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

Json = dict[str, Any]


@dataclass
class Reading:
    """`troubles`: each breach of the grammar in words. `terminals`: the events that say that an answer is whole."""

    text: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)  # name, arguments as they were written
    terminals: list[str] = field(default_factory=list)
    finish: str = ""
    model: str = ""
    usage: tuple[int, int] | None = None  # of the prompt, of the answer
    error: Json | None = None
    error_at_end: bool = False
    troubles: list[str] = field(default_factory=list)
    first_output: float = 0.0  # when it came

    def wrong(self, text: str) -> None:
        if len(self.troubles) < 5:
            self.troubles.append(text)


class Frame(NamedTuple):
    event: str
    data: str
    end: int  # bytes of the body up to here


def frames(body: bytes) -> tuple[list[Frame], bytes]:
    """The events of a stream as the WHATWG reads it, and what is left without an empty line after it."""
    found: list[Frame] = []
    names, data = "", list[str]()
    at = 3 if body.startswith(b"\xef\xbb\xbf") else 0
    start = at
    while (line := _line(body, at)) is not None:
        text, at = line
        if text:
            name, _, value = text.decode("utf-8").partition(":")
            value = value.removeprefix(" ")
            names = value if name == "event" else names
            if name == "data":
                data.append(value)
            continue
        if data:
            found.append(Frame(names, "\n".join(data), at))
        names, data, start = "", [], at
    return found, body[start:]


def _line(body: bytes, at: int) -> tuple[bytes, int] | None:
    feed, back = body.find(b"\n", at), body.find(b"\r", at, at + _LONGEST_SEARCH)
    if back < 0 and feed < 0:
        return None
    if back >= 0 and (feed < 0 or back < feed):
        return body[at:back], back + (2 if feed == back + 1 else 1)
    return body[at:feed], feed + 1


_LONGEST_SEARCH: Final = 1 << 20
