"""When what happened, and how long it took: of Pods, Jobs and conditions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

Json = dict[str, Any]


def moment(text: object) -> float:
    """RFC 3339 as Unix seconds; 0.0 for what is none."""
    try:
        parsed = datetime.fromisoformat(str(text)[:40])
        return parsed.timestamp() if parsed.tzinfo else 0.0
    except (ValueError, OverflowError, OSError):
        return 0.0


def condition(pod: Json, kind: str) -> Json:
    """A Pod's condition; {}: it has none of the kind."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    found: Json = next((each for each in conditions if each.get("type") == kind), {})
    return found


def since(of: Json, key: str = "") -> float:
    """When a condition changed last, or a container started; 0.0: not told."""
    return moment(of.get(key) if key else of.get("lastTransitionTime") or of.get("startedAt"))


def between(start: float, end: float) -> float | None:
    """Seconds from one moment to another; None where either is not known."""
    return max(0.0, end - start) if start and end else None
