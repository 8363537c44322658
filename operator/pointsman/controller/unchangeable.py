"""Objects that the API server lets nobody change once they are made. Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from kubernetes.utils.quantity import parse_quantity

from pointsman.controller.covered import APPLIED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.fleet.world import Json

RETRY_SECONDS: Final = 300.0  # after which a Job that gave up is made anew


def spared(desired: Json, stored: Json | None) -> Json | None:
    """What may be applied of a desired object: all of it, a claim's new size alone, or nothing (None).

    A Job's template and a claim's class and modes are immutable; a claim can grow and never shrink.
    """
    if stored is None:
        return desired
    if desired["kind"] == "Job":
        return None
    if desired["kind"] == "PersistentVolumeClaim":
        return _grown(desired, stored)
    return desired


def difference(desired: Json, stored: Json | None) -> str:
    """What of a claim stays otherwise than it is wanted, for people; "": nothing, or it is another kind."""
    if stored is None or desired["kind"] != "PersistentVolumeClaim":
        return ""
    wanted, there = desired["spec"], stored["spec"]
    other = [key for key in ("accessModes", "storageClassName") if key in wanted and wanted[key] != there.get(key)]
    if _size(desired) < _size(stored):
        other.append("size")
    if not other:
        return ""
    told = ", ".join(f"{key} {_told(there, key)}" for key in other)
    return f"keeps its {told}, as a claim cannot be changed so: make another, and name it in cache.claimName"


def _told(spec: Json, key: str) -> str:
    if key == "size":
        return str(((spec.get("resources") or {}).get("requests") or {}).get("storage"))
    value = spec.get(key)
    return ", ".join(value) if isinstance(value, list) else str(value)


def emptied(job: Json, claims: Mapping[str, Json]) -> bool:
    """Whether a claim that a done Job filled was made anew since, and is empty. `claims` are those that are known."""
    made = str(job["metadata"].get("creationTimestamp") or "")
    volumes = job["spec"]["template"]["spec"].get("volumes") or ()
    names = [(each.get("persistentVolumeClaim") or {}).get("claimName") for each in volumes]
    known = (claims[name] for name in names if name and name in claims)
    return any(str(claim["metadata"].get("creationTimestamp") or "") > made for claim in known)


def outlived(desired: Json, stored: Json | None, now: datetime) -> bool:
    """Whether a Job is to be deleted and made anew: it was made otherwise and is not done, or gave up a while ago.

    `desired` as it is applied (`covered.stamped`). What gave up may find what it lacked, such as a token, later.
    """
    if stored is None or desired["kind"] != "Job" or stored["metadata"].get("deletionTimestamp"):
        return False
    ended = {each["type"]: each for each in (stored.get("status") or {}).get("conditions") or () if _is_true(each)}
    if "Complete" in ended:
        return False
    if failed := ended.get("Failed"):
        return (now - datetime.fromisoformat(failed["lastTransitionTime"])).total_seconds() >= RETRY_SECONDS
    return _applied(desired) != _applied(stored)


def _is_true(condition: Json) -> bool:
    return bool(condition.get("status") == "True")


def _applied(body: Json) -> str:
    return str((body["metadata"].get("annotations") or {}).get(APPLIED, ""))


def _grown(desired: Json, stored: Json) -> Json | None:
    if _size(desired) <= _size(stored):
        return None
    kept = ("accessModes", "storageClassName", "volumeMode")
    spec = {key: stored["spec"][key] for key in kept if key in stored["spec"]}
    return desired | {"spec": desired["spec"] | spec}


def _size(claim: Json) -> Decimal:
    asked = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return Decimal(parse_quantity(asked.get("storage", "0")))  # type: ignore[no-untyped-call]
