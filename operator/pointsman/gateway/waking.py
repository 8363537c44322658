"""A cold model that another stands in for is asked for one token, so that it is loaded by the time it is wanted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.dialects.services import Service
from pointsman.failover.pace import LOAD_LONGEST
from pointsman.gateway.asking import Asking
from pointsman.names import Dialect

if TYPE_CHECKING:
    from pointsman.failover.choose import Candidate
    from pointsman.gateway.routing import Lane
    from pointsman.gateway.state import State

_AGAIN: Final = 60.0  # seconds until a model that is still cold is asked again
_TURNS: Final = [{"role": "user", "content": "Hi"}]
_REQUESTS: Final[dict[Dialect | Service, dict[str, Any]]] = {
    Dialect.CHAT: {"model": "", "messages": _TURNS, "max_tokens": 1},
    Dialect.RESPONSES: {"model": "", "input": "Hi", "max_output_tokens": 16},  # the least that is taken everywhere
    Dialect.MESSAGES: {"model": "", "messages": _TURNS, "max_tokens": 1},
    Service.EMBEDDINGS: {"model": "", "input": "Hi"},
    Service.RERANK: {"model": "", "query": "Hi", "documents": ["Hi"]},
    Service.SCORE: {"model": "", "text_1": "Hi", "text_2": "Hi"},
    Service.COMPLETIONS: {"model": "", "prompt": "Hi", "max_tokens": 1},
}


def wake(state: State, lane: Lane) -> None:
    """Wake the lane's cold targets; never a hosted one, which would be paid for."""
    now = state.now
    for candidate in lane.chain.cold:
        key = (candidate.provider.name, candidate.model.id)
        if not candidate.provider.external(candidate.model) and now >= state.woken.get(key, 0.0) + _AGAIN:
            state.woken[key] = now
            _ask(state, lane, candidate)


def _ask(state: State, lane: Lane, candidate: Candidate) -> None:
    tally, began = lane.tally(candidate), time.monotonic()
    fields = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in _REQUESTS[candidate.dialect].items()}
    body, _ = tally.wire.with_model(fields, candidate.model, candidate.provider)

    def answered(answer: bytes | None) -> None:
        if answer is not None:
            took = time.monotonic() - began
            state.pace.observed(candidate.provider.name, candidate.model.id, len(body), took, took, 1, cold=True)
            state.journal.event("model woken", provider=candidate.provider.name, model=candidate.model.id, seconds=took)

    request = tally.place.request(tally.dialect, tally.wire.PATH, body)
    Asking(state, tally.place.backend, request, LOAD_LONGEST, answered)
