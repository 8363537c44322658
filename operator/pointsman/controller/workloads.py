"""What Deployments and EndpointSlices say of the providers that run here. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pointsman.fleet.world import Workload
from pointsman.names import PROVIDER_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pointsman.fleet.world import Json


def read(deployments: Iterable[Json], slices: Iterable[Json]) -> Mapping[str, Workload]:
    """Workloads by the name of their provider."""
    addresses: defaultdict[str, set[str]] = defaultdict(set)
    for body in slices:
        addresses[owner(body)] |= ready(body)
    return {
        name: Workload(
            status=dict(body.get("status") or {}),
            generation=int(body["metadata"].get("generation") or 0),
            addresses=tuple(sorted(addresses[name])),
        )
        for body in deployments
        if (name := owner(body))
    }


def owner(body: Json) -> str:
    """The provider whose label an object carries; "" for none."""
    return str((body["metadata"].get("labels") or {}).get(PROVIDER_LABEL, ""))


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
