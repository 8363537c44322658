"""A route's conditions, likewise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pointsman.fleet import scale
from pointsman.fleet.acceptance import route_refusal
from pointsman.fleet.chain import OUTSIDE, UNRESOLVED, Link, active, links
from pointsman.fleet.conditions import Check, Finding, first, good, unknown
from pointsman.fleet.context import small

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.fleet.world import Route, World


@dataclass(frozen=True, slots=True)
class Seen:
    """A route and its chain as it stands; `refusal` when it is not in use."""

    world: World
    route: Route
    refusal: Finding | None
    chain: tuple[Link, ...]

    @property
    def acknowledged(self) -> int:
        """How many gateways run the published table."""
        return sum(gateway.hash == self.world.published_hash for gateway in self.world.gateways)


def seen(world: World, route: Route) -> Seen:
    refusal = route_refusal(world, route)
    chain = links(world, route.spec) if route.spec and not refusal else ()
    return Seen(world, route, refusal, chain)


def route_conditions(seen: Seen) -> dict[str, Finding]:
    """By type, in the order of the design. A refused route has only Accepted, Programmed and Ready."""
    if seen.refusal:
        return {"Accepted": seen.refusal, "Programmed": seen.refusal, "Ready": seen.refusal}
    found = {kind: first(checks, seen) or _WELL[kind] for kind, checks in _CHAINS.items()}
    return {"Accepted": good("Accepted", "the spec is sound"), **found}


def _unresolved(seen: Seen) -> Finding | None:
    lost = [link for link in seen.chain if link.skip in UNRESOLVED]
    return Finding(lost[0].skip, "; ".join(link.why for link in lost)) if lost else None


def _unpublished(seen: Seen) -> Finding | None:
    return None if seen.world.published_hash else Finding("Pending", "no routing table is published yet")


def _no_gateway(seen: Seen) -> Finding | None:
    return None if seen.world.gateways else Finding("NoGateway", "no gateway runs in this namespace")


def _unacknowledged(seen: Seen) -> Finding | None:
    all_of_them = len(seen.world.gateways)
    if seen.acknowledged == all_of_them:
        return None
    return Finding("Pending", f"{seen.acknowledged}/{all_of_them} gateways run {seen.world.published_hash}")


def _nothing_usable(seen: Seen) -> Finding | None:
    if any(not link.skip for link in seen.chain):
        return None
    return Finding("NoUsableTarget", "; ".join(link.why for link in seen.chain))


def _nothing_healthy(seen: Seen) -> Finding | None:
    now = active(seen.chain)
    if now is None:
        return Finding("NoHealthyTarget", "; ".join(f"{link.name}: {link.skip or link.reason}" for link in seen.chain))
    return None if now.healthy else unknown("NotProbedYet", f"nothing is known of {now.name} yet")


def _no_one(seen: Seen) -> Finding | None:
    nobody = active(seen.chain) is None
    return Finding("NoHealthyTarget", "nobody serves", "True") if nobody else None


def _on_fallback(seen: Seen) -> Finding | None:
    now, primary = active(seen.chain), seen.chain[0]
    if now is None or now is primary:
        return None
    if primary.reason == scale.SCALED_TO_ZERO and not primary.skip:
        return Finding("PrimaryAsleep", f"{now.name} serves until a request has woken {primary.name}")
    why = primary.why or f"{primary.name} is {primary.state.value}: {primary.reason}"
    return Finding("OnFallback", f"{now.name} serves: {why}", "True")


def _outside_fence(seen: Seen) -> Finding | None:
    outside = [link.why for link in seen.chain if link.skip in OUTSIDE]
    return Finding("OutsideFence", "; ".join(outside), "True") if outside else None


def _smaller_context(seen: Seen) -> Finding | None:
    primary = seen.chain[0]
    smaller = [link for link in seen.chain[1:] if 0 < link.window < primary.window]
    if not smaller:
        return None
    told = ", ".join(f"{link.name} {link.window}" for link in smaller)
    return Finding("SmallerContext", f"{primary.name} takes {primary.window} tokens, {told}", "True")


def _unknown_context(seen: Seen) -> Finding | None:
    blank = [link.name for link in seen.chain if not link.window]
    if len(seen.chain) == 1 or not blank:
        return None
    return unknown("ContextUnknown", f"no context window is known of {', '.join(blank)}")


def _small_context(seen: Seen) -> Finding | None:
    tiny, little = small(seen.chain, seen.route.spec.policy if seen.route.spec else None)
    if not tiny and not little:
        return None
    return Finding("ContextWindowTooSmall" if tiny else "ContextWindowSmall", "; ".join([*tiny, *little]), "True")


def _no_window(seen: Seen) -> Finding | None:
    blank = [link.name for link in seen.chain if not link.window]
    return unknown("ContextUnknown", f"no context window is known of {', '.join(blank)}") if blank else None


_CHAINS: Final[Mapping[str, tuple[Check[Seen], ...]]] = {
    "ResolvedRefs": (_unresolved,),
    "Programmed": (_unpublished, _no_gateway, _unacknowledged),
    "Ready": (_nothing_usable, _nothing_healthy),
    "Degraded": (_no_one, _on_fallback),
    "PolicyViolation": (_outside_fence,),
    "ContextShrinksOnFallback": (_smaller_context, _unknown_context),
    "ContextSmall": (_small_context, _no_window),
}
_WELL: Final[Mapping[str, Finding]] = {
    "ResolvedRefs": good("ResolvedRefs", "every target's provider and model exist"),
    "Programmed": good("Programmed", "every gateway runs the published table"),
    "Ready": good("Ready", "a target serves"),
    "Degraded": Finding("OnPrimary", "the primary serves"),
    "PolicyViolation": Finding("InsideFence", "every target is inside the fence"),
    "ContextShrinksOnFallback": Finding("ContextKept", "no fallback has a smaller context window"),
    "ContextSmall": Finding("ContextWindowEnough", "every target has a context window that is enough for an agent"),
}
