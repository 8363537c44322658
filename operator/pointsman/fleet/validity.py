"""What the CRD's CEL rules and the API server would refuse, and what only the parts below would stumble over.

In a cluster the first half never gets here; from files (`pointsman up`) it does. Each text says where, and how to mend.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pointsman.api.fields import seconds
from pointsman.dialects import compat_keys
from pointsman.fleet import deploy_validity
from pointsman.kinds import kind
from pointsman.names import Dialect, ProviderType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.provider import Endpoint, ModelEntry, ModelProviderSpec
    from pointsman.api.route import Context, ModelRouteSpec, Policy

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VISIBLE = re.compile(r"[\t\x20-\x7e]*")
_KEEPERS = (ProviderType.OLLAMA, ProviderType.LMSTUDIO)
_OWNED_HEADERS = {
    "authorization", "x-api-key", "proxy-authorization", "host", "connection", "content-length", "transfer-encoding",
    "upgrade", "te", "trailer", "expect", "content-type", "accept-encoding",
}  # fmt: skip


def name(of: str) -> Iterator[str]:
    if not _NAME.fullmatch(of):
        yield f"metadata.name: {of!r} must be at most 52 lower-case letters, digits and dashes"


def provider(spec: ModelProviderSpec) -> Iterator[str]:
    """What makes a provider's spec unusable; nothing when it is sound."""
    if (spec.endpoint is None) == (spec.deploy is None):
        yield "spec: exactly one of endpoint and deploy must be set"
    if spec.endpoint:
        yield from _endpoint(spec.endpoint)
    if spec.deploy:
        if spec.type is not ProviderType.VLLM:
            yield f"spec.deploy: needs type VLLM, not {spec.type}"
        yield from deploy_validity.refusals(spec.deploy)
    for i, entry in enumerate(spec.models or ()):
        yield from _model(entry, f"spec.models[{i}]")
        yield from _handed_on(spec, entry, f"spec.models[{i}]")
    if twice := _twice([entry.id for entry in spec.models or ()]):
        yield f"spec.models: {twice!r} is there twice: keep one"
    if spec.keep_loaded:
        yield from _kept(spec)
    if spec.probe:
        if spec.probe.mode == "Progress" and kind(spec.type).watch is None:
            yield f"spec.probe.mode: Progress: servers of type {spec.type} do not show it: use Models or Completion"
        yield from _durations("spec.probe", period=spec.probe.period, timeout=spec.probe.timeout)


def route(spec: ModelRouteSpec) -> Iterator[str]:
    """What makes a route's spec unusable, likewise."""
    chain = [(target.provider, target.model) for target in (spec.primary, *(spec.fallbacks or ()))]
    if twice := _twice(chain):
        yield f"spec.fallbacks: {twice[0]}/{twice[1]} is in the chain twice: a target that failed is not asked again"
    if twice := _twice([spec.model_name, *(spec.aliases or ())]):
        yield f"spec.aliases: {twice!r} is there twice, modelName counted: keep one"
    if spec.policy:
        yield from _policy(spec.policy)


def _kept(spec: ModelProviderSpec) -> Iterator[str]:
    if spec.type not in _KEEPERS:
        yield f"spec.keepLoaded: needs type {' or '.join(_KEEPERS)}, not {spec.type}: leave it out"
    if spec.keep_loaded != "Forever":
        yield from _durations("spec", keepLoaded=spec.keep_loaded)


def _endpoint(endpoint: Endpoint) -> Iterator[str]:
    if why := _url(endpoint.base_url):
        yield f"spec.endpoint.baseUrl: {why}"
    for key, value in (endpoint.headers or {}).items():
        if not _TOKEN.fullmatch(key) or not _VISIBLE.fullmatch(value):
            yield f"spec.endpoint.headers: {key!r}: names are HTTP tokens and values printable ASCII"
        elif key.lower() in _OWNED_HEADERS:
            yield f"spec.endpoint.headers: {key} is set by the gateway: for a key use credentials.secretRef"
    if endpoint.tls and endpoint.tls.ca_bundle and "-----BEGIN CERTIFICATE-----" not in endpoint.tls.ca_bundle:
        yield "spec.endpoint.tls.caBundle: holds no PEM certificate (-----BEGIN CERTIFICATE-----)"


def _url(text: str) -> str:
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError as error:
        return f"{text!r} is not a URL: {error}"
    if url.scheme not in {"http", "https"} or not host or port == 0:
        return f"{text!r} must be http://HOST[:PORT][/PATH] or https://…"
    if "@" in text:
        return "must hold no user or password: use credentials.secretRef"
    if "?" in text or "#" in text:
        return "must hold no query and no fragment"
    return "" if re.fullmatch(r"[\x21-\x7e]+", text) else "must hold no spaces and only ASCII"


def _model(entry: ModelEntry, path: str) -> Iterator[str]:
    for key, stated in (entry.compat or {}).items():
        if wrong := compat_keys.fault(key, stated):
            yield f"{path}.compat.{key}: {wrong}"
    if entry.cost and not all(map(math.isfinite, entry.cost.model_dump().values())):
        yield f"{path}.cost: must be finite numbers, USD per million tokens"


def _handed_on(spec: ModelProviderSpec, entry: ModelEntry, path: str) -> Iterator[str]:
    """What says who may answer is never taken where it would do nothing."""
    for key in (key for key in compat_keys.ROUTING if key in (entry.compat or {})):
        only = compat_keys.ONLY_FOR[key]
        if spec.type != only:
            yield f"{path}.compat.{key}: only for type {only}: at {spec.type} it would do nothing; leave it out"
        elif key == "vercelGatewayRouting" and Dialect.CHAT not in (spec.api or kind(spec.type).api):
            yield f"{path}.compat.{key}: holds in {Dialect.CHAT} alone: put that into spec.api"


def _policy(policy: Policy) -> Iterator[str]:
    if times := policy.timeouts:
        yield from _durations(
            "spec.policy.timeouts",
            connect=times.connect,
            firstToken=times.first_token,
            whole=times.whole,
            stall=times.stall,
            total=times.total,
        )
    if breaker := policy.circuit_breaker:
        yield from _durations("spec.policy.circuitBreaker", openDuration=breaker.open_duration)
    if back := policy.return_to_primary:
        yield from _durations("spec.policy.returnToPrimary", afterHealthy=back.after_healthy)
    if policy.hedging:
        yield from _durations("spec.policy.hedging", after=policy.hedging.after)
    yield from _context(policy.context)
    fence = policy.data_policy
    # In the table an empty list allows all: what reads as "nowhere" must never become "anywhere".
    if fence and fence.allowed_locations == []:
        yield "spec.policy.dataPolicy.allowedLocations: an empty list allows none: name one, or leave it out for all"
    if fence and fence.allowed_regions == []:
        yield "spec.policy.dataPolicy.allowedRegions: an empty list allows none: name one, or leave it out for all"


def _context(context: Context | None) -> Iterator[str]:
    if context and 0 < (context.warn_below or 0) < (context.block_below or 0):
        yield (
            f"spec.policy.context.warnBelow: {context.warn_below} is less than blockBelow {context.block_below}: "
            "what is passed over needs no warning; raise it, or leave it out"
        )


def _durations(path: str, **durations: str | None) -> Iterator[str]:
    for key, duration in durations.items():
        if duration is not None and not 0 < seconds(duration) <= 7 * 86400:
            yield f"{path}.{key}: {duration} must be longer than 0 and at most a week"


def _twice(items: list[Any]) -> Any:
    return next((item for i, item in enumerate(items) if item in items[:i]), None)
