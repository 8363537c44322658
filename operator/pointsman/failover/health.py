"""What past attempts say of targets. Cooldowns are scoped: to a model at a provider, to its key, to its endpoint.

For each of them:

    CLOSED ──failures──▶ OPEN until a time ──time comes──▶ HALF OPEN: few trials ──success──▶ CLOSED
                          ▲                                               │
                          └────────────────── failure, for twice as long ─┘

Each ends by its own proof: an answer of any kind proves that the endpoint is there, and the output of a sibling that
the key is good. An open one is never shortened by a further failure: the longest deadline wins. Times are seconds of
one clock of the caller's that never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pointsman.exchange import FailureKind
from pointsman.failover import policy
from pointsman.failover.policy import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.exchange import Failure
    from pointsman.table import Breaker

Key = tuple[str, str, Scope]  # provider, model ("" but for Scope.MODEL), and what of it
Target = tuple[str, str]  # provider, model

TRIAL: Final = 30.0  # seconds after which a trial that never ended no longer holds others back
SECOND_OPINION: Final = 30.0  # seconds after which a sibling of the one model that a key was refused for may be tried
_DOWN: Final = frozenset(
    {FailureKind.CONNECT_FAILURE, FailureKind.TIMEOUT, FailureKind.SERVER_ERROR, FailureKind.MODEL_LOADING}
)
_ERROR: Final = 400  # an HTTP status from here on is an answer that somebody gave


@dataclass(slots=True)
class Rung:
    """How far a kind of failure has climbed its ladder: how often it opened, when last, and until when."""

    opened: int = 0
    since: float = 0.0
    until: float = 0.0


@dataclass(slots=True)
class Entry:
    """What is known of one key since its last success. `until` and `cause` are those of the highest rung."""

    failures: int = 0
    until: float = 0.0
    cause: FailureKind | None = None
    half_open: int = 1
    trials: list[float] = field(default_factory=list)  # when those in flight began
    rungs: dict[FailureKind, Rung] = field(default_factory=dict)
    witness: str = ""  # of a key: the only model that it was refused for

    def settle(self) -> None:
        """Let `until` and `cause` follow from the rungs."""
        self.cause, rung = max(self.rungs.items(), key=lambda item: item[1].until, default=(None, Rung()))
        self.until = rung.until

    def climb(self, failure: Failure, breaker: Breaker, now: float) -> float:
        """Leave it alone because of a failure, for the seconds that are given back."""
        rung = self.rungs.get(failure.kind) or Rung()
        # Fifty streams that die together are one fault: while it is open, the same step of the ladder applies.
        opened = rung.opened - 1 if now < rung.until else rung.opened
        seconds = policy.cooldown(failure, breaker, self.failures, opened)
        if seconds > 0:
            if now >= rung.until:
                rung.since = now
            rung.opened, rung.until = opened + 1, max(rung.until, now + seconds)
            self.rungs[failure.kind] = rung
            self.settle()
        return seconds

    def holds(self, model: str, now: float) -> bool:
        """Whether it keeps requests for the model away now."""
        if now < self.until:
            since = self.rungs[self.cause].since if self.cause is not None else now
            if not self.witness or self.witness == model or now - since < SECOND_OPINION:
                return True
        return sum(now - began < TRIAL for began in self.trials) >= self.half_open


class Health:
    """State: an Entry for each key that has failed since its last success; none means well. When which recovered."""

    __slots__ = ("_longest", "entries", "recoveries")

    def __init__(self) -> None:
        self.entries: dict[Key, Entry] = {}
        self.recoveries: dict[Target, float] = {}  # targets that were down, and since when they are not
        self._longest = 0.0  # seconds for which somebody asks after a recovery

    def failed(  # noqa: PLR0913 - a verdict, and all that it depends on
        self, provider: str, model: str, failure: Failure, breaker: Breaker, now: float,
        *, reached: bool = False, began: float | None = None,
    ) -> float:  # fmt: skip
        """An attempt failed. Gives for how many seconds the target is left alone because of it.

        `reached`: a connection stood before it failed. `began`: what `tried` was told.
        """
        self.released(provider, model, began)
        if failure.status >= _ERROR:
            self.entries.pop((provider, "", Scope.ENDPOINT), None)
        scope = self._scope(provider, model, failure, reached=reached)
        if scope is Scope.NOTHING:
            return 0.0
        key = (provider, model if scope is Scope.MODEL else "", scope)
        entry = self.entries.setdefault(key, Entry())
        entry.half_open = max(breaker.half_open, 1)
        if failure.kind is not FailureKind.MODEL_LOADING:
            entry.failures += 1
        if scope is Scope.KEY:
            # Refused for two models, it is the key; for one, it may be what the key may not use.
            entry.witness = model if not entry.rungs or entry.witness == model else ""
        if failure.kind in _DOWN:
            self.recoveries.pop(key[:2], None)
        return entry.climb(failure, breaker, now)

    def succeeded(self, provider: str, model: str, now: float = 0.0, began: float | None = None) -> None:
        """An attempt gave output: all is forgiven, but for what came up after it had begun."""
        self.released(provider, model, began)
        for key in _keys(provider, model):
            entry = self.entries.pop(key, None)
            if entry is None:
                continue
            later = {} if began is None else {kind: rung for kind, rung in entry.rungs.items() if rung.since > began}
            if not _DOWN.isdisjoint(entry.rungs.keys() - later.keys()):
                self.recoveries[key[:2]] = now
            if later:
                entry.rungs, entry.failures = later, len(later)
                entry.settle()
                self.entries[key] = entry
            elif entry.witness and entry.witness != model:
                # The key is good: it is the one model that it may not use.
                self.entries.setdefault((provider, entry.witness, Scope.MODEL), entry).witness = ""

    def tried(self, provider: str, model: str, now: float) -> bool:
        """An attempt begins. Gives whether the target was open, so that this is a trial, whose end must be told."""
        trial = False
        for key in _keys(provider, model):
            entry = self.entries.get(key)
            if entry is not None and entry.until > 0:
                entry.trials = [*(began for began in entry.trials if now - began < TRIAL), now]
                trial = True
        return trial

    def released(self, provider: str, model: str, began: float | None = None) -> None:
        """A trial ended without a verdict, because the client left: another may take its place.

        `began`: what `tried` was told; the oldest one if it is not said.
        """
        for key in _keys(provider, model):
            entry = self.entries.get(key)
            if entry is None or not entry.trials:
                continue
            if began is None:
                del entry.trials[0]
            elif began in entry.trials:
                entry.trials.remove(began)

    def forget(self, provider: str) -> None:
        """The provider's key or address has changed: what was known says nothing any more."""
        self.entries = {key: entry for key, entry in self.entries.items() if key[0] != provider}
        self.recoveries = {target: since for target, since in self.recoveries.items() if target[0] != provider}

    def recovered(self, provider: str, now: float = 0.0) -> None:
        """Its probes succeed again: what had failed because it was down may be tried at once.

        A probe says nothing of rate limits, and no more of a key than was known.
        """
        for key, entry in list(self.entries.items()):
            if key[0] != provider or _DOWN.isdisjoint(entry.rungs):
                continue
            self.recoveries[key[:2]] = now
            entry.rungs = {kind: rung for kind, rung in entry.rungs.items() if kind not in _DOWN}
            entry.settle()
            entry.trials.clear()
            if not entry.rungs:
                del self.entries[key]

    def until(self, provider: str, model: str) -> float:
        """When the target may be tried again; 0.0 when nothing speaks against it now."""
        entries = self.entries
        if not entries:
            return 0.0
        return max(entry.until if (entry := entries.get(key)) else 0.0 for key in _keys(provider, model))

    def cooling(self, provider: str, model: str, now: float) -> FailureKind | None:
        """Why the target is left alone now; None: it may be tried. Trials in flight hold the others back."""
        latest: Entry | None = None
        for key in _keys(provider, model):
            entry = self.entries.get(key)
            if entry is not None and entry.holds(model, now) and (latest is None or entry.until > latest.until):
                latest = entry
        return latest.cause if latest is not None else None

    def returning(self, provider: str, model: str, now: float, after: float) -> bool:
        """Whether the target was down, and has been well again for less than `after` seconds."""
        self._longest = max(self._longest, after)
        found = False
        for target in ((provider, model), (provider, "")):
            since = self.recoveries.get(target)
            if since is not None:
                found = found or now - since < after
                if now - since >= self._longest:
                    del self.recoveries[target]
        return found

    def open(self, now: float) -> Iterator[tuple[Target, Entry]]:
        """What is cooling now, for metrics and the soonest Retry-After; model "": all of the provider's."""
        return ((key[:2], entry) for key, entry in self.entries.items() if now < entry.until)

    def _scope(self, provider: str, model: str, failure: Failure, *, reached: bool) -> Scope:
        scope = policy.scope(failure, reached=reached)
        if scope is Scope.KEY:
            own = self.entries.get((provider, model, Scope.MODEL))
            if own is not None and FailureKind.AUTHENTICATION in own.rungs:
                return Scope.MODEL  # as was proven before
        return scope


def _keys(provider: str, model: str) -> tuple[Key, Key, Key]:
    return (provider, model, Scope.MODEL), (provider, "", Scope.ENDPOINT), (provider, "", Scope.KEY)
