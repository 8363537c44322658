"""Every field of the two specs does something here, is read by a named other part, or is refused."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from fleet.worlds import NOW, condition, meta, provider, route, world
from pointsman import table
from pointsman.api.provider import ModelProviderSpec
from pointsman.api.route import ModelRouteSpec
from pointsman.api.schema import structural
from pointsman.dialects import compat_keys
from pointsman.fleet import unimplemented
from pointsman.fleet.plan import plan_provider, plan_route
from pointsman.fleet.render import credentials, render
from pointsman.fleet.world import World, read_route

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

# Read elsewhere: path -> who.
ELSEWHERE = {
    "probe.period": "prober",
    "probe.timeout": "prober",
    "probe.failureThreshold": "prober",
    "probe.successThreshold": "prober",
    "probe.path": "prober",
    "probe.mode": "prober",
    "deploy.scaling.minReplicas": "scale",
    "deploy.scaling.idle": "scale",
    "deploy.rollout.useFallback": "handover",
    "deploy.rollout.waitForIdle": "handover",
    "deploy.rollout.drainTimeout": "handover",
}
SECRETS = {
    ("s", "AWS_ACCESS_KEY_ID"): "a",
    ("s", "AWS_SECRET_ACCESS_KEY"): "b",
    ("s", "token"): "k1",
    ("s", "other"): "k2",
    ("t", "token"): "k3",
}
ENDPOINT: Json = {"type": "OpenAICompatible", "endpoint": {"baseUrl": "http://h/v1"}}
SECURED: Json = {
    "type": "OpenAICompatible",
    "endpoint": {"baseUrl": "http://h/v1", "credentials": {"secretRef": {"name": "s"}}},
}
DEPLOY: Json = {"type": "VLLM", "deploy": {"model": {"source": "hf://a/b", "tokenSecretRef": {"name": "s"}}}}
OF_IMAGE: Json = {"type": "VLLM", "deploy": {"model": {"source": "oci://r.local/m:1"}}}
OF_STORE: Json = {"type": "VLLM", "deploy": {"model": {"source": "s3://bucket/m"}}}
ADAPTED: Json = {
    "type": "VLLM",
    "deploy": {"model": {"source": "hf://a/b", "adapters": [{"name": "x", "source": "hf://a/x"}]}},
}
TEMPLATED: Json = {
    "type": "VLLM",
    "deploy": {"model": {"source": "hf://a/b"}, "engine": {"chatTemplateRef": {"name": "c", "key": "k"}}},
}
KEYED: Json = {"type": "VLLM", "deploy": {"model": {"source": "hf://a/b"}, "apiKeyRef": {"name": "s"}}}
CACHED: Json = {"type": "VLLM", "deploy": {"model": {"source": "hf://a/b"}, "cache": {"size": "1Gi"}}}
UNFETCHED: Json = {
    "type": "VLLM",
    "deploy": {"model": {"source": "hf://a/b"}, "cache": {"size": "1Gi", "prefetch": False}},
}
MODELS: Json = ENDPOINT | {"models": [{"id": "m", "cost": {"input": 1}}]}
# The spec to start from, for the longest beginning of a path; and a value for each path that changes something.
BASES = {
    "": ENDPOINT,
    "keepLoaded": ENDPOINT | {"type": "Ollama"},
    "endpoint.credentials": SECURED,
    "deploy": DEPLOY,
    "deploy.model.path": OF_IMAGE,
    "deploy.model.credentialsRef": OF_STORE,
    "deploy.model.adapters": ADAPTED,
    "deploy.model.adapterLoading": ADAPTED,
    "deploy.engine.maxLora": ADAPTED,
    "deploy.engine.chatTemplateRef": TEMPLATED,
    "deploy.apiKeyRef": KEYED,
    "deploy.cache": CACHED,
    "deploy.cache.compileCache": UNFETCHED,
    "deploy.cache.claimName": DEPLOY,
    "deploy.cache.hostPath": DEPLOY,
    "models": MODELS,
}
VALUES: Json = {
    "type": "Anthropic",
    "suspend": True,
    "api": ["anthropic-messages"],
    "discovery": "Static",
    "endpoint.baseUrl": "http://other/v1",
    "endpoint.credentials.secretRef.name": "t",
    "endpoint.credentials.secretRef.key": "other",
    "endpoint.headers": {"x-team": "a"},
    "endpoint.tls.caBundle": "-----BEGIN CERTIFICATE-----",
    "endpoint.tls.serverName": "h",
    "endpoint.tls.insecureSkipVerify": True,
    "models[].id": "n",
    "models[].name": "Name",
    "models[].reasoning": True,
    "models[].input": ["text", "image"],
    "models[].contextWindow": 4096,
    "models[].maxTokens": 512,
    "models[].compat": {"supportsTools": False},
    **{f"models[].cost.{key}": 2.5 for key in ("input", "output", "cacheRead", "cacheWrite")},
    "dataPolicy.location": "OnPremises",
    "dataPolicy.region": "eu",
    "deploy.model.source": "hf://c/d",
    "deploy.model.revision": "main",
    "deploy.model.servedNames": ["x"],
    "deploy.model.tokenSecretRef.name": "t",
    "deploy.model.tokenSecretRef.key": "other",
    "deploy.model.endpointUrl": "https://mirror.local",
    "deploy.gpus": 2,
    "deploy.gpuResourceName": "amd.com/gpu",
    "deploy.replicas": 3,
    "deploy.image": "my/vllm:v0.30.0",
    "deploy.imagePullPolicy": "Always",
    "deploy.imagePullSecrets": [{"name": "pull"}],
    "deploy.engine.maxModelLen": 1,
    "deploy.engine.dtype": "half",
    "deploy.engine.quantization": "awq",
    "deploy.engine.kvCacheDtype": "fp8",
    "deploy.engine.gpuMemoryUtilization": 0.5,
    "deploy.engine.maxNumSeqs": 1,
    "deploy.engine.enablePrefixCaching": True,
    "deploy.engine.toolCallParser": "hermes",
    "deploy.engine.reasoningParser": "qwen3",
    "deploy.engine.trustRemoteCode": True,
    "deploy.engine.extraArgs": ["--seed=1"],
    "deploy.engine.env": [{"name": "A", "value": "1"}],
    "deploy.engine.envFrom": [{"secretRef": {"name": "s"}}],
    "deploy.parallelism.tensor": 2,  # of one GPU: refused
    "deploy.parallelism.pipeline": 2,
    "deploy.parallelism.data": 2,
    "deploy.resources": {"memory": "64Gi"},
    "deploy.nodeSelector": {"a": "b"},
    "deploy.tolerations": [{"operator": "Exists"}],
    "deploy.affinity": {"podAntiAffinity": {}},
    "deploy.topologySpreadConstraints": [{"maxSkew": 1}],
    "deploy.runtimeClassName": "nvidia",
    "deploy.priorityClassName": "high",
    "deploy.schedulerName": "kai",
    "deploy.serviceAccountName": "me",
    "deploy.sharedMemorySize": "1Gi",
    "deploy.startupTimeout": "1h",
    "deploy.model.path": "weights",
    "deploy.model.credentialsRef.name": "s",
    "deploy.model.adapterLoading": "AtRuntime",
    "deploy.model.adapters[].name": "y",
    "deploy.model.adapters[].source": "hf://a/y",
    "deploy.model.adapters[].revision": "main",  # of the hub, without a Job to fetch it: refused
    "deploy.engine.version": "0.11",
    "deploy.engine.loadFormat": "dummy",
    "deploy.engine.maxLoras": 2,
    "deploy.engine.maxLoraRank": 32,
    "deploy.engine.chatTemplateRef.name": "d",
    "deploy.engine.chatTemplateRef.key": "l",
    "deploy.parallelism.expert": True,
    "deploy.parallelism.nodes": 2,
    **{
        f"deploy.probes.{probe}.{field}": 7
        for probe in ("readiness", "liveness")
        for field in ("periodSeconds", "timeoutSeconds", "failureThreshold")
    },
    "deploy.terminationGracePeriod": "5m",
    "deploy.apiKeyRef.name": "t",
    "deploy.apiKeyRef.key": "other",
    "deploy.disruption": "Protect",
    "deploy.rollout.strategy": "RollingUpdate",
    "deploy.cache.claimName": "c",
    "deploy.cache.hostPath": "/models",
    "deploy.cache.size": "2Gi",
    "deploy.cache.storageClassName": "fast",
    "deploy.cache.accessModes": ["ReadWriteMany"],
    "deploy.cache.prefetch": False,
    "deploy.cache.compileCache": False,
    "deploy.networkPolicy.mode": "None",
    "deploy.cache.resources": {"memory": "4Gi"},
    "deploy.networkPolicy.prometheusNamespace": "monitoring",
    "deploy.networkPolicy.allowFrom": [{"podSelector": {}}],
    "deploy.podTemplate": {"metadata": {"labels": {"a": "b"}}},
    "keepLoaded": "1h",
    "limits.maxConcurrentRequests": 1,
    "limits.requestsPerMinute": 1,
    "limits.tokensPerMinute": 1,
}
# Values of which others would do, or that are no fields of the schema.
REFUSED: Json = {
    "models[].compat{}": 1,
    "models[].compat.toolCallArgumentsEncoding": "html-entities",
}
ROUTE: Json = {
    "modelName": "m",
    "primary": {"provider": "p", "model": "m"},
    "fallbacks": [{"provider": "p", "model": "n"}],
}
ROUTE_VALUES: Json = {
    "modelName": "other",
    "aliases": ["a"],
    "primary.provider": "gone",
    "primary.model": "x",
    "fallbacks[].provider": "gone",
    "fallbacks[].model": "x",
    "policy.failover.on": ["Timeout"],
    "policy.failover.maxAttempts": 1,
    **{f"policy.timeouts.{key}": "7s" for key in ("connect", "firstToken", "whole", "stall", "total")},
    "policy.circuitBreaker.consecutiveFailures": 7,
    "policy.circuitBreaker.openDuration": "7s",
    "policy.circuitBreaker.halfOpenRequests": 2,
    "policy.dataPolicy.allowedLocations": ["InCluster"],
    "policy.dataPolicy.allowedRegions": ["eu"],
    "policy.context.warnBelow": 1,
    "policy.context.blockBelow": 1,
    "policy.context.onFallback": "Warn",
    "policy.requiredCapabilities": ["tools"],
    "policy.returnToPrimary.afterHealthy": "1m",
    "policy.hedging.after": "3s",
    "policy.midStream": "Fail",
    "policy.dropTools": True,
}


def leaves(schema: Json, stop: set[str], path: str = "") -> Iterator[str]:
    """The paths of a schema's leaves; objects that `stop` names, free-form maps and lists of such are leaves."""
    for name, node in schema.get("properties", {}).items():
        here = f"{path}.{name}".lstrip(".")
        items = node.get("items", {})
        if here in stop or not (node.get("properties") or items.get("properties")):
            yield here
        else:
            yield from leaves(items or node, stop, here + ("[]" if items else ""))


