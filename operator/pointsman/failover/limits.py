"""What each provider may be asked to bear, and who waits when it is at its limit.

`Limits` counts what runs and what the last minute has seen. A rate is kept for every stretch of a minute, not on the
average: servers that count by the minute would refuse the rest. `Queue` is where requests wait: first come, first
served, and never more than a bound of them. Both belong to one gateway process. Times are seconds of one clock of the
caller's that never goes back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pointsman import table

MINUTE: Final = 60.0
BOUND: Final = 100  # who may wait at a time, for one provider or route
_GRAIN: Final = 1.0  # seconds; what is taken within them is counted as one
_LEAST: Final = 1e-6  # seconds; a wait is never none
_WEIGHT: Final = 0.2  # of the latest completion in the pace at which they come


@dataclass(slots=True, eq=False)
class Slot:
    """What was taken in about a second, the last of it at `at`."""

    began: float
    at: float
    amount: int


class Window:
    """How much was taken in the last minute, against a limit; 0: none. State: the slots, oldest first."""

    __slots__ = ("_slots", "_sum", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._slots: deque[Slot] = deque()
        self._sum = 0

    def wait(self, amount: int, now: float) -> float:
        """Seconds until as much may be taken. What is more than the limit itself must be alone."""
        if not self.limit:
            return 0.0
        self._expire(now)
        over = self._sum + min(amount, self.limit) - self.limit
        for slot in self._slots:
            if over <= 0:
                break
            over -= slot.amount
            if over <= 0:
                return max(slot.at + MINUTE - now, _LEAST)
        return 0.0

    def take(self, amount: int, now: float) -> Slot | None:
        """Count it; gives where, to be corrected."""
        if not self.limit:
            return None
        self._expire(now)
        self._sum += amount
        slots = self._slots
        if slots and now - slots[-1].began < _GRAIN:
            slots[-1].at = now
            slots[-1].amount += amount
        else:
            slots.append(Slot(now, now, amount))
        return slots[-1]

    def correct(self, slot: Slot, surplus: int, now: float) -> None:
        """It was so much more than was taken, or less: what is past counts no more, what is more counts now."""
        if surplus > 0:
            self.take(surplus, now)
        elif slot in self._slots:
            slot.amount += surplus
            self._sum += surplus

    def _expire(self, now: float) -> None:
        slots = self._slots
        while slots and now - slots[0].at >= MINUTE:
            self._sum -= slots.popleft().amount


class Meter:
    """One provider's. State: what runs, and a window for requests and for tokens."""

    __slots__ = ("concurrent", "requests", "running", "tokens")

    def __init__(self, limits: table.Limits) -> None:
        self.running = 0
        self.requests, self.tokens = Window(0), Window(0)
        self.bind(limits)

    def bind(self, limits: table.Limits) -> None:
        """Keep to these from now on; what was counted stays."""
        self.concurrent = limits.concurrent
        self.requests.limit = limits.requests_per_minute
        self.tokens.limit = limits.tokens_per_minute


@dataclass(slots=True, eq=False)
class Grant:
    """A request that a provider was given. `tokens` is what it was thought to be, until it is done."""

    provider: str
    tokens: int
    meter: Meter
    slot: Slot | None
    done: bool = False


