"""What the gateway itself says to clients: errors that tell the truth, and the list of models."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.dialects import errors
from pointsman.exchange import FailureKind
from pointsman.failover import choose, machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.dialects import Wire
    from pointsman.failover.choose import Chain, Passed
    from pointsman.failover.health import Health
    from pointsman.failover.machine import Run
    from pointsman.gateway.routing import Lane, Routing
    from pointsman.table import Model, Route, Target

_SHOWN: Final = 20  # names in an error's text
_MESSAGE: Final = 200  # characters of an upstream's text in an error
_NO_DATE: Final = "1970-01-01T00:00:00Z"
_NEVER_OURS: Final = frozenset({401, 402, 403})
# Reasons of the request's own, or of the route's: it would be no other at another time.
_FOR_GOOD: Final = frozenset({
    "dialect", "tools", "parallel-tools", "image", "audio", "file", "json-schema", "context-blocked",
    "state", "other-model", "no-service",
})  # fmt: skip


_MISSING: Final = {
    "ProviderNotAccepted": (
        "the provider is not accepted until its object is mended; its status and `pointsman explain` say what is wrong"
    ),
    "ProviderNotFound": "there is no such provider",
}


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What the gateway says itself. `code` is for the log; `extra` are header lines, each with its line end."""

    status: int
    code: str
    body: bytes
    extra: bytes = b""
    content_type: bytes = b"application/json"


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """A target's own refusal of a request. `own`: it is in the client's dialect; `vendor`: header lines beside it."""

    status: int
    content_type: bytes
    body: bytes
    vendor: bytes
    own: bool


def unknown_model(wire: Wire, routing: Routing, model: str) -> Answer:
    """404 that helps: close names, else what there is."""
    similar = routing.similar(model)
    names = similar or sorted(routing.names())
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    hint = f"did you mean {shown}?" if similar else f"there are: {shown or 'none yet'}"
    message = f"the model {model[:200]!r} does not exist; {hint}"
    return Answer(404, "model_not_found", wire.write_error(404, "model_not_found", message))


def no_candidate(wire: Wire, route: Route, chain: Chain, unsaid: Sequence[Passed] = ()) -> Answer:
    """A route that has nothing to try for this request: 403 when it is the fence that forbids all of it.

    `unsaid`: targets of other dialects, to which the request cannot be said.
    """
    said = (*chain.passed, *unsaid)
    passed = (*said, *map(_missing, route.missing))
    targets = [{"target": f"{p.provider}/{p.model}", "reason": p.reason, "message": p.message} for p in passed]
    if chain.fenced_in:
        fences = [
            {"allowedLocations": list(fence.locations), "allowedRegions": list(fence.regions)} for fence in chain.fences
        ]
        message = f"data policy leaves no target for {route.model_name!r}: " + "; ".join(
            f"{p.provider}/{p.model}: {p.message}" for p in chain.passed
        )
        code = "policy_no_candidate"
        return Answer(403, code, wire.write_error(403, code, message, {"fences": fences, "passed": targets}))
    message = f"no target of {route.model_name!r} can take this request: " + "; ".join(
        f"{p.provider}/{p.model}: {p.message}" for p in passed
    )
    status = 400 if said and all(p.reason in _FOR_GOOD for p in chain.passed) else 503
    # What waits for its object to be mended is not there in half a minute.
    wait = 30 if route.targets else 300
    extra = b"retry-after: %d\r\n" % wait if status == 503 else b""
    return Answer(status, "no_candidate", wire.write_error(status, "no_candidate", message, {"passed": targets}), extra)


def _missing(target: Target) -> Passed:
    """A target whose provider the table has not. The object's status says more than is any client's business."""
    message = _MISSING.get(target.skip, "the provider is not in the routing table")
    return choose.Passed(target.provider, target.model, target.skip or "missing", message)


def too_long(wire: Wire, route: Route, passed: Sequence[Passed]) -> Answer:
    """A request that fits into no target's window: 400, as a server says it, and the largest window there is."""
    told = "; ".join(f"{p.provider}/{p.model}: {p.message}" for p in passed)
    largest = max((p.window for p in passed), default=0)
    message = f"too long for {route.model_name!r}, whose maximum context length is {largest} tokens: {told}"
    targets = [{"target": f"{p.provider}/{p.model}", "reason": p.reason, "message": p.message} for p in passed]
    code = "context_length_exceeded"
    return Answer(400, code, wire.write_error(400, code, message, {"context_window": largest, "passed": targets}))


def exhausted(wire: Wire, route: Route, run: Run, wait: int) -> Answer:
    """All that could be tried has failed: 503, or 429 when every one said so; 400 when it fits into no context.

    413 when all of them said that its bytes are too many.

    `wait`: whole seconds after which it is worth asking again.
    """
    kind = machine.exhausted_by(run)
    attempts = [_told(attempt) for attempt in run.attempts]
    message = f"all {len(attempts)} attempts for {route.model_name!r} failed: " + "; ".join(
        f"{attempt['target']}: {attempt['reason']} ({attempt['message']})" for attempt in attempts
    )
    if kind is FailureKind.CONTEXT_LENGTH_EXCEEDED and all(attempt.failure.too_large for attempt in run.attempts):
        code = "request_too_large"
        return Answer(413, code, wire.write_error(413, code, message, {"attempts": attempts}))
    if kind is FailureKind.CONTEXT_LENGTH_EXCEEDED:
        code = "context_length_exceeded"
        return Answer(400, code, wire.write_error(400, code, message, {"attempts": attempts}))
    status, code = (429 if kind is FailureKind.RATE_LIMITED else 503), "all_candidates_failed"
    extra = b"retry-after: %d\r\n" % wait
    body = wire.write_error(status, code, message, {"attempts": attempts, "retry_after": wait})
    return Answer(status, code, body, extra)


