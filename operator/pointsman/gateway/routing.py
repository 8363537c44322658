"""A routing table made ready for serving: names looked up in a dict, request heads written once, chains walked once.

A Lane is all that can be known of a request from its model, its dialect and whether it has tools: it is made at the
first such request and serves all that follow until the next table.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from pointsman import __version__, dialects
from pointsman.failover import choose
from pointsman.failover.choose import Need
from pointsman.gateway import decision
from pointsman.names import Mode
from pointsman.table import Fence, Route, RoutingTable, TableError, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.failover.choose import Candidate
    from pointsman.gateway.metrics import Metrics
    from pointsman.gateway.upstream import Backend, Pools
    from pointsman.names import Dialect
    from pointsman.table import Provider

_OURS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "content-type", "accept-encoding"}
)
_WRITABLE: Final = re.compile(r"[\x20-\x7e\x80-\xff\t]*")
_LANES_LIMIT: Final = 20_000  # more than names times dialects ever are


class Place:
    """A provider made ready: its backend, and for each dialect the head of a request up to the fields that vary."""

    __slots__ = ("backend", "heads", "names", "provider")

    def __init__(self, provider: Provider, backend: Backend, credential: str) -> None:
        self.provider = provider
        self.backend = backend
        self.names = frozenset(name.lower().encode() for name in provider.headers)  # fields that it sets itself
        self.heads = _heads(provider, credential)


class Tally:
    """For one target in a lane: what is counted and told when it answers at the first attempt, made ready."""

    __slots__ = ("duration", "first", "head", "line", "ok", "place", "requests", "told")

    def __init__(self, lane: Lane, candidate: Candidate, metrics: Metrics) -> None:
        provider, model = candidate.provider.name, candidate.model.id
        self.place = lane.routing.places[provider]
        self.head = self.place.heads[lane.dialect]
        self.requests = metrics.requests[lane.route.name, provider, model, lane.dialect, "200"]
        self.ok = metrics.attempts[provider, model, "ok"]
        self.duration = metrics.duration[provider, model, lane.dialect]
        self.first = metrics.first[provider, model, lane.dialect]
        told = decision.header(lane.route.name, candidate, (), lane.chain.passed)
        self.told = b"x-pointsman-decision: %b\r\n" % told.encode()
        constant = decision.Constant(
            lane.route.name, lane.model, lane.dialect, provider, model, decision.passed_steps(lane.chain.passed)
        )
        self.line = msgspec.json.encode(constant)[1:]


class Lane:
    """A route for one name, dialect and need. State: a Tally for each target that has answered."""

    __slots__ = ("_metrics", "_tallies", "chain", "dialect", "model", "route", "routing", "wire")

    def __init__(self, routing: Routing, model: str, route: Route, need: Need, metrics: Metrics) -> None:
        self.routing, self.model, self.route, self.dialect = routing, model, route, need.dialect
        self.wire = dialects.ALL[need.dialect]
        self.chain = choose.survey(route, routing.providers, need, routing.keyless)
        self._metrics = metrics
        self._tallies: dict[Candidate, Tally] = {}

    def tally(self, candidate: Candidate) -> Tally:
        """The target's Tally."""
        tally = self._tallies.get(candidate)
        if tally is None:
            tally = self._tallies[candidate] = Tally(self, candidate, self._metrics)
        return tally


class Routing:
    """One table in force. State: the lanes that were asked for so far."""

    __slots__ = ("_lanes", "_metrics", "_names", "keyless", "places", "providers", "table")

    def __init__(self, table: RoutingTable, credentials: Mapping[str, str], pools: Pools, metrics: Metrics) -> None:
        """TableError: a provider that cannot be used at all."""
        self.table = table
        self.providers = {provider.name: provider for provider in table.providers}
        self.keyless = _keyless(table, credentials)
        self.places = {
            provider.name: Place(
                provider,
                pools.backend(provider),
                "" if provider.name in self.keyless else credentials.get(provider.credential, ""),
            )
            for provider in table.providers
        }
        self._metrics = metrics
        self._names = _names(table)
        self._lanes: dict[tuple[str, Dialect, bool], Lane] = {}

    def names(self) -> Mapping[str, Route]:
        """All names that clients may ask for, with their routes."""
        return self._names

    def similar(self, model: str) -> list[str]:
        """Up to three names that are like it."""
        return difflib.get_close_matches(model[:200], list(self._names)[:1000], 3)

    def lane(self, model: str, dialect: Dialect, tools: bool, fence: Fence | None = None) -> Lane | None:
        """The lane for such requests; None: no such name. A request with a fence of its own has a lane of its own."""
        key = (model, dialect, tools)
        lane = self._lanes.get(key) if fence is None else None
        if lane is not None:
            return lane
        route = self._names.get(model)
        if route is None:
            return None
        lane = Lane(self, model, route, Need(dialect, tools, fence), self._metrics)
        if fence is None:
            if len(self._lanes) >= _LANES_LIMIT:
                self._lanes.clear()
            self._lanes[key] = lane
        return lane


def _names(table: RoutingTable) -> dict[str, Route]:
    # First come, first served: routes before aliases before provider/model, so that nothing shadows a route.
    names: dict[str, Route] = {}
    for route in table.routes:
        names.setdefault(route.model_name, route)
    for route in table.routes:
        for alias in route.aliases:
            names.setdefault(alias, route)
    if table.mode == Mode.MERGE:
        for provider in table.providers:
            for model in provider.models:
                name = f"{provider.name}/{model.id}"
                targets = (Target(provider=provider.name, model=model.id),)
                names.setdefault(name, Route(name=name, model_name=name, targets=targets))
    return names


def _heads(provider: Provider, credential: str) -> dict[Dialect, bytes]:
    """For each dialect the head of a request, up to the fields that vary. TableError: a header cannot be one."""
    url = urlsplit(provider.base_url)
    fields = {
        "User-Agent": f"pointsman/{__version__}",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
    }
    if credential and provider.auth == "Bearer":
        fields["Authorization"] = f"Bearer {credential}"
    elif credential and provider.auth == "XApiKey":
        fields["x-api-key"] = credential
    lower = {name.lower(): name for name in fields}
    for name, value in provider.headers.items():
        if name.lower() not in _OURS:
            fields.pop(lower.get(name.lower(), ""), None)
            fields[name] = value
    lines = [f"Host: {url.netloc.rpartition('@')[2]}", *(f"{name}: {value}" for name, value in fields.items())]
    prefix = url.path.rstrip("/")
    if not all(_WRITABLE.fullmatch(line) for line in (prefix, *lines)):
        raise TableError(f"provider {provider.name!r}: a header holds a control or wide character")
    rest = "\r\n".join(lines)
    return {
        dialect: f"POST {prefix}{wire.PATH} HTTP/1.1\r\n{rest}\r\n".encode("latin-1")
        for dialect, wire in dialects.ALL.items()
    }


def _keyless(table: RoutingTable, credentials: Mapping[str, str]) -> frozenset[str]:
    """The providers whose credential is not there, or is one that no header can carry."""
    return frozenset(
        provider.name
        for provider in table.providers
        if provider.credential and not _WRITABLE.fullmatch(credentials.get(provider.credential) or "\n")
    )
