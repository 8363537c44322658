"""One key's turn: take what is known, let `fleet` decide, make it so. Nothing depends on which event woke it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pointsman.controller import keys, kinds, refusal, secrets
from pointsman.controller.groups import of_groups
from pointsman.fleet import keys as fleet_keys
from pointsman.fleet.acceptance import provider_refusal
from pointsman.fleet.chain import named
from pointsman.fleet.engine import soonest
from pointsman.fleet.memory import recall, recall_reason
from pointsman.fleet.plan import plan_namespace, plan_provider, plan_route
from pointsman.names import ENGINE_KEYS_SECRET
from pointsman.prober.request import target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from pointsman.api.deploy import Deploy
    from pointsman.controller.acks import Acks
    from pointsman.controller.adapters import Adapters
    from pointsman.controller.applier import Applier
    from pointsman.controller.children import Children
    from pointsman.controller.cluster import Cluster
    from pointsman.controller.groups import Groups
    from pointsman.controller.kinds import Kind
    from pointsman.controller.metrics import Metrics
    from pointsman.controller.notices import Notices
    from pointsman.controller.nudges import Nudges
    from pointsman.controller.pods import Pods
    from pointsman.controller.probes import Probes
    from pointsman.controller.proving import Proving
    from pointsman.controller.queue import Key
    from pointsman.controller.secrets import Secrets
    from pointsman.controller.store import Store
    from pointsman.controller.wakes import Wakes
    from pointsman.fleet.world import Json, Plan, Provider, Refused, Told, Workload, World
    from pointsman.prober.request import ProbeTarget

log = logging.getLogger(__name__)

_SETTLE: Final = 15.0  # seconds after the start in which a gateway that was not asked yet does not count as lost
_FIRST_PROBE: Final = 1.0  # seconds that a new provider's status waits for its first probe: one write instead of two
_SOON: Final = 0.25
_REFUSED: Final = 60.0  # seconds until what the API server refused is tried again
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
    cluster: Cluster
    children: Children
    groups: Groups
    adapters: Adapters
    proving: Proving
    gateway_service: str
    operator_namespace: str = ""
    clock: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class Reconciler:
    """Called with a key by the queue; gives the seconds after which to look again, or None."""

    parts: Parts
    _started: float = field(init=False)
    _waiting: dict[tuple[str, int], float] = field(default_factory=dict)  # since when, by uid and generation
    _recalled: dict[str, AbstractSet[str]] = field(default_factory=dict)  # providers whose past was looked at
    _unapplied: dict[tuple[str, str], tuple[Refused, ...]] = field(default_factory=dict)  # by namespace and provider
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
            workloads=self._workloads(seen),
            gateways=self.parts.acks.gateways(namespace),
            demand=self.parts.acks.demand(namespace),
            proofs=self.parts.proving.results(namespace),
            refused={name: each for (space, name), each in self._unapplied.items() if space == namespace and each},
            adapters=self.parts.adapters.told(namespace),
            leader_worker_sets=self.parts.groups.known,
            operator_namespace=self.parts.operator_namespace,
            gateway_url=f"http://{self.parts.gateway_service}.{namespace}.svc:8080",
        )

    def _workloads(self, seen: World) -> Mapping[str, Workload]:
        """With what their Pods told."""
        told, fetching = self.parts.pods.reasons(seen.namespace), self.parts.pods.fetching(seen.namespace)
        return {
            name: _fetching(self._with_reason(seen.namespace, name, each, told.get(name)), fetching.get(name))
            for name, each in seen.workloads.items()
        }

    def _with_reason(self, namespace: str, name: str, workload: Workload, told: Told | None) -> Workload:
        if told is not None:
            return replace(workload, told=told, reason=told.reason, message=told.message)
        # Nobody has looked since the operator began: the table shall say what it said, until somebody has.
        return replace(workload, reason=recall_reason(self.parts.store.published(namespace, name)))

    async def _provider(self, key: Key) -> float | None:
        parts, namespace, name = self.parts, key.namespace, key.name
        provider = parts.store.snapshot(namespace).providers.get(name)
        if provider is None or provider.meta.deleting:
            await self._forget(namespace, name)
            return None
        await self._prepare(provider)
        world = self.world(namespace)
        if (provider := world.providers.get(name)) is None:
            return None
        parts.probes.set((namespace, name), provider.meta.generation, _target(world, provider))
        plan = plan_provider(world, name, _rfc3339())
        again = await self._carry_out(provider, plan)
        if wait := self._wait_for_probe(provider):
            return wait
        if plan.objects:
            plan = plan_provider(self.world(namespace), name, _rfc3339())  # by what has just been deployed
        await self._status(kinds.PROVIDER, key, plan, plan.status)
        if _maintenance(plan.status or provider.status) != _maintenance(provider.status):
            parts.wakes.probed(self.world(namespace), name)  # it leaves its routes, or comes back
        return soonest(again, plan.again)

    async def _prepare(self, provider: Provider) -> None:
        """What has to be there before anything can be decided."""
        parts, namespace, name = self.parts, provider.meta.namespace, provider.meta.name
        await parts.secrets.ensure(namespace, secrets.names(provider), max_age=5.0)
        if _needs_key(provider) and (ENGINE_KEYS_SECRET, name) not in parts.secrets.values(namespace):
            await keys.ensure(parts.cluster, namespace, name)
            parts.secrets.expire(namespace, ENGINE_KEYS_SECRET)
            await parts.secrets.ensure(namespace, {ENGINE_KEYS_SECRET}, max_age=5.0)
        if of_groups(provider):
            await parts.groups.look(namespace, name)
        elif provider.spec and provider.spec.deploy:
            await parts.groups.survey(namespace)

    async def _carry_out(self, provider: Provider, plan: Plan) -> float | None:
        """Make the cluster what the plan says; seconds until its Pods are to be looked at again, None: no need."""
        parts, namespace, name = self.parts, provider.meta.namespace, provider.meta.name
        if provider.spec is None or provider_refusal(provider):
            return None
        refused = self._unapplied[namespace, name] = await parts.children.apply(provider, plan)
        workload = parts.store.snapshot(namespace).workloads.get(name)
        if provider.spec.deploy is None or workload is None:
            parts.adapters.forget(namespace, name)
            return _REFUSED if refused else None
        self._use(provider, provider.spec.deploy, plan, workload)
        missing = await parts.pods.look(namespace, name, workload, provider.spec.deploy)
        tried = plan.trial is not None and not refused
        return _SOON if tried else _PODS if missing else _REFUSED if refused else None

    def _use(self, provider: Provider, deploy: Deploy, plan: Plan, workload: Workload) -> None:
        """Ask the engine itself for what the plan wants of it."""
        parts, namespace, name = self.parts, provider.meta.namespace, provider.meta.name
        parts.acks.follow(namespace, closely=any(map(_is_followed, parts.store.snapshot(namespace).providers.values())))
        if provider.spec is None:
            return
        key = fleet_keys.credential(name, provider.spec, parts.secrets.values(namespace))
        parts.adapters.ensure(namespace, name, deploy, workload.addresses, key)
        parts.proving.ask((namespace, name), plan.prove, workload.addresses, key, deploy)

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
        await self._forget_keys(namespace)
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

    async def _forget_keys(self, namespace: str) -> None:
        """Of providers that went while nobody looked: a namesake must not get theirs."""
        known = self.parts.store.snapshot(namespace).providers
        made = [name for secret, name in self.parts.secrets.values(namespace) if secret == ENGINE_KEYS_SECRET]
        for name in (name for name in made if name not in known):
            await keys.forget(self.parts.cluster, namespace, name)
            self.parts.secrets.expire(namespace, ENGINE_KEYS_SECRET)

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

    async def _forget(self, namespace: str, name: str) -> None:
        parts = self.parts
        parts.probes.set((namespace, name), 0, None)
        parts.pods.forget(namespace, name)
        self._unapplied.pop((namespace, name), None)
        parts.adapters.forget(namespace, name)
        parts.proving.forget((namespace, name))
        parts.metrics.forget_provider(namespace, name)
        if (ENGINE_KEYS_SECRET, name) in parts.secrets.values(namespace):
            await keys.forget(parts.cluster, namespace, name)
            parts.secrets.expire(namespace, ENGINE_KEYS_SECRET)


def _is_followed(provider: Provider) -> bool:
    """Whether it matters at once what the gateways tell of it."""
    deploy = provider.spec.deploy if provider.spec else None
    return deploy is not None and (deploy.scaling is not None or bool(_maintenance(provider.status)))


def _maintenance(status: Json) -> object:
    return (status.get("maintenance") or {}).get("phase")


def _needs_key(provider: Provider) -> bool:
    deploy = provider.spec.deploy if provider.spec else None
    return deploy is not None and deploy.api_key_ref is None and not provider_refusal(provider)


def _target(world: World, provider: Provider) -> ProbeTarget | None:
    """What the prober is to ask, with what."""
    workload = world.workloads.get(provider.meta.name)
    token = fleet_keys.credential(provider.meta.name, provider.spec, world.secrets) if provider.spec else ""
    addresses = workload.addresses if workload else ()
    return target(provider, token, addresses, named(world, provider.meta.name))


def _fetching(workload: Workload, told: Told | None) -> Workload:
    if told is None or not told.reason or workload.prefetch is None:
        return workload  # what the Job itself tells stays
    return replace(workload, prefetch=replace(workload.prefetch, told=told))


def _rfc3339() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
