"""What should be: objects, status and Events, decided from a World. Whoever carries it out writes only differences."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from pointsman import table
from pointsman.fleet import catalogue, openclaw, route_checks, workload
from pointsman.fleet.chain import active
from pointsman.fleet.checks import provider_conditions
from pointsman.fleet.conditions import clip, merge, status_of
from pointsman.fleet.render import credentials, render
from pointsman.fleet.seen import Seen, base_url, location, seen
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
    from pointsman.fleet.conditions import Finding
    from pointsman.fleet.world import Meta, World

Json = dict[str, Any]

_TOLD: Final = ("Accepted", "CredentialsValid", "Ready")


def plan_provider(world: World, name: str, now: str) -> Plan:
    """Deployment and Service of a deployed provider; the status and Events of any. `now` is RFC 3339.

    A refused provider's objects are left as they are: a slip in an edit must not stop a server that runs.
    """
    found = seen(world, name)
    if found is None:
        return Plan()
    provider = world.providers[name]
    conditions = provider_conditions(found)
    status = _status(provider.meta, provider.status, conditions, now)
    if isinstance(found, Seen):
        status |= _provider_status(found)
    deploy = found.spec.deploy if isinstance(found, Seen) else None
    objects = workload.objects(found.provider.meta, found.spec, deploy) if isinstance(found, Seen) and deploy else ()
    events = _events("ModelProvider", name, provider.status, conditions)
    return Plan(objects, _unless_equal(status, provider.status), events)


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


def _provider_status(found: Seen) -> Json:
    # No counters, no latencies: a status that changes with every probe would be written with every probe.
    out: Json = {
        "models": catalogue.in_status(found),
        "modelCount": len(catalogue.models(found)),
        "resolvedUrl": base_url(found),
        "location": location(found).value,
    }
    if found.spec.deploy:
        told = found.workload.status if found.workload else {}
        chosen = workload.selector(found.provider.meta)
        out["replicas"] = int(told.get("replicas") or 0)
        out["readyReplicas"] = int(told.get("readyReplicas") or 0)
        out["selector"] = ",".join(f"{key}={value}" for key, value in sorted(chosen.items()))
    return {key: value for key, value in out.items() if value != []}


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
    """One for each condition of note that is known and another than the last known one; twins are told once."""
    before = old.get("conditions") or []
    events = {
        Event(kind, name, "Normal" if each.status == "True" else "Warning", each.reason, clip(each.message)): None
        for condition in _TOLD
        if (each := conditions.get(condition))
        and each.status != "Unknown"
        and each.status != _known(status_of(before, condition), condition)
    }
    return tuple(events)


def _known(status: str, condition: str) -> str:
    # Of a new object it goes without saying that it is accepted and its key good; that it is ready does not.
    return "True" if status in {"", "Unknown"} and condition != "Ready" else status