def put(spec: Json, path: str, value: Any) -> Json:
    """A copy of a spec with the value at a path; `[]` is the first item."""
    out = copy.deepcopy(spec)
    node: Any = out
    *steps, last = path.split(".")
    for step in steps:
        node = node[step[:-2]][0] if step.endswith("[]") else node.setdefault(step, {})
    node[last] = value
    return out


def base(path: str) -> Json:
    """The spec that a path is tried on."""
    return BASES[max((start for start in BASES if path.startswith(start)), key=len)]


def outcome(seen: World) -> tuple[Any, ...]:
    """All that the deciding code makes of provider p and route m."""
    plan = plan_provider(seen, "p", NOW)
    return table.dump(render(seen)), credentials(seen), plan.objects, plan.status, plan_route(seen, "m", NOW).status


def of_provider(spec: Json) -> tuple[Any, ...]:
    return outcome(world([provider("p", spec)], [route("m", "p/m")], secrets=SECRETS))


def of_route(spec: Json) -> tuple[Any, ...]:
    body = {"metadata": meta("m"), "spec": spec}
    return outcome(world([provider("p", ENDPOINT)], [read_route(body)]))


PROVIDER_LEAVES = list(leaves(structural(ModelProviderSpec), set(VALUES)))
ROUTE_LEAVES = list(leaves(structural(ModelRouteSpec), set(ROUTE_VALUES)))


