"""What a deployed provider's Pods tell: asked while replicas are missing and once more when all are there.

So no Pod is watched, and of a settled provider none is read.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from pointsman.controller.cluster import ApiError
from pointsman.engines.vllm_layout import startup
from pointsman.fleet import podreport
from pointsman.fleet.world import Told
from pointsman.names import PROVIDER_LABEL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from pointsman.api.deploy import Deploy
    from pointsman.controller.cluster import Cluster
    from pointsman.fleet.podreport import Log
    from pointsman.fleet.world import Json, Workload

    ReadLog = Callable[[str, Log], Awaitable[str]]  # of a namespace; ApiError: it cannot be read

log = logging.getLogger(__name__)

_LOGS: Final = 256  # kept ends of logs, each of at most LOG_BYTES
LOG_BYTES: Final = 32_768
LOG_LINES: Final = 400


class Pods:
    """What was told of each provider's Pods when they were last looked at.

    `read_log` reads the end of a container's log, where vLLM's termination message ends before the cause; None: no
    log is read, and the status names the command that shows it.
    """

    def __init__(self, cluster: Cluster, read_log: ReadLog | None = None) -> None:
        self._cluster, self._read_log = cluster, read_log
        self._told: dict[tuple[str, str], Told] = {}
        self._fetching: dict[tuple[str, str], Told] = {}
        self._settled: set[tuple[str, str]] = set()
        self._logs: dict[tuple[str, str, int], str] = {}  # by namespace, Pod and restarts

    async def look(self, namespace: str, provider: str, workload: Workload, deploy: Deploy) -> bool:
        """Ask why, if replicas are missing or the model is being fetched. True: so it is worth looking again."""
        key = (namespace, provider)
        fetching = workload.prefetch is not None and not workload.prefetch.done
        missing = fetching or _missing(workload)
        if not missing and key in self._settled:
            return False
        pods = await self._cluster.pods(namespace, f"{PROVIDER_LABEL}={provider}")
        logs = await self._ends(namespace, pods) if missing else {}
        told = podreport.told(pods, deploy.gpu_resource_name, startup(deploy), logs)
        self._told[key] = told if missing else Told(startup=told.startup)
        self._fetching[key] = podreport.fetched(pods, workload.prefetch.job, logs) if workload.prefetch else Told()
        (self._settled.discard if missing else self._settled.add)(key)
        return missing

    def reasons(self, namespace: str) -> Mapping[str, Told]:
        """By provider, what its engine's Pods told; of one that is ready how long its start took."""
        return {name: told for (space, name), told in self._told.items() if space == namespace}

    def fetching(self, namespace: str) -> Mapping[str, Told]:
        """By provider, what the Pods of the Job that fetches its model told."""
        return {name: told for (space, name), told in self._fetching.items() if space == namespace}

    def forget(self, namespace: str, provider: str) -> None:
        self._told.pop((namespace, provider), None)
        self._fetching.pop((namespace, provider), None)
        self._settled.discard((namespace, provider))

    async def _ends(self, namespace: str, pods: Iterable[Json]) -> dict[str, str]:
        """The ends of the logs that are worth it, by Pod; each is read once for each time its container ended."""
        found: dict[str, str] = {}
        for wanted in podreport.wanted_logs(pods) if self._read_log else ():
            key = (namespace, wanted.pod, wanted.restarts)
            if key not in self._logs:
                self._logs[key] = await self._end(namespace, wanted)
            found[wanted.pod] = self._logs[key]
        while len(self._logs) > _LOGS:
            del self._logs[next(iter(self._logs))]
        return found

    async def _end(self, namespace: str, wanted: Log) -> str:
        try:
            return await self._read_log(namespace, wanted) if self._read_log else ""
        except ApiError as error:  # it is gone with its container, or we may not
            log.info("%s: the log of %s is not to be had: %s", namespace, wanted.pod, error)
            return ""


def _missing(workload: Workload) -> bool:
    # Of replicas that have no Pod yet, no Pod can tell; that they have one wakes us by itself.
    return workload.ready < int(workload.status.get("replicas") or 0)
