"""Where deciding meets doing: one exchange drives its failover machine and carries out what that commands.

    a client's request → intake → Exchange ──feed(event)──▶ machine ──command──▶ _ACTS[type(command)]
                                     ▲                                               │
                                     └── a Connection's callbacks, the sweep ◀───────┘

What the client has not been sent is held by the Reading; once committed, whole frames go through as they come, in one
write for each read. A frame that has not ended waits, so that a cut never leaves the client with half of one.
"""

from __future__ import annotations

import time
from collections.abc import Callable  # noqa: TC003 - the table of acts is made at run time
from math import inf
from random import random
from typing import TYPE_CHECKING, Any, Final

from pointsman import dialects
from pointsman.dialects.told import Told
from pointsman.exchange import Failure, FailureKind
from pointsman.failover import choose, machine, steps
from pointsman.failover.choose import Passed
from pointsman.failover.machine import Attempt
from pointsman.failover.pace import LOAD_LONGEST
from pointsman.failover.steps import ANSWERED, DUE, LEFT, REJOINED, SLOW, Broke, Stop
from pointsman.gateway import account, answers, crossing, fields, load, preflight, waking
from pointsman.gateway.answers import Answer
from pointsman.gateway.delivery import LINGER, Delivery
from pointsman.gateway.hedge import Rival
from pointsman.gateway.reading import Joined, Refused, Streamed, Whole, begin
from pointsman.gateway.upstream import field

if TYPE_CHECKING:
    from pointsman.dialects import resume
    from pointsman.failover.choose import Order
    from pointsman.gateway.upstream import Fields

JITTER: Final = (0.1, 0.3)  # seconds before a target is asked again, so that many requests do not do so at once
_BAD: Final = frozenset({FailureKind.BAD_REQUEST, FailureKind.CONTENT_POLICY, FailureKind.UNSUPPORTED})


