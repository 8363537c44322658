"""The failover machine: one request's way through its targets. Events in, one command out; no IO, no clock.

    IDLE ─start─▶ TRYING ─Answered─▶ HELD ─Spoke─▶ COMMITTED ─Finished─▶ DONE
                   │ ▲ ▲  └──Whole──┐ │ │             │ ▲ └──Broke, nobody can take it up──▶ FAILED
                   │ │ └────Broke───│─┘ └──Whole──▶ DONE│ └──Rejoined──┐
                   │ │              └───────────────▲   └──Broke──▶ RESUMING ──Broke──▶ the next, or FAILED
                   │ └──Broke, another target left──┐
                   ├──────────Broke, none left──────┴──▶ FAILED
                   └──────────Broke, none left, worth asking again soon──▶ WAITING ──Due──▶ TRYING or RESUMING

Rule 1: nothing reaches the client before the first real output: everything is held until `Commit` or `Deliver`.
Rule 2: before it a failure is invisible, and the next target is tried. After it another target may only take the
        answer up where it broke off.
Rule 3: every run ends. Each target is tried once; when all have failed, the first that may be well again at once is
        asked once more, and none after the budget of time or attempts is spent. Only a model that is being loaded, or
        a target that bears no more for the moment, is waited for as long as the caller's patience lasts.
Rule 4: a hedge is a second attempt beside the first. Whichever speaks first answers; the other is dropped.
`Left` (the client has gone) ends the run from any state. An event unknown to a state raises and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, auto
from math import inf
from typing import Final

import msgspec

from pointsman.exchange import Failure, FailureKind
from pointsman.failover import again
from pointsman.failover import policy as policies
from pointsman.failover.choose import Candidate, Order
from pointsman.failover.steps import (
    CLOSE,
    DELIVER,
    HOLD,
    PROMOTE,
    Answered,
    Broke,
    Command,
    Commit,
    Due,
    Event,
    Fail,
    Finished,
    Hedge,
    Left,
    Overtook,
    Rejoin,
    Rejoined,
    RivalBroke,
    Slow,
    Spoke,
    Stop,
    Try,
    Whole,
)
from pointsman.table import Policy


class State(IntEnum):  # integers, because an Enum's hash is computed in Python
    IDLE = auto()
    TRYING = auto()  # a request is out, no answer yet
    HELD = auto()  # an answer has begun, nothing of it is real output
    WAITING = auto()  # nothing is out: a target is asked again soon
    COMMITTED = auto()  # the client has begun to receive
    RESUMING = auto()  # its answer broke off, and another target is to take it up
    DONE = auto()
    FAILED = auto()


class IllegalEventError(Exception):
    """An event that the state does not know: a fault of the shell."""


RESUME: Final = "Resume"
_OVERTAKEN: Final = Failure(FailureKind.OVERTAKEN, "another target was faster")


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """A target that was tried and failed."""

    candidate: Candidate
    failure: Failure


class Run(msgspec.Struct, eq=False):
    """One request. State: where it stands, how far down the chain, what failed on the way.

    The shell may set `jitter`, seconds before the same target is asked again, and `patient_until`, the time until which
    a target that loads, or that bears no more, is waited for.
    """

    order: Order
    policy: Policy
    streamed: bool
    now: float  # when it begins
    candidates: tuple[Candidate, ...] = ()
    limit: int = 0
    ends: float = 0.0
    patient_until: float = 0.0
    jitter: float = 0.2
    state: State = State.IDLE
    known: dict[type, _Transition] = {}
    tried: int = 0
    retried: bool = False
    committed: bool = False
    candidate: Candidate | None = None  # the one being tried, or that answered
    rival: Candidate | None = None  # the hedge
    again: Candidate | None = None  # the one that is waited for
    attempts: list[Attempt] = []

    def __post_init__(self) -> None:
        self.take(self.order)
        self.ends = self.now + self.policy.timeouts.total
        self.patient_until = self.now
        self.known = TABLE[State.IDLE]

    def start(self, now: float) -> Command:
        """The first command."""
        if self.state is not State.IDLE:
            raise IllegalEventError("started twice")
        return _advance(self, now)

    def feed(self, event: Event, now: float) -> Command:
        """What to do about an event. IllegalEventError: the state does not know it."""
        transition = self.known.get(type(event))
        if transition is None:
            raise IllegalEventError(f"{type(event).__name__} while {self.state.name}")
        return transition(self, event, now)

    def enter(self, state: State) -> None:
        """Only for the transitions below."""
        self.state = state
        self.known = TABLE[state]

    def take(self, order: Order) -> None:
        """Before the start: these are the targets, in this order."""
        self.order, self.candidates, self.limit = order, order.candidates, order.limit

    def only(self, candidates: tuple[Candidate, ...]) -> None:
        """Of the targets that are left, only these may still be tried: the others cannot hold the request."""
        left = tuple(each for each in self.candidates[self.tried : self.limit] if each in candidates)
        self.candidates = self.candidates[: self.tried] + left
        self.limit = len(self.candidates)


def _hold(run: Run, _event: Event, _now: float) -> Command:
    run.enter(State.HELD)
    return HOLD


def _commit(run: Run, _event: Event, _now: float) -> Command:
    run.enter(State.COMMITTED)
    run.committed = True
    _outrun(run)
    return Commit(run.policy.timeouts.stall, run.ends)


def _rejoin(run: Run, _event: Event, _now: float) -> Command:
    run.enter(State.COMMITTED)
    return Rejoin(run.policy.timeouts.stall, run.ends)


def _deliver(run: Run, _event: Event, _now: float) -> Command:
    run.enter(State.DONE)
    if run.rival is not None:
        _outrun(run)
    return DELIVER


def _close(run: Run, _event: Event, _now: float) -> Command:
    run.enter(State.DONE)
    return CLOSE


def _stay(_run: Run, _event: Event, _now: float) -> Command:
    return HOLD


def _lose(run: Run, event: Event, now: float) -> Command:
    failure = _note(run, event)
    if run.rival is not None:
        run.candidate, run.rival = run.rival, None
        run.enter(State.TRYING)
        return PROMOTE
    return _advance(run, now) if policies.advances(failure, run.policy) else _fail(run)


def _break(run: Run, event: Event, now: float) -> Command:
    failure = _note(run, event)
    resumable = isinstance(event, Broke) and event.resumable and run.policy.mid_stream == RESUME
    return _advance(run, now) if resumable and policies.advances(failure, run.policy) else _fail(run)


def _lose_again(run: Run, event: Event, now: float) -> Command:
    _note(run, event)
    # Whatever the next target says, or whyever it fails, is no reason to end an answer that a third may take up.
    return _advance(run, now)


def _try_again(run: Run, _event: Event, now: float) -> Command:
    if run.again is None:
        raise IllegalEventError("nobody is waited for")
    candidate, run.again = run.again, None
    return _try(run, candidate, now)


def _hedge(run: Run, _event: Event, now: float) -> Command:
    last = run.policy.max_attempts == _made(run) + 1  # the one under way
    if run.rival is not None or last or not _may_try_next(run, now) or run.candidate is None:
        return HOLD
    rival = run.candidates[run.tried]
    # Beside a hosted target, a hedge would cost twice; and only two that are both ours are asked at once.
    if any(each.provider.external(each.model) for each in (run.candidate, rival)):
        return HOLD
    run.tried += 1
    run.rival = rival
    return Hedge(rival, run.ends)


def _overtake(run: Run, event: Event, now: float) -> Command:
    if not isinstance(event, Overtook) or run.rival is None or run.candidate is None:
        raise IllegalEventError("there is no hedge")
    run.attempts.append(Attempt(run.candidate, _OVERTAKEN))
    run.candidate, run.rival = run.rival, None
    run.enter(State.HELD)
    return run.feed(event.event, now)


def _lose_rival(run: Run, event: Event, _now: float) -> Command:
    if not isinstance(event, RivalBroke) or run.rival is None:
        raise IllegalEventError("there is no hedge")
    run.attempts.append(Attempt(run.rival, event.failure))
    run.rival = None
    return HOLD


def _outrun(run: Run) -> None:
    if run.rival is not None:
        run.attempts.append(Attempt(run.rival, _OVERTAKEN))
        run.rival = None


def _stop(run: Run, event: Event, _now: float) -> Command:
    if isinstance(event, Stop) and run.candidate is not None:
        run.attempts.append(Attempt(run.candidate, event.failure))
    return _fail(run)


def _note(run: Run, event: Event) -> Failure:
    if not isinstance(event, Broke) or run.candidate is None:
        raise IllegalEventError(f"{type(event).__name__} carries no failure")
    if event.failure.kind in again.WAITED_FOR:
        # That it still loads, or is still busy, is told once.
        run.attempts = [attempt for attempt in run.attempts if not _same(attempt, run.candidate, event.failure)]
    run.attempts.append(Attempt(run.candidate, event.failure))
    return event.failure


def _same(attempt: Attempt, candidate: Candidate, failure: Failure) -> bool:
    return attempt.candidate is candidate and attempt.failure.kind is failure.kind


def _spent(run: Run, now: float) -> bool:
    """Whether the request has had its time, or its number of attempts; what was not sent anywhere is no attempt."""
    most = run.policy.max_attempts
    return now >= run.ends or (most > 0 and _made(run) >= most)


def _made(run: Run) -> int:
    return sum(attempt.failure.kind is not FailureKind.BUSY for attempt in run.attempts) + (run.rival is not None)


def _may_try_next(run: Run, now: float) -> bool:
    if run.tried >= run.limit:
        return False
    if run.attempts or run.rival is not None:
        return not _spent(run, now)
    return now < run.ends  # the first


def _advance(run: Run, now: float) -> Command:
    if _may_try_next(run, now):
        candidate = run.candidates[run.tried]
        run.tried += 1
        return _try(run, candidate, now)
    found = again.worth_waiting_for(run, now) if run.attempts and not _spent(run, now) else None
    if found is None:
        return _fail(run)
    run.again = found.candidate
    run.retried = run.retried or found.failure.kind not in again.WAITED_FOR
    run.enter(State.WAITING)
    return found


def _try(run: Run, candidate: Candidate, now: float) -> Command:
    run.candidate = candidate
    run.state = state = State.RESUMING if run.committed else State.TRYING
    run.known = TABLE[state]
    hedge = run.policy.hedge_after
    return Try(candidate, _latest(run, now), now + hedge if hedge > 0 and not run.committed else inf)


def _fail(run: Run) -> Command:
    run.enter(State.FAILED)
    return Fail(committed=run.committed)


def _latest(run: Run, now: float) -> float:
    if run.streamed:
        return run.ends
    # An answer that is not streamed shows nothing before it is whole: an attempt at one may take its even share of
    # the time that is left for all.
    ends, left, least = run.ends, run.limit - run.tried + 1, run.policy.timeouts.first_token
    share = (ends - now) / left if left > 1 else ends - now
    latest = now + (share if share > least else least)  # noqa: FURB136 - a call costs more
    return latest if latest < ends else ends  # noqa: FURB136 - a call costs more


_Transition = Callable[[Run, Event, float], Command]

TABLE: Final[dict[State, dict[type, _Transition]]] = {
    State.IDLE: {Left: _close},
    State.TRYING: {
        Answered: _hold, Whole: _deliver, Broke: _lose, Slow: _hedge, Overtook: _overtake, RivalBroke: _lose_rival,
        Left: _close,
    },
    State.HELD: {
        Spoke: _commit, Whole: _deliver, Broke: _lose, Slow: _hedge, Overtook: _overtake, RivalBroke: _lose_rival,
        Left: _close,
    },
    State.WAITING: {Due: _try_again, Stop: _stop, Left: _close},
    State.COMMITTED: {Finished: _close, Broke: _break, Stop: _stop, Left: _close},
    State.RESUMING: {Answered: _stay, Rejoined: _rejoin, Broke: _lose_again, Stop: _stop, Left: _close},
    State.DONE: {Left: _close},
    State.FAILED: {Left: _close},
}  # fmt: skip


def exhausted_by(run: Run) -> FailureKind | None:
    """The one kind that all attempts failed by, if it is one."""
    kinds = {attempt.failure.kind for attempt in run.attempts}
    return kinds.pop() if len(kinds) == 1 else None
