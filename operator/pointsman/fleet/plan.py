"""What should be: objects, status and Events, decided from a World. Whoever carries it out writes only differences."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from pointsman import table
from pointsman.fleet import handover, openclaw, route_checks
from pointsman.fleet.chain import active
from pointsman.fleet.checks import provider_conditions
from pointsman.fleet.conditions import Finding, clip, merge, message_of, reason_of, status_of
from pointsman.fleet.engine import engine
from pointsman.fleet.podreport import PROGRESS
from pointsman.fleet.provider_status import provider_status
from pointsman.fleet.render import credentials, render
from pointsman.fleet.seen import Seen, seen
from pointsman.fleet.world import Event, Plan
from pointsman.names import (
    CREDENTIALS_SECRET,
    FIELD_MANAGER,
    MANAGED_BY,
    OPENCLAW_FILE,
    ROUTING_CONFIGMAP,
    ROUTING_FILE,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.fleet.chain import Link
    from pointsman.fleet.engine import Engine
    from pointsman.fleet.world import Meta, Provider, World

Json = dict[str, Any]

_TOLD: Final = (
    "Accepted",
    "CredentialsValid",
    "AdaptersLoaded",
    "Maintenance",
    "ModelCached",
    "WorkloadReady",
    "Ready",
)
_REASONED: Final = frozenset({"Maintenance", "ModelCached", "Ready", "WorkloadReady"})
_PARTLY: Final = frozenset({"EditRefused", "PartlyReady"})  # True, and not all is well
_ABNORMAL: Final = frozenset({"Maintenance"})  # conditions that say something when they are True
_BAD: Final = frozenset({"NoHealthyTarget", "RolloutFailed"})


def plan_provider(world: World, name: str, now: str) -> Plan:
    """What a deployed provider runs on; the status and Events of any. `now` is RFC 3339.

    A refused provider's objects are left as they are: a slip in an edit must not stop a server that runs.
    """
    found = seen(world, name)
    if found is None:
        return Plan()
    provider = world.providers[name]
    if not isinstance(found, Seen):
        return _told(provider, provider_conditions(found), {}, Plan(), now)
    deploy = found.spec.deploy
    running = engine(found, deploy, now) if deploy else None
    maintenance = running.maintenance if running else None
    found = _after(found, maintenance)
    conditions = provider_conditions(found)
    if running:
        conditions = _with_adapters(found, conditions) | {
            "Maintenance": handover.finding(found.provider.status, running.message)
        }
    plan = _told(provider, conditions, provider_status(found, running, now), _doing(running), now)
    return replace(plan, events=(*_cut(provider, running), *plan.events))


def _cut(provider: Provider, running: Engine | None) -> tuple[Event, ...]:
    """The only engine is replaced without a fallback: told once, when it begins."""
    before = message_of(provider.status.get("conditions") or (), "Maintenance")
    if running is None or not running.message.startswith(handover.CUTS) or before.startswith(handover.CUTS):
        return ()
    return (Event("ModelProvider", provider.meta.name, "Warning", "ReplacedInPlace", clip(running.message)),)


def _with_adapters(found: Seen, conditions: Mapping[str, Finding]) -> dict[str, Finding]:
    """What came of loading LoRA adapters into engines that run, which keeps nothing else from serving."""
    said = found.world.adapters.get(found.name)
    if said is None:
        return dict(conditions)
    reason, message = said
    status: dict[str, Literal["True", "Unknown"]] = {"AdaptersLoaded": "True", "AdaptersLoading": "Unknown"}
    return {**conditions, "AdaptersLoaded": Finding(reason, message, status.get(reason, "False"))}


def _told(provider: Provider, conditions: Mapping[str, Finding], more: Json, plan: Plan, now: str) -> Plan:
    """The plan with the status, where it is another one, and the Events of what is new in it."""
    status = _status(provider.meta, provider.status, conditions, now) | more
    events = _events("ModelProvider", provider.meta.name, provider.status, conditions)
    return replace(plan, status=_unless_equal(status, provider.status), events=events)


def _doing(running: Engine | None) -> Plan:
    if running is None:
        return Plan()
    return Plan(
        objects=running.objects,
        held=running.held,
        revision=running.revision,
        trial=running.trial,
        prove=running.prove,
        again=running.again,
    )


def _after(found: Seen, maintenance: Json | None) -> Seen:
    """The provider as it is seen once its maintenance is what was decided just now."""
    kept = {key: value for key, value in found.provider.status.items() if key != "maintenance"}
    status = kept | ({"maintenance": maintenance} if maintenance else {})
    return replace(found, provider=replace(found.provider, status=status))


def plan_route(world: World, name: str, now: str) -> Plan:
    """The status and Events of a route."""
    route = world.routes.get(name)
    if route is None or route.meta.deleting:
        return Plan()
    found = route_checks.seen(world, route)
    conditions = route_checks.route_conditions(found)
    status = _status(route.meta, route.status, conditions, now)
    if not found.refusal:
        status |= _route_status(world, found)
    events = _events("ModelRoute", name, route.status, conditions)
    return Plan((), _unless_equal(status, route.status), events)


def plan_namespace(world: World) -> Plan:
    """The ConfigMap and the Secret that the namespace's gateways read; none where there is no route.

    RenderError: no table can be made, and the one that is there shall stay.
    """
    if all(route.meta.deleting for route in world.routes.values()):
        return Plan()
    routing = render(world)
    files = {
        ROUTING_FILE: table.dump(routing).decode(),
        OPENCLAW_FILE: json.dumps(openclaw.write(routing, world.gateway_url), indent=1, ensure_ascii=False) + "\n",
    }
    config_map = _object(world, "ConfigMap", ROUTING_CONFIGMAP) | {"data": files}
    secret = _object(world, "Secret", CREDENTIALS_SECRET) | {"type": "Opaque"}
    keys = {name: base64.b64encode(key.encode()).decode() for name, key in credentials(world).items()}
    # An empty map is what the API server leaves out.
    return Plan((config_map, secret | ({"data": keys} if keys else {})))


def _object(world: World, kind: str, name: str) -> Json:
    labels = {MANAGED_BY: FIELD_MANAGER, "app.kubernetes.io/part-of": "pointsman"}
    metadata = {"name": name, "namespace": world.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


def _status(meta: Meta, old: Json, conditions: Mapping[str, Finding], now: str) -> Json:
    merged = merge(old.get("conditions") or [], conditions, now, meta.generation)
    return {"observedGeneration": meta.generation, "conditions": merged}


def _route_status(world: World, found: route_checks.Seen) -> Json:
    now = active(found.chain)
    out: Json = {
        "effectiveChain": [_effective(link, now) for link in found.chain],
        "activeTarget": now.name if now else None,
        "healthyTargets": f"{sum(link.healthy for link in found.chain)}/{len(found.chain)}",
        "configHash": world.published_hash or None,
        "acknowledgedBy": f"{found.acknowledged}/{len(world.gateways)}",
    }
    return {key: value for key, value in out.items() if value is not None}


def _effective(link: Link, now: Link | None) -> Json:
    state = "Skipped" if link.skip else "Active" if link is now else "Down" if link.state == "Down" else "Standby"
    reason = f"{link.skip}: {link.why}" if link.skip else link.reason
    out = {"provider": link.provider, "model": link.model, "state": state}
    return out | ({"reason": clip(reason)} if reason else {})


def _unless_equal(status: Json, stored: Json) -> Json | None:
    return None if status == stored else status


def _events(kind: str, name: str, old: Json, conditions: Mapping[str, Finding]) -> tuple[Event, ...]:
    """One for each condition of note that is known and another than the last known one.

    Of two with the same reason Ready's is told, which says what to do.
    """
    before = old.get("conditions") or []
    events = {
        each.reason: Event(kind, name, _type(condition, each), each.reason, clip(each.message))
        for condition in _TOLD
        if (each := conditions.get(condition))
        and each.status != "Unknown"
        and _is_news(before, condition, each)
        and (condition != "WorkloadReady" or each.reason in _PARTLY)  # else Ready says it
    }
    return tuple(events.values())


def _is_news(before: list[Json], condition: str, found: Finding) -> bool:
    if found.status != _known(status_of(before, condition), condition):
        return True
    # What keeps a provider from being ready is told anew when it is something else; that it is ready is told once.
    amiss = (found.status == "True") == (condition in _ABNORMAL) or found.reason in _PARTLY
    return condition in _REASONED and amiss and found.reason != reason_of(before, condition)


def _type(condition: str, found: Finding) -> Literal["Normal", "Warning"]:
    if condition in _ABNORMAL:
        return "Warning" if found.reason in _BAD else "Normal"
    well = (found.status == "True" and found.reason not in _PARTLY) or found.reason in PROGRESS
    return "Normal" if well else "Warning"


def _known(status: str, condition: str) -> str:
    # Of a new object it goes without saying that it is accepted and its key good; that it is ready does not.
    if condition in _ABNORMAL:
        return status or "False"
    return "True" if status in {"", "Unknown"} and condition != "Ready" else status
