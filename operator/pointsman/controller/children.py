"""Applies what a provider runs on, one object after the other: one that is refused keeps none of the others back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from pointsman.controller import kinds, unchangeable
from pointsman.controller.cluster import ApiError, NotFoundError
from pointsman.controller.covered import stamped
from pointsman.fleet.world import Refused
from pointsman.names import FIELD_MANAGER, MANAGED_BY, PROVIDER_LABEL

if TYPE_CHECKING:
    from pointsman.controller.applier import Applier
    from pointsman.controller.cluster import Cluster
    from pointsman.controller.store import Store
    from pointsman.fleet.world import Json, Plan, Provider

log = logging.getLogger(__name__)

# What trying again does not mend: a wrong value, a right that is missing, a quota, an admission rule.
_REFUSALS: Final = frozenset({400, 403, 404, 405, 409, 413, 422})
_ENGINES: Final = frozenset({kinds.DEPLOYMENT.name, kinds.GROUP_OF_PODS.name})
_TAKEN: Final = "there is one already that is not this provider's: rename the provider, or delete the other"


class Children:
    """`apply` gives what was refused, and raises ApiError where trying again may mend it."""

    def __init__(self, store: Store, cluster: Cluster, applier: Applier) -> None:
        self._store, self._cluster, self._applier = store, cluster, applier

    async def apply(self, provider: Provider, plan: Plan) -> tuple[Refused, ...]:
        """Apply a plan's objects, prune what it no longer holds, and try what is to be tried without a trace."""
        refused = [await self._applied(body, provider, plan.revision) for body in plan.objects]
        if plan.trial:
            refused.append(await self._tried(plan.trial, provider, plan.revision))
        meta = provider.meta
        kept = plan.held | {(body["kind"], body["metadata"]["name"]) for body in plan.objects}
        await self._applier.prune_children(meta.namespace, meta.name, meta.uid, kept)
        return tuple(each for each in refused if each)

    async def _applied(self, body: Json, provider: Provider, revision: str) -> Refused | None:
        if await self._is_taken(body, provider):
            return _refused(body, _TAKEN, revision)
        stored = self._store.get(kinds.BY_NAME[body["kind"]], provider.meta.namespace, body["metadata"]["name"])
        try:
            await self._applier.objects([body])
        except ApiError as error:
            return await self._refusal(body, error, revision)
        told = unchangeable.difference(body, stored)
        return _refused(body, told, "") if told else None

    async def _tried(self, body: Json, provider: Provider, revision: str) -> Refused | None:
        if await self._is_taken(body, provider):
            return _refused(body, _TAKEN, revision)
        try:
            await self._cluster.apply(kinds.BY_NAME[body["kind"]], stamped(body), dry_run=True)
        except ApiError as error:
            return await self._refusal(body, error, revision)
        return None

    async def _refusal(self, body: Json, error: ApiError, revision: str) -> Refused:
        if error.status not in _REFUSALS:
            raise error
        log.warning("%s %s/%s: %s", body["kind"], body["metadata"]["namespace"], body["metadata"]["name"], error)
        if body["kind"] in _ENGINES:
            await self._scale(body)
        return _refused(body, error.message or error.reason, revision)

    async def _scale(self, body: Json) -> None:
        """That fewer replicas, or none, are wanted holds whatever else cannot be had."""
        kind, meta = kinds.BY_NAME[body["kind"]], body["metadata"]
        live = self._store.get(kind, meta["namespace"], meta["name"])
        wanted = body["spec"]["replicas"]
        if live is None or int(live["spec"].get("replicas") or 0) == wanted:
            return
        try:
            answer = await self._cluster.merge(kind, meta["namespace"], meta["name"], {"spec": {"replicas": wanted}})
        except ApiError as error:
            log.warning("%s %s/%s is not scaled: %s", kind.name, meta["namespace"], meta["name"], error)
        else:
            self._store.put(kind, answer, ours=True)

    async def _is_taken(self, body: Json, provider: Provider) -> bool:
        """Whether somebody else's object has this name: applied by force it would become ours, and go with us."""
        kind, meta = kinds.BY_NAME[body["kind"]], body["metadata"]
        stored = self._store.get(kind, meta["namespace"], meta["name"])
        if stored is None:
            try:
                stored = await self._cluster.get(kind, meta["namespace"], meta["name"])
            except NotFoundError:
                return False
        return not _is_ours(stored, provider)


def _is_ours(stored: Json, provider: Provider) -> bool:
    meta = stored["metadata"]
    owners = {owner.get("uid") for owner in meta.get("ownerReferences") or () if owner.get("controller")}
    labels = meta.get("labels") or {}
    # Without an owner: what a namesake left behind, and the garbage collector has not taken yet, bears our labels.
    marked = labels.get(MANAGED_BY) == FIELD_MANAGER and labels.get(PROVIDER_LABEL) == provider.meta.name
    return provider.meta.uid in owners or marked


def _refused(body: Json, message: str, revision: str) -> Refused:
    return Refused(body["kind"], body["metadata"]["name"], message, revision if body["kind"] in _ENGINES else "")
