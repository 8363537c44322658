"""Counters in plain ints, written out as Prometheus text when asked for; OpenTelemetry's GenAI names where one is."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Labels = tuple[str, ...]

# Seconds; OpenTelemetry's advice for durations of GenAI operations.
BOUNDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
# Tokens; as above.
TOKEN_BOUNDS: Final = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)


class Count:
    """State: a number that only grows. An object, so that a hot path can hold on to it."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0


class Amount:
    """State: a sum that only grows."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0.0


class Histogram:
    """State: a count for each bound, and the sum, of what was sorted in; and what was not yet.

    To observe is to append to `fresh`; `sort_in`, now and then, does the rest for many at once.
    """

    __slots__ = ("bounds", "counts", "fresh", "total")

    def __init__(self, bounds: tuple[float, ...] = BOUNDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.fresh: list[float] = []  # seconds, or tokens

    def sort_in(self) -> None:
        if self.fresh:
            for place, count in Counter(map(partial(bisect_left, self.bounds), self.fresh)).items():
                self.counts[place] += count
            self.total += sum(self.fresh)
            self.fresh.clear()


class Metrics:
    """State: all counters of one process since its start."""

    def __init__(self) -> None:
        self.requests: defaultdict[Labels, Count] = defaultdict(Count)  # route, provider, model, dialect, code
        self.attempts: defaultdict[Labels, Count] = defaultdict(Count)  # provider, model, outcome
        self.failovers: defaultdict[Labels, Count] = defaultdict(Count)  # route, from, to, reason
        self.resumed: defaultdict[Labels, Count] = defaultdict(Count)  # route
        self.blocked: defaultdict[Labels, Count] = defaultdict(Count)  # route
        self.broken: defaultdict[Labels, Count] = defaultdict(Count)  # provider, model, reason: after the commit
        self.duration: defaultdict[Labels, Histogram] = defaultdict(Histogram)  # provider, model, dialect
        self.first: defaultdict[Labels, Histogram] = defaultdict(Histogram)  # provider, model, dialect
        self.tokens: defaultdict[Labels, Histogram] = defaultdict(_of_tokens)  # provider, model, dialect, type
        self.cost: defaultdict[Labels, Amount] = defaultdict(Amount)  # route, provider, model: USD
        self.queued: defaultdict[Labels, Count] = defaultdict(Count)  # provider
        self.refused: defaultdict[Labels, Count] = defaultdict(Count)  # code: requests that were no requests
        self.load_failures = Count()
        self.last_load = 0.0  # seconds since the epoch

    def sort_in(self) -> None:
        """Sort in what all histograms have observed."""
        for histograms in (self.duration, self.first, self.tokens):
            for each in histograms.values():
                each.sort_in()


def _of_tokens() -> Histogram:
    return Histogram(TOKEN_BOUNDS)


def counter(name: str, text: str, labels: Sequence[str], values: Mapping[Labels, Count | Amount]) -> Iterable[str]:
    """The lines of a counter."""
    yield from _heading(name, text, "counter")
    for key, value in sorted(values.items()):
        yield f"{name}{_labels(labels, key)} {value.n:.12g}"


def gauge(name: str, text: str, labels: Sequence[str], values: Mapping[Labels, float]) -> Iterable[str]:
    """The lines of a gauge."""
    yield from _heading(name, text, "gauge")
    for key, value in sorted(values.items()):
        yield f"{name}{_labels(labels, key)} {value:.12g}"


def histogram(name: str, text: str, labels: Sequence[str], values: Mapping[Labels, Histogram]) -> Iterable[str]:
    """The lines of a histogram."""
    yield from _heading(name, text, "histogram")
    for key, value in sorted(values.items()):
        value.sort_in()
        sofar = 0
        for bound, count in zip((*value.bounds, "+Inf"), value.counts, strict=True):
            sofar += count
            yield f"{name}_bucket{_labels((*labels, 'le'), (*key, str(bound)))} {sofar}"
        yield f"{name}_sum{_labels(labels, key)} {value.total:.9g}"
        yield f"{name}_count{_labels(labels, key)} {sofar}"


def render(metrics: Metrics) -> list[str]:
    """The lines of all that is counted; gauges of the moment are the status page's to add."""
    answer = ("gen_ai_provider_name", "gen_ai_response_model", "gen_ai_operation_name")
    return [
        *counter("pointsman_gateway_requests_total", "Requests by who answered and with what status.",
                 ("route", "provider", "model", "dialect", "code"), metrics.requests),
        *counter("pointsman_gateway_attempts_total", "Attempts at targets by outcome.",
                 ("provider", "model", "outcome"), metrics.attempts),
        *counter("pointsman_gateway_failovers_total", "Attempts that moved on to another target.",
                 ("route", "from", "to", "reason"), metrics.failovers),
        *counter("pointsman_gateway_streams_resumed_total", "Answers that another target took up where they broke off.",
                 ("route",), metrics.resumed),
        *counter("pointsman_gateway_policy_blocked_total", "Requests refused because the fence left no target.",
                 ("route",), metrics.blocked),
        *counter("pointsman_gateway_broken_answers_total", "Answers that broke after the client had begun to read.",
                 ("provider", "model", "reason"), metrics.broken),
        *counter("pointsman_gateway_refused_total", "Requests refused before they had a route.", ("code",),
                 metrics.refused),
        *histogram("gen_ai_client_operation_duration_seconds", "From request to the end of the answer.", answer,
                   metrics.duration),
        *histogram("gen_ai_server_time_to_first_token_seconds", "From request to the first output, failovers included.",
                   answer, metrics.first),
        *histogram("gen_ai_client_token_usage", "Tokens of requests and answers, as the targets counted them.",
                   (*answer, "gen_ai_token_type"), metrics.tokens),
        *counter("pointsman_gateway_cost_usd_total", "What answers cost by the prices of their models.",
                 ("route", "provider", "model"), metrics.cost),
        *counter("pointsman_gateway_queued_total", "Requests that waited for a target that bore no more.",
                 ("provider",), metrics.queued),
        *counter("pointsman_gateway_config_load_failures_total", "Routing tables that could not be used.", (),
                 {(): metrics.load_failures}),
        *gauge("pointsman_gateway_config_last_load_timestamp_seconds", "When the table in force was loaded.", (),
               {(): metrics.last_load}),
    ]  # fmt: skip


def _heading(name: str, text: str, kind: str) -> Iterable[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True)) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
