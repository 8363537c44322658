"""A request whose targets speak other dialects: which of them it can be said to, and how it is written for each.

A target that speaks several is asked in the first in which nothing must be left out; where there is none it is passed
over, and if that leaves no target the client is told what stands in the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.dialects.translation import Translation
from pointsman.failover import choose
from pointsman.failover.choose import Passed

if TYPE_CHECKING:
    from pointsman.exchange import Head
    from pointsman.failover.choose import Candidate, Order
    from pointsman.gateway.routing import Lane


def look(lane: Lane, head: Head, order: Order) -> tuple[Order, tuple[Passed, ...], Translation]:
    """The order with the targets to which the request can be said, each in its best dialect; the others; the words."""
    translation = Translation(lane.home, head.fields, drop_tools=lane.route.policy.drop_tools)
    found: dict[Candidate, Candidate | None] = {}
    passed: list[Passed] = []
    for candidate in order.candidates:
        if candidate.translated:
            best = _best(lane, candidate, translation)
            found[candidate] = None if isinstance(best, Passed) else best
            if isinstance(best, Passed):
                passed.append(best)
    return choose.instead(order, found), tuple(passed), translation


def _best(lane: Lane, candidate: Candidate, translation: Translation) -> Candidate | Passed:
    objection: Passed | None = None
    for dialect in (candidate.dialect, *candidate.others):
        refused = translation.loss(dialect, candidate.model, candidate.provider).refused
        if not refused:
            return lane.asked_in(candidate, dialect)
        message = "; ".join(each.message for each in refused)
        objection = objection or Passed(candidate.provider.name, candidate.model.id, refused[0].reason, message)
    assert objection is not None  # noqa: S101 - it speaks one dialect at least
    return objection
