"""The rest of an answer that broke off, as a target that goes on from its beginning tells it; in no dialect's words.

Each dialect has a file of its own beside this one: a `Reader`, which says what the target's events amount to (`Heard`),
and a `Rest`, which writes events for a client that has seen the beginning (`Told`): deltas where the last ones left
off, and ends that speak of the whole answer. And an `Answer`, which passes a whole answer on to a client that has seen
reasoning alone: that is closed where it stopped, and what the target reasons itself is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, Self

import msgspec

from pointsman.dialects.told import Json

if TYPE_CHECKING:
    from pointsman.dialects.told import Told

STOP: Final = "stop"
LENGTH: Final = "length"
CALLS: Final = "tool_calls"
FILTER: Final = "content_filter"


class Heard(msgspec.Struct, frozen=True, gc=False):
    """What one event of the rest amounts to. `call`: it belongs to a tool's call, and is passed on as it is."""

    text: str = ""
    reasoning: bool = False
    call: bool = False
    stop: str = ""  # why the answer ends: one of the four above, or the target's own word
    matched: str = ""  # the stop sequence that ended it
    detail: Json | None = None  # what the target said about its end, in its dialect
    usage: Json | None = None  # as the target counts it
    end: bool = False

    def well_formed(self) -> bool:
        """Whether what was taken out of an event is of the types above, which a stranger's need not be."""
        words = (self.text, self.stop, self.matched)
        return all(isinstance(word, str) for word in words) and all(
            one is None or isinstance(one, dict) for one in (self.detail, self.usage)
        )


class Reader(Protocol):
    """Reads the events of one target's rest; None: it says something that cannot be joined to the beginning."""

    def hear(self, event: Json) -> Heard | None: ...


class Rest(Protocol):
    """Writes the rest for a client that has seen the beginning."""

    @classmethod
    def after(cls, told: Told) -> Self | None:
        """None: what was told cannot be gone on from, as its text has ended or is in several parts."""
        ...

    @property
    def told(self) -> list[str]:
        """The text that was told, in its pieces."""
        ...

    def text(self, piece: str) -> bytes | None:
        """More of the text; None: it has ended."""
        ...

    def call(self, event: Json) -> bytes:
        """An event of a tool's call, in the client's dialect."""
        ...

    def end(self, ending: Heard, own: bool) -> bytes:
        """All that makes the answer whole. `own`: `detail` and `usage` are in the client's dialect, else in chat's."""
        ...


class Answer(Protocol):
    """Passes a whole answer on to a client that has been told reasoning alone."""

    @classmethod
    def after(cls, told: Told) -> Self | None:
        """None: something else was told than reasoning."""
        ...

    def feed(self, event: Json) -> bytes | None:
        """An event of the target's; what the client gets for it. None: it has no place in the answer."""
        ...

    def close(self) -> bytes | None:
        """What the target forgot of the end; None: it did not say why the answer ends."""
        ...


def carried(usage: Json, before: int, prefix: int) -> Json:
    """What a target counts of the rest, as usage of the whole answer.

    `before`: tokens that had been told and were not told again; `prefix`: how many of them the target read in its
    prompt. Both are counted as the pieces in which they came: an estimate, and a good one where engines stream token by
    token. Under load vLLM puts several tokens into one event: then too few are counted, so that the output comes out
    too low and the input too high by as many; nothing that is known here tells how many those are.

    An input that would come to nothing stays as it is: this target does not count the prefix.
    """
    whole = dict(usage)
    for name in ("completion_tokens", "output_tokens"):
        if isinstance(count := whole.get(name), int):
            whole[name] = count + before
    for name in ("prompt_tokens", "input_tokens"):
        if isinstance(count := whole.get(name), int) and count > prefix:
            whole[name] = count - prefix
    if "total_tokens" in whole:
        whole["total_tokens"] = sum(counts(whole)[:2])
    return whole


def counts(usage: Json) -> tuple[int, int, int]:
    """Tokens of the prompt, of the answer, and of the prompt those from a cache, under OpenAI's two sets of names."""
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    found = [usage.get("prompt_tokens", usage.get("input_tokens")),
             usage.get("completion_tokens", usage.get("output_tokens")), cached]  # fmt: skip
    read, written, kept = (count if isinstance(count, int) else 0 for count in found)
    return read, written, kept
