"""The failover machine: one request's way through its targets. Events in, one command out; no IO, no clock.

    IDLE ─start─▶ TRYING ─Answered─▶ HELD ─Spoke─▶ COMMITTED ─Finished─▶ DONE
                   │  ▲ ▲  └──Whole──┐ │ │                └──Broke──▶ FAILED (the client has seen a part)
                   │  │ └────Broke───│─┘ └──Whole──▶ DONE
                   │  │              └───────────────▲
                   │  └─Broke, another target left─┐
                   └───────────────────────────────┴─Broke, none left or not to be advanced─▶ FAILED (nothing was seen)

Rule 1: nothing reaches the client before the first real output: everything is held until `Commit` or `Deliver`.
Rule 2: before it a failure is invisible, and the next target is tried. After it no target is ever tried again.
Rule 3: every run ends. Each target is tried once at most, and not after the budget of time is spent.
`Left` (the client has gone) ends the run from any state. An event unknown to a state raises and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, auto
from typing import TYPE_CHECKING, Final

import msgspec

from pointsman.exchange import Failure, FailureKind
from pointsman.failover import policy as policies
from pointsman.failover.choose import Candidate

if TYPE_CHECKING:
    from pointsman.failover.choose import Order
    from pointsman.table import Policy


class State(IntEnum):  # integers, because an Enum's hash is computed in Python
    IDLE = auto()
    TRYING = auto()  # a request is out, no answer yet
    HELD = auto()  # an answer has begun, nothing of it is real output
    COMMITTED = auto()  # the client has begun to receive
    RESUMING = auto()  # its answer broke off, and another target is to take it up
    DONE = auto()
    FAILED = auto()


class IllegalEventError(Exception):
    """An event that the state does not know: a fault of the shell."""


class Answered(msgspec.Struct, frozen=True, gc=False):
    """A good status and headers came."""


class Spoke(msgspec.Struct, frozen=True, gc=False):
    """The first real output came: text, reasoning, a refusal, a tool call."""


class Whole(msgspec.Struct, frozen=True, gc=False):
    """An answer that was not streamed is all there, and is one."""


class Finished(msgspec.Struct, frozen=True, gc=False):
    """The stream came to its proper end."""


class Broke(msgspec.Struct, frozen=True, gc=False):
    """The attempt failed: no connection, a bad status, a cut, a deadline.

    `resumable`: what the client has been sent is known, and can be compared with another target's answer.
    """

    failure: Failure
    resumable: bool = False


class Rejoined(msgspec.Struct, frozen=True, gc=False):
    """The target that takes the answer up has said again what the client has been sent."""


class Left(msgspec.Struct, frozen=True, gc=False):
    """The client has gone."""


class Try(msgspec.Struct, frozen=True, gc=False):
    """Send the request to a target. It must be connected and have given its first output by these times."""

    candidate: Candidate
    connect_by: float
    output_by: float


class Hold(msgspec.Struct, frozen=True, gc=False):
    """Keep what comes; send nothing."""


class Commit(msgspec.Struct, frozen=True, gc=False):
    """Send what is held, and pass on what comes. A pause of `stall` seconds is a failure, as is the time `end_by`."""

    stall: float
    end_by: float


class Rejoin(msgspec.Struct, frozen=True, gc=False):
    """Pass on what comes from now on: the client has all that came before. As `Commit`, without a head."""

    stall: float
    end_by: float


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """Send the whole answer."""


class Close(msgspec.Struct, frozen=True, gc=False):
    """Nothing more is to be done: end the answer properly, or drop the attempt if the client has gone."""


class Fail(msgspec.Struct, frozen=True, gc=False):
    """Tell the client; `committed`: inside the answer that it is reading. The run's attempts say why."""

    committed: bool


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """A target that was tried and failed."""

    candidate: Candidate
    failure: Failure


Event = Answered | Spoke | Whole | Finished | Broke | Rejoined | Left
Command = Try | Hold | Commit | Rejoin | Deliver | Close | Fail

ANSWERED: Final = Answered()
SPOKE: Final = Spoke()
WHOLE: Final = Whole()
FINISHED: Final = Finished()
REJOINED: Final = Rejoined()
LEFT: Final = Left()
RESUME: Final = "Resume"
_HOLD: Final = Hold()
_DELIVER: Final = Deliver()
_CLOSE: Final = Close()


