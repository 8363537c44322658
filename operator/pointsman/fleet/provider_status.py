"""What ModelProvider.status holds beside the conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.fleet import catalogue, phases, posture, workload
from pointsman.fleet.seen import base_url, location

if TYPE_CHECKING:
    from pointsman.fleet.engine import Engine
    from pointsman.fleet.seen import Seen

Json = dict[str, Any]


def provider_status(found: Seen, running: Engine | None, now: str) -> Json:
    """The fields, without those that are empty. `running` is None for a server that others run; `now` is RFC 3339.

    No counters, no latencies: a status that changes with every probe would be written with every probe.
    """
    out: Json = {
        "phase": phases.phase(found),
        "models": catalogue.in_status(found),
        "modelCount": len(catalogue.models(found)),
        "resolvedUrl": base_url(found),
        "location": location(found).value,
        "postureWarnings": [{"reason": each.reason, "message": each.message} for each in posture.warnings(found)],
    }
    if running:
        out |= _replicas(found, running) | _start(found, now)
        out["maintenance"] = running.maintenance
    return {key: value for key, value in out.items() if value not in ([], {}, None)}


def _replicas(found: Seen, running: Engine) -> Json:
    told = found.workload.status if found.workload else {}
    chosen = workload.selector(found.provider.meta)
    return {
        "desiredReplicas": running.replicas,
        "replicas": int(told.get("replicas") or 0),
        "readyReplicas": found.workload.ready if found.workload else 0,
        "selector": ",".join(f"{key}={value}" for key, value in sorted(chosen.items())),
    }


def _start(found: Seen, now: str) -> Json:
    told = found.workload.told if found.workload else None
    return {
        "startup": phases.startup(found, found.provider.status.get("startup") or {}, now),
        "suggestedMaxModelLen": (told.suggested_max_model_len if told else 0) or None,
    }
