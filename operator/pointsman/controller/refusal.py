"""What routes say when their namespace's table could not be made: the last good one stays in force. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.fleet.world import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.fleet.world import Json

REASON: Final = "RenderFailed"
LIMIT: Final = 900 * 1024  # bytes; the API server takes 1 MiB with everything around it


class TooLargeError(Exception):
    """The table does not fit into a ConfigMap."""


def check_size(objects: Sequence[Json]) -> int:
    """Bytes of the largest object's data; TooLargeError above LIMIT."""
    sizes = [sum(len(str(text).encode()) for text in (body.get("data") or {}).values()) for body in objects]
    largest = max(sizes, default=0)
    if largest > LIMIT:
        raise TooLargeError(f"the table has {largest} bytes, {LIMIT} fit: spread providers over several namespaces")
    return largest


def marked(status: Json, stored: Json, why: str, now: str) -> Json:
    """A route's status with Programmed=False for this reason. `now` (RFC 3339) counts only where that is new."""
    conditions = [dict(condition) for condition in status.get("conditions") or ()]
    before: Json = next((c for c in stored.get("conditions") or () if c.get("type") == "Programmed"), {})
    since = before.get("lastTransitionTime") if before.get("status") == "False" else None
    for condition in conditions:
        if condition.get("type") == "Programmed":
            said = {"status": "False", "reason": REASON, "message": _message(why), "lastTransitionTime": since or now}
            condition.update(said)
    return status | {"conditions": conditions}


def event(route: str, why: str) -> Event:
    return Event("ModelRoute", route, "Warning", REASON, _message(why))


def _message(why: str) -> str:
    return f"the last good table stays in force: {why}"[:1024]
