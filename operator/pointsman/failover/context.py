"""Whether a request fits into a target's window: prompt and answer together, before anything is sent.

    fits at once      body bytes + tokens of the answer <= the smallest window: a token has a byte at least
    else an estimate  by tokens per byte, learned of each target from the usage that it tells
    near the limit    the server is asked, if it can count (`pointsman.counting`); else the target is doubtful
    learned limits    of targets that said how much they take: for ten minutes, or until one answers a longer prompt

Ollama says nothing when it cuts a prompt. So it is never in doubt: a window that is not known is its own default, and
what is estimated for it is the most that its tokens can be.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

import msgspec

from pointsman import counting, kinds
from pointsman.exchange import AUDIO, FILE, IMAGE, FailureKind
from pointsman.names import Counting, ProviderType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.exchange import Failure, Head
    from pointsman.failover.choose import Candidate
    from pointsman.table import Model

ANSWER: Final = 1024  # tokens that an answer is given room for when the request does not say
UNBOUNDED: Final = 1 << 62
OLLAMA: Final = 4096  # the window of an Ollama that does not say
SURE, HOPELESS = 0.6, 1.4  # of what there is room for: an estimate below is believed, and one above
MEDIA: Final = IMAGE | AUDIO | FILE
_PRIOR: Final = 1 / 3.2  # tokens per byte of a request, before any was learned
_PART: Final = 1500  # tokens of an image, a sound, a file: the most that hosted models make of an image
_PART_MOST: Final = 4096
_TEMPLATE: Final = 256  # tokens that a server's template may put around a prompt
_WEIGHT: Final = 0.2  # of a new observation
_SMALLEST: Final = 2048  # bytes of a request from which something can be learned
_PLAUSIBLE: Final = (1 / 12, 1.2)  # tokens per byte; anything else speaks of media, or of nothing
_LEAST_WINDOW: Final = 256
_KEPT: Final = 600.0  # seconds for which a window that a target told is believed: a wrong one must heal

Key = tuple[str, str]


class Fit(Enum):
    """Whether a request fits. UNSURE: it may; ask the server if it can count, else try the others first."""

    YES = auto()
    NO = auto()
    UNSURE = auto()


class Learned(msgspec.Struct, gc=False):
    """A window that a target told; `stated` is what the table said then: another table, another window."""

    window: int
    stated: int
    until: float


class Windows:
    """What targets have shown. State: tokens per byte, and windows; by provider and model."""

    __slots__ = ("_learned", "_ratios", "narrowest")

    def __init__(self) -> None:
        self._ratios: dict[Key, float] = {}
        self._learned: dict[Key, Learned] = {}
        self.narrowest = UNBOUNDED  # as `narrowest` below, of the learned windows

    def estimate(self, provider: str, model: str, size: int) -> int:
        """Tokens of a prompt in a request of so many bytes."""
        return int(size * self._ratios.get((provider, model), _PRIOR)) + 1

    def window(self, candidate: Candidate) -> int:
        """Tokens that the target takes, prompt and answer together; 0: not known."""
        stated = window(candidate)
        if self._learned:
            key = (candidate.provider.name, candidate.model.id)
            learned = self._learned.get(key)
            if learned is not None and learned.stated == candidate.model.context_window:
                return min(learned.window, stated) if stated else learned.window
        return stated

    def fits(self, candidate: Candidate, head: Head, counted: int | None = None) -> Fit:
        """Whether the request fits. `counted`: tokens of its prompt as the server says, 0 if it could not tell."""
        return self.look(candidate, head, counted)[0]

    def look(self, candidate: Candidate, head: Head, counted: int | None = None) -> tuple[Fit, int, int]:
        """Whether the request fits, how many tokens its prompt has, and for how many there is room beside the answer.

        The tokens are 0 where nothing depends on them.
        """
        limit = self.window(candidate)
        room = limit - answer(candidate.model, head)
        if counted:
            return (Fit.YES if not limit or counted <= room else Fit.NO), counted, room
        if not limit:
            return Fit.YES, 0, UNBOUNDED
        tokens = self.tokens(candidate, head, room)
        if candidate.provider.type == ProviderType.OLLAMA:
            return (Fit.YES if tokens <= room else Fit.NO), tokens, room
        if tokens <= SURE * room or tokens > HOPELESS * room:
            return (Fit.YES if tokens <= room else Fit.NO), tokens, room
        unsure = tokens > room or (counted is None and counts(candidate))
        return (Fit.UNSURE if unsure else Fit.YES), tokens, room

    def tokens(self, candidate: Candidate, head: Head, room: int = 0) -> int:
        """About how many tokens the prompt has at the target. Its texts are read unless `room` is enough anyway."""
        if candidate.provider.type == ProviderType.OLLAMA:
            return self._most(candidate, head, room)
        name, model = candidate.provider.name, candidate.model.id
        tokens = self.estimate(name, model, head.size)
        if tokens <= SURE * room and not head.needs & MEDIA:
            return tokens
        found = counting.prompt(head.fields)
        return self.estimate(name, model, max(0, head.size - found.data)) + _PART * found.media

    def observed(self, candidate: Candidate, head: Head, tokens: int) -> None:
        """A target has answered, and said that the prompt had so many tokens."""
        key = (candidate.provider.name, candidate.model.id)
        if key in self._learned and tokens > self._learned[key].window:
            del self._learned[key]  # it was wrong
            self._narrow()
        if head.size < _SMALLEST or head.needs & MEDIA:
            return
        ratio = tokens / head.size
        if _PLAUSIBLE[0] <= ratio <= _PLAUSIBLE[1]:
            before = self._ratios.get(key, ratio)
            self._ratios[key] = before + _WEIGHT * (ratio - before)

    def failed(self, candidate: Candidate, head: Head, failure: Failure, now: float) -> int:
        """A target found the request too long. Gives how many tokens were too few for it; 0: nobody knows.

        Nothing but a number that it tells is learned: the request may have been too long for another reason.
        """
        if failure.kind is not FailureKind.CONTEXT_LENGTH_EXCEEDED:
            return self.window(candidate)
        if failure.too_large:
            return 0
        if failure.window < _LEAST_WINDOW:
            asked = self.tokens(candidate, head) + answer(candidate.model, head)
            return min(self.window(candidate) or UNBOUNDED, asked - 1)
        stated = window(candidate)
        if not stated or failure.window < stated:
            key = (candidate.provider.name, candidate.model.id)
            self._learned[key] = Learned(failure.window, candidate.model.context_window, now + _KEPT)
            self._narrow()
        return self.window(candidate)

    def age(self, now: float) -> None:
        """Forget the windows that were told too long ago."""
        old = [key for key, learned in self._learned.items() if learned.until <= now]
        for key in old:
            del self._learned[key]
        if old:
            self._narrow()

    def forget(self, provider: str) -> None:
        """The provider is another one now: what it showed says nothing any more."""
        for known in (self._ratios, self._learned):
            for key in [key for key in known if key[0] == provider]:
                del known[key]
        self._narrow()

    def _narrow(self) -> None:
        self.narrowest = min((learned.window - _TEMPLATE for learned in self._learned.values()), default=UNBOUNDED)

    def _most(self, candidate: Candidate, head: Head, room: int) -> int:
        if head.size + _TEMPLATE <= room and not head.needs & MEDIA:
            return head.size + _TEMPLATE
        found = counting.prompt(head.fields)
        learned = self._ratios.get((candidate.provider.name, candidate.model.id), 0.0)
        return max(counting.most(found), int(1.25 * learned * len(found.text))) + _PART_MOST * found.media


def answer(model: Model, head: Head) -> int:
    """Tokens that the answer is given room for: as asked, else 1024, or the most that the model writes if less."""
    return head.max_tokens or min(model.max_tokens or ANSWER, ANSWER)


def window(candidate: Candidate) -> int:
    """What the table says that the target takes, in tokens; 0: not known."""
    stated = candidate.model.context_window
    return OLLAMA if not stated and candidate.provider.type == ProviderType.OLLAMA else stated


def narrowest(candidates: Sequence[Candidate]) -> int:
    """Up to how many bytes of request and tokens of answer together all of them take any request without a look."""
    known = [window(candidate) for candidate in candidates]
    return min((tokens for tokens in known if tokens), default=UNBOUNDED + _TEMPLATE) - _TEMPLATE


def most(candidates: Sequence[Candidate]) -> int:
    """Up to how many tokens of answer all of them write, as far as the table knows."""
    return min((each.model.max_tokens for each in candidates if each.model.max_tokens), default=UNBOUNDED)


def counting_of(candidate: Candidate) -> Counting:
    """How the target's server is asked to count."""
    kind = kinds.named(candidate.provider.type)
    return kind.counting if kind is not None else Counting.NONE


def counts(candidate: Candidate) -> bool:
    """Whether the target's server can be asked to count."""
    return counting_of(candidate) is not Counting.NONE
