"""How a request is brought to a target: written, sent, sent again in another way, taken over from a hedge.

The half of an Exchange that decides nothing: `relay` is the other.
"""

from __future__ import annotations

import re
import time
from math import inf
from typing import TYPE_CHECKING, Final

from pointsman.dialects import resume
from pointsman.exchange import Failure, FailureKind
from pointsman.failover import choose
from pointsman.failover.machine import Attempt, Run
from pointsman.gateway import fields
from pointsman.gateway.load import PATIENCE
from pointsman.gateway.reading import Reading, Refused
from pointsman.gateway.upstream import field

if TYPE_CHECKING:
    from pointsman.dialects import Wire
    from pointsman.dialects.told import Told
    from pointsman.exchange import Head, Usage
    from pointsman.failover.choose import Candidate, Passed
    from pointsman.failover.limits import Grant, Ticket
    from pointsman.gateway.asking import Asking
    from pointsman.gateway.edge import Client, Request
    from pointsman.gateway.hedge import Rival
    from pointsman.gateway.routing import Lane, Tally
    from pointsman.gateway.state import State
    from pointsman.gateway.upstream import Connection, Dial, Fields

# A target that does not take an answer up in one way may do so in another.
_ANOTHER_WAY: Final = frozenset({
    FailureKind.BAD_REQUEST, FailureKind.UNSUPPORTED, FailureKind.CONTENT_POLICY, FailureKind.DIVERGED,
    FailureKind.INVALID_RESPONSE, FailureKind.CONTEXT_LENGTH_EXCEEDED,
})  # fmt: skip
_ID: Final = re.compile(rb"[\w.:/+=-]{1,128}")


