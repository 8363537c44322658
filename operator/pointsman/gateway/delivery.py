"""How an answer reaches the client: spoken, passed on, held, broken off, refused, and the end of the request.

The third of an Exchange that stands between `carriage`, which brings the request to a target, and `relay`, which obeys.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from pointsman.exchange import Failure, FailureKind
from pointsman.failover import steps
from pointsman.failover.steps import FINISHED, SPOKE, WHOLE, Overtook
from pointsman.gateway import account, load
from pointsman.gateway.carriage import Carriage
from pointsman.gateway.reading import Reading, Streamed, Whole

if TYPE_CHECKING:
    from pointsman.gateway.answers import Answer

LINGER: Final = 2.0  # seconds for which a target may keep open a stream that is whole
ENDING: Final = 5.0  # seconds for which an answer may keep its last event to itself, before another is asked
KEEP_ALIVE: Final = 10.0  # seconds after which a client hears something while a tool call is held
_COMMENT: Final = b": keep-alive\n\n"


class Delivery(Carriage, eq=False):
    """State: a Carriage's."""

    # What `relay` does.

    def obey(self, command: steps.Command) -> None: ...
    def _deliver(self, command: steps.Deliver) -> None: ...

    def _speak(self, reading: Reading, last: bool, *, overtook: bool = False) -> None:
        if last and isinstance(reading, Whole):
            self.usage = reading.usage
            self._deliver_whole(reading.take(), overtook=overtook)
            return
        self.first = now = time.monotonic()
        self.obey(self.run.feed(Overtook(SPOKE) if overtook else SPOKE, now))
        self._pass_on(reading, last)

    def _deliver_whole(self, body: bytes, *, overtook: bool = False) -> None:
        self.first = now = time.monotonic()
        self._body = body
        command = self.run.feed(Overtook(WHOLE) if overtook else WHOLE, now)
        if isinstance(command, steps.Deliver):
            self._deliver(command)
        else:
            self.obey(command)

    def _hold_call(self, reading: Reading) -> None:
        """A tool call comes first, and is held: the target is alive, and the client hears so if it takes long."""
        now = self.state.now
        self.deadline = min(now + self.lane.route.policy.timeouts.stall, self.run.ends)
        if now - self.started > KEEP_ALIVE:
            self._speak(reading, last=False)

    def _flow(self, run: bytes) -> None:
        """Pass on what was not even held: the most frequent thing of all."""
        kept = self.kept
        self._client.pass_on(run if kept is None else kept.feed(run), last=False)
        now = self.state.now
        if self._told is not None:
            self._told.add(run)
            self._sent_at = now
        if not self.waiting:
            by, end = now + self._stall, self._end_by
            self.deadline = by if by < end else end  # noqa: FURB136 - a call costs more

    def _pass_on(self, reading: Reading, last: bool) -> None:
        run = reading.take()
        state = self.state
        if reading.calling and not run and not last and state.now - self._sent_at > KEEP_ALIVE:
            self._sent_at = state.now
            self._client.pass_on(_COMMENT, last=False)
        else:
            kept = self.kept
            self._client.pass_on(run if kept is None else kept.feed(run), last)
        if last:
            self.usage = reading.usage
            self.obey(self.run.feed(FINISHED, state.now))
            if self.kept is not None:
                self.kept.finish(state.now)
            self.finish(self.shown)
            return
        if self._told is not None and run:
            self._told.add(run)
            self._sent_at = state.now
        if self.waiting:
            return
        patience = LINGER if reading.complete else min(ENDING, self._stall) if reading.ending else self._stall
        self.deadline = min(state.now + patience, self._end_by)

    def _answered_by(self) -> None:
        health = self.state.health
        if health.entries:
            candidate = self.tally.candidate
            health.succeeded(candidate.provider.name, candidate.model.id, time.monotonic(), self.tried_at)
        self.tally.ok.n += 1
        if self._rival is not None:
            slower = self._rival.tally.candidate
            self.state.metrics.attempts[slower.provider.name, slower.model.id, FailureKind.OVERTAKEN].n += 1
            self._drop_rival()

    def _resumable(self) -> bool:
        """Whether all that the client was sent is known; what is held of it is sent first."""
        told, reading = self._told, self._reading
        if told is None or not self.committed:
            return False
        if reading is not None and not self.resuming and (rest := reading.take()):
            self._client.pass_on(rest if self.kept is None else self.kept.feed(rest), last=False)
            told.add(rest)
        told.fold()
        return not told.lost

    def _fail_inside(self, failure: Failure) -> None:
        timeout = failure.kind is FailureKind.TIMEOUT
        status, code = (504, "upstream_timeout") if timeout else (502, "upstream_failed")
        message = f"the answer broke off: {failure.message[:200]}"
        reading = self._reading
        # What a target says that was to take the answer up is none of the client's business.
        streamed = self.resuming or isinstance(reading, Streamed)
        held = reading.take() if reading is not None and not self.resuming else b""
        told = self._told
        if told is not None:
            told.add(held)
            told.fold()
        event = self.lane.wire.write_stream_error(status, code, message, told) if streamed else b""
        end = held + event
        self._client.end_broken(end if self.kept is None else self.kept.feed(end))
        account.broken(self, failure)
        self.finish(self.shown, code)

    def refuse(self, refusal: Answer) -> None:
        """Answer with the gateway's own words."""
        extra = refusal.extra + account.header(self, answered=False)
        self._client.reply(refusal.status, refusal.content_type, refusal.body, extra)
        self.finish(refusal.status, refusal.code)

    def finish(self, status: int, code: str = "") -> None:
        """The request is over: count and log it, and let the client send its next."""
        if self._rival is not None:
            self._drop_rival()
        if self.asking is not None:
            self.asking.drop()
        if self.grants or self.ticket is not None:
            load.settle(self)
        self.state.exchanges.discard(self)
        account.finish(self, status, code)
        if self.first and self.tally.keeps:
            self.state.keeper.keep(self.state, self.tally.place, self.tally.candidate.model)
        self._client.finished(self)
