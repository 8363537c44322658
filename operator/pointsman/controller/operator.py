"""The operator, put together: events → store → queue → plan → applier, and back into the store."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import kopf
from kubernetes.aio.config import ConfigException

from pointsman.controller import endpoints, handlers, kinds
from pointsman.controller.acks import Acks
from pointsman.controller.adapters import Adapters
from pointsman.controller.applier import Applier
from pointsman.controller.children import Children
from pointsman.controller.cluster import Cluster, configuration
from pointsman.controller.groups import Groups
from pointsman.controller.metrics import Metrics
from pointsman.controller.notices import Notices
from pointsman.controller.nudges import Nudges
from pointsman.controller.pods import LOG_BYTES, LOG_LINES, Pods
from pointsman.controller.probes import Probes
from pointsman.controller.proving import Proving
from pointsman.controller.queue import Key, Queue
from pointsman.controller.reconcile import Parts, Reconciler
from pointsman.controller.resync import Resync
from pointsman.controller.secrets import Secrets
from pointsman.controller.store import Change, Store
from pointsman.controller.wakes import Wakes
from pointsman.names import Mode
from pointsman.prober.schedule import Prober

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from pointsman.controller.probes import Name
    from pointsman.fleet.podreport import Log
    from pointsman.served import Finding, Probed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """`namespaces` empty: the whole cluster. `mode` holds where a Namespace's annotation says nothing."""

    namespaces: tuple[str, ...] = ()
    resync_seconds: float = 300.0
    metrics_port: int = 9090
    health_port: int = 8081
    gateway_service: str = "pointsman-gateway"
    own_namespace: str = ""  # where the operator runs; "": outside of the cluster
    kubeconfig: str | None = None
    mode: Mode = Mode.MERGE


