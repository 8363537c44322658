"""The API keys of the engines that run here: one Secret a namespace, an entry for each provider, made once."""

from __future__ import annotations

import base64
import logging
import secrets
from typing import TYPE_CHECKING, Final

from pointsman.controller import kinds
from pointsman.controller.cluster import ApiError, ConflictError, NotFoundError
from pointsman.names import ENGINE_KEYS_SECRET, FIELD_MANAGER, MANAGED_BY

if TYPE_CHECKING:
    from pointsman.controller.cluster import Cluster
    from pointsman.fleet.world import Json

log = logging.getLogger(__name__)

_BYTES: Final = 32  # of randomness
_TRIES: Final = 5  # writes that somebody else's came before


async def ensure(cluster: Cluster, namespace: str, provider: str) -> bool:
    """Make the provider's key unless it is there; whether it was made. What others wrote is never written over.

    Only the entry that is missing is sent, for the version that was read: two operators that do so at once end up with
    one key. ApiError: the cluster does not let us.
    """
    for _ in range(_TRIES):
        try:
            return await _ensure(cluster, namespace, provider)
        except ConflictError:
            continue
    return await _ensure(cluster, namespace, provider)


async def forget(cluster: Cluster, namespace: str, provider: str) -> None:
    """Take the key of a provider that is gone out of the Secret; the last one takes the Secret along."""
    try:
        stored = await cluster.get(kinds.SECRET, namespace, ENGINE_KEYS_SECRET)
        if not _ours(stored) or provider not in (stored.get("data") or {}):
            return
        if set(stored["data"]) == {provider}:
            await cluster.delete(kinds.SECRET, namespace, ENGINE_KEYS_SECRET, stored["metadata"]["uid"])
        else:
            await cluster.merge(kinds.SECRET, namespace, ENGINE_KEYS_SECRET, _patch(stored, {provider: None}))
    except (NotFoundError, ConflictError) as error:
        log.info("the key of %s/%s stays for now: %s", namespace, provider, error)
    except ApiError as error:
        log.warning("the key of %s/%s stays: %s", namespace, provider, error)


async def _ensure(cluster: Cluster, namespace: str, provider: str) -> bool:
    try:
        stored = await cluster.get(kinds.SECRET, namespace, ENGINE_KEYS_SECRET)
    except NotFoundError:
        # Empty, by its name: a POST would need the right to create any Secret.
        stored = await cluster.apply(kinds.SECRET, _empty(namespace))
    if (stored.get("data") or {}).get(provider):
        return False
    made = {provider: base64.b64encode(secrets.token_urlsafe(_BYTES).encode()).decode()}
    await cluster.merge(kinds.SECRET, namespace, ENGINE_KEYS_SECRET, _patch(stored, made))
    return True


def _patch(stored: Json, data: dict[str, str] | dict[str, None]) -> Json:
    return {"metadata": {"resourceVersion": stored["metadata"]["resourceVersion"]}, "data": data}


def _empty(namespace: str) -> Json:
    labels = {MANAGED_BY: FIELD_MANAGER, "app.kubernetes.io/part-of": "pointsman"}
    metadata = {"name": ENGINE_KEYS_SECRET, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata}


def _ours(stored: Json) -> bool:
    return bool((stored["metadata"].get("labels") or {}).get(MANAGED_BY) == FIELD_MANAGER)
