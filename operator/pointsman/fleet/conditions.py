"""Findings and the Kubernetes conditions made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Json = dict[str, Any]
Status = Literal["True", "False", "Unknown"]
LONGEST = 1024  # characters of a message: far below the API's 32768: a condition is read in a terminal
_Seen = TypeVar("_Seen")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: a reason of `reasons.REASONS`, a message for people, and the status that it stands for."""

    reason: str
    message: str
    status: Status = "False"


Check = Callable[[_Seen], Finding | None]


def good(reason: str, message: str) -> Finding:
    return Finding(reason, message, "True")


def unknown(reason: str, message: str) -> Finding:
    return Finding(reason, message, "Unknown")


def first(checks: Iterable[Check[_Seen]], seen: _Seen) -> Finding | None:
    """The finding of the first check that has one."""
    return next((finding for check in checks if (finding := check(seen))), None)


def merge(old: list[Json], new: Mapping[str, Finding], now: str, generation: int) -> list[Json]:
    """The conditions to store: by type, in `new`'s order. `now` (RFC 3339) counts only where the status changes.

    Equal findings give an equal list, so that nothing is written in a settled cluster. Types not in `new` go.
    """
    since = {condition.get("type"): condition for condition in old}
    return [_condition(kind, finding, since.get(kind, {}), now, generation) for kind, finding in new.items()]


def status_of(conditions: Iterable[Json], kind: str) -> str:
    """The status of a condition; "" when there is no such condition."""
    return next((str(each.get("status", "")) for each in conditions if each.get("type") == kind), "")


def reason_of(conditions: Iterable[Json], kind: str) -> str:
    """Its reason; "" likewise."""
    return next((str(each.get("reason", "")) for each in conditions if each.get("type") == kind), "")


def message_of(conditions: Iterable[Json], kind: str) -> str:
    """Its message; "" likewise."""
    return next((str(each.get("message", "")) for each in conditions if each.get("type") == kind), "")


def _condition(kind: str, finding: Finding, before: Json, now: str, generation: int) -> Json:
    kept = before.get("lastTransitionTime") if before.get("status") == finding.status else None
    return {
        "type": kind,
        "status": finding.status,
        "observedGeneration": generation,
        "lastTransitionTime": kept or now,
        "reason": finding.reason,
        "message": clip(finding.message),
    }


def clip(text: str) -> str:
    """At most 1024 characters, the cut marked."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
