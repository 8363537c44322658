"""Takes a parsed request on: read its head, narrow the fence, find its route; what is wrong with it is said at once."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

import msgspec

from pointsman import dialects
from pointsman.dialects import needs
from pointsman.exchange import BadRequestError
from pointsman.failover import choose
from pointsman.failover.machine import Run
from pointsman.gateway import answers, demand, store
from pointsman.gateway.answers import Answer
from pointsman.gateway.load import PATIENCE
from pointsman.gateway.relay import Exchange
from pointsman.names import Dialect

if TYPE_CHECKING:
    from pointsman.dialects.services import Service
    from pointsman.exchange import Head
    from pointsman.gateway.edge import Client, Request
    from pointsman.gateway.routing import Lane
    from pointsman.gateway.state import State
    from pointsman.gateway.store import Keeping

_ID: Final = re.compile(rb"[\w.:/+=-]{1,128}")


def begin(state: State, client: Client, request: Request, dialect: Dialect | Service) -> None:
    """Take a request on: an Exchange answers it, or what is wrong with it is said at once."""
    taken = admit(state, client, request, dialect)
    if taken is not None:
        lane, head, kept = taken
        exchange = _exchange(state, client, request, lane, head)
        exchange.kept = kept
        exchange.start()


def admit(
    state: State, client: Client, request: Request, dialect: Dialect | Service
) -> tuple[Lane, Head, Keeping | None] | None:
    """The lane of a request, its head, and what keeps its answer; None: what is wrong with it has been said."""
    wire = dialects.WIRES[dialect]
    routing = state.routing
    if routing is None:
        code = "no_routing_table"
        body = wire.write_error(503, code, "the gateway has no routing table yet")
        client.refuse(Answer(503, code, body, b"retry-after: 1\r\n"))
        return None
    kept: Keeping | None = None
    try:
        head = wire.read_head(request.body)
        policy = request.fields.get(b"x-pointsman-data-policy")
        fence = None if policy is None else choose.read_fence(policy.decode("latin-1"))
        if state.store.limit and dialect is Dialect.RESPONSES:
            head, fence, kept = store.join(state.store, head, fence, state.now)
    except store.UnknownResponseError as error:
        client.refuse(store.refusal(error))
        return None
    except BadRequestError as error:
        client.refuse(Answer(400, "invalid_request", wire.write_error(400, "invalid_request", str(error))))
        return None
    lane = routing.lane(head.model, dialect, head.needs, fence)
    if lane is not None and lane.minds_media and (media := needs.media(head.fields)):
        head = msgspec.structs.replace(head, needs=head.needs | media)
        lane = routing.lane(head.model, dialect, head.needs, fence)
    if lane is None:
        client.refuse(answers.unknown_model(wire, routing, head.model))
        return None
    demand.note(lane.wanted, state.now)
    return lane, head, kept


def _exchange(state: State, client: Client, request: Request, lane: Lane, head: Head) -> Exchange:
    now = time.monotonic()
    order = choose.order(lane.chain, state.health, now)
    run = Run(order, lane.route.policy, streamed=head.stream, now=now)
    run.patient_until = now + PATIENCE
    given = request.fields.get(b"x-request-id")
    known = state.new_id() if given is None or not _ID.fullmatch(given) else given
    end = run.ends
    return Exchange(state, client, lane, head, order, run, known, request.fields, now, now, end, end, end)
