"""Which targets a request may go to, in which order, and why the others are passed over.

Two steps, so that nothing can bring a target back that the fence has taken out: `survey` walks the chain once, fence
first, and what it passes over is gone; `order` only sorts what is left, by health.

    the fence            location and region, narrowed by the request's own header
    then what is fixed   skip (decided when the table was made), suspended, no credential, dialect, tools
    then the order       as written; then providers whose probes fail; last what is cooling, the least bad first
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from pointsman.exchange import BadRequestError, FailureKind
from pointsman.names import Dialect, Location
from pointsman.table import Fence, Model, Provider, Route

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pointsman.failover.health import Health

FENCE: Final = "fence"
"""The reason of targets that data policy forbids; a request that is left with none is refused, never tried."""

_LOCAL_ONLY: Final = (Location.IN_CLUSTER.value, Location.ON_PREMISES.value)
_TERM: Final = re.compile(r"(locations|regions)=([\w.,\- ]+)")
_TERMS: Final = "'local-only', 'locations=A,B', 'regions=C,D'"
_HOPELESS: Final = frozenset({FailureKind.AUTHENTICATION, FailureKind.RATE_LIMITED, FailureKind.MODEL_NOT_FOUND})


class Candidate(msgspec.Struct, frozen=True, eq=False):
    """A target that may be tried. Two are the same only if they are one object, so that it can be a cheap key."""

    provider: Provider
    model: Model
    down: bool = False  # its probes fail


class Passed(msgspec.Struct, frozen=True, gc=False):
    """A target that is not tried: `reason` is a word, `message` for people."""

    provider: str
    model: str
    reason: str
    message: str


class Need(msgspec.Struct, frozen=True, gc=False):
    """What a request asks of a target. `fence` is the request's own, which can only narrow the route's."""

    dialect: Dialect
    tools: bool = False
    fence: Fence | None = None


class Order(msgspec.Struct, frozen=True):
    """The candidates, first to be tried first, of which at most `limit` are; those cooling are told in `cooling`."""

    candidates: tuple[Candidate, ...]
    limit: int
    cooling: tuple[Passed, ...] = ()


class Chain(msgspec.Struct, frozen=True):
    """A route's targets for one kind of request. `fences` are those in force, to be named in a refusal."""

    candidates: tuple[Candidate, ...]
    passed: tuple[Passed, ...]
    fences: tuple[Fence, ...]
    at_best: Order  # when nothing cools

    @property
    def fenced_in(self) -> bool:
        """Whether it is the fence that leaves nothing to try."""
        return not self.candidates and any(passed.reason == FENCE for passed in self.passed)


def read_fence(header: str) -> Fence:
    """The request's own fence: `local-only`, or `locations=A,B; regions=C`. BadRequestError: anything else.

    What cannot be understood is refused: a policy that was meant to hold must not silently not hold.
    """
    parts = [part.strip() for part in header.split(";") if part.strip()]
    found: dict[str, tuple[str, ...]] = {}
    for part in parts:
        term = _TERM.fullmatch(part)
        if part == "local-only":
            found["locations"] = _LOCAL_ONLY
        elif term is not None:
            found[term[1]] = tuple(sorted({value.strip() for value in term[2].split(",") if value.strip()}))
        else:
            raise BadRequestError(f"x-pointsman-data-policy: {part!r} is not one of {_TERMS}")
    if not found or not all(found.values()):
        raise BadRequestError(f"x-pointsman-data-policy: nothing in it; say one of {_TERMS}")
    return Fence(found.get("locations", ()), found.get("regions", ()))


def survey(route: Route, providers: Mapping[str, Provider], need: Need, keyless: Collection[str] = ()) -> Chain:
    """The route's chain for such requests. `keyless` are providers whose credential is not there."""
    fences = (route.policy.fence,) if need.fence is None else (route.policy.fence, need.fence)
    candidates: list[Candidate] = []
    passed: list[Passed] = []
    for target in route.targets:
        provider = providers[target.provider]
        model = next((model for model in provider.models if model.id == target.model), Model(id=target.model))
        objection = (
            _outside(provider, fences)
            or (("skip", target.skip) if target.skip else None)
            or _unfit(provider, model, need, keyless)
        )
        if objection:
            passed.append(Passed(provider.name, target.model, *objection))
        else:
            candidates.append(Candidate(provider, model, provider.state == "Down"))
    at_best = sorted(candidates, key=lambda candidate: candidate.down)  # stable: else as written
    return Chain(tuple(candidates), tuple(passed), fences, Order(tuple(at_best), len(at_best)))


def order(chain: Chain, health: Health, now: float) -> Order:
    """All of the chain's candidates, best first.

    What cools comes last, and of it only the least bad may be tried, as a last resort: an outage of everything must
    not send every request to every target.
    """
    if not health.entries:
        return chain.at_best
    ready: list[Candidate] = []
    cooling: list[tuple[bool, float, Candidate, FailureKind]] = []
    for candidate in chain.at_best.candidates:
        name, model = candidate.provider.name, candidate.model.id
        cause = health.cooling(name, model, now)
        if cause is not None:
            cooling.append((cause in _HOPELESS, health.until(name, model), candidate, cause))
        else:
            ready.append(candidate)
    if not cooling:
        return chain.at_best
    cooling.sort(key=lambda entry: entry[:2])
    last = tuple(entry[2] for entry in cooling)
    told = tuple(
        Passed(place.provider.name, place.model.id, f"cooling-{cause}", f"for {max(until - now, 0.0):.1f} s more")
        for _, until, place, cause in cooling
    )
    return Order((*ready, *last), len(ready) + bool(last), told)


def _outside(provider: Provider, fences: tuple[Fence, ...]) -> tuple[str, str] | None:
    for fence in fences:
        if fence.locations and provider.location not in fence.locations:
            return FENCE, f"its location {provider.location} is none of {', '.join(fence.locations)}"
        # A cluster's own servers stand where the gateway stands: without a region they are in the gateway's.
        home = provider.location == Location.IN_CLUSTER and not provider.region
        if fence.regions and not home and provider.region not in fence.regions:
            return FENCE, f"its region {provider.region or '(unknown)'} is none of {', '.join(fence.regions)}"
    return None


def _unfit(provider: Provider, model: Model, need: Need, keyless: Collection[str]) -> tuple[str, str] | None:
    if provider.suspended:
        return "suspended", "the provider is suspended"
    if provider.name in keyless:
        return "credential", f"no usable file {provider.credential!r} in the credentials folder"
    if need.dialect not in provider.api:
        return "dialect", f"speaks {', '.join(provider.api)}, not {need.dialect}"
    if need.tools and model.compat.get("supportsTools") is False:
        return "tools", "the model takes no tools, and the request has some"
    return None