class Carriage:
    """State: the machine's run, what carries the request now, what was read of the answer, and when it is late."""

    __slots__ = (
        "_body", "_client", "_dials", "_end_by", "_fields", "_heard", "_hedge_at", "_length", "_output_by",
        "_reading", "_refusal", "_retried", "_rival", "_sent", "_sent_at", "_stall", "_steps", "_told", "_type",
        "asking", "broke_off", "committed", "deadline", "dropped", "first", "grants", "head", "id", "lane", "line",
        "order", "passed", "resumed", "resuming", "run", "shown", "started", "state", "status", "tally", "ticket",
        "tried_at", "usage", "waited", "waiting", "wasted",
    )  # fmt: skip

    tally: Tally  # of the target being tried
    line: Connection | Dial | None

    def __init__(self, state: State, client: Client, request: Request, lane: Lane, head: Head) -> None:
        self.state, self._client, self.lane, self.head = state, client, lane, head
        self.started = self.tried_at = now = time.monotonic()
        self.order = order = choose.order(lane.chain, state.health, now)
        self.run = run = Run(order, lane.route.policy, streamed=head.stream, now=now)
        run.patient_until = now + PATIENCE
        given = request.fields.get(b"x-request-id")
        self.id = given if given is not None and _ID.fullmatch(given) else state.new_id()
        self._fields = request.fields
        self._end_by = self._output_by = self.deadline = run.ends
        self._hedge_at = inf
        self._dials = self.status = self.shown = self.resumed = 0  # shown: the status that the client was sent
        self._type = self._length = self._sent = self._body = b""
        self._reading: Reading | None = None
        self._refusal: tuple[int, bytes, bytes] | None = None  # status, type, body of a target's refusal
        self._retried = False  # on a fresh connection, after a kept one was found dead
        self._stall = self._sent_at = self._heard = self.first = (
            0.0  # first: when the first output was here; 0.0: not yet
        )
        self._told: Told | None = None  # what the client was sent, while that can be taken up by another target
        self._steps: tuple[resume.Step, ...] = ()  # how the target may yet be asked to take the answer up
        self._rival: Rival | None = None
        self.usage: Usage | None = None
        self.passed: tuple[Passed, ...] = ()  # targets that cannot hold this very request
        self.dropped: tuple[str, ...] = ()  # fields of the request that the target was not sent
        self.broke_off: Attempt | None = None  # where and why the answer broke off that is being taken up
        self.wasted: list[tuple[Attempt, Usage, float]] = []  # what attempts may have cost before they broke off
        self.committed = False
        self.resuming = False  # committed, and another target is to come to where the answer broke off
        self.waiting = False  # for a client that reads slowly
        self.grants: list[Grant | None] = []  # what it uses of the limits of targets
        self.ticket: Ticket | None = None  # a place in the queue for a target that bears no more
        self.waited = False  # in such a queue
        self.asking: Asking | None = None  # how many tokens the request has
        self.line = None

    @property
    def wire(self) -> Wire:
        """The client's dialect."""
        return self.lane.wire

    @property
    def date(self) -> float:
        """Now, in seconds of the epoch, as coarse as the sweep."""
        return self.state.epoch + self.state.now

    def told_pieces(self) -> int:
        """How many pieces of text the client has been sent."""
        return 0 if self._told is None else sum(map(len, self._told.texts.values()))

    # What the other half does; here so that a Carriage is a Caller.

    def connected(self) -> None: ...
    def whole(self, status: int, head: Fields, body: bytes) -> None: ...
    def answered(self, status: int, head: Fields) -> None: ...
    def received(self, body: bytes, last: bool) -> None: ...
    def broke(self, message: str, stale: bool) -> None: ...
    def _break(self, failure: Failure, *, reached: bool = True) -> None: ...

    def _send(self, candidate: Candidate) -> None:
        """Send the request, or what takes its answer up, to a target."""
        if self.run.committed:
            assert self._told is not None  # noqa: S101 - the machine resumes only what can be
            spoken = candidate.provider.api
            self._steps = resume.steps(self.tally.way, self.lane.dialect, spoken, self._told, self.head)
            if self._steps:
                self._send_step()
            else:
                self._break(Failure(FailureKind.DIVERGED, "nobody can take this answer up"))
            return
        body, self.dropped = self.lane.wire.with_model(self.head.fields, candidate.model, candidate.provider)
        self._sent = self.written(self.tally, self.tally.head, body)
        self._dial(fresh=False)

    def _send_step(self) -> None:
        """Ask the target to take the answer up, in the first of the ways that are left."""
        step, candidate = self._steps[0], self.tally.candidate
        body = resume.body(step, self.head, candidate.model, candidate.provider)
        self._sent = self.written(self.tally, self.tally.place.heads[step.dialect], body)
        self._dial(fresh=False)

    def _another_way(self, failure: Failure) -> bool:
        """Whether the same target is asked once more to take the answer up, in another way."""
        if not self.resuming or len(self._steps) < 2 or failure.kind not in _ANOTHER_WAY:
            return False
        self._steps = self._steps[1:]
        self._forget_answer()
        self._send_step()
        self._set_patience(time.monotonic(), self.run.ends)
        return True

    def _set_patience(self, now: float, by: float) -> None:
        self._output_by = min(self.tally.patience(self.head, self.state.pace, now), by)
        # Not later than either, and connecting has a deadline of its own.
        self.deadline = min(self.deadline, self._output_by) if self._dialling() else self._output_by
        self.deadline = min(self.deadline, self._hedge_at)

    def _forget_answer(self) -> None:
        self._reading = None
        self._retried = False
        self._dials = self.status = 0

    def written(self, tally: Tally, head: bytes, body: bytes) -> bytes:
        """A request as it goes over the wire."""
        passed = fields.passed_on(self.lane.dialect, self._fields, tally.place.names)
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (head, passed, len(body), body)

    def _dial(self, *, fresh: bool) -> None:
        self._dials += 1
        backend = self.tally.place.backend
        affinity = fields.affinity(self.head.fields) if len(backend.addresses) > 1 else 0
        if backend.send(self, self._sent, self.state.loop, fresh=fresh, affinity=affinity):
            self.deadline = min(self._output_by, self._hedge_at)
        else:
            patience = time.monotonic() + self.lane.route.policy.timeouts.connect
            self.deadline = min(patience, self._output_by, self._hedge_at)

    def _dialling(self) -> bool:
        return self.deadline < self._output_by and self._reading is None

    def _adopt(self) -> Reading | None:
        """Make the hedge the attempt. Gives what it has read; None: nothing yet."""
        rival, self._rival = self._rival, None
        if rival is None:
            return None
        self.tally, self.dropped, self._reading = rival.tally, rival.dropped, rival.reading
        self.tried_at, self.status = rival.started, rival.status
        self._type, self._length = field(rival.fields, b"content-type"), field(rival.fields, b"content-length")
        self._hedge_at = inf
        self._output_by = min(self.tally.patience(self.head, self.state.pace, rival.started), self.run.ends)
        self.deadline = self._output_by
        self.line = rival.line
        if rival.line is not None:
            rival.line.adopt(self)
        return rival.reading

    def _keep_refusal(self) -> None:
        if isinstance(self._reading, Refused):
            self._refusal = (self.status, self._type, self._reading.take())

    def _cool(self, candidate: Candidate, failure: Failure, began: float, *, reached: bool) -> None:
        """What a failure means for the requests that follow."""
        name, model = candidate.provider.name, candidate.model.id
        if failure.kind is not FailureKind.BUSY:
            breaker = self.lane.route.policy.breaker
            self.state.health.failed(name, model, failure, breaker, time.monotonic(), reached=reached, began=began)
        self.state.metrics.attempts[name, model, failure.kind].n += 1

    def _blame(self) -> None:
        """Nothing came in time: the replica that was asked is not, for a while."""
        if self.line is not None:
            self.line.blame()

    def _drop(self) -> None:
        line, self.line = self.line, None
        if line is not None:
            line.drop()

    def _drop_rival(self) -> None:
        rival, self._rival = self._rival, None
        if rival is not None:
            rival.drop()
