"""Kubernetes Events on transitions: few enough to be read, and never a reason to fail."""

from __future__ import annotations

import hashlib
import logging
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pointsman.controller import kinds
from pointsman.controller.cluster import ApiError
from pointsman.names import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pointsman.controller.cluster import Cluster
    from pointsman.fleet.world import Event, Json

log = logging.getLogger(__name__)

_BURST, _EVERY = 10.0, 30.0  # Events of one object: this many at once, then one every so many seconds
_SAME: Final = 600.0  # seconds in which the same Event is posted once
_NOTE: Final = 1024  # characters, the API's limit
_OBJECTS: Final = 10_000


@dataclass(slots=True)
class Restraint:
    """Which Events may be posted; times are seconds of the caller's clock."""

    _tokens: dict[str, tuple[float, float]] = field(default_factory=dict)
    _posted: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def allows(self, uid: str, reason: str, note: str, now: float) -> bool:
        if now - self._posted.get((uid, reason, note), float("-inf")) < _SAME:
            return False
        tokens, since = self._tokens.get(uid, (_BURST, now))
        tokens = min(_BURST, tokens + (now - since) / _EVERY)
        if tokens < 1:
            return False
        if len(self._posted) >= _OBJECTS:
            self._posted = {key: at for key, at in self._posted.items() if now - at < _SAME}
            self._tokens = {key: (left, at) for key, (left, at) in self._tokens.items() if now - at < _BURST * _EVERY}
        self._tokens[uid] = (tokens - 1, now)
        self._posted[(uid, reason, note)] = now
        return True


class Notices:
    """Posts Events through events.k8s.io/v1."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._restraint = Restraint()
        self._instance = socket.gethostname()

    async def post(self, regarding: Json, events: Iterable[Event]) -> None:
        """Post what a plan said of this object."""
        meta = regarding["metadata"]
        for event in events:
            note = event.message[:_NOTE]
            if not self._restraint.allows(meta["uid"], event.reason, note, time.monotonic()):
                continue
            try:
                await self._cluster.create(kinds.EVENT, meta["namespace"], self._body(meta, event, note))
            except ApiError as error:
                log.warning("Event %s of %s %s: %s", event.reason, event.kind, event.name, error)

    def _body(self, meta: Json, event: Event, note: str) -> Json:
        now = datetime.now(UTC)
        digest = hashlib.sha256(f"{meta['uid']} {event.reason} {now.timestamp()}".encode()).hexdigest()[:16]
        kind = kinds.BY_NAME[event.kind]
        return {
            "apiVersion": kinds.EVENT.api,
            "kind": kinds.EVENT.name,
            "metadata": {"namespace": meta["namespace"], "name": f"{event.name[:200]}.{digest}"},
            "eventTime": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "reportingController": f"{GROUP}/operator",
            "reportingInstance": self._instance[:128],
            "action": "Reconcile",
            "reason": event.reason,
            "type": event.type,
            "note": note,
            "regarding": {
                "apiVersion": kind.api, "kind": kind.name, "namespace": meta["namespace"], "name": event.name,
                "uid": meta["uid"],
            },
        }  # fmt: skip
