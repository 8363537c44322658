"""Which providers requests want, and how many each answers: what the operator asks for before it scales one down.

    a request that has passed the fence ──▶ `note` each Want of its lane: of every target in the configured order, up to
                                            and including the first that is not known to be down
    an attempt, and an answer's end     ──▶ the Want of the target itself: whom a request was sent to is wanted
    GET /-/config                       ──▶ `told`: requests under way are counted only now, at no cost to any of them

The gateway's own questions (probes, counts, wake-ups) never come here. A provider that sleeps because nobody wanted it
is not tried: nobody listens there, and that it was wanted is what wakes it.
"""

from __future__ import annotations

import math
import mmap
import struct
import zlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.failover.machine import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pointsman.failover.choose import Candidate, Chain, Passed
    from pointsman.gateway.relay import Exchange
    from pointsman.table import Provider, Route

ASLEEP: Final = frozenset({"ScaledToZero", "Waking"})
"""Why the table says that a provider is down of which nothing runs, or nothing yet, and that demand starts."""

PASSED: Final = "asleep"
"""The reason of a target that is passed over for that."""

_SAID: Final = {"ScaledToZero": "it is scaled to zero, and is being started", "Waking": "it is being started"}
_UNMEASURED: Final = 30.0  # seconds to come again in, where no start was ever seen
_LEAST: Final = 5.0  # likewise, where one takes longer than the last
_UNDER_WAY: Final = frozenset({State.TRYING, State.HELD, State.COMMITTED, State.RESUMING})

_SLOT: Final = 1 << 20  # bytes for what a worker tells; memory is used only as far as it is written
_HEAD: Final = struct.Struct("<II")  # length and CRC-32 of what follows
_LATE: Final = 5.0  # seconds after which a worker that has told nothing more may want anything
_LOOKS: Final = 3  # at a slot that is being written


class Want:
    """How much a provider is wanted. Monotonic seconds; 0.0: never."""

    __slots__ = ("asked", "asleep", "at", "took")

    def __init__(self) -> None:
        self.at = 0.0  # when a request last wanted it, was sent to it, or was answered by it
        self.asleep = False
        self.asked = 0.0  # when a request first wanted it in this sleep
        self.took = 0.0  # seconds from there until it was up, the last time

    def wait(self, now: float) -> int:
        """Whole seconds until it is up, by how long the last start took."""
        left = max(self.took - (now - self.asked), _LEAST) if self.took else _UNMEASURED
        return math.ceil(left)


class Told(msgspec.Struct, array_like=True, gc=False):
    """What one process knows. Monotonic seconds, which all processes of a machine share."""

    at: float
    began: float
    providers: dict[str, tuple[int, float]]  # requests under way, and when it was last wanted


class Board:
    """Memory that the workers of one port share: each writes its slot, and reads those of the others."""

    def __init__(self, workers: int) -> None:
        self._memory = mmap.mmap(-1, workers * _SLOT)
        self._workers = workers
        self.mine = 0  # the slot of this process

    def put(self, told: Told) -> None:
        """Tell the others; what is too large for a slot empties it, and nothing is known of this process."""
        text = msgspec.msgpack.encode(told)
        if len(text) > _SLOT - _HEAD.size:
            text = b""
        start = self.mine * _SLOT
        self._memory[start : start + _HEAD.size + len(text)] = _HEAD.pack(len(text), zlib.crc32(text)) + text

    def others(self, now: float) -> list[Told] | None:
        """What the others told; None: not all of them have, or not lately."""
        found = [self._read(i) for i in range(self._workers) if i != self.mine]
        told = [each for each in found if each is not None and now - each.at <= _LATE]
        return told if len(told) == self._workers - 1 else None

    def _read(self, slot: int) -> Told | None:
        start = slot * _SLOT
        for _ in range(_LOOKS):
            size, crc = _HEAD.unpack_from(self._memory, start)
            text = self._memory[start + _HEAD.size : start + min(_HEAD.size + size, _SLOT)]
            if text and zlib.crc32(text) == crc:
                return msgspec.msgpack.decode(text, type=Told)
        return None


