"""How fast each target is, learned from its answers, and how long it may take: a slow Mac is not a dead one.

    request ──load, if cold──▶──read the prompt (prefill)──▶ first output ──write (decode)──▶ end

A black hole must still be found, so all that is given on top of the configured times is bounded. Sizes are bytes of a
request's body, times seconds. Deadlines are points on the clock of the caller's `now`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pointsman.failover.choose import Candidate
    from pointsman.table import Timeouts

SHORT: Final = 2048  # bytes; what is shorter is read in no time, and `first_token` is meant for it
LONG: Final = 4096  # bytes; what is longer tells how fast prompts are read
LOAD: Final = 30.0  # seconds that a cold model takes, while nobody knows
LOAD_LONGEST: Final = 120.0
_LOAD_LEAST: Final = 2.0  # what answers sooner was not cold: the table is as old as the last probe
_LOAD_MARGIN: Final = 1.5
_PREFILL_MARGIN: Final = 2.0
_DECODE_MARGIN: Final = 1.25
_AT_ONCE: Final = 0.01  # seconds; an answer that came at once was not streamed
_READING_LEAST: Final = 0.1  # of the time until the first output of a long prompt
_FEWEST: Final = 8  # tokens; fewer say nothing of a pace

# A prompt of which the server remembered most is read ten times as fast, and the next need not be: what is slower
# than thought counts at once, what is faster only in the long run.
_SLOWER: Final = 0.5
_FASTER: Final = 0.1
_FASTEST: Final = 0.25  # of the time thought of; less is taken for the cache's work


@dataclass(frozen=True, slots=True)
class Ground:
    """What is assumed of a kind of place: seconds to read a byte, and how many may be given at most for a prompt."""

    per_byte: float
    most: float


LOCAL: Final = Ground(1 / 800, 120.0)
HOSTED: Final = Ground(1 / 8000, 30.0)


@dataclass(slots=True)
class Record:
    """What was measured of one target; 0.0: nothing yet."""

    base: float = 0.0  # seconds until a short request's first output
    per_byte: float = 0.0  # seconds to read a byte
    per_token: float = 0.0  # seconds to write a token
    load: float = 0.0  # seconds that a cold model took

    def read(self, size: int, first: float) -> None:
        """A prompt of so many bytes, that had to be read, was followed by output after `first` seconds."""
        if size > LONG:
            self.per_byte = _blend(self.per_byte, max(first - self.base, first * _READING_LEAST) / size)
        else:
            self.base = _blend(self.base, first)


class Pace:
    """State: a Record for each (provider, model) that has answered."""

    __slots__ = ("records",)

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], Record] = {}

    def observed(  # noqa: PLR0913, PLR0917 - what is known of an attempt at its end
        self, provider: str, model: str, size: int, first: float, total: float, output_tokens: int, cold: bool,
        *, cached: float = 0.0,
    ) -> None:  # fmt: skip
        """An attempt was answered: `first` seconds until its first output, `total` until its end, since it was sent.

        `cold`: the model was not in memory. `cached`: the share of the prompt that the server still knew. An answer
        that was not streamed has its first output at its end.
        """
        record = self.records.setdefault((provider, model), Record())
        writing = total - first
        streamed = writing > _AT_ONCE
        if output_tokens >= _FEWEST:
            spent = writing if streamed else max(total - record.base - size * record.per_byte, writing)
            record.per_token = _blend(record.per_token, spent / output_tokens)
        if cold:
            # Of an answer of a token or two, all of the time is the loading, streamed or not.
            if first >= _LOAD_LEAST and (streamed or 0 < output_tokens < _FEWEST):
                record.load = _blend(record.load, first)
        elif streamed:
            record.read(round(size * (1.0 - min(max(cached, 0.0), 1.0))), first)

    def missed(self, candidate: Candidate) -> None:
        """An attempt gave nothing in time. If it was thought to read faster than its kind, that is thought no more.

        No more than that: what hangs would be waited for longer and longer.
        """
        record = self.records.get((candidate.provider.name, candidate.model.id))
        if record is not None and record.per_byte * _PREFILL_MARGIN < _ground(candidate).per_byte:
            record.per_byte = 0.0

    def forget(self, provider: str) -> None:
        """The provider's address has changed: it may be another machine."""
        self.records = {key: record for key, record in self.records.items() if key[0] != provider}

    def eta(self, provider: str, model: str) -> float:
        """Seconds that a cold model takes until its first output."""
        record = self.records.get((provider, model))
        return (record.load if record is not None else 0.0) or LOAD

    def first_token_by(self, candidate: Candidate, size: int, timeouts: Timeouts, now: float) -> float:
        """When an attempt that begins now must have given its first output."""
        if size < SHORT and candidate.model.loaded is not False:
            return now + timeouts.first_token
        return now + timeouts.first_token + self._extra(candidate, size)

    def whole_by(  # noqa: PLR0913, PLR0917 - a request, its target, and the time
        self, candidate: Candidate, size: int, max_tokens: int, timeouts: Timeouts, now: float, left: float
    ) -> float:
        """When an answer that is not streamed must be all there. `left`: the seconds that it may take at most."""
        record = self.records.get((candidate.provider.name, candidate.model.id))
        writing = _DECODE_MARGIN * max_tokens * record.per_token if record is not None else 0.0
        whole = timeouts.whole
        by = self.first_token_by(candidate, size, timeouts, now) + (whole if whole > writing else writing)  # noqa: FURB136 - a call costs more
        return by if by < now + left else now + left  # noqa: FURB136 - a call costs more

    def _extra(self, candidate: Candidate, size: int) -> float:
        provider, model, ground = candidate.provider, candidate.model, _ground(candidate)
        record = self.records.get((provider.name, model.id))
        measured = record.per_byte * _PREFILL_MARGIN if record is not None else 0.0
        reading = min(size * (measured or ground.per_byte), ground.most) if size >= SHORT else 0.0
        loading = min(self.eta(provider.name, model.id) * _LOAD_MARGIN, LOAD_LONGEST) if model.loaded is False else 0.0
        return reading + loading


def _ground(candidate: Candidate) -> Ground:
    return HOSTED if candidate.provider.external(candidate.model) else LOCAL


def _blend(known: float, seen: float) -> float:
    """An average that follows what is slower at once, and what is faster in the long run."""
    if not known:
        return seen
    weight = _SLOWER if seen > known else _FASTER
    return known + weight * (max(seen, known * _FASTEST) - known)