@pytest.mark.parametrize("path", [path for path in PROVIDER_LEAVES if path not in ELSEWHERE])
def test_no_field_of_a_provider_is_silently_ignored(path: str) -> None:
    """Setting any field changes the table, the objects or the status (a refusal is in the status)."""
    assert of_provider(put(base(path), path, VALUES[path])) != of_provider(base(path))


@pytest.mark.parametrize("path", ROUTE_LEAVES)
def test_no_field_of_a_route_is_silently_ignored(path: str) -> None:
    """Likewise."""
    assert of_route(put(ROUTE, path, ROUTE_VALUES[path])) != of_route(ROUTE)


def test_the_walk_sees_every_field() -> None:
    """A path that is named here and gone from the schema would guard nothing."""
    assert set(PROVIDER_LEAVES) == set(VALUES) | set(ELSEWHERE)
    assert set(ROUTE_LEAVES) == set(ROUTE_VALUES)


@pytest.mark.parametrize("gap", unimplemented.PROVIDER, ids=lambda gap: gap.path)
def test_each_gap_of_a_provider_is_refused_and_named(gap: unimplemented.Gap) -> None:
    """Accepted=False, NotImplemented, the path, what to do; and the provider is not in the table."""
    path, value = gap.path.replace("{}", ".x"), REFUSED.get(gap.path, VALUES.get(gap.path))
    seen = world([provider("p", put(base(path), path, value))], secrets=SECRETS)
    plan = plan_provider(seen, "p", NOW)
    assert plan.status is not None
    assert condition(plan.status["conditions"], "Accepted") == ("False", "NotImplemented")
    assert condition(plan.status["conditions"], "Ready") == ("False", "NotImplemented")
    message = plan.status["conditions"][0]["message"]
    assert f"spec.{path.replace('[]', '[0]')} " in message
    assert gap.mend in message
    assert not plan.objects
    assert not render(seen).providers


def test_values_that_work_already_are_accepted() -> None:
    """Resuming or not, known compat keys: what this release does anyway."""
    for mode in ("Resume", "Fail"):
        assert not unimplemented.refusals(ModelRouteSpec.model_validate(put(ROUTE, "policy.midStream", mode)))
    compat = dict.fromkeys(compat_keys.ALL, True)
    assert not unimplemented.refusals(ModelProviderSpec.model_validate(put(MODELS, "models[].compat", compat)))