class Limits:
    """State: a Meter for each provider that has limits."""

    __slots__ = ("_meters",)

    def __init__(self) -> None:
        self._meters: dict[str, Meter] = {}

    def bind(self, providers: Iterable[table.Provider]) -> None:
        """Keep to the limits of these providers, a new table's. What is counted of those that stay is kept."""
        meters: dict[str, Meter] = {}
        for provider in providers:
            if provider.limits is not None:
                meter = meters[provider.name] = self._meters.get(provider.name) or Meter(provider.limits)
                meter.bind(provider.limits)
        self._meters = meters

    def admits(self, provider: str, tokens: int, now: float) -> float:
        """0.0: it may have such a request now. Else the seconds until then; inf: until one of its own ends."""
        meter = self._meters.get(provider)
        if meter is None:
            return 0.0
        if meter.concurrent and meter.running >= meter.concurrent:
            return inf
        return max(meter.requests.wait(1, now), meter.tokens.wait(tokens, now))

    def take(self, provider: str, tokens: int, now: float) -> Grant | None:
        """Give it a request of about so many tokens, prompt and answer. None: it has no limits."""
        meter = self._meters.get(provider)
        if meter is None:
            return None
        meter.running += 1
        meter.requests.take(1, now)
        return Grant(provider, tokens, meter, meter.tokens.take(tokens, now))

    def done(self, grant: Grant | None, tokens_used: int, now: float) -> bool:
        """It has ended, once; under 0 tokens used: nobody knows. Gives whether another may go in its place."""
        if grant is None or grant.done:
            return False
        grant.done = True
        grant.meter.running -= 1
        if grant.slot is not None and tokens_used >= 0:
            grant.meter.tokens.correct(grant.slot, tokens_used - grant.tokens, now)
        return True

    def running(self) -> Iterator[tuple[str, int]]:
        """How many requests each provider with limits has, for metrics."""
        return ((name, meter.running) for name, meter in self._meters.items())


@dataclass(slots=True, eq=False)
class Ticket:
    """A place in a queue. `until`: when its holder's patience ends."""

    key: str
    entered: float
    until: float


@dataclass(slots=True)
class _Line:
    tickets: dict[Ticket, None] = field(default_factory=dict)  # in the order of their coming
    last: float = -inf  # when one was done while others waited; -inf: none was since somebody has waited
    gap: float = 0.0  # seconds between two such; 0: not seen yet


class Queue:
    """Who waits, for each key (a provider or a route). State: the tickets, and the pace at which places become free."""

    __slots__ = ("_lines", "bound")

    def __init__(self, bound: int = BOUND) -> None:
        self.bound = bound
        self._lines: dict[str, _Line] = {}

    def enter(self, key: str, now: float, patience: float) -> Ticket | None:
        """Wait, for `patience` seconds at most. None: too many wait already, or as it looks in vain."""
        line = self._lines.setdefault(key, _Line())
        waiting = len(line.tickets)
        # Somebody may always wait: else a pace that was slow once would never be measured again.
        if waiting >= self.bound or (waiting and self.wait(key) > patience):
            return None
        ticket = Ticket(key, now, now + patience)
        line.tickets[ticket] = None
        return ticket

    def leave(self, ticket: Ticket) -> bool:
        """Its holder waits no more. Gives whether it still had waited."""
        line = self._lines[ticket.key]
        waited = ticket in line.tickets
        line.tickets.pop(ticket, None)
        if not line.tickets:
            line.last = -inf
        return waited

    def next(self, key: str) -> Ticket | None:
        """Who may go now: the one who has waited longest, who then waits no more."""
        line = self._lines.get(key)
        if line is None or not line.tickets:
            return None
        ticket = next(iter(line.tickets))
        self.leave(ticket)
        return ticket

    def first(self, key: str) -> Ticket | None:
        """Who would be next."""
        line = self._lines.get(key)
        return next(iter(line.tickets), None) if line is not None else None

    def done(self, key: str, now: float) -> None:
        """One of the key's requests has ended. To be told before `next`; only what ends while others wait counts."""
        line = self._lines.get(key)
        if line is None or not line.tickets:
            return
        if line.last > -inf:
            gap = max(now - line.last, 1e-3)
            line.gap = line.gap + _WEIGHT * (gap - line.gap) if line.gap else gap
        line.last = now

    def wait(self, key: str) -> float:
        """Seconds that one who came now would wait; 0.0 while nothing was measured."""
        line = self._lines.get(key)
        return (len(line.tickets) + 1) * line.gap if line is not None else 0.0

    def retry_after(self, key: str, patience: float) -> int:
        """Whole seconds after which one who was refused may wait for its turn with such a patience; at least one."""
        line = self._lines.get(key)
        if line is None:
            return 1
        return max(1, round(max(self.wait(key) - patience, line.gap) + 0.5))

    def waiting(self) -> Iterator[tuple[str, int]]:
        """How many wait for each key, for metrics."""
        return ((key, len(line.tickets)) for key, line in self._lines.items())
