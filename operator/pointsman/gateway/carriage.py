"""How a request is brought to a target: written, sent, sent again in another way, taken over from a hedge.

The third of an Exchange that decides nothing: `delivery` and `relay` are the others.
"""

# ruff: noqa: TC004 - the names are a Struct's annotations, which nobody evaluates; imported, they would go in circles

from __future__ import annotations

import time
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final, cast

import msgspec

from pointsman import dialects
from pointsman.dialects import errors, messages, responses, resume
from pointsman.dialects.translation import Translation
from pointsman.exchange import Failure, FailureKind
from pointsman.gateway import fields
from pointsman.gateway.answers import Refusal
from pointsman.gateway.reading import Reading, Refused
from pointsman.gateway.upstream import field
from pointsman.names import Dialect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.dialects import Wire
    from pointsman.dialects.told import Told
    from pointsman.dialects.translation import Crossing, Translator
    from pointsman.exchange import Head, Usage
    from pointsman.failover.choose import Candidate, Order, Passed
    from pointsman.failover.limits import Grant, Ticket
    from pointsman.failover.machine import Attempt, Run
    from pointsman.gateway.asking import Asking
    from pointsman.gateway.edge import Client
    from pointsman.gateway.hedge import Rival
    from pointsman.gateway.reading import Mend
    from pointsman.gateway.routing import Lane, Tally
    from pointsman.gateway.state import State
    from pointsman.gateway.store import Keeping
    from pointsman.gateway.upstream import Connection, Dial, Fields

_STREAM: Final = b"text/event-stream"
_JSON: Final = b"application/json"
# A target that does not take an answer up in one way may do so in another.
_ANOTHER_WAY: Final = frozenset({
    FailureKind.BAD_REQUEST, FailureKind.UNSUPPORTED, FailureKind.CONTENT_POLICY, FailureKind.DIVERGED,
    FailureKind.INVALID_RESPONSE, FailureKind.CONTEXT_LENGTH_EXCEEDED,
})  # fmt: skip

_UNSEALED: Final = {
    Dialect.MESSAGES: ("thinking", messages.without_thinking),
    Dialect.RESPONSES: ("reasoning", responses.without_reasoning),
}
"""How what was thought in earlier turns is left out, and its name."""


