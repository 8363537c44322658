"""Where deciding meets doing: one exchange drives its failover machine and carries out what that commands.

    a client's request → intake → Exchange ──feed(event)──▶ machine ──command──▶ _ACTS[type(command)]
                                     ▲                                               │
                                     └── a Connection's callbacks, the sweep ◀───────┘

What the client has not been sent is held by the Reading; once committed, whole frames go through as they come, in one
write for each read. A frame that has not ended waits, so that a cut never leaves the client with half of one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable  # noqa: TC003 - the table of acts is made at run time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.dialects.replay import Told
from pointsman.exchange import Failure, FailureKind
from pointsman.failover import choose, machine
from pointsman.failover.machine import ANSWERED, FINISHED, LEFT, REJOINED, SPOKE, WHOLE, Broke, Run
from pointsman.gateway import answers, decision, fields
from pointsman.gateway.answers import Answer
from pointsman.gateway.reading import Reading, Refused, Replayed, Streamed, Whole
from pointsman.gateway.upstream import field

if TYPE_CHECKING:
    from pointsman.exchange import Head
    from pointsman.gateway.edge import Client, Request
    from pointsman.gateway.routing import Lane, Tally
    from pointsman.gateway.state import State
    from pointsman.gateway.upstream import Connection, Dial, Fields

LINGER: Final = 2.0  # seconds for which a target may keep open a stream that is whole
_BAD: Final = frozenset({FailureKind.BAD_REQUEST, FailureKind.CONTENT_POLICY})
_ID: Final = re.compile(rb"[\w.:/+=-]{1,128}")


class Exchange:
    """One request on its way. State: the machine's, what carries it now, what was read, and when it is late."""

    __slots__ = (
        "_body", "_client", "_dials", "_end_by", "_fields", "_head", "_id", "_lane", "_length", "_order", "_output_by",
        "_reading", "_refusal", "_retried", "_run", "_sent", "_shown", "_stall", "_started", "_state", "_status",
        "_tally", "_told", "_type", "committed", "deadline", "first", "line", "resuming", "waiting",
    )  # fmt: skip

    _tally: Tally  # of the target being tried

    def __init__(self, state: State, client: Client, request: Request, lane: Lane, head: Head) -> None:
        self._state, self._client, self._lane, self._head = state, client, lane, head
        self._started = now = time.monotonic()
        self._order = order = choose.order(lane.chain, state.health, now)
        self._run = run = Run(order, lane.route.policy, streamed=head.stream, now=now)
        given = request.fields.get(b"x-request-id")
        self._id = given if given is not None and _ID.fullmatch(given) else state.new_id()
        self._fields = request.fields
        self._end_by = self._output_by = self.deadline = run.ends
        self._dials = self._status = self._shown = 0  # _shown: the status that the client was sent
        self._type = self._length = self._sent = self._body = b""
        self._reading: Reading | None = None
        self._refusal: tuple[int, bytes, bytes] | None = None  # status, type, body of a target's refusal
        self._retried = False  # on a fresh connection, after a kept one was found dead
        self._stall = self.first = 0.0  # when the first output was here; 0.0: not yet
        self._told: Told | None = None  # what the client was sent, while that can be taken up by another target
        self.committed = False
        self.resuming = False  # committed, and another target is saying again what was sent
        self.waiting = False  # for a client that reads slowly
        self.line: Connection | Dial | None = None

    def start(self) -> None:
        """Try the first target, or say why there is none."""
        lane = self._lane
        self._client.exchange = self
        self._state.exchanges.add(self)
        if lane.chain.candidates:
            self._obey(self._run.start(self._started))
        else:
            if lane.chain.fenced_in:
                self._state.metrics.blocked[lane.route.name,].n += 1
            self._refuse(answers.no_candidate(lane.wire, lane.route, lane.chain))

    # What a connection calls back (upstream.Caller)

    def connected(self) -> None:
        self.deadline = self._output_by

    def whole(self, status: int, head: Fields, body: bytes) -> None:
        if status != 200 or self._head.stream:
            self.answered(status, head)
            self.received(body, last=True)
            return
        self.line = None
        self._status, self._type = status, field(head, b"content-type")
        failure = self._lane.wire.whole_ok(status, body)
        if failure is None:
            self._deliver_whole(body)
        else:
            self._break(failure)

    def answered(self, status: int, head: Fields) -> None:
        wire = self._lane.wire
        self._status, self._type = status, field(head, b"content-type")
        if not 200 <= status < 300:
            wait = fields.read_retry_after(field(head, b"retry-after"), time.time())
            self._reading = Refused(wire, status, wait)
            return
        if self._head.stream and b"json" not in self._type and b"html" not in self._type:
            again = self._told if self.resuming else None
            self._reading = Streamed(wire, self._head) if again is None else Replayed(wire, self._head, again)
        else:
            self._reading = Whole(wire, self._head, status)
            self._length = field(head, b"content-length")
        self._obey(self._run.feed(ANSWERED, self._started))

    def received(self, body: bytes, last: bool) -> None:
        reading = self._reading
        assert reading is not None  # noqa: S101 - a connection gives the head first
        if last:
            self.line = None
        failure = reading.feed(body, last)
        if failure is not None:
            self._break(failure)
        elif self.resuming:
            if reading.spoke:
                self._obey(self._run.feed(REJOINED, time.monotonic()))
                self._pass_on(reading, last)
        elif self.committed:
            self._pass_on(reading, last)
        elif reading.spoke or last:
            self._speak(reading, last)

    def broke(self, message: str, stale: bool) -> None:
        self.line = None
        backend = self._tally.place.backend
        again = (stale and not self._retried) or (self._reading is None and self._dials < len(backend.addresses))
        if again and (self.resuming or not self.committed):
            # A kept connection that the server had closed, or one replica of several: the target itself may be well.
            self._retried = self._retried or stale
            self._dial(fresh=stale)
        else:
            self._break(Failure(FailureKind.CONNECT_FAILURE, message, self._status))

    # What the client and the sweep call

    def left(self) -> None:
        """The client has gone: so does the call."""
        candidate = self._run.candidate
        self._obey(self._run.feed(LEFT, time.monotonic()))
        if candidate is not None:
            self._state.health.released(candidate.provider.name, candidate.model.id)
        self._drop()
        self._finish(499, "client_left")

    def hold_back(self, slow: bool) -> None:
        """The client reads slowly: so does the gateway. Its slowness is not the target's."""
        self.waiting = slow
        if self.resuming or not self.committed:
            return
        if self.line is not None:
            (self.line.pause if slow else self.line.resume)()
        self.deadline = self._end_by if slow else min(time.monotonic() + self._stall, self._end_by)

    def late(self, now: float) -> None:
        """The deadline has passed."""
        reading = self._reading
        if reading is not None and reading.complete:
            self._drop()
            self.received(b"", last=True)  # whole, if not ended: servers forget to close, or to say [DONE]
        elif self.committed and not self.resuming:
            spent = now >= self._end_by
            message = "the time for the request is spent" if spent else f"no event for {self._stall:g} s"
            self._break(Failure(FailureKind.TIMEOUT, message, self._status))
        elif self._dialling():
            timeout = self._lane.route.policy.timeouts.connect
            self._break(Failure(FailureKind.CONNECT_FAILURE, f"no connection within {timeout:g} s"))
        else:
            self._break(Failure(FailureKind.TIMEOUT, "no output in time", self._status))

    def cut(self) -> None:
        """The gateway ends: the client is told inside the stream, or before it."""
        if self.committed:
            self._told = None
            self._break(Failure(FailureKind.CONNECT_FAILURE, "the gateway is shutting down"))
        else:
            self._drop()
            message, code = "the gateway is shutting down", "shutting_down"
            body = self._lane.wire.write_error(503, code, message)
            self._refuse(Answer(503, code, body, b"retry-after: 1\r\n"))

    # What the machine commands

    def _obey(self, command: machine.Command) -> None:
        act = _ACTS.get(type(command))
        if act is not None:
            act(self, command)

    def _try(self, command: machine.Try) -> None:
        candidate, lane, state = command.candidate, self._lane, self._state
        if state.health.entries:
            state.health.tried(candidate.provider.name, candidate.model.id, state.now)
        if self._dials:  # not the first: leave nothing of the one before
            self._reading = None
            self._retried = False
            self._dials = self._status = 0
        self._tally = tally = lane.tally(candidate)
        body = lane.wire.with_model(self._head.fields, candidate.model, candidate.provider)
        passed = fields.passed_on(lane.dialect, self._fields, tally.place.names)
        self._sent = b"%b%bContent-Length: %d\r\n\r\n%b" % (tally.head, passed, len(body), body)
        self._output_by = command.output_by
        self._dial(fresh=False)

    def _commit(self, command: machine.Commit) -> None:
        self._answered_by()
        self._stall, self._end_by = command.stall, command.end_by
        self.committed = True
        self._shown = self._status
        told = self._decision(answered=True)
        if isinstance(self._reading, Streamed):
            lane, policy = self._lane, self._lane.route.policy
            if policy.mid_stream == machine.RESUME and self._order.limit > 1 and self._head.choices == 1:
                self._told = Told(lane.wire)
            self._client.open(self._status, self._type or b"text/event-stream", told)
        else:
            self._client.open(self._status, self._type, told, self._length)

    def _rejoin(self, command: machine.Rejoin) -> None:
        self._answered_by()
        self._state.metrics.resumed[self._lane.route.name,].n += 1
        self._stall, self._end_by = command.stall, command.end_by
        self.resuming = False
        if self.waiting and self.line is not None:
            self.line.pause()
            self.deadline = self._end_by

    def _deliver(self, _command: machine.Deliver) -> None:
        self._answered_by()
        self._client.reply(self._status, self._type, self._body, self._decision(answered=True))
        self._finish(self._status)

    def _fail(self, command: machine.Fail) -> None:
        lane, run = self._lane, self._run
        failure = run.attempts[-1].failure if run.attempts else None
        if command.committed and failure is not None:
            timeout = failure.kind is FailureKind.TIMEOUT
            status, code = (504, "upstream_timeout") if timeout else (502, "upstream_failed")
            message = f"the answer broke off: {failure.message[:200]}"
            reading = self._reading
            # What a target says that was to take the answer up is none of the client's business.
            streamed = self.resuming or isinstance(reading, Streamed)
            event = lane.wire.write_stream_error(status, code, message) if streamed else b""
            held = reading.take() if reading is not None and not self.resuming else b""
            self._client.end_broken(held + event)
            self._count_broken(failure)
            self._finish(self._shown, code)
        elif failure is not None and failure.kind in _BAD and self._refusal is not None:
            self._refuse(answers.passed_on(lane.wire, run, *self._refusal))
        else:
            wait = answers.retry_after(lane.chain, self._state.health, time.monotonic())
            self._refuse(answers.exhausted(lane.wire, lane.route, run, wait))

    # Parts of the above

    def _dial(self, *, fresh: bool) -> None:
        self._dials += 1
        if self._tally.place.backend.send(self, self._sent, self._state.loop, fresh=fresh):
            self.deadline = self._output_by
        else:
            self.deadline = min(time.monotonic() + self._lane.route.policy.timeouts.connect, self._output_by)

    def _speak(self, reading: Reading, last: bool) -> None:
        if last and isinstance(reading, Whole):
            self._deliver_whole(reading.take())
            return
        self.first = now = time.monotonic()
        self._obey(self._run.feed(SPOKE, now))
        self._pass_on(reading, last)

    def _deliver_whole(self, body: bytes) -> None:
        self.first = now = time.monotonic()
        self._body = body
        self._obey(self._run.feed(WHOLE, now))

    def _pass_on(self, reading: Reading, last: bool) -> None:
        run = reading.take()
        self._client.pass_on(run, last)
        if last:
            self._obey(self._run.feed(FINISHED, self._state.now))
            self._finish(self._shown)
            return
        if self._told is not None:
            self._told.add(run)
        if self.waiting:
            return
        patience = LINGER if reading.complete else self._stall
        self.deadline = min(self._state.now + patience, self._end_by)

    def _break(self, failure: Failure) -> None:
        run, state = self._run, self._state
        candidate = run.candidate
        assert candidate is not None  # noqa: S101 - only what was tried can break
        self._drop()
        now = time.monotonic()
        if isinstance(self._reading, Refused):
            self._refusal = (self._status, self._type, self._reading.take())
        name, model = candidate.provider.name, candidate.model.id
        state.health.failed(name, model, failure, self._lane.route.policy.breaker, now)
        state.metrics.attempts[name, model, failure.kind].n += 1
        command = run.feed(Broke(failure, self._resumable()), now)
        self.resuming = self.resuming or run.state is machine.State.RESUMING
        self._obey(command)
        moved = run.candidate
        if moved is not None and moved is not candidate:
            key = (self._lane.route.name, f"{name}/{model}", f"{moved.provider.name}/{moved.model.id}", failure.kind)
            state.metrics.failovers[key].n += 1

    def _resumable(self) -> bool:
        """Whether all that the client was sent is known; what is held of it is sent first."""
        told, reading = self._told, self._reading
        if told is None or not self.committed:
            return False
        if reading is not None and not self.resuming and (rest := reading.take()):
            self._client.pass_on(rest, last=False)
            told.add(rest)
        told.fold()
        return not told.lost

    def _drop(self) -> None:
        line, self.line = self.line, None
        if line is not None:
            line.drop()

    def _refuse(self, refusal: Answer) -> None:
        extra = refusal.extra + self._decision(answered=False)
        self._client.reply(refusal.status, refusal.content_type, refusal.body, extra)
        self._finish(refusal.status, refusal.code)

    def _answered_by(self) -> None:
        health = self._state.health
        if health.entries:
            provider = self._tally.place.provider.name
            health.succeeded(provider, self._order.candidates[self._run.tried - 1].model.id)
        self._tally.ok.n += 1

    def _plain(self) -> bool:
        """Whether there is nothing to tell but who answered."""
        return not self._run.attempts and not self._order.cooling

    def _decision(self, *, answered: bool) -> bytes:
        if answered and self._plain():
            return b"%bx-request-id: %b\r\n" % (self._tally.told, self._id)
        run, lane = self._run, self._lane
        candidate = run.candidate if answered else None
        told = decision.header(lane.route.name, candidate, run.attempts, (*lane.chain.passed, *self._order.cooling))
        return b"x-pointsman-decision: %b\r\nx-request-id: %b\r\n" % (told.encode(), self._id)

    def _finish(self, status: int, code: str = "") -> None:
        state = self._state
        state.exchanges.discard(self)
        now = time.monotonic()
        first, total = self.first and self.first - self._started, now - self._started
        if first:
            self._tally.first.fresh.append(first)
            self._tally.duration.fresh.append(total)
        if first and status == 200 and not code and self._plain():
            self._tally.requests.n += 1
            line = b'{"time":%d,"id":"%b","stream":%b,"status":200,"first_us":%d,"total_us":%d,%b' % (
                (state.epoch + now) * 1e3, self._id, b"true" if self._head.stream else b"false", first * 1e6,
                total * 1e6, self._tally.line,
            )  # fmt: skip
        else:
            line = self._count(status, code, state.epoch + now, first, total)
        state.journal.add(line)
        self._client.finished(self)

    def _count(self, status: int, code: str, date: float, first: float, total: float) -> bytes:
        lane, run = self._lane, self._run
        candidate = run.candidate if first else None
        name, model = (candidate.provider.name, candidate.model.id) if candidate is not None else ("", "")
        self._state.metrics.requests[lane.route.name, name, model, lane.dialect, str(status)].n += 1
        record = decision.Record(
            time=int(date * 1000),
            id=self._id.decode(),
            stream=self._head.stream,
            status=status,
            first_us=int(first * 1e6),
            total_us=int(total * 1e6),
            route=lane.route.name,
            model=lane.model,
            dialect=lane.dialect,
            provider=name,
            answered=model,
            passed=decision.passed_steps((*lane.chain.passed, *self._order.cooling)),
            failed=decision.failed_steps(run.attempts),
            code=code,
        )
        return msgspec.json.encode(record)

    def _count_broken(self, failure: Failure) -> None:
        candidate = self._run.attempts[-1].candidate
        key = (candidate.provider.name, candidate.model.id, str(failure.kind))
        self._state.metrics.broken[key].n += 1

    def _dialling(self) -> bool:
        return self.deadline < self._output_by and self._reading is None


_ACTS: Final[dict[type, Callable[[Exchange, Any], None]]] = {
    machine.Try: Exchange._try,  # noqa: SLF001 - the table belongs to the class
    machine.Commit: Exchange._commit,  # noqa: SLF001
    machine.Rejoin: Exchange._rejoin,  # noqa: SLF001
    machine.Deliver: Exchange._deliver,  # noqa: SLF001
    machine.Fail: Exchange._fail,  # noqa: SLF001
}
