"""A routing table made ready for serving: names looked up in a dict, request heads written once, chains walked once.

A Lane is all that can be known of a request from its model, its dialect and what it needs: it is made at the first such
request and serves all that follow until the next table.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

import msgspec

from pointsman import __version__, dialects, kinds
from pointsman.dialects.services import Service
from pointsman.failover import choose
from pointsman.failover.choose import Need
from pointsman.failover.context import MEDIA
from pointsman.gateway import decision, demand, fields
from pointsman.names import Dialect, Location, Mode, Way
from pointsman.table import Fence, Route, RoutingTable, TableError, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.exchange import Head, Usage
    from pointsman.failover.choose import Candidate
    from pointsman.failover.pace import Pace
    from pointsman.gateway.metrics import Metrics
    from pointsman.gateway.upstream import Backend, Pools
    from pointsman.table import Provider

_OURS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "content-type", "accept-encoding"}
)
_WRITABLE: Final = re.compile(r"[\x20-\x7e\x80-\xff\t]*")
_LESSONS: Final = 8  # that are learned from a target's answers between two sweeps
_OPENINGS_LIMIT: Final = 64  # heads kept for a target: clients say few different things
_LANES_LIMIT: Final = 20_000  # more than names times dialects ever are


class Place:
    """A provider made ready: its backend, and for each dialect the head of a request up to the fields that vary."""

    __slots__ = ("backend", "heads", "names", "provider")

    def __init__(self, provider: Provider, backend: Backend, credential: str) -> None:
        self.provider = provider
        self.backend = backend
        self.names = frozenset(name.lower().encode() for name in provider.headers)  # fields that it sets itself
        self.heads = _heads(provider, credential)

    def request(
        self, dialect: Dialect | Service, path: str, body: bytes, client: Mapping[bytes, bytes] | None = None
    ) -> bytes:
        """A request of the gateway's own, to any path of the server; `client`: the fields of whom it is asked for."""
        own = dialects.WIRES[dialect].PATH
        head = self.heads[dialect].replace(own.encode() + b" HTTP", path.encode() + b" HTTP", 1)
        passed = fields.passed_on(dialect, client or {}, self.names, native=self.provider.native)
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (head, passed, len(body), body)


class Tally:
    """For one target in a lane: what is counted and told when it answers at the first attempt, made ready."""

    __slots__ = (
        "_openings", "_prices", "_taught", "_taught_at", "_timeouts", "candidate", "cost", "crosses", "dialect",
        "duration", "first", "head", "hosted", "input", "keeps", "limited", "line", "mends", "ok", "output", "place",
        "requests", "told", "want", "way", "wire",
    )  # fmt: skip

    def __init__(self, lane: Lane, candidate: Candidate, metrics: Metrics) -> None:
        provider, model = candidate.provider.name, candidate.model.id
        self.candidate = candidate
        self.limited = candidate.provider.limits is not None
        self.hosted = (
            candidate.provider.location == Location.EXTERNAL
        )  # its vendor speaks of limits: the client is told
        self.keeps = bool(candidate.provider.keep_alive)  # its models stay in memory for as long as it is told
        self.way = _way(candidate.provider.type)
        self._taught, self._taught_at = 0, 0.0
        self._timeouts = lane.route.policy.timeouts
        cost = candidate.model.cost
        self._prices = tuple(cost.get(name, 0.0) / 1e6 for name in ("input", "output", "cacheRead")) if cost else None
        self.cost = metrics.cost[lane.route.name, provider, model]
        self.input = metrics.tokens[provider, model, lane.dialect, "input"]
        self.output = metrics.tokens[provider, model, lane.dialect, "output"]
        self.place = lane.routing.places[provider]
        self.want = lane.routing.demand.want(provider)
        self.dialect = candidate.dialect
        self.wire = dialects.WIRES[candidate.dialect]
        self.crosses = candidate.translated  # its answers are read and written anew
        # Several servers leave out of their streams what clients rely on.
        self.mends = candidate.dialect is lane.dialect is Dialect.RESPONSES and not candidate.provider.native
        self.head = self.place.heads[candidate.dialect]
        self._openings: dict[object, bytes] = {}
        self.requests = metrics.requests[lane.route.name, provider, model, lane.dialect, "200"]
        self.ok = metrics.attempts[provider, model, "ok"]
        self.duration = metrics.duration[provider, model, lane.dialect]
        self.first = metrics.first[provider, model, lane.dialect]
        told = decision.header(lane.route.name, candidate, (), lane.chain.passed)
        self.told = b"x-pointsman-decision: %b\r\n" % told.encode()
        constant = decision.Constant(
            lane.route.name,
            lane.model,
            lane.dialect,
            provider,
            model,
            candidate.dialect if candidate.translated else "",
            decision.passed_steps(lane.chain.passed),
        )
        self.line = msgspec.json.encode(constant)[1:]

    def opening(self, request: Mapping[bytes, bytes]) -> bytes:
        """The head of a request, up to the digits of its length, for a client's that has these fields."""
        said = fields.said(self.dialect, request)
        opening = self._openings.get(said)
        if opening is None:
            if len(self._openings) >= _OPENINGS_LIMIT:
                self._openings.clear()
            native = self.place.provider.native
            passed = fields.passed_on(self.dialect, request, self.place.names, native=native)
            opening = self._openings[said] = b"%b%bContent-Length: " % (self.head, passed)
        return opening

    def patience(self, head: Head, pace: Pace, now: float) -> float:
        """When an attempt that begins now must show its first output, or be whole if it is not streamed."""
        if self.candidate.down:
            return now + self._timeouts.first_token  # a last resort: its probes fail, and it most likely will
        if head.stream:
            return pace.first_token_by(self.candidate, head.size, self._timeouts, now)
        left = self._timeouts.total
        return pace.whole_by(self.candidate, head.size, head.max_tokens, self._timeouts, now, left)

    def teaches(self, now: float) -> bool:
        """Whether an answer is to be learned from: of a crowd of them within a sweep, the first few tell enough."""
        if now != self._taught_at:
            self._taught, self._taught_at = 0, now
        elif self._taught >= _LESSONS:
            return False
        self._taught += 1
        return True

    def spend(self, usage: Usage) -> float:
        """Count an answer's tokens. Gives what it cost, in USD."""
        self.input.fresh.append(usage.input)
        self.output.fresh.append(usage.output)
        if self._prices is None:
            return 0.0
        cost = self.price(usage)
        self.cost.n += cost
        return cost

    def price(self, usage: Usage) -> float:
        """USD for so many tokens, by the model's prices."""
        if self._prices is None:
            return 0.0
        fresh, written, known = self._prices
        return (usage.input - usage.cached) * fresh + usage.cached * known + usage.output * written


