"""A small language to write worlds in: `world(providers=[deployed("qwen")], routes=[route("r", "qwen/m")])`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.fleet.world import Gateway, Provider, Route, Workload, World, read_provider, read_route
from pointsman.names import Mode
from pointsman.served import Probed, ServedModel, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NOW = "2026-11-21T09:00:00Z"
LATER = "2026-11-21T10:00:00Z"
Json = dict[str, Any]


def meta(name: str, created: str = "2026-01-01T00:00:00Z", **more: Any) -> Json:
    return {
        "namespace": "ai",
        "name": name,
        "uid": f"uid-{name}",
        "generation": 1,
        "creationTimestamp": created,
        **more,
    }


def provider(name: str, spec: Json, status: Json | None = None, **more: Any) -> Provider:
    return read_provider({"metadata": meta(name, **more), "spec": spec, "status": status or {}})


def endpoint(name: str, url: str = "http://10.0.0.7:8000/v1", /, **spec: Any) -> Provider:
    """A server that others run; `secret=` names its Secret (key `token`)."""
    secret = spec.pop("secret", None)
    place: Json = {"baseUrl": url}
    if secret:
        place["credentials"] = {"secretRef": {"name": secret}}
    return provider(name, {"type": "OpenAICompatible", "endpoint": place, **spec})


def deployed(name: str, /, **deploy: Any) -> Provider:
    """A server that runs here."""
    spec = {"model": {"source": "hf://Qwen/Qwen3-32B"}, **deploy}
    return provider(name, {"type": "VLLM", "deploy": spec})


def route(
    name: str, *targets: str, policy: Json | None = None, created: str = "2026-01-01T00:00:00Z", **spec: Any
) -> Route:
    """A route over targets written provider/model, primary first."""
    chain = [dict(zip(("provider", "model"), target.split("/", 1), strict=True)) for target in targets]
    body: Json = {"modelName": name, "primary": chain[0], **spec}
    if chain[1:]:
        body["fallbacks"] = chain[1:]
    if policy is not None:
        body["policy"] = policy
    return read_route({"metadata": meta(name, created), "spec": body})


def up(*models: str, windows: Mapping[str, int] | None = None, **fields: Any) -> Probed:
    served = tuple(ServedModel(id=each, context_window=(windows or {}).get(each, 0)) for each in models)
    return Probed(**{"state": State.UP, "reason": "", "message": "", "models": served, "models_known": True} | fields)


def down(reason: str = "ConnectionRefused", **fields: Any) -> Probed:
    return Probed(**{"state": State.DOWN, "reason": reason, "message": f"it is so: {reason}", "failures": 3} | fields)


def running(ready: int = 1, of: int = 1, **fields: Any) -> Workload:
    addresses = tuple(f"10.1.0.{i + 1}:8000" for i in range(ready))
    return Workload(**{"status": {"replicas": of, "readyReplicas": ready}, "addresses": addresses} | fields)


def world(providers: Iterable[Provider] = (), routes: Iterable[Route] = (), **fields: Any) -> World:
    hashes: tuple[str, ...] = fields.pop("gateways", ())
    gateways = tuple(Gateway(f"gateway-{i}", each) for i, each in enumerate(hashes))
    return World(
        **{"namespace": "ai", "mode": Mode.MERGE, "gateways": gateways, "gateway_url": "http://127.0.0.1:4180"}
        | fields,
        providers={each.meta.name: each for each in providers},
        routes={each.meta.name: each for each in routes},
    )


def condition(conditions: Iterable[Json], kind: str) -> tuple[str, str]:
    """(status, reason) of a condition."""
    return next((str(each["status"]), str(each["reason"])) for each in conditions if each["type"] == kind)
