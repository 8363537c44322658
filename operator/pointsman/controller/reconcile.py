"""One key's turn: take what is known, let `fleet` decide, make it so. Nothing depends on which event woke it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pointsman.controller import kinds, refusal, secrets
from pointsman.fleet.acceptance import provider_refusal
from pointsman.fleet.chain import named
from pointsman.fleet.keys import secret_value
from pointsman.fleet.memory import recall
from pointsman.fleet.plan import plan_namespace, plan_provider, plan_route
from pointsman.prober.request import target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from pointsman.controller.acks import Acks
    from pointsman.controller.applier import Applier
    from pointsman.controller.kinds import Kind
    from pointsman.controller.metrics import Metrics
    from pointsman.controller.notices import Notices
    from pointsman.controller.nudges import Nudges
    from pointsman.controller.pods import Pods, Told
    from pointsman.controller.probes import Probes
    from pointsman.controller.queue import Key
    from pointsman.controller.secrets import Secrets
    from pointsman.controller.store import Store
    from pointsman.controller.wakes import Wakes
    from pointsman.fleet.world import Json, Plan, Provider, Workload, World
    from pointsman.prober.request import ProbeTarget

log = logging.getLogger(__name__)

_SETTLE: Final = 15.0  # seconds after the start in which a gateway that was not asked yet does not count as lost
_FIRST_PROBE: Final = 1.0  # seconds that a new provider's status waits for its first probe: one write instead of two
_SOON: Final = 0.25
_PODS: Final = 10.0  # seconds between looks at Pods that are not ready


@dataclass(slots=True)
class Parts:
    """What reconciling needs."""

    store: Store
    applier: Applier
    secrets: Secrets
    probes: Probes
    acks: Acks
    nudges: Nudges
    pods: Pods
    notices: Notices
    metrics: Metrics
    wakes: Wakes
    gateway_service: str
    clock: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class Reconciler:
    """Called with a key by the queue; gives the seconds after which to look again, or None."""

    parts: Parts
    _started: float = field(init=False)
    _waiting: dict[tuple[str, int], float] = field(default_factory=dict)  # since when, by uid and generation
    _recalled: dict[str, AbstractSet[str]] = field(default_factory=dict)  # providers whose past was looked at
    _refused: dict[str, str] = field(default_factory=dict)  # namespaces whose table could not be made, and why

    def __post_init__(self) -> None:
        self._started = self.parts.clock()

    async def __call__(self, key: Key) -> float | None:
        turn = {"provider": self._provider, "route": self._route, "namespace": self._namespace}[key.kind]
        with self.parts.metrics.seconds.labels(key.kind).time():
            return await turn(key)

    def world(self, namespace: str) -> World:
        """Everything known of a namespace now."""
        seen = self.parts.store.snapshot(namespace)
        if self._recalled.get(namespace) != seen.providers.keys():
            self._recall(seen)
        return replace(
            seen,
            secrets=self.parts.secrets.values(namespace),
            probes=self.parts.probes.results(namespace),
            workloads=_with_reasons(seen.workloads, self.parts.pods.reasons(namespace)),
            gateways=self.parts.acks.gateways(namespace),
            gateway_url=f"http://{self.parts.gateway_service}.{namespace}.svc:8080",
        )

    async def _provider(self, key: Key) -> float | None:
        parts, namespace, name = self.parts, key.namespace, key.name
        provider = parts.store.snapshot(namespace).providers.get(name)
        if provider is None or provider.meta.deleting:
            self._forget(namespace, name)
            return None
        await parts.secrets.ensure(namespace, secrets.names(provider), max_age=5.0)
        world = self.world(namespace)
        if (provider := world.providers.get(name)) is None:
            return None
        parts.probes.set((namespace, name), provider.meta.generation, _target(world, provider))
        plan = plan_provider(self.world(namespace), name, _rfc3339())
        again = await self._deployed(provider, plan)
        if provider.spec and not provider.spec.deploy and not provider_refusal(provider):
            await parts.applier.prune_children(namespace, name, provider.meta.uid, plan.objects)
        if wait := self._wait_for_probe(provider):
            return wait
        if plan.objects:
            plan = plan_provider(self.world(namespace), name, _rfc3339())  # by what has just been deployed
        await self._status(kinds.PROVIDER, key, plan, plan.status)
        return again

    async def _deployed(self, provider: Provider, plan: Plan) -> float | None:
        """Apply what the provider runs on; seconds until its Pods are to be looked at again, None: they are ready."""
        deploy = provider.spec.deploy if provider.spec else None
        if deploy is None or not plan.objects:
            return None
        namespace, name = provider.meta.namespace, provider.meta.name
        await self.parts.applier.objects(plan.objects)
        workload = self.parts.store.snapshot(namespace).workloads.get(name)
        if workload and await self.parts.pods.look(namespace, name, workload, deploy.gpu_resource_name):
            return _PODS
        return None

    async def _route(self, key: Key) -> float | None:
        world = self.world(key.namespace)
        if key.name not in world.routes:
            return None
        if self._settling() and not self.parts.acks.asked(key.namespace):
            return _SOON
        plan = plan_route(world, key.name, _rfc3339())
        status, stored = plan.status, world.routes[key.name].status
        if why := self._refused.get(key.namespace):
            status = refusal.marked(status or stored, stored, why, _rfc3339())
        await self._status(kinds.ROUTE, key, plan, status)
        return None

    async def _namespace(self, key: Key) -> float | None:
        parts, namespace = self.parts, key.namespace
        needed = {name for p in parts.store.snapshot(namespace).providers.values() for name in secrets.names(p)}
        parts.secrets.keep(namespace, needed)
        await parts.secrets.ensure(namespace, needed)
        world = self.world(namespace)
        plan = await self._render(world)
        written = await parts.applier.objects(plan.objects)
        pruned = await parts.applier.prune_table(namespace, plan.objects)
        published = parts.store.snapshot(namespace).published_hash
        parts.acks.expect(namespace, published)
        if written:
            counts = len(world.routes), len(world.providers)
            log.info("%s: table %s is published: %d routes, %d providers", namespace, published, *counts)
        if pruned:
            parts.metrics.forget_table(namespace)
        if written:
            await parts.nudges.all(namespace, published)
        return None

    async def _render(self, world: World) -> Plan:
        """The namespace's objects; what cannot be made leaves the last good table in force, and says so."""
        metrics, namespace = self.parts.metrics, world.namespace
        try:
            plan = plan_namespace(world)
            size = refusal.check_size(plan.objects)
        except Exception as error:
            metrics.render_failures.labels(namespace).inc()
            await self._refuse(world, f"{type(error).__name__}: {error}")
            raise
        if self._refused.pop(namespace, None):
            self.parts.wakes.refused(world)
        if plan.objects:
            metrics.config_bytes.labels(namespace).set(size)
            metrics.renders.labels(namespace).set_to_current_time()
        return plan

    async def _refuse(self, world: World, why: str) -> None:
        if self._refused.get(world.namespace) == why:
            return
        self._refused[world.namespace] = why
        self.parts.wakes.refused(world)
        for name in world.routes:
            if body := self.parts.store.get(kinds.ROUTE, world.namespace, name):
                await self.parts.notices.post(body, (refusal.event(name, why),))

    async def _status(self, kind: Kind, key: Key, plan: Plan, status: Json | None) -> None:
        if status is None or not await self.parts.applier.status(kind, key.namespace, key.name, status):
            return
        if body := self.parts.store.get(kind, key.namespace, key.name):
            await self.parts.notices.post(body, plan.events)

    def _wait_for_probe(self, provider: Provider) -> float:
        """Seconds for which a status had better wait, as the first probe is under way; 0: none."""
        told = provider.status.get("observedGeneration") == provider.meta.generation
        slot = (provider.meta.uid, provider.meta.generation)
        if told or not self.parts.probes.undecided((provider.meta.namespace, provider.meta.name)):
            self._waiting.pop(slot, None)
            return 0.0
        since = self._waiting.setdefault(slot, self.parts.clock())
        return max(0.0, since + _FIRST_PROBE - self.parts.clock())

    def _settling(self) -> bool:
        return self.parts.clock() - self._started < _SETTLE

    def _recall(self, world: World) -> None:
        """Put what the last process knew where this one knows nothing yet."""
        for name in world.providers.keys() - self._recalled.get(world.namespace, frozenset()):
            published = self.parts.store.published(world.namespace, name)
            if probed := recall(world.providers[name], published):
                self.parts.probes.recalled((world.namespace, name), probed)
        self._recalled[world.namespace] = world.providers.keys()

    def _forget(self, namespace: str, name: str) -> None:
        self.parts.probes.set((namespace, name), 0, None)
        self.parts.pods.forget(namespace, name)
        self.parts.metrics.forget_provider(namespace, name)


def _target(world: World, provider: Provider) -> ProbeTarget | None:
    """What the prober is to ask, with what."""
    workload = world.workloads.get(provider.meta.name)
    credentials = provider.spec.endpoint.credentials if provider.spec and provider.spec.endpoint else None
    ref = credentials.secret_ref if credentials else None
    token = secret_value(world.secrets.get((ref.name, ref.key), "")) if ref else ""
    addresses = workload.addresses if workload else ()
    return target(provider, token, addresses, named(world, provider.meta.name))


def _with_reasons(workloads: Mapping[str, Workload], reasons: Mapping[str, Told]) -> Mapping[str, Workload]:
    said = {
        name: replace(workloads[name], reason=reason, message=message)
        for name, (reason, message) in reasons.items()
        if name in workloads
    }
    return {**workloads, **said} if said else workloads


def _rfc3339() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
