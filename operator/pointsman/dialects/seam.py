"""Where the text that a client has been sent and the text that a target goes on with meet.

What the target says first shows which of these it does, and until it does all of it is held:

    echo            it says again what it was told that it has said, and goes on (llama.cpp), or it begins anew alike
    continuation    it goes on: with anything where that was promised, else with the last words, which it was not told

Nothing that was sent is passed on a second time, and nothing is joined that fits neither.
"""

from __future__ import annotations

from typing import Final

from pointsman.names import Way

CERTAIN: Final = 16
"""Characters that a target which was told to go on, and always does, says again by chance only if it is fewer."""
BEGUN: Final = 32
"""Characters of the prefix, or half of it, after which a target that then says something else has begun another answer,
though going on was promised: a continuation of its own would hardly repeat so much."""


class Seam:
    """One join. State: what is held, until it is known what it is; then the white space that is still told twice."""

    def __init__(self, told: str, prefix: str, way: Way) -> None:
        self._way, self._prefix = way, prefix
        self._overlap = told[len(prefix) :]
        self._held = ""
        self._first = 0  # characters of the first piece
        self._due = ""
        self.joined = False
        self.anew = False  # the target did not go on, but began anew, and counts its tokens so
        if way is Way.TRY:
            self._echoes, self._goes_on = _forms(told), _forms(self._overlap)
        else:
            certain = way is Way.FLAGS and len(prefix) < CERTAIN
            self._echoes, self._goes_on = () if certain else _forms(prefix), ()

    def feed(self, piece: str) -> str | None:
        """What of the target's text is new, maybe nothing; None: it does not fit."""
        if self.joined:
            return self._after_space(piece)
        self._held += piece
        self._first = self._first or len(piece)
        held = self._held
        waits = any(form.startswith(held) and form != held for form in (*self._echoes, *self._goes_on))
        return "" if waits else self._decide()

    def end(self) -> str | None:
        """The target's text has ended: what is left of it; None: it does not fit."""
        if self.joined:
            return ""
        held = self._held.rstrip()
        if not held:
            return None if self._way is Way.TRY else self._join("", self._overlap)
        if self._way is Way.TRY and any(form.rstrip() == held for form in (*self._echoes, *self._goes_on)):
            return self._join("", "")
        if self._way is Way.PREFILL and any(form.startswith(held) for form in self._echoes):
            return None  # rather a short new answer than a rest that happens to begin as the answer did
        return self._decide()

    def _decide(self) -> str | None:
        for form in self._echoes:
            if self._held.startswith(form):
                # An echo of the prefix comes at once; an answer from the start comes token by token.
                self.anew = self._first < len(self._prefix.lstrip())
                return self._join(self._held[len(form) :], "" if self._way is Way.TRY else self._overlap)
        for form in self._goes_on:
            if self._held.startswith(form):
                return self._join(self._held[len(form) :], "")
        if self._way is Way.TRY:
            return None
        if self._way is Way.PREFILL and max(_shared(form, self._held) for form in self._echoes) >= self._begun():
            return None
        return self._join(self._held, self._overlap)

    def _begun(self) -> int:
        return min(BEGUN, max(CERTAIN, len(self._prefix) // 2))

    def _join(self, rest: str, due: str) -> str:
        self.joined, self._held, self._due = True, "", due
        return self._after_space(rest)

    def _after_space(self, piece: str) -> str:
        if not self._due:
            return piece
        shared = _shared(self._due, piece)
        self._due = self._due[shared:] if shared == len(piece) else ""
        return piece[shared:]


def _forms(text: str) -> tuple[str, ...]:
    """A text, and the same without the white space before it, which templates and servers take away."""
    return tuple(dict.fromkeys(form for form in (text, text.lstrip()) if form))


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