def run(options: Options) -> int:
    """Run until SIGTERM or SIGINT (0), or until something that must not end has ended (1): then start it anew."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("kopf", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return asyncio.run(_main(options))


async def _main(options: Options) -> int:
    try:
        reached = await configuration(options.kubeconfig)
    except (ConfigException, OSError) as error:
        log.error("no way to the API server: %s: pass --kubeconfig, or run in a Pod", error)  # noqa: TRY400 - told whole
        return 1
    metrics = Metrics()
    cluster = Cluster(reached, lambda kind, verb: metrics.writes.labels(kind, verb).inc())
    operator = Operator(options, cluster, metrics)
    try:
        async with endpoints.served(metrics.registry, operator.ready, options.metrics_port, options.health_port):
            return await operator.run()
    finally:
        await operator.close()


class Operator:
    """All parts, and the wires between them."""

    def __init__(self, options: Options, cluster: Cluster, metrics: Metrics) -> None:
        self._options, self._cluster, self._metrics = options, cluster, metrics
        self._listed, self._stopping = asyncio.Event(), False
        self._background: list[asyncio.Task[None]] = []
        self.queue = Queue(self._turn, on_error=lambda key: metrics.errors.labels(key.kind).inc())
        self.wakes = Wakes(self.queue.add, self._put_off)
        self.store = Store(self._changed, options.mode)
        self.prober: Prober[Name] = Prober(on_result=self._result, on_probe=self._probed)
        self.probes = Probes(self.prober.set, lambda name: self.wakes.probed(self.store.snapshot(name[0]), name[1]))
        self.secrets = Secrets(cluster, self._secret_changed)
        self.applier = Applier(self.store, cluster)
        self.adapters = Adapters(self._engine_told)
        self.proving = Proving(lambda name: self._engine_told(*name))
        nudges = Nudges(self.store, cluster)
        self.acks = Acks(
            lambda namespace: self.wakes.gateways(self.store.snapshot(namespace)), nudges.stale, self._engine_told
        )
        self.resync = Resync(self.store, cluster, options.namespaces, options.resync_seconds, self._resynced)
        self.reconciler = Reconciler(
            Parts(
                store=self.store,
                applier=self.applier,
                secrets=self.secrets,
                probes=self.probes,
                acks=self.acks,
                nudges=nudges,
                pods=Pods(cluster, self._read_log),
                notices=Notices(cluster),
                metrics=metrics,
                wakes=self.wakes,
                cluster=cluster,
                children=Children(self.store, cluster, self.applier),
                groups=Groups(cluster, self.store),
                adapters=self.adapters,
                proving=self.proving,
                gateway_service=options.gateway_service,
                operator_namespace=options.own_namespace,
            )
        )
        metrics.watch(self.store, self.acks.gateways, self.queue)

    def ready(self) -> bool:
        return self.store.synced

    async def run(self) -> int:
        """Until kopf ends, as it does on a signal, or until any part fails."""
        await self.resync.served()
        async with self._running() as background:
            shell = asyncio.create_task(self._kopf(), name="kopf")
            try:
                await asyncio.wait({shell, *background}, return_when=asyncio.FIRST_COMPLETED)
                if self._stopping:  # kopf is on its way out, and tells in the end whether it failed
                    await asyncio.wait({shell}, timeout=30)
                return _status((shell, *background))
            finally:
                shell.cancel()
                await asyncio.wait({shell}, timeout=10)

    async def close(self) -> None:
        await self.acks.close()
        await self.adapters.close()
        await self.proving.close()
        await self.prober.close()
        await self._cluster.close()

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[list[asyncio.Task[None]]]:
        parts = {
            "resync": self.resync.run(),
            "queue": self._work(),
            "secrets": self.secrets.run(),
            "prober": self.prober.run(),
        }
        self._background = [asyncio.create_task(part, name=name) for name, part in parts.items()]
        try:
            yield self._background
        finally:
            await self._stop()

    async def _stop(self) -> None:
        self._stopping = True
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def _kopf(self) -> None:
        options = self._options
        watched = handlers.watched(options.namespaces)
        await kopf.operator(
            registry=handlers.registry(self.store, self._cluster, watched, self._stop),
            settings=handlers.settings(watched),
            standalone=True,
            clusterwide=not options.namespaces,
            namespaces=options.namespaces,
        )

    async def _work(self) -> None:
        # Nothing is decided from a half-read world.
        await self._listed.wait()
        await self.queue.run()

    async def _turn(self, key: Key) -> float | None:
        return await self.reconciler(key)

    def _put_off(self, key: Key) -> None:
        # A table is published as soon as its namespace is quiet for a moment; the routes' status follows when the
        # gateways had time to take it up, so that one write tells all.
        quiet, cap = (0.15, 1.0) if key.kind == "namespace" else (0.5, 2.0)
        self.queue.put_off(key, quiet, cap)

    def _changed(self, change: Change) -> None:
        self.wakes.changed(self.store, change)
        if change.kind is kinds.GATEWAY:
            self.acks.put(change.namespace, change.name, change.new)
        if change.old and change.new is None:
            self.applier.forget(change.old["metadata"]["uid"])

    def _result(self, name: Name, probed: Probed) -> None:
        self.probes.took(name, probed)

    def _probed(self, name: Name, finding: Finding, seconds: float) -> None:
        self._metrics.probed(*name, finding.reason or "ok", seconds)

    def _engine_told(self, namespace: str, name: str) -> None:
        self.queue.add(Key("provider", namespace, name))

    async def _read_log(self, namespace: str, wanted: Log) -> str:
        return await self._cluster.log(
            namespace, wanted.pod, wanted.container, previous=wanted.previous, lines=LOG_LINES, size=LOG_BYTES
        )

    def _secret_changed(self, namespace: str, name: str) -> None:
        self.wakes.secret(self.store.snapshot(namespace), name)

    def _resynced(self, ok: bool) -> None:
        self._metrics.resyncs.labels("ok" if ok else "failed").inc()
        if self.store.synced:
            self._listed.set()
            self.wakes.everything(self.store, self.store.namespaces())


def _status(tasks: Iterable[asyncio.Task[None]]) -> int:
    """The exit status: 1 when a task failed, which is told."""
    ended = (task for task in tasks if task.done() and not task.cancelled())
    failed = [task for task in ended if task.exception()]
    for task in failed:
        log.error("%s failed, so the operator ends", task.get_name(), exc_info=task.exception())
    return 1 if failed else 0