def nobody(lane: Lane, now: float) -> Answer:
    """A route that has nothing to try: what sleeps is told before all else, as it soon does not."""
    return starting(lane, now) if lane.asleep else no_candidate(lane.wire, lane.route, lane.chain)


def starting(lane: Lane, now: float) -> Answer:
    """Whatever could answer sleeps, as nobody wanted it, and this request has woken it: 503, and when to come again."""
    wire, wait = lane.wire, min(want.wait(now) for want in lane.sleeping())
    names = ", ".join(f"{each.provider.name}/{each.model.id}" for each in lane.asleep)
    message = f"the model is being started for {lane.route.model_name!r} ({names}): come again in {wait} s"
    targets = [
        {"target": f"{p.provider}/{p.model}", "reason": p.reason, "message": p.message} for p in lane.chain.passed
    ]
    body = wire.write_error(503, "model_starting", message, {"retry_after": wait, "passed": targets})
    return Answer(503, "model_starting", body, b"retry-after: %d\r\n" % wait)


def overloaded(wire: Wire, route: Route, wait: int) -> Answer:
    """Whatever could answer bears as much as it may, and waiting for it is in vain: 503. `wait`: seconds until then."""
    # Whether it is the queue that is full, or the patience that has ended, is not known here.
    message = f"what could answer {route.model_name!r} is at its limits: come again in {wait} s"
    body = wire.write_error(503, "overloaded", message, {"retry_after": wait})
    return Answer(503, "overloaded", body, b"retry-after: %d\r\n" % wait)


def passed_on(wire: Wire, run: Run, refusal: Refusal) -> Answer:
    """A target's refusal of the request: as it came if it is in the client's dialect, else what it names told in it."""
    failure, body, vendor = run.attempts[-1].failure, refusal.body, refusal.vendor
    status = 400 if refusal.status in _NEVER_OURS or not 400 <= refusal.status < 500 else refusal.status
    code = "content_policy_violation" if failure.kind is FailureKind.CONTENT_POLICY else "invalid_request"
    if refusal.own and wire.is_error(body):
        return Answer(status, code, body, vendor, refusal.content_type or b"application/json")
    return Answer(status, code, wire.write_error(status, code, failure.message, errors.particulars(body)), vendor)


def retry_after(chain: Chain, health: Health, now: float) -> int:
    """Whole seconds until the first of the chain's targets may be tried again, at least one."""
    times = [health.until(candidate.provider.name, candidate.model.id) - now for candidate in chain.candidates]
    return max(1, math.ceil(min(times, default=1.0)))


def models(routing: Routing, *, anthropic: bool) -> bytes:
    """The body of GET /v1/models in OpenAI's or Anthropic's shape."""
    entries = [_model(routing, name, anthropic=anthropic) for name in routing.names()]
    if anthropic:
        first, last = (entries[0]["id"], entries[-1]["id"]) if entries else (None, None)
        return msgspec.json.encode({"data": entries, "has_more": False, "first_id": first, "last_id": last})
    return msgspec.json.encode({"object": "list", "data": entries})


def model(routing: Routing, name: str, *, anthropic: bool) -> bytes | None:
    """The body of GET /v1/models/NAME; None: there is none."""
    return msgspec.json.encode(_model(routing, name, anthropic=anthropic)) if name in routing.names() else None


def _model(routing: Routing, name: str, *, anthropic: bool) -> dict[str, Any]:
    route = routing.names()[name]
    served = [_find(routing, target.provider, target.model) for target in route.targets]
    known = [model for model in served if model is not None]
    # A client may be answered by any of the chain: it may only count on what all of it holds.
    window = min((model.context_window for model in known if model.context_window), default=0)
    most = min((model.max_tokens for model in known if model.max_tokens), default=0)
    if anthropic:
        entry: dict[str, Any] = {"type": "model", "id": name, "display_name": name, "created_at": _NO_DATE}
        limits = {"max_input_tokens": window, "max_tokens": most}
    else:
        entry = {"id": name, "object": "model", "created": 0, "owned_by": "pointsman"}
        limits = {"context_window": window, "max_model_len": window, "max_output_tokens": most}
    return {**entry, **{key: value for key, value in limits.items() if value}}


def _find(routing: Routing, provider: str, model: str) -> Model | None:
    return routing.providers[provider].find(model)


def _told(attempt: machine.Attempt) -> dict[str, Any]:
    failure = attempt.failure
    # The words of a server about the gateway's own key are not the client's to read.
    billing = errors.is_billing(failure)
    hidden = failure.kind is FailureKind.AUTHENTICATION and not billing
    message = "the gateway's credential was not accepted" if hidden else failure.message[:_MESSAGE]
    message = "the gateway's account there has no credit" if billing else message
    target = f"{attempt.candidate.provider.name}/{attempt.candidate.model.id}"
    told = {"target": target, "reason": str(failure.kind), "message": message}
    return {**told, "status": failure.status} if failure.status and not hidden else told
