"""What Deployments, EndpointSlices and Jobs say of the providers that run here. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pointsman.fleet import podreport
from pointsman.fleet.pod_times import between, moment
from pointsman.fleet.world import Prefetch, Workload
from pointsman.names import PROVIDER_LABEL, REVISION_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pointsman.fleet.world import Json


def read(engines: Iterable[Json], slices: Iterable[Json], jobs: Iterable[Json] = ()) -> Mapping[str, Workload]:
    """Workloads by the name of their provider. `engines` are Deployments and LeaderWorkerSets."""
    addresses: defaultdict[str, set[str]] = defaultdict(set)
    for body in slices:
        addresses[owner(body)] |= ready(body)
    live = {name: body for body in engines if (name := owner(body)) and not going(body)}
    newest = sorted((job for job in jobs if not going(job)), key=lambda job: str(job["metadata"]["creationTimestamp"]))
    fetching = {name: _prefetch(body) for body in newest if (name := owner(body))}
    return {
        name: _workload(live.get(name), tuple(sorted(addresses[name])), fetching.get(name))
        for name in live.keys() | fetching.keys()
    }


def owner(body: Json) -> str:
    """The provider whose label an object carries; "" for none."""
    return str((body["metadata"].get("labels") or {}).get(PROVIDER_LABEL, ""))


def going(body: Json) -> bool:
    return bool(body["metadata"].get("deletionTimestamp"))


def ready(body: Json) -> set[str]:
    """host:port of an EndpointSlice's endpoints that may be sent requests (no condition means ready)."""
    port = next((port["port"] for port in body.get("ports") or () if port.get("port")), None)
    if port is None:
        return set()
    brackets = "[{}]:{}" if body.get("addressType") == "IPv6" else "{}:{}"
    return {
        brackets.format(endpoint["addresses"][0], port)
        for endpoint in body.get("endpoints") or ()
        if endpoint.get("addresses") and (endpoint.get("conditions") or {}).get("ready") is not False
    }


def _workload(body: Json | None, addresses: tuple[str, ...], prefetch: Prefetch | None) -> Workload:
    if body is None:
        return Workload(present=False, addresses=addresses, prefetch=prefetch)
    spec = body.get("spec") or {}
    return Workload(
        status=_status(body),
        generation=int(body["metadata"].get("generation") or 0),
        replicas=int(spec.get("replicas") or 0),
        revision=_revision(spec),
        addresses=addresses,
        prefetch=prefetch,
    )


def _revision(spec: Json) -> str:
    template = spec.get("template") or (spec.get("leaderWorkerTemplate") or {}).get("leaderTemplate") or {}
    return str(((template.get("metadata") or {}).get("annotations") or {}).get(REVISION_ANNOTATION, ""))


def _status(body: Json) -> Json:
    status = dict(body.get("status") or {})
    if body.get("kind") == "LeaderWorkerSet":
        # It tells no observedGeneration: what is asked for anew shows when its groups are counted anew.
        status.setdefault("observedGeneration", int(body["metadata"].get("generation") or 0))
    return status


def _prefetch(body: Json) -> Prefetch:
    status = body.get("status") or {}
    ended = {each.get("type"): each for each in status.get("conditions") or () if each.get("status") == "True"}
    return Prefetch(
        job=str(body["metadata"]["name"]),
        done="Complete" in ended,
        failed="Failed" in ended,
        seconds=between(moment(status.get("startTime")), moment(status.get("completionTime"))),
        told=podreport.podless(body),
    )