class Demand:
    """State: a Want for each provider of the table, and since when they are kept."""

    def __init__(self, now: float) -> None:
        self.began = now
        self.board: Board | None = None  # with more than one worker
        self._wants: dict[str, Want] = {}

    def want(self, provider: str) -> Want:
        """The provider's Want: the same object from one table to the next."""
        return self._wants.setdefault(provider, Want())

    def bind(self, providers: Iterable[Provider], now: float) -> None:
        """A table is in force: forget who is not in it, and see who fell asleep or is up again."""
        self._wants = {provider.name: self.want(provider.name) for provider in providers}
        for provider in providers:
            want = self._wants[provider.name]
            want.asleep = sleeps(provider)
            if want.asked and not want.asleep and provider.state != "Down":
                want.took, want.asked = now - want.asked, 0.0

    def share(self, exchanges: Iterable[Exchange], now: float) -> None:
        """With other workers, let them know."""
        if self.board is not None:
            self.board.put(self._mine(exchanges, now))

    def told(self, exchanges: Iterable[Exchange], now: float) -> dict[str, Any]:
        """`uptime`, `providers`, and `partial` where other workers may know more."""
        mine = self._mine(exchanges, now)
        others: list[Told] | None = []
        if self.board is not None:
            self.board.put(mine)
            others = self.board.others(now)
        all_told = [mine, *(others or ())]
        names = [*self._wants, *sorted({name for each in all_told for name in each.providers} - self._wants.keys())]
        providers = {name: _provider([each.providers.get(name, (0, 0.0)) for each in all_told], now) for name in names}
        gone = {name for name in names if name not in self._wants and not providers[name]["inFlight"]}
        body = {
            "uptime": _ago(max(each.began for each in all_told), now),
            "providers": {name: each for name, each in providers.items() if name not in gone},
        }
        return body | ({"partial": True} if others is None else {})

    def _mine(self, exchanges: Iterable[Exchange], now: float) -> Told:
        counts = in_flight(exchanges)
        names = {name for name, want in self._wants.items() if want.at} | counts.keys()
        never = Want()
        providers = {name: (counts.get(name, 0), self._wants.get(name, never).at) for name in names}
        return Told(now, self.began, providers)


def note(wants: Sequence[Want], now: float) -> None:
    """A request wants these."""
    for want in wants:
        want.at = now
        if want.asleep and not want.asked:
            want.asked = now


def in_flight(exchanges: Iterable[Exchange]) -> dict[str, int]:
    """How many requests each provider is answering; a hedge counts as one."""
    counts: dict[str, int] = {}
    for exchange in exchanges:
        run = exchange.run
        if run.state in _UNDER_WAY:
            for candidate in (run.candidate, run.rival):
                if candidate is not None:
                    counts[candidate.provider.name] = counts.get(candidate.provider.name, 0) + 1
    return counts


def sleeps(provider: Provider) -> bool:
    """Whether nothing of it runs, or nothing yet, because nobody wanted it."""
    return provider.state == "Down" and provider.reason in ASLEEP


def wanted(chain: Chain) -> tuple[str, ...]:
    """The providers that a request for a chain wants: each once, in the configured order."""
    names: dict[str, None] = {}
    for candidate in chain.candidates:
        names[candidate.provider.name] = None
        if not candidate.down:
            break
    return tuple(names)


def asleep(chain: Chain) -> tuple[Candidate, ...]:
    """Those of a chain that sleep."""
    return tuple(candidate for candidate in chain.candidates if sleeps(candidate.provider))


def passing(route: Route, sleeping: Iterable[Candidate]) -> Route:
    """The route with all that sleep marked as not to be tried."""
    names = {candidate.provider.name for candidate in sleeping}
    targets = tuple(
        msgspec.structs.replace(target, skip=target.skip or PASSED) if target.provider in names else target
        for target in route.targets
    )
    return msgspec.structs.replace(route, targets=targets)


def explained(passed: Iterable[Passed], providers: Mapping[str, Provider]) -> tuple[Passed, ...]:
    """What was passed over for such a mark, with why."""
    return tuple(
        msgspec.structs.replace(each, reason=PASSED, message=_SAID[providers[each.provider].reason])
        if each.message == PASSED
        else each
        for each in passed
    )


def _provider(told: Sequence[tuple[int, float]], now: float) -> dict[str, Any]:
    last = max(at for _, at in told)
    return {"inFlight": sum(count for count, _ in told), "wantedAgo": _ago(last, now) if last else None}


def _ago(then: float, now: float) -> float:
    return round(max(now - then, 0.0), 3)
