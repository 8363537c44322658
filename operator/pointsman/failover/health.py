"""What past attempts say of targets. Cooldowns are scoped: to a model at a provider, or to a provider's key.

For each (provider, model), with "" for a provider's key:

    CLOSED ──failures──▶ OPEN until a time ──time comes──▶ HALF OPEN: one trial ──success──▶ CLOSED
                          ▲                                               │
                          └────────────────── failure, for twice as long ─┘

An open one is never shortened by a further failure: the longest deadline wins. Times are seconds of one clock of the
caller's that never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from pointsman.exchange import FailureKind
from pointsman.failover import policy
from pointsman.failover.policy import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.exchange import Failure
    from pointsman.table import Breaker

Key = tuple[str, str]  # provider, model; model "": the provider's key

_DOWN: Final = frozenset({FailureKind.CONNECT_FAILURE, FailureKind.TIMEOUT, FailureKind.SERVER_ERROR})
TRIAL: Final = 30.0  # seconds after which a trial that never ended no longer holds others back


@dataclass(slots=True)
class Entry:
    """What is known of one key since its last success."""

    failures: int = 0
    opened: int = 0
    until: float = 0.0
    cause: FailureKind | None = None
    trial: float = -inf  # when the trial in flight began


class Health:
    """State: an Entry for each key that has failed since its last success. No entry means well."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: dict[Key, Entry] = {}

    def failed(self, provider: str, model: str, failure: Failure, breaker: Breaker, now: float) -> float:
        """An attempt failed. Gives for how many seconds the target is left alone because of it."""
        entry = self.entries.get((provider, model)) or Entry()
        # Fifty streams that die together are one fault: while it is open, the same step of the ladder applies.
        opened = entry.opened - 1 if now < entry.until else entry.opened
        verdict = policy.cooldown(failure, breaker, entry.failures + 1, opened)
        self.released(provider, model)
        if verdict.scope is Scope.NOTHING:
            return 0.0
        entry.failures += 1
        self.entries[provider, model] = entry
        if verdict.scope is Scope.PROVIDER:
            entry = self.entries.setdefault((provider, ""), Entry())
        if verdict.seconds > 0:
            _open(entry, now + verdict.seconds, failure.kind, now)
        return verdict.seconds

    def succeeded(self, provider: str, model: str) -> None:
        """An attempt answered: all is forgiven."""
        self.entries.pop((provider, model), None)
        self.entries.pop((provider, ""), None)

    def tried(self, provider: str, model: str, now: float) -> None:
        """An attempt begins; if the target was open, this is its trial."""
        for key in ((provider, model), (provider, "")):
            entry = self.entries.get(key)
            if entry is not None and entry.until > 0:
                entry.trial = now

    def released(self, provider: str, model: str) -> None:
        """An attempt ended without a verdict, because the client left: another may be the trial."""
        for key in ((provider, model), (provider, "")):
            entry = self.entries.get(key)
            if entry is not None:
                entry.trial = -inf

    def forget(self, provider: str) -> None:
        """The provider's key or address has changed: what was known says nothing any more."""
        for key in [key for key in self.entries if key[0] == provider]:
            del self.entries[key]

    def recovered(self, provider: str) -> None:
        """Its probes succeed again: what had failed because it was down may be tried at once.

        A probe says nothing of rate limits, and no more of a key than was known.
        """
        for key, entry in list(self.entries.items()):
            if key[0] == provider and entry.cause in _DOWN:
                del self.entries[key]

    def until(self, provider: str, model: str) -> float:
        """When the target may be tried again; 0.0 when nothing speaks against it now."""
        entries = self.entries
        if not entries:
            return 0.0
        own, key = entries.get((provider, model)), entries.get((provider, ""))
        return max(own.until if own else 0.0, key.until if key else 0.0)

    def cooling(self, provider: str, model: str, now: float) -> FailureKind | None:
        """Why the target is left alone now; None: it may be tried. One trial in flight holds the others back."""
        for key in ((provider, model), (provider, "")):
            entry = self.entries.get(key)
            if entry is not None and (now < entry.until or now - entry.trial < TRIAL):
                return entry.cause
        return None

    def open(self, now: float) -> Iterator[tuple[Key, Entry]]:
        """What is cooling now, for metrics and the soonest Retry-After."""
        return ((key, entry) for key, entry in self.entries.items() if now < entry.until)


def _open(entry: Entry, until: float, cause: FailureKind, now: float) -> None:
    if now >= entry.until:
        entry.opened += 1
    if until > entry.until:
        entry.until, entry.cause = until, cause
