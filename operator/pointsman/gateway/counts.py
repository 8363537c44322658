"""How many tokens a request has, as Anthropic's clients ask: POST /v1/messages/count_tokens.

    intake ──▶ the first target of the order that is well and whose server can count ──▶ {"input_tokens": N}
                 there is none, or it gives no count in time ──▶ the estimate that decides what fits, and is told as one

Such a question costs no slot, so no limits are kept for it, and it says nothing of a target's health. The fence holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pointsman import counting
from pointsman.failover import choose, context
from pointsman.gateway import answers, crossing, decision, intake
from pointsman.gateway.answers import Answer
from pointsman.gateway.asking import Asking
from pointsman.names import Dialect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msgspec import Raw

    from pointsman.exchange import Head
    from pointsman.failover.choose import Candidate
    from pointsman.gateway.edge import Client, Request
    from pointsman.gateway.routing import Lane
    from pointsman.gateway.state import State
    from pointsman.names import Counting

PATHS: Final = frozenset({"/v1/messages/count_tokens", "/messages/count_tokens"})
_SECONDS: Final = 2.0  # for a server to count


def begin(state: State, client: Client, request: Request) -> None:
    """Answer such a request, at once or when a server has counted; or say what is wrong with it."""
    taken = intake.admit(state, client, request, Dialect.MESSAGES)
    if taken is None:
        return
    lane, head, _ = taken
    if lane.chain.candidates or lane.asleep:
        Count(state, client, lane, head, request.fields).start()
    else:
        client.refuse(_refused(state, lane))


class Count:
    """One such request. State: the question to a server, while it is under way."""

    __slots__ = ("_asking", "_client", "_fields", "_head", "_lane", "_order", "_state", "_translation")

    def __init__(self, state: State, client: Client, lane: Lane, head: Head, fields: Mapping[bytes, bytes]) -> None:
        self._state, self._client, self._lane, self._head, self._fields = state, client, lane, head, fields
        order = choose.order(lane.chain, state.health, state.now)
        self._order, _, self._translation = crossing.look(lane, head, order)
        self._asking: Asking | None = None

    def start(self) -> None:
        """Ask the first that can count, or estimate."""
        self._client.exchange = self
        order = self._order
        for candidate in order.candidates[: order.limit - bool(order.cooling)]:
            how = context.counting_of(candidate)
            question = counting.request(how, candidate.dialect, self._asked(candidate), candidate.model.id)
            if question is not None and not candidate.down:
                self._ask(candidate, how, question)
                return
        self._estimate()

    # What the client calls

    def left(self) -> None:
        """The client has gone: so does the question."""
        if self._asking is not None:
            self._asking.drop()

    def hold_back(self, slow: bool) -> None:
        """Nothing to do: there is one short answer."""

    # Parts of the above

    def _ask(self, candidate: Candidate, how: Counting, question: tuple[str, bytes]) -> None:
        tally = self._lane.tally(candidate)

        def answered(body: bytes | None) -> None:
            tokens = counting.read(how, body) if body is not None else 0
            if tokens:
                self._answer(tokens, tally.told)
            else:
                self._estimate()

        request = tally.place.request(candidate.dialect, *question, self._fields)
        self._asking = Asking(self._state, tally.place.backend, request, _SECONDS, answered)

    def _asked(self, candidate: Candidate) -> Mapping[str, Raw]:
        if not candidate.translated:
            return self._head.fields
        return self._translation.fields(candidate.dialect, candidate.model, candidate.provider)

    def _estimate(self) -> None:
        candidates = self._order.candidates or self._lane.chain.candidates or self._lane.asleep
        tokens = self._state.windows.tokens(candidates[0], self._head)
        self._answer(tokens, _told(decision.estimated(self._lane.route.name)))

    def _answer(self, tokens: int, told: bytes) -> None:
        if self._client.exchange is self:
            self._client.exchange = None
            self._client.refuse(Answer(200, "", msgspec.json.encode({"input_tokens": tokens}), told))


def _refused(state: State, lane: Lane) -> Answer:
    """As the request itself would be, if it came."""
    if lane.chain.fenced_in:
        state.metrics.blocked[lane.route.name,].n += 1
    refusal = answers.no_candidate(lane.wire, lane.route, lane.chain)
    told = _told(decision.header(lane.route.name, None, (), lane.chain.passed))
    return msgspec.structs.replace(refusal, extra=refusal.extra + told)


def _told(decided: str) -> bytes:
    return b"x-pointsman-decision: %b\r\n" % decided.encode()
