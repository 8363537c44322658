"""Objects that the CRDs must take or refuse: asked of a real API server and of the Python checks alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

ENDPOINT = {"baseUrl": "http://127.0.0.1:1234/v1"}
DEPLOY = {"model": {"source": "hf://Qwen/Qwen3-32B"}}
TARGET = {"provider": "lmstudio", "model": "my-local-model"}
OTHER = {"provider": "qwen", "model": "Qwen/Qwen3-32B"}


@dataclass(frozen=True)
class Bad:
    """An object to be refused: at `path`, and with `message` where a CEL rule says so."""

    what: str
    body: Json
    path: str
    message: str = ""


def provider(name: str = "example", **spec: Any) -> Json:
    """A ModelProvider at an endpoint; None takes a field away."""
    return _body("ModelProvider", name, {"type": "LMStudio", "endpoint": ENDPOINT} | spec)


def deployed(**deploy: Any) -> Json:
    """A ModelProvider that is deployed."""
    return provider(type="VLLM", endpoint=None, deploy=DEPLOY | deploy)


def route(name: str = "example", **spec: Any) -> Json:
    """A ModelRoute of one target."""
    return _body("ModelRoute", name, {"modelName": "assistant", "primary": TARGET} | spec)


def at(url: str) -> Json:
    """A ModelProvider at a base URL."""
    return provider(endpoint={"baseUrl": url})


def _body(kind: str, name: str, spec: Json) -> Json:
    kept = {key: value for key, value in spec.items() if value is not None}
    return {"apiVersion": "pointsman.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": kept}


MODEL = {
    "id": "my-local-model",
    "name": "Local Model",
    "reasoning": False,
    "input": ["text", "image"],
    "cost": {"input": 0, "output": 0.5, "cacheRead": 0, "cacheWrite": 0},
    "contextWindow": 196608,
    "maxTokens": 8192,
    "compat": {"requiresStringContent": True, "openRouterRouting": {"only": ["x"]}, "thinkingFormat": "qwen"},
}

GOOD: dict[str, Json] = {
    "smallest endpoint": provider(),
    "smallest deployment": deployed(),
    "whole endpoint": provider(
        endpoint=ENDPOINT
        | {
            "credentials": {"secretRef": {"name": "keys.example", "key": "LM_key-1.x"}},
            "headers": {"x-tenant": "a"},
            "tls": {"caBundle": "-----BEGIN CERTIFICATE-----", "serverName": "box", "insecureSkipVerify": True},
        },
        api=["openai-responses", "openai-completions"],
        discovery="Static",
        models=[MODEL, {"id": "Second Model:8b@q4"}],
        dataPolicy={"location": "OnPremises", "region": "eu-west-1"},
        probe={"mode": "Models", "period": "10s", "timeout": "1m30s", "failureThreshold": 3, "path": "/health"},
        limits={"maxConcurrentRequests": 8},
        keepLoaded="1h30m",
        suspend=True,
    ),
    "whole deployment": deployed(
        model={"source": "pvc://claim/path", "tokenSecretRef": {"name": "hub"}, "servedNames": ["a", "b"]},
        gpus=2,
        replicas=0,
        engine={"gpuMemoryUtilization": 0.9, "extraArgs": ["--x"], "env": [{"name": "A", "value": "b"}]},
        tolerations=[{"key": "gpu", "operator": "Exists"}],
        resources={"cpu": 4, "memory": "16Gi"},
        sharedMemorySize="2Gi",
        nodeSelector={"a": "b"},
        affinity={"nodeAffinity": {"anything": [1]}},
    ),
    "https": at("https://llm.example.com"),
    "port and path": at("http://10.0.0.5:8000/api/v1/"),
    "IPv6": at("http://[::1]:1234/v1"),
    "longest name": provider("a" * 52),
    "smallest route": route(),
    "whole route": route(
        aliases=["MiniMax Local", "本地", "a/b"],
        fallbacks=[OTHER, TARGET | {"model": "other"}],
        policy={
            "failover": {"on": ["Timeout", "RateLimited"], "maxAttempts": 3},
            "timeouts": {"connect": "2s", "firstToken": "10s", "whole": "2m", "stall": "1.5s", "total": "1h30m"},
            "circuitBreaker": {"consecutiveFailures": 1, "openDuration": "500ms", "halfOpenRequests": 2},
            "dataPolicy": {"allowedLocations": ["InCluster", "OnPremises"], "allowedRegions": ["eu"]},
            "context": {"warnBelow": 32000, "blockBelow": 16000, "onFallback": "Warn"},
            "requiredCapabilities": ["tools"],
            "returnToPrimary": {"afterHealthy": "1m"},
            "hedging": {"after": "3s"},
            "midStream": "Resume",
            "dropTools": True,
        },
    ),
}

_ONE_OF = "exactly one of endpoint and deploy must be set"
_URL = "must be an http:// or https:// URL"
_LONG = "x" * 3000

BAD = [
    Bad("neither endpoint nor deploy", provider(endpoint=None), "spec", _ONE_OF),
    Bad("both endpoint and deploy", provider(type="VLLM", deploy=DEPLOY), "spec", _ONE_OF),
    Bad("deploy of another type", provider(endpoint=None, deploy=DEPLOY), "spec", "deploy needs type VLLM"),
    Bad("no type", provider(type=None), "spec.type"),
    Bad("unknown type", provider(type="lmstudio"), "spec.type"),
    Bad("other scheme", at("ftp://host/file"), "spec.endpoint.baseUrl", _URL),
    Bad("no scheme", at("localhost:1234"), "spec.endpoint.baseUrl", _URL),
    Bad("words", at("the box under the desk"), "spec.endpoint.baseUrl", _URL),
    Bad("path only", at("/v1/models"), "spec.endpoint.baseUrl", _URL),
    Bad("port 0", at("http://host:0/v1"), "spec.endpoint.baseUrl", "must name a port from 1 to 65535"),
    Bad("port too large", at("http://host:65536/v1"), "spec.endpoint.baseUrl", "must name a port from 1 to 65535"),
    Bad("beyond ASCII", at("http://host/\u00e4"), "spec.endpoint.baseUrl", "must hold no spaces and only ASCII"),
    Bad("space at the end", at("http://host/v1 "), "spec.endpoint.baseUrl", "must hold no spaces and only ASCII"),
    Bad("IPv6 that is none", at("http://[1]/v1"), "spec.endpoint.baseUrl", _URL),
    Bad("no host", at("http:///v1"), "spec.endpoint.baseUrl", _URL),
    Bad("space in the host", at("http://a b/v1"), "spec.endpoint.baseUrl", _URL),
    Bad("port of letters", at("http://host:port/v1"), "spec.endpoint.baseUrl", _URL),
    Bad("broken IPv6", at("http://[::1/v1"), "spec.endpoint.baseUrl", _URL),
    Bad("broken escape", at("http://host/%zz"), "spec.endpoint.baseUrl", _URL),
    Bad("password", at("http://me:pw@host/v1"), "spec.endpoint.baseUrl", "must hold no user or password"),
    Bad("query", at("http://host/v1?key=1"), "spec.endpoint.baseUrl", "must hold no query and no fragment"),
    Bad("fragment", at("http://host/v1#x"), "spec.endpoint.baseUrl", "must hold no query and no fragment"),
    Bad("long URL", at(f"http://host/{_LONG}"), "spec.endpoint.baseUrl"),
    Bad("empty list of dialects", provider(api=[]), "spec.api"),
    Bad("unknown dialect", provider(api=["chat"]), "spec.api[0]"),
    Bad("too many dialects", provider(api=["openai-responses"] * 4), "spec.api"),
    Bad("model twice", provider(models=[{"id": "a"}, {"id": "a"}]), "spec.models[1]"),
    Bad("model without id", provider(models=[{"name": "a"}]), "spec.models[0].id"),
    Bad("control character in a model", provider(models=[{"id": "a\u0007b"}]), "spec.models[0].id"),
    Bad("two spaces in a model", provider(models=[{"id": "a  b"}]), "spec.models[0].id"),
    Bad("line break in a model", provider(models=[{"id": "a\nb"}]), "spec.models[0].id"),
    Bad("too many models", provider(models=[{"id": f"m{i}"} for i in range(257)]), "spec.models"),
    Bad("no window", provider(models=[{"id": "a", "contextWindow": 0}]), "spec.models[0].contextWindow"),
    Bad("window in words", provider(models=[{"id": "a", "contextWindow": "128k"}]), "spec.models[0].contextWindow"),
    Bad("negative price", provider(models=[{"id": "a", "cost": {"input": -1}}]), "spec.models[0].cost.input"),
    Bad("unknown input", provider(models=[{"id": "a", "input": ["smell"]}]), "spec.models[0].input[0]"),
    Bad("input twice", provider(models=[{"id": "a", "input": ["text", "text"]}]), "spec.models[0].input[1]"),
    Bad("unknown location", provider(dataPolicy={"location": "Moon"}), "spec.dataPolicy.location"),
    Bad("empty region", provider(dataPolicy={"region": ""}), "spec.dataPolicy.region"),
    Bad("duration without unit", provider(probe={"period": "10"}), "spec.probe.period"),
    Bad("duration as a number", provider(probe={"period": 10}), "spec.probe.period"),
    Bad("relative probe path", provider(probe={"path": "health"}), "spec.probe.path"),
    Bad("too many headers", provider(endpoint=ENDPOINT | {"headers": {f"x{i}": "" for i in range(33)}}),
        "spec.endpoint.headers"),
    Bad("credentials without a reference", provider(endpoint=ENDPOINT | {"credentials": {}}),
        "spec.endpoint.credentials.secretRef"),
    Bad("kept for nobody knows how long", provider(keepLoaded="always"), "spec.keepLoaded"),
    Bad("kept where nothing is dropped", provider(type="VLLM", keepLoaded="1h"), "spec", "keepLoaded needs type"),
    Bad("suspend in words", provider(suspend="yes"), "spec.suspend"),
    Bad("name with dots", provider("a.b"), "<nil>", "metadata.name must hold no dots"),
    Bad("long name", provider("a" * 53), "<nil>", "metadata.name must have at most 52 characters"),
    Bad("no source", deployed(model={"source": "Qwen/Qwen3-32B"}), "spec.deploy.model.source", "must begin with hf://"),
    Bad("bare source", deployed(model={"source": "s3://"}), "spec.deploy.model.source"),
    Bad("too many GPUs", deployed(gpus=65), "spec.deploy.gpus"),
    Bad("negative replicas", deployed(replicas=-1), "spec.deploy.replicas"),
    Bad("half a GPU", deployed(gpus=0.5), "spec.deploy.gpus"),
    Bad("no memory for the GPU", deployed(engine={"gpuMemoryUtilization": 0}),
        "spec.deploy.engine.gpuMemoryUtilization"),
    Bad("quantity as a list", deployed(resources={"cpu": [1]}), "spec.deploy.resources.cpu"),
    Bad("no model name", route(modelName=None), "spec.modelName"),
    Bad("empty model name", route(modelName=""), "spec.modelName"),
    Bad("no primary", route(primary=None), "spec.primary"),
    Bad("half a target", route(primary={"provider": "a"}), "spec.primary.model"),
    Bad("provider that is no name", route(primary={"provider": "A_b", "model": "m"}), "spec.primary.provider"),
    Bad("primary again", route(fallbacks=[OTHER, TARGET]), "spec", "fallbacks must not repeat primary"),
    Bad("fallback again", route(fallbacks=[OTHER, OTHER]), "spec", "fallbacks must not repeat a target"),
    Bad("too many fallbacks", route(fallbacks=[OTHER | {"model": f"m{i}"} for i in range(9)]), "spec.fallbacks"),
    Bad("alias of its own", route(aliases=["assistant"]), "spec", "aliases must not repeat modelName"),
    Bad("alias twice", route(aliases=["a", "a"]), "spec.aliases[1]"),
    Bad("alias with a space at its end", route(aliases=["a "]), "spec.aliases[0]"),
    Bad("too many aliases", route(aliases=[f"a{i}" for i in range(17)]), "spec.aliases"),
    Bad("unknown reason", route(policy={"failover": {"on": ["Mood"]}}), "spec.policy.failover.on[0]"),
    Bad("unknown capability", route(policy={"requiredCapabilities": ["wit"]}), "spec.policy.requiredCapabilities[0]"),
    Bad("hedging after nobody knows what", route(policy={"hedging": {}}), "spec.policy.hedging.after"),
    Bad("unknown probe", provider(probe={"mode": "Ping"}), "spec.probe.mode"),
    Bad("limit of none", provider(limits={"maxConcurrentRequests": 0}), "spec.limits.maxConcurrentRequests"),
    Bad("no attempts", route(policy={"failover": {"maxAttempts": 0}}), "spec.policy.failover.maxAttempts"),
    Bad("duration with a blank", route(policy={"timeouts": {"total": "1 h"}}), "spec.policy.timeouts.total"),
    Bad("unknown place", route(policy={"dataPolicy": {"allowedLocations": ["Here"]}}),
        "spec.policy.dataPolicy.allowedLocations[0]"),
]  # fmt: skip

UNKNOWN = [  # refused by `kubectl --validate=strict`, and always when read from files
    Bad("at the top", provider() | {"specs": {}}, "specs"),
    Bad("baseURL", provider(endpoint=ENDPOINT | {"baseURL": "http://x"}), "spec.endpoint.baseURL", "baseUrl"),
    Bad(
        "in a model",
        provider(models=[{"id": "a", "contextwindow": 1}]),
        "spec.models[0].contextwindow",
        "contextWindow",
    ),
    Bad("in a deployment", deployed(gpu=1), "spec.deploy.gpu", "gpus"),
    Bad("in a route", route(fallback=[OTHER]), "spec.fallback", "fallbacks"),
    Bad("deep", route(policy={"timeouts": {"first_token": "1s"}}), "spec.policy.timeouts.first_token", "firstToken"),
]
