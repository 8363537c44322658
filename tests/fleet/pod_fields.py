"""What people state of Pods: sound fields, which a real API server takes too, and unsound ones with their paths."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"


def template(spec: Json | None = None, **metadata: Any) -> Json:
    return {"podTemplate": ({"spec": spec} if spec else {}) | ({"metadata": metadata} if metadata else {})}


def engine(**fields: Any) -> Json:
    return template({"containers": [{"name": "vllm", **fields}]})


def requiring(**expression: Any) -> Json:
    terms = [{"matchExpressions": [expression]}]
    return {"affinity": {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": terms}}}}


def spread(**fields: Any) -> Json:
    one = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"} | fields
    return {"topologySpreadConstraints": [one]}


def peers(*found: Any) -> Json:
    return {"networkPolicy": {"allowFrom": list(found)}}


def variable(**entry: Any) -> Json:
    return {"engine": {"env": [{"name": "A", **entry}]}}


GOOD: Final[dict[str, Json]] = {
    "tolerations": {
        "tolerations": [
            {"operator": "Exists"},
            {"key": "gpu", "operator": "Equal", "value": "h100", "effect": "NoSchedule"},
            {"key": "gpu", "value": ""},
            {
                "key": "node.kubernetes.io/unreachable",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 9,
            },
            {"key": "a", "operator": "", "effect": ""},
        ]
    },
    "affinity": {
        "affinity": {
            "nodeAffinity": {
                _REQUIRED: {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "nvidia.com/gpu.memory", "operator": "Gt", "values": ["40000"]}]},
                        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]},
                    ]
                },
                _PREFERRED: [
                    {"weight": 100, "preference": {"matchExpressions": [{"key": "spot", "operator": "DoesNotExist"}]}}
                ],
            },
            "podAffinity": {_REQUIRED: [{"topologyKey": "zone", "namespaces": ["ai"], "namespaceSelector": {}}]},
            "podAntiAffinity": {
                _PREFERRED: [
                    {
                        "weight": 1,
                        "podAffinityTerm": {
                            "labelSelector": {
                                "matchExpressions": [{"key": "a", "operator": "In", "values": ["b", ""]}]
                            },
                            "topologyKey": "kubernetes.io/hostname",
                            "matchLabelKeys": ["pod-template-hash"],
                        },
                    }
                ]
            },
        }
    },
    "spread": {
        "topologySpreadConstraints": [
            *spread(minDomains=2, nodeTaintsPolicy="Honor", labelSelector={"matchLabels": {"a": "b"}})[
                "topologySpreadConstraints"
            ],
            *spread(whenUnsatisfiable="ScheduleAnyway", maxSkew=3)["topologySpreadConstraints"],
        ]
    },
    "resources": {
        "resources": {
            "cpu": "1500m",
            "memory": "8Gi",
            "ephemeral-storage": "1Gi",
            "hugepages-2Mi": "4Mi",
            "rdma/hca": 1,
            "example.com/Fpga_1": "2",
        }
    },
    "gpus": {"gpuResourceName": "amd.com/gpu", "gpus": 2, "nodeSelector": {"amd.com/gpu.family": "AI", "empty": ""}},
    "mig": {"gpuResourceName": "nvidia.com/mig-1g.10gb.shared"},
    "names": {
        "serviceAccountName": "a.b-c",
        "priorityClassName": "system-cluster-critical",
        "schedulerName": "volcano",
        "runtimeClassName": "nvidia",
    },
    "no-names": {"serviceAccountName": "", "priorityClassName": "", "schedulerName": ""},
    "environment": {
        "engine": {
            "env": [
                {"name": "a.b-C 1", "value": "x"},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {
                    "name": "LABEL",
                    "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels['a/b']"}},
                },
                {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
                {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "a.b_c", "optional": True}}},
                {"name": "MAP", "value": "", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}},
            ],
            "envFrom": [
                {"secretRef": {"name": "s"}},
                {"prefix": "P_", "configMapRef": {"name": "m", "optional": True}},
            ],
        }
    },
    "peers": peers(
        {"podSelector": {}},
        {"namespaceSelector": {}, "podSelector": {"matchLabels": {"a": "b"}}},
        {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
        {"ipBlock": {"cidr": "2001:db8::/32"}},
    ),
    "cache": {"cache": {"size": "1Gi", "accessModes": ["ReadWriteMany"], "resources": {"cpu": 1, "memory": "1Gi"}}},
    "image": {"image": "registry.local:5000/team/vllm-openai:v0.11.0@sha256:" + "0" * 64},
    "template": {
        "podTemplate": {
            "metadata": {"labels": {"team": "ai", "empty": ""}, "annotations": {"Example.com/Note": "any text\n"}},
            "spec": {
                "hostNetwork": True,
                "hostIPC": True,
                "dnsPolicy": "ClusterFirstWithHostNet",
                "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
                "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["hub.local"]}],
                "securityContext": {"supplementalGroups": [44], "runAsUser": 0, "runAsNonRoot": False},
                "volumes": [
                    {"name": "certs", "configMap": {"name": "ca", "optional": True}},
                    {"name": "plain"},
                    {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "16Gi"}},
                ],
                "initContainers": [
                    {"name": "log", "image": "busybox:1", "restartPolicy": "Always", "command": ["sh", "-c", "sleep 9"]}
                ],
                "containers": [
                    {
                        "name": "vllm",
                        "volumeMounts": [{"name": "certs", "mountPath": "/etc/ssl/extra", "readOnly": True}],
                        "env": [{"name": "SSL_CERT_FILE", "value": "/etc/ssl/extra/ca.crt"}],
                        "livenessProbe": None,
                        "readinessProbe": {"httpGet": None, "exec": {"command": ["true"]}, "successThreshold": 2},
                        "lifecycle": {"preStop": {"sleep": {"seconds": 75}}},
                        "securityContext": {"capabilities": {"add": ["IPC_LOCK"]}},
                        "resources": {"limits": {"cpu": "64"}},
                    },
                    {"name": "beside", "image": "busybox", "ports": [{"containerPort": 9000, "name": "side"}]},
                ],
                "priority": None,
            },
        }
    },
}

BAD: Final[list[tuple[str, Json]]] = [
    ("tolerations[0].efect", {"tolerations": [{"operator": "Exists", "efect": "NoSchedule"}]}),
    ("tolerations[0].operator", {"tolerations": [{"key": "a", "operator": "exists"}]}),
    ("tolerations[0].effect", {"tolerations": [{"key": "a", "operator": "Exists", "effect": "NoRun"}]}),
    ("tolerations[0].value", {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}),
    ("tolerations[0].value", {"tolerations": [{"key": "a", "value": True}]}),
    ("tolerations[0].key", {"tolerations": [{"value": "b"}]}),
    ("tolerations[0].tolerationSeconds", {"tolerations": [{"operator": "Exists", "tolerationSeconds": 3}]}),
    ("affinity.nodeAfinity", {"affinity": {"nodeAfinity": {}}}),
    (f"affinity.nodeAffinity.{_REQUIRED}", {"affinity": {"nodeAffinity": {_REQUIRED: [{"matchExpressions": []}]}}}),
    (f"affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms", {"affinity": {"nodeAffinity": {_REQUIRED: {}}}}),
    (
        f"affinity.nodeAffinity.{_PREFERRED}[0].weight",
        {"affinity": {"nodeAffinity": {_PREFERRED: [{"weight": 101, "preference": {}}]}}},
    ),
    (
        f"affinity.podAntiAffinity.{_REQUIRED}[0].topologyKey",
        {"affinity": {"podAntiAffinity": {_REQUIRED: [{"labelSelector": {}}]}}},
    ),
    (
        f"affinity.podAffinity.{_REQUIRED}[0].labelSelector.matchlabels",
        {"affinity": {"podAffinity": {_REQUIRED: [{"topologyKey": "a", "labelSelector": {"matchlabels": {}}}]}}},
    ),
    (
        f"affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms[0].matchExpressions[0].values",
        requiring(key="a", operator="In"),
    ),
    (
        f"affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms[0].matchExpressions[0].values",
        requiring(key="a", operator="Exists", values=["b"]),
    ),
    (
        f"affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms[0].matchExpressions[0].operator",
        requiring(key="a", operator="Is", values=["b"]),
    ),
    ("topologySpreadConstraints[0].maxSkew", spread(maxSkew=0)),
    ("topologySpreadConstraints[0].whenUnsatisfiable", spread(whenUnsatisfiable="Never")),
    ("topologySpreadConstraints[0].whenUnsatisfiable", spread(whenUnsatisfiable=None)),
    ("topologySpreadConstraints[0].labelSelecter", spread(labelSelecter={})),
    ("topologySpreadConstraints[0].minDomains", spread(minDomains=2, whenUnsatisfiable="ScheduleAnyway")),
    ("topologySpreadConstraints", {"topologySpreadConstraints": spread()["topologySpreadConstraints"] * 2}),
    ("resources", {"resources": {"gpu": 1}}),
    ("resources", {"resources": {"storage": "1Gi"}}),
    ("resources", {"resources": {"limits": 1}}),
    ("resources[example.com/fpga]", {"resources": {"example.com/fpga": "500m"}}),
    ("cache.resources", {"cache": {"size": "1Gi", "resources": {"mem": "1Gi"}}}),
    ("gpuResourceName", {"gpuResourceName": "gpu"}),
    ("gpuResourceName", {"gpuResourceName": "cpu"}),
    ("gpuResourceName", {"gpuResourceName": "nvidia.com/my gpu"}),
    ("nodeSelector, key a b", {"nodeSelector": {"a b": "c"}}),
    ("nodeSelector[a]", {"nodeSelector": {"a": "b c"}}),
    ("serviceAccountName", {"serviceAccountName": "A_b"}),
    ("priorityClassName", {"priorityClassName": "high priority"}),
    ("schedulerName", {"schedulerName": "-"}),
    ("engine.env[A=B].name", {"engine": {"env": [{"name": "A=B"}]}}),
    ("engine.env[A].valueFrom", variable(valueFrom={})),
    ("engine.env[A].valueFrom.secretRef", variable(valueFrom={"secretRef": {"name": "a", "key": "k"}})),
    ("engine.env[A].valueFrom.secretKeyRef.key", variable(valueFrom={"secretKeyRef": {"name": "a"}})),
    ("engine.env[A].valueFrom.fieldRef.fieldPath", variable(valueFrom={"fieldRef": {"fieldPath": "spec.x"}})),
    ("engine.envFrom[0]", {"engine": {"envFrom": [{}]}}),
    ("engine.envFrom[0].secretKeyRef", {"engine": {"envFrom": [{"secretKeyRef": {"name": "a"}}]}}),
    ("networkPolicy.allowFrom[0]", peers({})),
    ("networkPolicy.allowFrom[0].ipBlock.cidr", peers({"ipBlock": {"cidr": "10.0.0.1"}})),
    ("networkPolicy.allowFrom[0]", peers({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}})),
    (
        "networkPolicy.allowFrom[0].ipBlock.except[0]",
        peers({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/9"]}}),
    ),
    ("networkPolicy.allowFrom[0].podSelecter", peers({"podSelecter": {}})),
    ("cache.size", {"cache": {"size": "0Gi"}}),
    (
        "cache.accessModes",
        {"cache": {"size": 1, "accessModes": ["ReadWriteOncePod", "ReadWriteMany"], "prefetch": False}},
    ),
    ("image", {"image": "acme/vllm openai:v1"}),
    ("image", {"image": "acme/Vllm-openai:v1"}),
    ("image", {"image": "acme/vllm-openai:"}),
    ("image", {"image": "acme/vllm-openai@sha256:12"}),
    ("podTemplate.metadata.labels[a]", template(labels={"a": 1})),
    ("podTemplate.metadata.labels[a]", template(labels={"a": "b c"})),
    ("podTemplate.metadata.annotations[a]", template(annotations={"a": True})),
    ("podTemplate.spec.hostNetwork", template({"hostNetwork": "true"})),
    ("podTemplate.spec.hostNetwerk", template({"hostNetwerk": True})),
    ("podTemplate.spec.activeDeadlineSeconds", template({"activeDeadlineSeconds": 5})),
    ("podTemplate.spec.volumes[a]", template({"volumes": [{"name": "a", "emptyDir": {}, "hostPath": {"path": "/"}}]})),
    ("podTemplate.spec.volumes[a].pvc", template({"volumes": [{"name": "a", "pvc": {}}]})),
    ("podTemplate.spec.containers[vllm].volumeMounts[a]", engine(volumeMounts=[{"name": "a", "mountPath": "/a"}])),
    ("podTemplate.spec.containers[vllm].resource", engine(resource={})),
    ("podTemplate.spec.containers[vllm].env[A].value", engine(env=[{"name": "A", "value": 1}])),
    ("podTemplate.spec.containers[vllm].livenessProbe", engine(livenessProbe={"exec": {}, "httpGet": {"port": 1}})),
    ("podTemplate.spec.containers[vllm].readinessProbe.periodSecond", engine(readinessProbe={"periodSecond": 1})),
    (
        "podTemplate.spec.containers[vllm].lifecycle.preStop.sleep.seconds",
        engine(lifecycle={"preStop": {"sleep": {"seconds": 76}}}),
    ),
    ("podTemplate.spec.containers[beside].image", template({"containers": [{"name": "beside"}]})),
    ("podTemplate.spec.containers[vllm].name", template({"initContainers": [{"name": "vllm", "image": "a"}]})),
]  # fmt: skip
