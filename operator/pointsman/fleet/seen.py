"""One provider and everything known of it: what the checks look at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pointsman.engines import vllm_container
from pointsman.fleet import scale
from pointsman.fleet.acceptance import provider_refusal
from pointsman.fleet.podreport import PROGRESS
from pointsman.kinds import kind
from pointsman.names import Location
from pointsman.served import Probed, State

if TYPE_CHECKING:
    from pointsman.api.provider import ModelProviderSpec
    from pointsman.fleet.conditions import Finding
    from pointsman.fleet.world import Provider, Workload, World
    from pointsman.names import Dialect

DISABLED = Probed(reason="ProbeDisabled", message="spec.probe.mode is None: taken to serve")
_FINAL = re.compile(r"(?<=[^:/])(/+v1)*/*$")  # never the host's own //


@dataclass(frozen=True, slots=True)
class Seen:
    """An accepted provider. `workload` is None for an endpoint and until the cluster has told of the Deployment."""

    world: World
    provider: Provider
    spec: ModelProviderSpec
    probed: Probed
    workload: Workload | None

    @property
    def name(self) -> str:
        return self.provider.meta.name

    @property
    def out(self) -> bool:
        """Whether a rollout has taken it out of its routes for a while."""
        deploy = self.spec.deploy
        stays = deploy is not None and deploy.rollout is not None and deploy.rollout.use_fallback is False
        return deploy is not None and not stays and bool((self.provider.status.get("maintenance") or {}).get("phase"))


def seen(world: World, name: str) -> Seen | Finding | None:
    """The provider, why it is refused, or None when there is none (or it is being deleted)."""
    provider = world.providers.get(name)
    if provider is None or provider.meta.deleting:
        return None
    refusal = provider_refusal(provider)
    if refusal or provider.spec is None:
        return refusal
    workload = world.workloads.get(name) if provider.spec.deploy else None
    off = provider.spec.probe and provider.spec.probe.mode == "None"
    probed = DISABLED if off else world.probes.get(name, Probed())
    return Seen(world, provider, provider.spec, probed, workload)


def base_url(seen: Seen) -> str:
    """Where the server is, without a final slash and without /v1: what a dialect's path is appended to."""
    if seen.spec.deploy or not seen.spec.endpoint:
        return f"http://{seen.name}.{seen.world.namespace}.svc:{vllm_container.PORT}"
    return normalised(seen.spec.endpoint.base_url)


def normalised(url: str) -> str:
    """A base URL as people write it, without final slashes and /v1: "http://h:1/v1/" -> "http://h:1"."""
    return _FINAL.sub("", url)


def location(seen: Seen) -> Location:
    """Where its data goes: what is said; else in the cluster when deployed here, and external otherwise."""
    stated = seen.spec.data_policy.location if seen.spec.data_policy else None
    return stated or (Location.IN_CLUSTER if seen.spec.deploy else Location.EXTERNAL)


def region(seen: Seen) -> str:
    return (seen.spec.data_policy.region if seen.spec.data_policy else None) or ""


def speaks(spec: ModelProviderSpec) -> tuple[Dialect, ...]:
    """Its native dialects, preferred first."""
    return tuple(spec.api or kind(spec.type).api)


def native(seen: Seen) -> bool:
    """Whether it is the vendor itself: its type says so, and its host is not somebody else's."""
    of = kind(seen.spec.type)
    # A vendor has hosts for regions under its own: eu.api.openai.com.
    own, host = (f".{urlsplit(url).hostname or ''}".rstrip(".") for url in (of.base_url, base_url(seen)))
    return of.native and (not of.base_url or host.endswith(own))


def state(seen: Seen) -> tuple[State, str]:
    """Up, Down or Unknown, and why it is not Up."""
    if seen.out:
        return State.DOWN, "Maintenance"
    if seen.workload and (reason := _by_demand(seen.spec, seen.workload)):
        return State.DOWN, reason
    idle = seen.workload is not None and not seen.workload.addresses and not seen.workload.ready
    if idle and seen.workload:
        # Told by the cluster before any probe can find out.
        return State.DOWN, seen.workload.reason or "NoReadyReplica"
    return seen.probed.state, "" if seen.probed.state is State.UP else seen.probed.reason


def _by_demand(spec: ModelProviderSpec, workload: Workload) -> str:
    """Why nothing answers where demand decides what runs: ScaledToZero, Waking; "": it does not."""
    live = workload.replicas if workload.present else None
    reason = scale.table_reason(spec, live, workload.ready)
    # What keeps it from starting must not read as if it were only a matter of time.
    return reason if reason != scale.WAKING or workload.reason in {"", *PROGRESS} else ""
