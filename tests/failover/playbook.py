"""A language for tests of the failover machine: a test reads as the script of one request.

    play("a", "b") << Try("a") >> answered << held >> broke("Timeout") << Try("b") >> whole << deliver

`>>` is what happens, `<<` what the machine must then command. `play` starts it; `at(t)` sets the clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pointsman.exchange import Failure, FailureKind
from pointsman.failover import steps
from pointsman.failover.choose import Candidate, Order
from pointsman.failover.machine import Run
from pointsman.failover.steps import ANSWERED, DUE, FINISHED, LEFT, REJOINED, SLOW, SPOKE, WHOLE, Broke, Event
from pointsman.table import Model, Policy, Provider

answered, spoke, whole, finished, left = ANSWERED, SPOKE, WHOLE, FINISHED, LEFT
due, slow, rejoined = DUE, SLOW, REJOINED
held, deliver, close, commit, rejoin = steps.Hold, steps.Deliver, steps.Close, steps.Commit, steps.Rejoin
promote = steps.Promote


def broke(kind: str, **more: Any) -> Broke:
    return Broke(Failure(FailureKind(kind), **more))


@dataclass(frozen=True)
class Try:
    """The command to try the target of that name."""

    name: str


@dataclass(frozen=True)
class Hedge:
    """The command to ask the target of that name too."""

    name: str


@dataclass(frozen=True)
class Wait:
    """The command to wait for the target of that name."""

    name: str


@dataclass(frozen=True)
class Fail:
    """The end in failure, with the reasons of all attempts."""

    reasons: tuple[str, ...]
    committed: bool = False


@dataclass(frozen=True)
class At:
    time: float


at = At


@dataclass
class Play:
    run: Run
    now: float = 0.0
    command: Any = None
    pending: bool = field(default=True)

    def __lshift__(self, expected: Any) -> Play:
        assert self.pending, "two commands were expected of one event"
        self.pending = False
        named = {Try: steps.Try, Hedge: steps.Hedge, Wait: steps.Wait}
        if isinstance(expected, Try | Hedge | Wait):
            assert isinstance(self.command, named[type(expected)]), self.command
            assert self.command.candidate.provider.name == expected.name
        elif isinstance(expected, Fail):
            reasons = tuple(attempt.failure.kind for attempt in self.run.attempts)
            assert isinstance(self.command, steps.Fail), self.command
            assert (reasons, self.command.committed) == (expected.reasons, expected.committed)
        else:
            assert isinstance(self.command, expected), self.command
        return self

    def __rshift__(self, event: Event | At) -> Play:
        assert not self.pending, f"nothing was expected of {self.command}"
        if isinstance(event, At):
            self.now = event.time
        else:
            self.command, self.pending = self.run.feed(event, self.now), True
        return self


def candidate(name: str, model: str = "m", **more: Any) -> Candidate:
    provider = Provider(name=name, type="VLLM", base_url=f"http://{name}", api=("openai-completions",), **more)
    return Candidate(provider, Model(id=model))


def play(
    *names: str,
    policy: Policy | None = None,
    streamed: bool = True,
    limit: int | None = None,
    location: str = "External",
) -> Play:
    """Start a run over targets of these names. Whoever waits has 30 s of patience."""
    candidates = tuple(candidate(name, location=location) for name in names)
    order = Order(candidates, len(candidates) if limit is None else limit)
    run = Run(order, policy or Policy(), streamed=streamed, now=0.0)
    run.patient_until = 30.0
    return Play(run, command=run.start(0.0))