class Exchange(Delivery, eq=False):
    """One request on its way. State: the machine's, what carries it now, what was read, and when it is late."""

    def start(self) -> None:
        """Try the first target, or say why there is none."""
        lane = self.lane
        self._client.exchange = self
        self.state.exchanges.add(self)
        if not lane.chain.candidates:
            if lane.chain.fenced_in and not lane.asleep:
                self.state.metrics.blocked[lane.route.name,].n += 1
            self.refuse(answers.nobody(lane, self.state.now))
            return
        if lane.chain.cold:
            waking.wake(self.state, lane)
            self.passed = tuple(
                Passed(each.provider.name, each.model.id, "cold", "its model is being loaded")
                for each in lane.chain.cold
            )
        if lane.chain.translates and not self._said():
            return
        if not lane.measured or choose.fits_all(self.order, self.state.windows, self.head):
            command = self.run.start(self.started)
            if isinstance(command, steps.Try):
                self._try(command)
            else:
                self.obey(command)
        else:
            preflight.check(self)

    def _said(self) -> bool:
        """Leave out the targets to which the request cannot be said. False: none is left, and the client knows."""
        lane = self.lane
        order, passed, self._translation = crossing.look(lane, self.head, self.order)
        self.passed += passed
        if not order.candidates:
            self.refuse(answers.no_candidate(lane.wire, lane.route, lane.chain, passed))
            return False
        if order is not self.order:
            self.order = order
            self.run.take(order)
        return True

    def go(self, order: Order) -> None:
        """Try the first of those that can hold the request."""
        self.order = order
        self.run.take(order)
        self.obey(self.run.start(time.monotonic()))

    # What a connection calls back (upstream.Caller)

    def connected(self) -> None:
        self.deadline = min(self._output_by, self._hedge_at)

    def whole(self, status: int, head: Fields, body: bytes) -> None:
        if status != 200 or self.head.stream or self.resuming or self.tally.crosses:
            self.answered(status, head)
            self.received(body, last=True)
            return
        self.line = None
        self.status, tally = status, self.tally
        self._type = field(head, b"content-type")
        if tally.hosted:
            self.vendor = fields.told(head)
        found = tally.wire.read_whole(status, body)
        if isinstance(found, Failure):
            self._break(found)
        else:
            self.usage = found
            self._deliver_whole(body)

    def answered(self, status: int, head: Fields) -> None:
        self.status = status
        self._note(head)
        way, mend = self.crossing(self.tally), self.mending(self.tally)
        reading = begin(self.tally.wire, self.head, status, head, self.date, way, mend)
        if self.resuming and self._told is not None and isinstance(reading, Streamed):
            reading = self._joined(self._told, self._steps[0])
        self._reading = reading
        if isinstance(reading, Refused):
            return
        self.obey(self.run.feed(ANSWERED, self.started))

    def _joined(self, told: Told, step: resume.Step) -> Joined:
        # A step that speaks chat for its flags is compared with what was told as it is.
        crosses = step.dialect is self.lane.dialect and self.crossing(self.tally)
        translator = crosses.translator() if crosses else None
        mend = self.mending(self.tally) if step.spoken is self.lane.dialect else None
        return Joined(self.lane.home, dialects.ALL[step.spoken], self.head, told, step, translator, mend)

    def received(self, body: bytes, last: bool) -> None:
        reading = self._reading
        assert reading is not None  # noqa: S101 - a connection gives the head first
        if self.committed and not last and isinstance(reading, Streamed) and reading.flows(body):
            self._flow(body)
            return
        if last:
            self.line = None
        failure = reading.feed(body, last)
        if failure is not None:
            self._break(failure)
        elif self.resuming:
            if reading.spoke:
                self.obey(self.run.feed(REJOINED, time.monotonic()))
                self._pass_on(reading, last)
        elif self.committed:
            self._pass_on(reading, last)
        elif reading.spoke or last:
            self._speak(reading, last)
        elif reading.calling:
            self._hold_call(reading)
        elif isinstance(reading, Whole):
            self._heard = self.state.now
            self.deadline = min(self._heard + LINGER, self._output_by)

    def broke(self, message: str, stale: bool) -> None:
        reached, self.line = self.line is not None and self.line.stands, None
        reading, backend = self._reading, self.tally.place.backend
        if reading is not None and reading.complete:
            self.received(b"", last=True)  # it only lacked its formal end
            return
        again = (stale and not self._retried) or (self._reading is None and self._dials < len(backend.addresses))
        if again and (self.resuming or not self.committed):
            # A kept connection that the server had closed, or one replica of several: the target itself may be well.
            self._retried = self._retried or stale
            self._dial(fresh=stale)
        else:
            self._break(Failure(FailureKind.CONNECT_FAILURE, message, self.status), reached=reached)

    # What a hedge calls

    def overtaken(self, last: bool) -> None:
        """The hedge has spoken, or is whole: it is the answer."""
        self._drop()
        loser = self.tally.candidate
        self.state.metrics.attempts[loser.provider.name, loser.model.id, FailureKind.OVERTAKEN].n += 1
        self.state.health.released(loser.provider.name, loser.model.id, self.tried_at)
        load.release(self, loser.provider.name)
        reading = self._adopt()
        if reading is not None:
            self._speak(reading, last, overtook=True)

    def rival_broke(self, failure: Failure) -> None:
        """The hedge has failed; the first attempt goes on."""
        rival, self._rival = self._rival, None
        if rival is not None:
            self._cool(rival.tally.candidate, failure, rival.started, reached=rival.status > 0)
            self.obey(self.run.feed(steps.RivalBroke(failure), time.monotonic()))

    # What the client, the queue and the sweep call

    def left(self) -> None:
        """The client has gone: so does the call."""
        candidate = self.run.candidate
        self.obey(self.run.feed(LEFT, time.monotonic()))
        if candidate is not None:
            self.state.health.released(candidate.provider.name, candidate.model.id, self.tried_at)
        self._drop()
        self.finish(499, "client_left")

    def hold_back(self, slow: bool) -> None:
        """The client reads slowly: so does the gateway. Its slowness is not the target's."""
        self.waiting = slow
        if self.resuming or not self.committed:
            return
        if self.line is not None:
            (self.line.pause if slow else self.line.resume)()
        self.deadline = self._end_by if slow else min(time.monotonic() + self._stall, self._end_by)

    def due(self) -> None:
        """What was waited for may have come."""
        self.ticket = None
        # Else the client has left since it was called, or the gateway ends.
        if self.run.state is machine.State.WAITING and self in self.state.exchanges:
            self.obey(self.run.feed(DUE, time.monotonic()))

    def late(self, now: float) -> None:
        """The deadline has passed."""
        reading = self._reading
        if self.run.state is machine.State.WAITING:
            if not load.still_full(self, now):
                load.leave(self)
                self.due()
        elif reading is not None and reading.complete:
            self._drop()
            self.received(b"", last=True)  # whole, if not ended: servers forget to close, or to say [DONE]
        elif isinstance(reading, Whole) and not self.committed and self._looked(reading, now):
            pass
        elif now >= self._hedge_at and now < self._output_by:
            self._hedge_at = inf
            self.deadline = self._output_by
            self.obey(self.run.feed(SLOW, now))
        elif self.committed and not self.resuming:
            self._blame()
            spent = now >= self._end_by
            message = "the time for the request is spent" if spent else f"no event for {self._stall:g} s"
            self._break(Failure(FailureKind.TIMEOUT, message, self.status))
        elif self._dialling():
            self._blame()
            timeout = self.lane.route.policy.timeouts.connect
            self._break(Failure(FailureKind.CONNECT_FAILURE, f"no connection within {timeout:g} s"), reached=False)
        else:
            self._blame()
            self.state.pace.missed(self.tally.candidate)
            waited = now - self.tried_at
            self._break(Failure(FailureKind.TIMEOUT, f"no output within {waited:.1f} s", self.status))

    def _looked(self, reading: Whole, now: float) -> bool:
        """Whether an answer in one piece that has paused is whole, or may pause for longer."""
        if reading.look():
            self._drop()
            self.received(b"", last=True)
            return True
        self.deadline = min(self._heard + self.lane.route.policy.timeouts.stall, self._output_by)
        return now < self.deadline

    def cut(self) -> None:
        """The gateway ends: the client is told inside the stream, or before it."""
        failure = Failure(FailureKind.CONNECT_FAILURE, "the gateway is shutting down")
        self._drop()
        if self.committed:
            self.obey(self.run.feed(Stop(failure), time.monotonic()))
        else:
            code = "shutting_down"
            body = self.lane.wire.write_error(503, code, failure.message)
            self.refuse(Answer(503, code, body, b"retry-after: 1\r\n"))

    # What the machine commands

    def obey(self, command: steps.Command) -> None:
        """Do what the machine says."""
        act = _ACTS.get(type(command))
        if act is not None:
            act(self, command)

    def _try(self, command: steps.Try) -> None:
        candidate, state = command.candidate, self.state
        if self._dials:  # not the first: leave nothing of the one before
            self._forget_answer()
        self.tally = tally = self.lane.tally(candidate)
        tally.want.at = state.now
        self.tried_at = now = time.monotonic() if self.run.attempts else self.started
        if tally.limited and (busy := load.take(self, now)) is not None:
            self._break(busy)
            return
        if state.health.entries:
            state.health.tried(candidate.provider.name, candidate.model.id, now)
        self._hedge_at = command.hedge_at
        by, latest = tally.patience(self.head, state.pace, now), command.by
        self._output_by = by if by < latest else latest  # noqa: FURB136 - a call costs more
        self._send(candidate)

    def _wait(self, command: steps.Wait) -> None:
        self._reading = None
        self.deadline = command.until
        if command.failure.kind is FailureKind.BUSY and not load.enter(self, command):
            self.refuse(answers.overloaded(self.lane.wire, self.lane.route, load.seconds(self, command)))

    def _hedge(self, command: steps.Hedge) -> None:
        tally = self.lane.tally(command.candidate)
        now = time.monotonic()
        if tally.limited and load.full(self, tally, now):
            self.obey(self.run.feed(steps.RivalBroke(Failure(FailureKind.BUSY, "it bears no more")), now))
            return
        candidate = command.candidate
        if self.state.health.entries:
            self.state.health.tried(candidate.provider.name, candidate.model.id, now)
        body, dropped = self.worded(tally)
        self._rival = Rival(self, tally, dropped, now)
        tally.place.backend.send(self._rival, self.written(tally, body), self.state.loop)

    def _promote(self, _command: steps.Promote) -> None:
        if self._adopt() is not None:
            self.obey(self.run.feed(ANSWERED, time.monotonic()))

    def _commit(self, command: steps.Commit) -> None:
        self._answered_by()
        self._stall, self._end_by = command.stall, command.end_by
        self.committed = True
        self.shown = self.status
        told = account.header(self, answered=True)
        if isinstance(self._reading, Streamed):
            if self.head.choices == 1:
                self._told = Told(self.lane.wire)
            self._client.open(self.status, self._type or b"text/event-stream", told)
        else:
            self._client.open(self.status, self._type, told, self._length)

    def _rejoin(self, command: steps.Rejoin) -> None:
        self._answered_by()
        self.state.metrics.resumed[self.lane.route.name,].n += 1
        self._stall, self._end_by = command.stall, command.end_by
        self.resuming = False
        self.resumed += 1
        # Readers of event streams pass over comments: it is for people who look at the bytes.
        self._client.pass_on(account.joint(self), last=False)
        if self.waiting and self.line is not None:
            self.line.pause()
            self.deadline = self._end_by

    def _deliver(self, _command: steps.Deliver) -> None:
        self._answered_by()
        kept = self.kept
        body = self._body if kept is None else kept.whole(self._body)
        self._client.reply(self.status, self._type, body, account.header(self, answered=True))
        if kept is not None:
            kept.finish(self.state.now)
        self.finish(self.status)

    def _fail(self, command: steps.Fail) -> None:
        lane, run = self.lane, self.run
        failure = run.attempts[-1].failure if run.attempts else None
        if command.committed and failure is not None:
            self._fail_inside(account.cause(run))
        elif failure is not None and failure.kind in _BAD and self._refusal is not None:
            self.refuse(answers.passed_on(lane.wire, run, self._refusal))
        elif wait := load.refused(self):
            self.refuse(answers.overloaded(lane.wire, lane.route, wait))
        else:
            wait = answers.retry_after(lane.chain, self.state.health, time.monotonic())
            self.refuse(answers.exhausted(lane.wire, lane.route, run, wait))

    def _break(self, failure: Failure, *, reached: bool = True) -> None:
        """The attempt has failed; `reached`: a connection stood."""
        candidate, run = self.run.candidate, self.run
        assert candidate is not None  # noqa: S101 - only what was tried can break
        self._drop()
        self._keep_refusal()
        if self._another_way(failure) or self._without_seals(failure):
            return
        self._cool(candidate, failure, self.tried_at, reached=reached)
        if failure.kind is FailureKind.MODEL_LOADING:
            run.patient_until = self.started + LOAD_LONGEST
        if self.grants and failure.kind is not FailureKind.BUSY:
            load.release(self, candidate.provider.name)
        if failure.kind is FailureKind.CONTEXT_LENGTH_EXCEEDED and self.lane.measured:
            preflight.learn(self, candidate, failure)
        run.jitter = JITTER[0] + (JITTER[1] - JITTER[0]) * random()  # noqa: S311 - spreads, and guards nothing
        command = run.feed(Broke(failure, self._resumable()), time.monotonic())
        if self.committed and not self.resuming and run.state is not machine.State.FAILED:
            self.resuming, self.broke_off = True, Attempt(candidate, failure)
        account.waste(self, run.attempts[-1])
        account.moved(self, candidate, failure, command)
        self.obey(command)


_ACTS: Final[dict[type, Callable[[Exchange, Any], None]]] = {
    steps.Try: Exchange._try,  # noqa: SLF001 - the table belongs to the class
    steps.Wait: Exchange._wait,  # noqa: SLF001
    steps.Hedge: Exchange._hedge,  # noqa: SLF001
    steps.Promote: Exchange._promote,  # noqa: SLF001
    steps.Commit: Exchange._commit,  # noqa: SLF001
    steps.Rejoin: Exchange._rejoin,  # noqa: SLF001
    steps.Deliver: Exchange._deliver,  # noqa: SLF001
    steps.Fail: Exchange._fail,  # noqa: SLF001
}
