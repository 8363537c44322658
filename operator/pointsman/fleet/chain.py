"""A route's targets as they stand: which may be tried, which not and why. Table, status and `explain` agree by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pointsman.fleet import catalogue
from pointsman.fleet.keys import secret_problem
from pointsman.fleet.seen import Seen, location, region, seen, state
from pointsman.names import Location
from pointsman.served import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pointsman.api.route import Fence, ModelRouteSpec, TargetRef
    from pointsman.fleet.conditions import Finding
    from pointsman.fleet.world import World

MISSING = frozenset({"ProviderNotFound", "ProviderNotAccepted"})  # not in the table at all
OUTSIDE = frozenset({"LocationNotAllowed", "RegionNotAllowed"})
UNRESOLVED = MISSING | {"ModelNotFound"}


@dataclass(frozen=True, slots=True)
class Link:
    """A target in a chain. `skip` is a reason of reasons.REASONS, "" when it may be tried; `why` is for people."""

    provider: str
    model: str
    skip: str = ""
    why: str = ""
    state: State = State.UNKNOWN
    reason: str = ""  # why `state` is not Up
    window: int = 0  # tokens, 0: unknown
    remote: bool = False  # its server hands its requests on to a cloud: it is External wherever that stands

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"

    @property
    def rendered(self) -> bool:
        return self.skip not in MISSING

    @property
    def healthy(self) -> bool:
        """May be tried, and as far as anybody asked, answers."""
        return not self.skip and (self.state is State.UP or self.reason == "ProbeDisabled")

    @property
    def pending(self) -> bool:
        """May be tried, and nobody knows yet whether it answers."""
        return not self.skip and not self.healthy and self.state is State.UNKNOWN


def links(world: World, spec: ModelRouteSpec) -> tuple[Link, ...]:
    """The chain, primary first."""
    fence = spec.policy.data_policy if spec.policy else None
    return tuple(_link(world, fence, target) for target in (spec.primary, *(spec.fallbacks or ())))


def named(world: World, provider: str) -> tuple[str, ...]:
    """The models of a provider that routes name, by the routes' names, each once."""
    routes = (route.spec for _, route in sorted(world.routes.items()) if route.spec and not route.meta.deleting)
    targets = (target for spec in routes for target in (spec.primary, *(spec.fallbacks or ())))
    return tuple(dict.fromkeys(target.model for target in targets if target.provider == provider))


def active(chain: Iterable[Link]) -> Link | None:
    """Who would serve now: the first healthy one, else the first of which nothing is known yet."""
    chain = tuple(chain)
    return next((link for link in chain if link.healthy), None) or next((link for link in chain if link.pending), None)


def _link(world: World, fence: Fence | None, target: TargetRef) -> Link:
    found = seen(world, target.provider)
    if not isinstance(found, Seen):
        skip, why = _missing(target.provider, found)
        return Link(target.provider, target.model, skip, why)
    skip, why = _skip(found, fence, target.model)
    standing, reason = state(found)
    window = catalogue.window(found, target.model)
    remote = catalogue.remote(found, target.model)
    return Link(target.provider, target.model, skip, why, standing, reason, window, remote)


def _missing(name: str, refusal: Finding | None) -> tuple[str, str]:
    if refusal:
        return "ProviderNotAccepted", f"provider {name} is not accepted: {refusal.reason}: {refusal.message}"
    return "ProviderNotFound", f"there is no provider {name}, or it is being deleted"


def _skip(found: Seen, fence: Fence | None, model: str) -> tuple[str, str]:
    # The fence first: it holds whatever else is wrong.
    if outside := _outside(found, fence, model):
        return outside
    if found.spec.suspend:
        return "Suspended", f"provider {found.name} is suspended"
    if problem := secret_problem(found):
        return problem.reason, problem.message
    if catalogue.lacks(found, model):
        return "ModelNotFound", (
            f"provider {found.name} has no model {model}: if it knows it and does not list it, state it in spec.models"
        )
    return "", ""


def _outside(found: Seen, fence: Fence | None, model: str) -> tuple[str, str] | None:
    where, area, named = location(found), region(found), f"provider {found.name}"
    if catalogue.remote(found, model):
        # Its server's place says nothing of it.
        where, area, named = Location.EXTERNAL, "", f"{model} of {named}, which hands it on to Ollama's cloud,"
    if fence and fence.allowed_locations is not None and where not in fence.allowed_locations:
        allowed = ", ".join(sorted(fence.allowed_locations))
        return "LocationNotAllowed", f"{named} is {where}, the route allows {allowed}"
    # A cluster's own servers stand where the gateway stands: without a region they are in the gateway's.
    home = where is Location.IN_CLUSTER and not area
    if fence and fence.allowed_regions is not None and not home and area not in fence.allowed_regions:
        allowed = ", ".join(sorted(fence.allowed_regions))
        said = f"is in region {area}" if area else "states no region"
        return "RegionNotAllowed", f"{named} {said}, the route allows {allowed}"
    return None
