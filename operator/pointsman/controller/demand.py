"""What the gateways of a namespace tell of demand, put together so that no restart of anybody looks like silence.

A gateway that has begun lately, or that went, may have answered what nobody told us of:

    told of a request      ──▶ the provider was wanted then
    one without a request  ──▶ quiet since it began; if it began while we followed, others told what was before
    a gateway that went,
    or began anew          ──▶ what it had used may have been used until it was missed: not quiet, and not wanted
    one that does not tell ──▶ nothing is known, unless another tells of a request that has just come
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Final

import msgspec

from pointsman.fleet.world import Demand

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

FRESH: Final = 60.0  # seconds: the shortest idle time there is, so that what is wanted within it must run
KEPT: Final = 10.0  # seconds for which an answer holds
_SLACK: Final = 1.0  # seconds by which two answers may tell the same moment differently


class Said(msgspec.Struct, rename="camel"):
    """Of one provider: requests under way, and seconds since one wanted it; None: none has."""

    in_flight: int = 0
    wanted_ago: float | None = None


class Answer(msgspec.Struct):
    """What /-/config says. `uptime` is None of a release that does not tell demand."""

    hash: str = ""
    uptime: float | None = None
    partial: bool = False
    providers: dict[str, Said] = {}

    @property
    def whole(self) -> bool:
        """Whether all that the gateway knows is in it."""
        return self.uptime is not None and not self.partial


@dataclass(slots=True)
class _Gateway:
    """A gateway's newest answer; None: it gives none. `began` and `heard` are monotonic seconds."""

    answer: Answer | None = None
    heard: float = -inf
    began: float = -inf
    used: set[str] = field(default_factory=set)  # providers that its requests have wanted since it began


@dataclass(slots=True)
class _Total:
    """Of one provider: when a request last wanted it, when one may have, and those under way at all gateways."""

    at: float = -inf
    doubt: float = -inf
    in_flight: int = 0


@dataclass(slots=True)
class Ledger:
    """One namespace, followed since `since`. Times are monotonic seconds; the caller brings them."""

    since: float
    _floor: float = -inf  # when the youngest of those began that were there before us, and went
    _gateways: dict[str, _Gateway] = field(default_factory=dict)
    _totals: dict[str, _Total] = field(default_factory=dict)
    _edges: dict[str, tuple[bool, bool]] = field(default_factory=dict)

    def put(self, gateway: str, answer: Answer | None, now: float) -> set[str]:
        """An answer, or none. Gives the providers that are newly wanted, no longer so, begin or cease to answer."""
        known = self._gateways.setdefault(gateway, _Gateway())
        told = answer.providers if answer is not None and answer.uptime is not None else {}
        self._count(known, told)
        if answer is None or answer.uptime is None:
            known.answer = None
            return self._turned(now)
        if known.began + _SLACK < now - answer.uptime:
            self._missed(known, now)
            known.used = set()
        known.answer, known.heard, known.began = answer, now, now - answer.uptime
        for name, said in told.items():
            if said.wanted_ago is not None:
                self._totals[name].at = max(self._totals[name].at, now - said.wanted_ago)
                known.used.add(name)
        return self._turned(now)

    def drop(self, gateway: str, now: float) -> None:
        """A gateway went."""
        known = self._gateways.pop(gateway, None)
        if known is not None:
            self._missed(known, now)
            self._count(known, {})

    def demand(self, gateways: Collection[str], now: float) -> dict[str, Demand]:
        """By provider, over all of these; a provider of which not all of them tell is absent.

        Save one that was wanted within FRESH, or answers: it must run whatever the others would tell, and as they may
        have requests under way as well, it is said to have one at least.
        """
        heard = [self._gateways.get(name, _Gateway()) for name in gateways]
        told = [each for each in heard if each.answer is not None and each.answer.whole and now - each.heard <= KEPT]
        out: dict[str, Demand] = {}
        for name, total in self._totals.items():
            ago = now - total.at
            if told and len(told) == len(heard) and all(name in _providers(each) for each in told):
                quiet = self._quiet(told, name, now)
                out[name] = Demand(min(ago, quiet), ago < FRESH or ago <= quiet, total.in_flight)
            elif ago < FRESH or total.in_flight:
                out[name] = Demand(0.0, ago < FRESH, max(total.in_flight, 1))
        return out

    def _quiet(self, told: Iterable[_Gateway], provider: str, now: float) -> float:
        """Seconds for which no request can have wanted it but those that we were told of."""
        # Who began while we followed has hidden nothing: what was before, others told, or it was missed with them.
        old = [each for each in told if each.began < self.since]
        silent = [each.began for each in old if _providers(each)[provider].wanted_ago is None]
        unsure = max(silent, default=-inf if old else self.since)
        return now - max(unsure, self._floor, self._totals[provider].doubt)

    def _missed(self, known: _Gateway, now: float) -> None:
        """What a gateway did since it was last heard is lost: what it had used, it may have used until now."""
        for name in known.used:
            self._totals[name].doubt = now
        if known.began < self.since:
            self._floor = max(self._floor, known.began)

    def _count(self, known: _Gateway, told: Mapping[str, Said]) -> None:
        for name, said in _providers(known).items():
            self._totals[name].in_flight -= said.in_flight
        for name, said in told.items():
            self._totals.setdefault(name, _Total()).in_flight += said.in_flight

    def _turned(self, now: float) -> set[str]:
        found = {name: (now - total.at < FRESH, total.in_flight > 0) for name, total in self._totals.items()}
        turned = {name for name, edge in found.items() if self._edges.get(name, (False, False)) != edge}
        self._edges = found
        return turned


def _providers(gateway: _Gateway) -> Mapping[str, Said]:
    return gateway.answer.providers if gateway.answer else {}