class Carriage(msgspec.Struct, eq=False):
    """State: the machine's run, what carries the request now, what was read of the answer, and when it is late.

    A Struct, because its fifty attributes are then set in C: by hand they cost a twentieth of a request.
    """

    state: State
    _client: Client
    lane: Lane
    head: Head
    order: Order
    run: Run
    id: bytes
    _fields: Mapping[bytes, bytes]
    started: float
    tried_at: float
    deadline: float
    _output_by: float
    _end_by: float
    _hedge_at: float = inf
    _dials: int = 0
    status: int = 0
    shown: int = 0  # the status that the client was sent
    resumed: int = 0
    _type: bytes = b""
    _length: bytes = b""
    vendor: bytes = b""  # lines of the answer's head that the client is told
    _sent: bytes = b""
    _body: bytes = b""
    _reading: Reading | None = None
    _refusal: Refusal | None = None  # the last that a target gave
    _retried: bool = False  # on a fresh connection, after a kept one was found dead
    _stall: float = 0.0
    _sent_at: float = 0.0
    _heard: float = 0.0
    first: float = 0.0  # when the first output was here; 0.0: not yet
    _translation: Translation | None = None  # what was read of the request, where a target speaks another dialect
    _unsealed: str = ""  # earlier thoughts, without which it is sent as a target has refused their seals: their name
    _told: Told | None = None  # what the client was sent, while that can be taken up by another target
    _steps: tuple[resume.Step, ...] = ()  # how the target may yet be asked to take the answer up
    _rival: Rival | None = None
    usage: Usage | None = None
    passed: tuple[Passed, ...] = ()  # targets that cannot hold this very request
    dropped: tuple[str, ...] = ()  # fields of the request that the target was not sent
    broke_off: Attempt | None = None  # where and why the answer broke off that is being taken up
    wasted: list[tuple[Attempt, Usage, float]] = []  # what attempts may have cost before they broke off
    committed: bool = False
    resuming: bool = False  # committed, and another target is to come to where the answer broke off
    waiting: bool = False  # for a client that reads slowly
    grants: list[Grant | None] = []  # what it uses of the limits of targets
    ticket: Ticket | None = None  # a place in the queue for a target that bears no more
    waited: bool = False  # in such a queue
    asking: Asking | None = None  # how many tokens the request has
    line: Connection | Dial | None = None
    tally: Tally = cast("Tally", None)  # of the target being tried
    kept: Keeping | None = None  # what keeps the answer for a later request

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

    def told_events(self) -> int:
        """How many events of the answer the client has been sent, about."""
        return self._told.events() + self.told_pieces() if self._told is not None else 0

    # What `delivery` and `relay` do; here so that a Carriage is a Caller.

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
            self._steps = resume.steps(self.tally.way, self.translation(), self._told, self.head, candidate)
            if self._steps:
                self._send_step()
            else:
                self._break(Failure(FailureKind.DIVERGED, "nobody can take this answer up"))
            return
        body, self.dropped = self.worded(self.tally)
        if self._unsealed:
            self.dropped = (*self.dropped, self._unsealed)
        self._sent = self.written(self.tally, body)
        self._dial(fresh=False)

    def worded(self, tally: Tally) -> tuple[bytes, tuple[str, ...]]:
        """The body of the request for a target, and the names of what it is not told."""
        candidate = tally.candidate
        if candidate.translated:
            return self.translation().body(candidate.dialect, candidate.model, candidate.provider)
        return tally.wire.with_model(self.head.fields, candidate.model, candidate.provider)

    def translation(self) -> Translation:
        """The request in the words of any target."""
        if self._translation is None:
            self._translation = Translation(
                self.lane.home, self.head.fields, drop_tools=self.lane.route.policy.drop_tools
            )
        return self._translation

    def crossing(self, tally: Tally) -> Crossing | None:
        """The way of a target's answer back to the client; None: it is passed through as it is."""
        return self._crossing(tally) if tally.crosses else None

    def mending(self, tally: Tally) -> Mend | None:
        """What reads and writes a stream anew that lacks what its dialect promises; None: it is passed on as it is."""
        return partial(self._mend, tally) if tally.mends else None

    def _mend(self, tally: Tally) -> Translator | None:
        way = self._crossing(tally)
        return way.translator() if way is not None else None

    def _crossing(self, tally: Tally) -> Crossing | None:
        name, model = tally.candidate.provider.name, tally.candidate.model.id
        prompt = self.state.windows.estimate(name, model, self.head.size)
        return self.translation().crossing(tally.dialect, name, int(self.date), prompt)

    def _send_step(self) -> None:
        """Ask the target to take the answer up, in the first of the ways that are left."""
        step = self._steps[0]
        body = resume.body(step, self.head, self.tally.candidate)
        if step.spoken is self.tally.dialect:
            self._sent = self.written(self.tally, body)
        else:
            self._sent = self.tally.place.request(step.spoken, dialects.ALL[step.spoken].PATH, body)
        self._dial(fresh=False)

    def _without_seals(self, failure: Failure) -> bool:
        """Whether the same target is asked once more, without the earlier thoughts whose seals it does not know.

        A conversation that was answered by several has thoughts of several in it, and only its maker knows a signature,
        or what it has encrypted.
        """
        way = _UNSEALED.get(self.lane.home)
        if way is None or self._unsealed or self.committed:
            return False
        if failure.kind is not FailureKind.BAD_REQUEST or not errors.seal_refused(failure.message):
            return False
        name, without = way
        fields = without(self.head.fields)
        if fields is None:
            return False
        self._unsealed, self._translation = name, None
        self.head = msgspec.structs.replace(self.head, fields=fields)
        self._forget_answer()
        self._output_by = min(self.tally.patience(self.head, self.state.pace, time.monotonic()), self.run.ends)
        self._send(self.tally.candidate)
        return True

    def _another_way(self, failure: Failure) -> bool:
        """Whether the same target is asked once more to take the answer up, in another way."""
        if not self.resuming or len(self._steps) < 2 or failure.kind not in _ANOTHER_WAY:
            return False
        self._steps = self._steps[1:]
        self._forget_answer()
        # Before it is sent: the deadline of a connection that is kept follows from it.
        self._output_by = min(self.tally.patience(self.head, self.state.pace, time.monotonic()), self.run.ends)
        self._send_step()
        return True

    def _forget_answer(self) -> None:
        self._reading = None
        self._retried = False
        self._dials = self.status = 0

    def written(self, tally: Tally, body: bytes) -> bytes:
        """The client's request as it goes over the wire to a target."""
        return b"%b%d\r\n\r\n%b" % (tally.opening(self._fields), len(body), body)

    def _dial(self, *, fresh: bool) -> None:
        self._dials += 1
        backend = self.tally.place.backend
        affinity = fields.affinity(self.head.fields) if backend.only is None else 0
        if backend.send(self, self._sent, self.state.loop, fresh=fresh, affinity=affinity):
            by, hedge_at = self._output_by, self._hedge_at
            self.deadline = by if by < hedge_at else hedge_at  # noqa: FURB136 - a call costs more
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
        self._note(rival.fields)
        self._hedge_at = inf
        self._output_by = min(self.tally.patience(self.head, self.state.pace, rival.started), self.run.ends)
        self.deadline = self._output_by
        self.line = rival.line
        if rival.line is not None:
            rival.line.adopt(self)
        return rival.reading

    def _note(self, answer: Fields) -> None:
        """What of an answer's head goes to the client with it."""
        self.vendor = fields.told(answer) if self.tally.hosted else b""
        if self.tally.crosses:
            self._type, self._length = _STREAM if self.head.stream else _JSON, b""
        else:
            self._type, self._length = field(answer, b"content-type"), field(answer, b"content-length")

    def _keep_refusal(self) -> None:
        if isinstance(self._reading, Refused):
            own = self.tally.dialect is self.lane.dialect
            self._refusal = Refusal(self.status, self._type, self._reading.take(), self.vendor, own)

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
