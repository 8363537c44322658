"""Providers whose every object is kept as a golden file, and shown to a real API server."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import yaml

from fleet.worlds import Json, deployed
from pointsman.fleet import workload

GOLDEN: Final = Path(__file__).parent / "golden" / "workload"
KEY_HASH: Final = "5e884898da280471"
OPERATOR: Final = "pointsman-system"

CASES: Final[dict[str, Json]] = {
    "minimal": {},
    "cpu": {"gpus": 0, "resources": {"cpu": 8, "memory": "32Gi"}, "rollout": {"strategy": "RollingUpdate"}},
    "multi-gpu": {"gpus": 4, "resources": {"cpu": "0.5", "memory": "65536Mi"}, "disruption": "Protect"},
    "replicas": {"replicas": 3},
    "pvc": {"model": {"source": "pvc://weights/qwen/32b", "servedNames": ["qwen"]}},
    "s3": {
        "model": {"source": "s3://models/qwen", "endpointUrl": "http://minio:9000", "credentialsRef": {"name": "minio"}}
    },
    "oci": {"model": {"source": "oci://registry.example/models/qwen:1", "path": "weights", "servedNames": ["qwen"]}},
    "cache": {
        "model": {"source": "hf://Qwen/Qwen3-32B", "revision": "9216db5", "tokenSecretRef": {"name": "hub"}},
        "replicas": 2,
        "cache": {"size": "100Gi", "storageClassName": "shared"},
    },
    "claim": {"cache": {"claimName": "weights"}},
    "host-path": {"cache": {"hostPath": "/var/cache/models"}},
    "adapters": {
        "model": {
            "source": "pvc://weights/base",
            "servedNames": ["base"],
            "adapters": [
                {"name": "sql", "source": "pvc://weights/sql"},
                {"name": "law", "source": "pvc://lora/law"},
                {"name": "med", "source": "oci://registry.example/lora/med:2"},
            ],
        },
        "engine": {"maxLoras": 2, "maxLoraRank": 32},
    },
    "multi-node": {"gpus": 8, "parallelism": {"nodes": 2, "tensor": 8, "pipeline": 2}, "disruption": "Protect"},
    "everything": {
        "model": {
            "source": "hf://Qwen/Qwen3-32B",
            "revision": "9216db5781bf21249d130ec9da846c4624c16137",
            "servedNames": ["qwen", "Qwen/Qwen3-32B"],
            "tokenSecretRef": {"name": "hub", "key": "token"},
            "endpointUrl": "https://hub.example",
        },
        "gpus": 2,
        "gpuResourceName": "nvidia.com/gpu",
        "replicas": 3,
        "image": "registry.example/vllm-openai:v0.32.0",
        "imagePullPolicy": "Always",
        "imagePullSecrets": [{"name": "registry"}],
        "engine": {
            "maxModelLen": 32768,
            "gpuMemoryUtilization": 0.9,
            "toolCallParser": "hermes",
            "chatTemplateRef": {"name": "templates", "key": "qwen.jinja"},
            "extraArgs": ["--seed=1"],
            "env": [{"name": "VLLM_LOGGING_LEVEL", "value": "DEBUG"}, {"name": "EMPTY", "value": ""}],
            "envFrom": [{"configMapRef": {"name": "proxy", "optional": True}}],
        },
        "resources": {"cpu": "0.5", "memory": "65536Mi", "ephemeral-storage": "2048Mi"},
        "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-L40S"},
        "tolerations": [{"key": "spot", "operator": "Exists", "value": ""}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}]}}},
        "topologySpreadConstraints": [{
            "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"pointsman.dev/provider": "qwen"}}}],
        "runtimeClassName": "nvidia",
        "priorityClassName": "serving",
        "schedulerName": "gpu-scheduler",
        "serviceAccountName": "engines",
        "sharedMemorySize": "16384Mi",
        "startupTimeout": "45m",
        "probes": {"readiness": {"periodSeconds": 3}, "liveness": {"timeoutSeconds": 30, "failureThreshold": 10}},
        "terminationGracePeriod": "5m",
        "apiKeyRef": {"name": "engine-key", "key": "key"},
        "disruption": "Protect",
        "rollout": {"strategy": "RollingUpdate"},
        "cache": {"size": "500Gi", "storageClassName": "fast", "accessModes": ["ReadWriteMany"],
                  "resources": {"memory": "2048Mi"}},
        "networkPolicy": {
            "prometheusNamespace": "monitoring",
            "allowFrom": [{"namespaceSelector": {"matchLabels": {"team": "ml"}}}],
        },
        "podTemplate": {
            "metadata": {"labels": {"team": "ml"}, "annotations": {"prometheus.io/scrape": "true"}},
            "spec": {
                "hostAliases": [{"ip": "10.0.0.9", "hostnames": ["hub.example"]}],
                "containers": [
                    {"name": "vllm", "env": [{"name": "SSL_CERT_FILE", "value": "/etc/ca/ca.pem"}], "stdin": False,
                     "lifecycle": {"preStop": {"exec": {"command": ["sleep", "20"]}}},
                     "volumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}]},
                    {"name": "exporter", "image": "registry.example/exporter:1",
                     "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}},
                ],
                "volumes": [
                    {"name": "ca", "configMap": {"name": "ca"}},
                    {"name": "tmp", "emptyDir": {"sizeLimit": "1024Mi"}},
                ],
            },
        },
    },
}  # fmt: skip


def rendered(
    *, now: int | None = None, name: str = "qwen", key: str = KEY_HASH, suspend: bool = False, **deploy: Any
) -> workload.Rendered:
    """What is rendered of a provider, at as many replicas `now` as it states unless said otherwise."""
    found = deployed(name, **deploy)
    assert found.spec
    assert found.spec.deploy
    spec = found.spec.model_copy(update={"suspend": suspend})
    count = found.spec.deploy.replicas if now is None else now
    return workload.render(
        found.meta, spec, found.spec.deploy, replicas=count, key_hash=key, operator_namespace=OPERATOR
    )


def golden(name: str) -> list[Json]:
    """The objects of a case; of the Job's program, which has tests of its own, nothing but that it is there."""
    made = deepcopy(objects(rendered(**CASES[name])))
    for each in made:
        if each["kind"] == "Job":
            (container,) = each["spec"]["template"]["spec"]["containers"]
            assert container["command"][:2] == ["python3", "-c"]
            container["command"][2] = "..."
    return made


def objects(made: workload.Rendered) -> list[Json]:
    """In the order in which they are applied."""
    return [*made.beside, *([made.prefetch] if made.prefetch else []), made.engine]


def pod(**deploy: Any) -> Json:
    spec: Json = rendered(**deploy).engine["spec"]["template"]["spec"]
    return spec


def container(**deploy: Any) -> Json:
    (found,) = (each for each in pod(**deploy)["containers"] if each["name"] == "vllm")
    return dict(found)


def beside(kind: str, **deploy: Any) -> Json | None:
    return next((each for each in rendered(**deploy).beside if each["kind"] == kind), None)


def volumes(**deploy: Any) -> dict[str, Json]:
    return {each["name"]: each for each in pod(**deploy)["volumes"]}


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def as_yaml(name: str) -> str:
    return yaml.dump_all(golden(name), Dumper=_Plain, sort_keys=False, width=120)
