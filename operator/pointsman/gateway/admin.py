"""What the gateway answers itself: models, health, configuration, metrics, the story of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import msgspec

from pointsman import __version__, dialects
from pointsman.dialects import chat, messages
from pointsman.gateway import answers, counts, metrics, store
from pointsman.gateway.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pointsman.gateway.edge import Request
    from pointsman.gateway.state import State

_PATHS: Final = (
    "POST /v1/chat/completions, POST /v1/responses, POST /v1/messages, POST /v1/messages/count_tokens, "
    "POST /v1/embeddings, POST /v1/rerank, POST /v1/score, POST /v1/completions, GET /v1/responses/{id}, "
    "GET /v1/models, GET /v1/models/{id}, GET /-/healthz, GET /-/readyz, GET /-/config, GET /-/explain/{request id}, "
    "GET /metrics"
)
_TEXT: Final = b"text/plain; charset=utf-8"
_EXPOSITION: Final = b"text/plain; version=0.0.4; charset=utf-8"


def answer(state: State, request: Request) -> Answer:
    """The answer to any request that is not for a model."""
    method, path, fields = request.method, request.path, request.fields
    if method in store.METHODS and path.startswith(store.PREFIXES):
        return store.answer(state.store, method, path, request.query, state.now)
    page = _PAGES.get(path)
    prefix = next((prefix for prefix in _BELOW if path.startswith(prefix)), "") if page is None else ""
    posted = dialects.for_path(path) is not None or path in counts.PATHS
    if page is None and not prefix and not posted:
        return _error(404, "not_found", f"there is no {path[:200]!r} here; there is: {_PATHS}")
    if method == b"OPTIONS":
        allow = b"POST, OPTIONS" if posted else b"GET, HEAD, OPTIONS"
        return Answer(204, "", b"", b"allow: %b\r\n" % allow, _TEXT)
    if posted or method not in {b"GET", b"HEAD"}:
        allowed = b"POST, OPTIONS" if posted else b"GET, HEAD, OPTIONS"
        message = f"{method.decode('latin-1')} is not allowed at {path[:200]!r}, but {allowed.decode()}"
        return _error(405, "method_not_allowed", message, b"allow: %b\r\n" % allowed)
    if page is not None:
        return page(state, fields)
    return _BELOW[prefix](state, unquote(path.removeprefix(prefix)), fields)


def _healthz(_state: State, _fields: Mapping[bytes, bytes]) -> Answer:
    return Answer(200, "", b"ok\n", content_type=_TEXT)


def _readyz(state: State, _fields: Mapping[bytes, bytes]) -> Answer:
    if state.draining:
        return Answer(503, "draining", b"draining\n", content_type=_TEXT)
    if state.routing is None and state.absent:
        # Nothing is to be routed yet, which is no fault: Pods and installers that wait for it would wait for ever.
        return Answer(200, "", f"ok, without a routing table yet: {state.error}\n".encode(), content_type=_TEXT)
    if state.routing is None:
        text = f"no routing table: {state.error or 'none was found yet'}\n"
        return Answer(503, "no_routing_table", text.encode(), content_type=_TEXT)
    return Answer(200, "", b"ok\n", content_type=_TEXT)


def _config(state: State, _fields: Mapping[bytes, bytes]) -> Answer:
    table = state.routing.table if state.routing is not None else None
    body = {
        "hash": table.hash if table else "",
        "schema": table.schema if table else 0,
        "namespace": table.namespace if table else "",
        "loadedAt": state.metrics.last_load,
        "error": state.error,
        "version": __version__,
    }
    return _json(body | state.demand.told(state.exchanges, state.now))


def _models(state: State, fields: Mapping[bytes, bytes]) -> Answer:
    if state.routing is None:
        return _error(503, "no_routing_table", "the gateway has no routing table yet", b"retry-after: 1\r\n")
    body = answers.models(state.routing, anthropic=b"anthropic-version" in fields)
    return Answer(200, "", body)


def _model(state: State, name: str, fields: Mapping[bytes, bytes]) -> Answer:
    if state.routing is None:
        return _models(state, fields)
    anthropic = b"anthropic-version" in fields
    body = answers.model(state.routing, name, anthropic=anthropic)
    if body is not None:
        return Answer(200, "", body)
    return answers.unknown_model(messages if anthropic else chat, state.routing, name)


def _explain(state: State, request: str, _fields: Mapping[bytes, bytes]) -> Answer:
    line = state.journal.find(request)
    if line is None:
        return _error(404, "unknown_request", f"no request {request[:200]!r} among the last thousand of this process")
    return Answer(200, "", line)


def _metrics(state: State, _fields: Mapping[bytes, bytes]) -> Answer:
    lines = [*metrics.render(state.metrics), *_gauges(state)]
    return Answer(200, "", "\n".join(lines).encode() + b"\n", content_type=_EXPOSITION)


def _gauges(state: State) -> Iterable[str]:
    table = state.routing.table if state.routing is not None else None
    cooling: dict[metrics.Labels, float] = {
        (provider, model, str(entry.cause)): entry.until - state.now
        for (provider, model), entry in state.health.open(state.now)
    }
    streams = sum(exchange.committed for exchange in state.exchanges)
    info: dict[metrics.Labels, float] = {(table.hash, table.namespace): 1.0} if table is not None else {}
    yield from metrics.gauge("pointsman_gateway_target_cooling", "Seconds for which a target is left alone, and why.",
                             ("provider", "model", "reason"), cooling)  # fmt: skip
    yield from metrics.gauge("pointsman_gateway_active_requests", "Requests under way.", (), {(): len(state.exchanges)})
    yield from metrics.gauge("pointsman_gateway_active_streams", "Answers that are being sent.", (), {(): streams})
    yield from metrics.gauge("pointsman_gateway_connections", "Clients connected.", (), {(): len(state.clients)})
    yield from metrics.gauge("pointsman_gateway_stored_responses", "Responses that are kept to go on from.", (),
                             {(): len(state.store)})  # fmt: skip
    yield from metrics.gauge("pointsman_gateway_stored_bytes", "What they take.", (), {(): state.store.size})
    yield from metrics.gauge("pointsman_gateway_config_info", "The table in force.", ("hash", "namespace"), info)
    yield from metrics.gauge("pointsman_gateway_ready", "Whether a table is in force and the gateway is not draining.",
                             (), {(): float(table is not None and not state.draining)})  # fmt: skip
    yield from metrics.gauge("pointsman_gateway_build_info", "The release.", ("version",), {(__version__,): 1.0})


def _json(body: object) -> Answer:
    return Answer(200, "", msgspec.json.encode(body))


def _error(status: int, code: str, message: str, extra: bytes = b"") -> Answer:
    return Answer(status, code, chat.write_error(status, code, message), extra)


_PAGES: Final[dict[str, Callable[[State, Mapping[bytes, bytes]], Answer]]] = {
    "/v1/models": _models,
    "/models": _models,
    "/-/healthz": _healthz,
    "/-/readyz": _readyz,
    "/-/config": _config,
    "/metrics": _metrics,
}
_BELOW: Final[dict[str, Callable[[State, str, Mapping[bytes, bytes]], Answer]]] = {
    "/v1/models/": _model,
    "/models/": _model,
    "/-/explain/": _explain,
}
