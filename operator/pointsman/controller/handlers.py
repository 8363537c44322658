"""kopf as a thin shell: it logs in, keeps the watches running and handles signals. Nothing is decided here.

Its handlers only put objects into the store: no annotations, no finalizers, no timers, no daemons. What its watches
may miss (an object deleted while a watch is down) the resync finds. When kopf gives up, the process ends, and its
successor starts from a full listing.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import kopf

from pointsman.controller import kinds
from pointsman.names import GROUP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pointsman.controller.cluster import Cluster
    from pointsman.controller.kinds import Kind
    from pointsman.controller.store import Store

_BACKOFFS: Final = (1, 2, 4, 8, 15, 30, 30, 30, 30, 30)  # some three minutes, then the process ends


def registry(
    store: Store, cluster: Cluster, watched: Sequence[Kind], on_exit: Callable[[], Awaitable[None]]
) -> kopf.OperatorRegistry:
    """One on.event handler a kind, a login, and `on_exit` for when kopf has been told to stop."""
    result = kopf.OperatorRegistry()
    for kind in watched:
        kopf.on.event(kind.api, kind.plural, id=f"see-{kind.plural}", registry=result)(_see(store, kind))
    kopf.on.login(registry=result)(_login(cluster))

    @kopf.on.cleanup(registry=result)
    async def stop(**_: Any) -> None:
        await on_exit()

    return result


def settings(watched: Sequence[Kind]) -> kopf.OperatorSettings:
    """As the design asks: least privilege, bounded waits, and a pause of the API server ridden out."""
    out = kopf.OperatorSettings()
    out.posting.enabled = False
    out.scanning.disabled = True
    out.peering.standalone = True
    out.watching.server_timeout = 290
    out.watching.inactivity_timeout = 70
    out.watching.connect_timeout = 10
    out.watching.reconnect_backoff = 1.0
    out.watching.chunk_size = 500
    out.networking.request_timeout = 30
    out.networking.connect_timeout = 10
    out.networking.enforce_retry_after = True
    out.networking.error_backoffs = [seconds * random.uniform(0.8, 1.2) for seconds in _BACKOFFS]  # noqa: S311
    out.queueing.idle_timeout = 1
    out.queueing.exit_timeout = 2
    out.process.ultimate_exiting_timeout = 20
    out.persistence.finalizer = f"{GROUP}/unused"
    for kind in watched:
        if kind.labels:
            out.watching.label_selectors[kind.api, kind.plural] = kind.labels
        if kind.fields:
            out.watching.field_selectors[kind.api, kind.plural] = kind.fields
    return out


def _see(store: Store, kind: Kind) -> Callable[..., Awaitable[None]]:
    async def see(event: dict[str, Any], **_: Any) -> None:
        body, meta = event["object"], event["object"]["metadata"]
        if event["type"] == "DELETED":
            store.drop(kind, meta.get("namespace", ""), meta["name"], meta["uid"], meta["resourceVersion"])
        else:
            store.put(kind, body)

    return see


def _login(cluster: Cluster) -> Callable[..., Awaitable[kopf.ConnectionInfo]]:
    """The same credentials that our own calls use, read anew whenever kopf asks, as tokens expire."""

    async def login(**_: Any) -> kopf.ConnectionInfo:
        ours = cluster.configuration
        scheme, _space, token = (await cluster.token()).partition(" ")
        return kopf.ConnectionInfo(
            server=ours.host,
            ca_path=ours.ssl_ca_cert,
            insecure=not ours.verify_ssl,
            scheme=scheme or None,
            token=token or None,
            certificate_path=ours.cert_file,
            private_key_path=ours.key_file,
        )

    return login


def watched(namespaces: Sequence[str]) -> tuple[Kind, ...]:
    """What kopf watches. With a Role in some namespaces only, nothing outside of them: the resync reads Namespaces."""
    return tuple(kind for kind in kinds.WATCHED if kind.namespaced or not namespaces)