class Lane:
    """A route for one name, dialect and need. State: a Tally for each target that was tried, by the dialect spoken."""

    __slots__ = (
        "_asked_in",
        "_metrics",
        "_tallies",
        "asleep",
        "chain",
        "dialect",
        "measured",
        "minds_media",
        "model",
        "route",
        "routing",
        "wanted",
        "wire",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - all that a lane is made of
        self, routing: Routing, model: str, route: Route, need: Need, metrics: Metrics, pace: Pace
    ) -> None:
        self.routing, self.model, self.route, self.dialect = routing, model, route, need.dialect
        self.wire = dialects.WIRES[need.dialect]
        # Of a list of texts each must fit by itself: its size says nothing of that.
        self.measured = not isinstance(need.dialect, Service)
        chain = choose.survey(route, routing.providers, need, routing.keyless, pace)
        self.wanted = tuple(map(routing.demand.want, demand.wanted(chain)))
        self.asleep = demand.asleep(chain)
        if self.asleep:
            known, awake = routing.providers, demand.passing(route, self.asleep)
            chain = choose.survey(awake, known, need, routing.keyless, pace)
            chain = msgspec.structs.replace(chain, passed=demand.explained(chain.passed, known))
        self.chain = chain
        self.minds_media = self.measured and not need.needs & MEDIA and choose.minds_media(self.chain)
        self._metrics = metrics
        self._tallies: dict[Candidate, Tally] = {}
        self._asked_in: dict[tuple[Candidate, Dialect], Candidate] = {}

    @property
    def home(self) -> Dialect:
        """The dialect, where only one can be: of services nothing is counted, translated or told again."""
        return cast("Dialect", self.dialect)

    def tally(self, candidate: Candidate) -> Tally:
        """The target's Tally."""
        tally = self._tallies.get(candidate)
        if tally is None:
            tally = self._tallies[candidate] = Tally(self, candidate, self._metrics)
        return tally

    def sleeping(self) -> list[demand.Want]:
        """The Wants of those that sleep."""
        return [self.routing.demand.want(candidate.provider.name) for candidate in self.asleep]

    def asked_in(self, candidate: Candidate, dialect: Dialect) -> Candidate:
        """The target as it is asked in one of its other dialects; always the same object."""
        if dialect is candidate.dialect:
            return candidate
        found = self._asked_in.get((candidate, dialect))
        if found is None:
            found = self._asked_in[candidate, dialect] = msgspec.structs.replace(candidate, dialect=dialect)
        return found


class Routing:
    """One table in force. State: the lanes that were asked for so far."""

    __slots__ = ("_lanes", "_metrics", "_names", "_pace", "demand", "keyless", "places", "providers", "table")

    def __init__(  # noqa: PLR0913, PLR0917 - all that lanes are made of
        self,
        table: RoutingTable,
        credentials: Mapping[str, str],
        pools: Pools,
        metrics: Metrics,
        pace: Pace,
        wants: demand.Demand,
    ) -> None:
        """TableError: a provider that cannot be used at all."""
        self.table = table
        self.demand = wants
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
        self._pace = pace
        self._names = _names(table)
        self._lanes: dict[tuple[str, Dialect | Service, int], Lane] = {}

    def names(self) -> Mapping[str, Route]:
        """All names that clients may ask for, with their routes."""
        return self._names

    def similar(self, model: str) -> list[str]:
        """Up to three names that are like it."""
        return difflib.get_close_matches(model[:200], list(self._names)[:1000], 3)

    def lane(self, model: str, dialect: Dialect | Service, needs: int, fence: Fence | None = None) -> Lane | None:
        """The lane for such requests; None: no such name. A request with a fence of its own has a lane of its own."""
        key = (model, dialect, needs)
        lane = self._lanes.get(key) if fence is None else None
        if lane is not None:
            return lane
        route = self._names.get(model)
        if route is None:
            return None
        lane = Lane(self, model, route, Need(dialect, needs, fence), self._metrics, self._pace)
        if fence is None:
            if len(self._lanes) >= _LANES_LIMIT:
                self._lanes.clear()
            self._lanes[key] = lane
        return lane


def _way(provider_type: str) -> Way:
    kind = kinds.named(provider_type)
    return kind.way if kind is not None else Way.TRY


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


def _heads(provider: Provider, credential: str) -> dict[Dialect | Service, bytes]:
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
        for dialect, wire in dialects.WIRES.items()
    }


def _keyless(table: RoutingTable, credentials: Mapping[str, str]) -> frozenset[str]:
    """The providers whose credential is not there, or is one that no header can carry."""
    return frozenset(
        provider.name
        for provider in table.providers
        if provider.credential and not _WRITABLE.fullmatch(credentials.get(provider.credential) or "\n")
    )