class Run:
    """One request. State: where it stands, how far down the chain, what failed on the way."""

    __slots__ = ("attempts", "candidate", "ends", "known", "order", "policy", "state", "streamed", "tried")

    def __init__(self, order: Order, policy: Policy, *, streamed: bool, now: float) -> None:
        self.order = order
        self.policy = policy
        self.streamed = streamed
        self.ends = now + policy.timeouts.total
        self.state = State.IDLE
        self.known = TABLE[State.IDLE]
        self.tried = 0
        self.candidate: Candidate | None = None  # the one being tried, or that answered
        self.attempts: list[Attempt] = []

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


def _hold(run: Run, _event: Event, _now: float) -> Command:
    run.enter(State.HELD)
    return _HOLD


def _commit(run: Run, _event: Event, _now: float) -> Command:
    run.enter(State.COMMITTED)
    return Commit(run.policy.timeouts.stall, run.ends)


def _rejoin(run: Run, _event: Event, _now: float) -> Command:
    run.enter(State.COMMITTED)
    return Rejoin(run.policy.timeouts.stall, run.ends)


def _deliver(run: Run, _event: Event, _now: float) -> Command:
    run.enter(State.DONE)
    return _DELIVER


def _close(run: Run, _event: Event, _now: float) -> Command:
    run.enter(State.DONE)
    return _CLOSE


def _lose(run: Run, event: Event, now: float) -> Command:
    if not policies.advances(_note(run, event), run.policy):
        run.enter(State.FAILED)
        return Fail(committed=False)
    return _advance(run, now)


def _break(run: Run, event: Event, now: float) -> Command:
    failure = _note(run, event)
    resumable = isinstance(event, Broke) and event.resumable and run.policy.mid_stream == RESUME
    if resumable and policies.advances(failure, run.policy) and _may_advance(run, now):
        return _advance(run, now, State.RESUMING)
    run.enter(State.FAILED)
    return Fail(committed=True)


def _lose_again(run: Run, event: Event, now: float) -> Command:
    _note(run, event)
    # Whatever the next target says, or whyever it fails, is no reason to end an answer that a third may take up.
    if _may_advance(run, now):
        return _advance(run, now, State.RESUMING)
    run.enter(State.FAILED)
    return Fail(committed=True)


def _stay(_run: Run, _event: Event, _now: float) -> Command:
    return _HOLD


def _note(run: Run, event: Event) -> Failure:
    if not isinstance(event, Broke) or run.candidate is None:
        raise IllegalEventError(f"{type(event).__name__} carries no failure")
    run.attempts.append(Attempt(run.candidate, event.failure))
    return event.failure


def _limit(run: Run) -> int:
    return min(run.order.limit, run.policy.max_attempts or run.order.limit)


def _may_advance(run: Run, now: float) -> bool:
    return run.tried < _limit(run) and now < run.ends


def _advance(run: Run, now: float, state: State = State.TRYING) -> Command:
    if not _may_advance(run, now):
        run.enter(State.FAILED)
        return Fail(committed=False)
    left = _limit(run) - run.tried
    run.candidate = run.order.candidates[run.tried]
    run.tried += 1
    run.enter(state)
    return Try(run.candidate, min(now + run.policy.timeouts.connect, run.ends), _output_by(run, now, left))


def _output_by(run: Run, now: float, left: int) -> float:
    first_token = run.policy.timeouts.first_token
    if run.streamed:
        return min(now + first_token, run.ends)
    # An answer that is not streamed shows nothing before it is whole, which may take minutes: an attempt at one may
    # take its even share of the time that is left for all.
    return min(now + max((run.ends - now) / left, first_token), run.ends)


_Transition = Callable[[Run, Event, float], Command]

TABLE: Final[dict[State, dict[type, _Transition]]] = {
    State.IDLE: {Left: _close},
    State.TRYING: {Answered: _hold, Whole: _deliver, Broke: _lose, Left: _close},
    State.HELD: {Spoke: _commit, Whole: _deliver, Broke: _lose, Left: _close},
    State.COMMITTED: {Finished: _close, Broke: _break, Left: _close},
    State.RESUMING: {Answered: _stay, Rejoined: _rejoin, Broke: _lose_again, Left: _close},
    State.DONE: {Left: _close},
    State.FAILED: {Left: _close},
}


def exhausted_by(run: Run) -> FailureKind | None:
    """The one kind that all attempts failed by, if it is one."""
    kinds = {attempt.failure.kind for attempt in run.attempts}
    return kinds.pop() if len(kinds) == 1 else None
