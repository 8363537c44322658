"""What to ask of a provider, from its object: pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pointsman.api.fields import seconds
from pointsman.fleet.acceptance import provider_refusal
from pointsman.fleet.seen import normalised, speaks
from pointsman.kinds import kind
from pointsman.names import Location
from pointsman.prober.ask import Mode, ProbeRequest, TlsSettings
from pointsman.prober.thresholds import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.api.provider import ModelProviderSpec
    from pointsman.fleet.world import Provider

_LOCAL: Final = (10.0, 5.0)  # period and timeout in seconds
_ENGINE: Final = (5.0, 5.0)  # an engine that hangs behind a server that does not is to be found out within 15 s
_HOSTED: Final = (60.0, 10.0)
_SHORTEST: Final = 0.1  # seconds: a shorter period would be a busy loop


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """A request, and how its results are folded. While `identity` stays, earlier results stay true."""

    request: ProbeRequest
    settings: Settings
    identity: tuple[object, ...]


def target(provider: Provider, token: str, addresses: Sequence[str], models: Sequence[str] = ()) -> ProbeTarget | None:
    """What to ask of a provider; None: nothing, as it is refused, suspended, not to be probed, or has no address.

    `addresses` are a deployed provider's ready ones, host:port. `models` are those that routes name: where a token is
    asked for, they come first.
    """
    spec = provider.spec
    if spec is None or spec.suspend or provider.meta.deleting or provider_refusal(provider):
        return None
    if spec.probe and spec.probe.mode == "None":
        return None
    base_urls = _base_urls(spec, addresses)
    if not base_urls:
        return None
    request = _request(spec, base_urls, token, tuple(models))
    # Replicas come and go without the provider becoming another one.
    where = base_urls if spec.endpoint else ()
    identity = (spec.type, where, request.token, tuple(request.headers.items()), request.tls, request.path)
    return ProbeTarget(request, _settings(spec), identity)


def _base_urls(spec: ModelProviderSpec, addresses: Sequence[str]) -> tuple[str, ...]:
    if spec.endpoint:
        return (normalised(spec.endpoint.base_url),)
    return tuple(f"http://{address}" for address in sorted(addresses))


def _request(spec: ModelProviderSpec, base_urls: tuple[str, ...], token: str, models: tuple[str, ...]) -> ProbeRequest:
    endpoint, probe, mode = spec.endpoint, spec.probe, _mode(spec)
    tls = endpoint.tls if endpoint else None
    return ProbeRequest(
        kind=kind(spec.type),
        base_urls=base_urls,
        token=token,
        headers=dict(sorted((endpoint.headers or {}).items())) if endpoint else {},
        tls=TlsSettings(tls.ca_bundle or "", tls.server_name or "", tls.insecure_skip_verify) if tls else TlsSettings(),
        timeout=seconds(probe.timeout) if probe and probe.timeout else _usual(spec)[1],
        path=(probe.path if probe else None) or "",
        mode=mode,
        dialect=speaks(spec)[0],
        # Where no token is asked for, a route that comes or goes changes nothing.
        models=models if mode in {Mode.COMPLETION, Mode.ALIVE} else (),
    )


def _settings(spec: ModelProviderSpec) -> Settings:
    probe = spec.probe
    stated = max(seconds(probe.period), _SHORTEST) if probe and probe.period else 0.0
    return Settings(
        period=stated or _usual(spec)[0],
        failure_threshold=(probe.failure_threshold if probe else None) or 3,
        success_threshold=(probe.success_threshold if probe else None) or 1,
        patience=_patience(spec, stated=(probe.failure_threshold if probe else None)),
        steady=bool(stated),
    )


def _patience(spec: ModelProviderSpec, stated: int | None) -> int:
    watch = kind(spec.type).watch
    return stated or (watch.patience if watch else 3)


def _usual(spec: ModelProviderSpec) -> tuple[float, float]:
    """Period and timeout when the object does not say."""
    if _hosted(spec):
        return _HOSTED
    return _LOCAL if _mode(spec) is Mode.MODELS else _ENGINE


def _mode(spec: ModelProviderSpec) -> Mode:
    """What the object says; else engines near by have to prove that they move. Tokens of others cost money."""
    if spec.probe and spec.probe.mode:
        return Mode(spec.probe.mode)
    return Mode.MODELS if kind(spec.type).watch is None or _hosted(spec) else Mode.ALIVE


def _hosted(spec: ModelProviderSpec) -> bool:
    """Also what is said to be External."""
    stated = spec.data_policy.location if spec.data_policy else None
    return kind(spec.type).hosted or stated is Location.EXTERNAL
