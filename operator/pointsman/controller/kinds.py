"""The kinds that the operator reads and writes: where they are in the API, and which of them it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pointsman.names import API_VERSION, CREDENTIALS_SECRET, GATEWAY_LABEL, PROVIDER_LABEL, ROUTING_CONFIGMAP


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `labels` and `fields` are the server-side filters of every LIST and watch."""

    name: str
    api: str  # group/version, or v1
    plural: str
    labels: str = ""
    fields: str = ""
    namespaced: bool = True

    @property
    def group(self) -> str:
        return self.api.rpartition("/")[0]

    @property
    def version(self) -> str:
        return self.api.rpartition("/")[2]

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """The URL path of an object, or of the collection without a name (of all namespaces without one)."""
        parts = ["/apis" if self.group else "/api", self.api]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        return "/".join([*parts, self.plural, *(part for part in (name, subresource) if part)])


PROVIDER: Final = Kind("ModelProvider", API_VERSION, "modelproviders")
ROUTE: Final = Kind("ModelRoute", API_VERSION, "modelroutes")
DEPLOYMENT: Final = Kind("Deployment", "apps/v1", "deployments", labels=PROVIDER_LABEL)
SERVICE: Final = Kind("Service", "v1", "services", labels=PROVIDER_LABEL)
# The labels of a Service are on its EndpointSlices too.
SLICE: Final = Kind("EndpointSlice", "discovery.k8s.io/v1", "endpointslices", labels=PROVIDER_LABEL)
JOB: Final = Kind("Job", "batch/v1", "jobs", labels=PROVIDER_LABEL)
CLAIM: Final = Kind("PersistentVolumeClaim", "v1", "persistentvolumeclaims", labels=PROVIDER_LABEL)
BUDGET: Final = Kind("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets", labels=PROVIDER_LABEL)
NETWORK_POLICY: Final = Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies", labels=PROVIDER_LABEL)
# Of a controller that not every cluster has: a watch on it might never start, so it is asked for when it is needed.
GROUP_OF_PODS: Final = Kind("LeaderWorkerSet", "leaderworkerset.x-k8s.io/v1", "leaderworkersets", labels=PROVIDER_LABEL)
# With metadata.name as field selector the API server authorizes LIST and watch by resourceNames (least privilege).
CONFIGMAP: Final = Kind("ConfigMap", "v1", "configmaps", fields=f"metadata.name={ROUTING_CONFIGMAP}")
SECRET: Final = Kind("Secret", "v1", "secrets", fields=f"metadata.name={CREDENTIALS_SECRET}")
GATEWAY: Final = Kind("Pod", "v1", "pods", labels=f"{GATEWAY_LABEL}=true")
NAMESPACE: Final = Kind("Namespace", "v1", "namespaces", namespaced=False)
EVENT: Final = Kind("Event", "events.k8s.io/v1", "events")

WATCHED: Final = (
    PROVIDER, ROUTE, DEPLOYMENT, SERVICE, SLICE, JOB, CLAIM, BUDGET, NETWORK_POLICY, CONFIGMAP, SECRET, GATEWAY,
    NAMESPACE,
)  # fmt: skip
KEPT: Final = (*WATCHED, GROUP_OF_PODS)  # in the store
BY_NAME: Final = {kind.name: kind for kind in (*KEPT, EVENT)}
# What a provider's plan may hold and what is deleted again when it no longer does. Never a claim: it may hold weights
# that took hours to fetch, and goes with its provider alone.
CHILDREN: Final = (DEPLOYMENT, SERVICE, JOB, BUDGET, NETWORK_POLICY, GROUP_OF_PODS)
