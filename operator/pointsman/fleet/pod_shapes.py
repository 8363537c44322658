"""The shape of a Pod template in Kubernetes 1.36: every field of PodSpec and Container, and what is often set in them.

Source: k8s.io/api, core/v1, and kubernetes, pkg/apis/core/validation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pointsman.fleet import pod_placement
from pointsman.fleet.pod_environment import ENV, ENV_FROM
from pointsman.fleet.pod_names import ANNOTATIONS, DOMAIN_NAME, LABEL_NAME, LABELS, amounts
from pointsman.fleet.shapes import anything, at_most_one, both, choice, either, listed, record, text, truth, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.fleet.shapes import Shape

_OBJECT = either(dict)
_TEXTS = listed(text())
_SECONDS = whole(0)
_ID = whole(0, 2**31 - 1)
_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc")
_ENDS: Final = ("exec", "httpGet", "tcpSocket", "sleep")
_VOLUMES: Final = (
    *("hostPath", "emptyDir", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "secret", "nfs", "iscsi"),
    *("glusterfs", "persistentVolumeClaim", "rbd", "flexVolume", "cinder", "cephfs", "flocker", "downwardAPI", "fc"),
    *("azureFile", "configMap", "vsphereVolume", "quobyte", "azureDisk", "photonPersistentDisk", "projected"),
    *("portworxVolume", "scaleIO", "storageos", "csi", "ephemeral", "image"),
)
_PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")


def _amounts(value: Any, path: str) -> Iterator[str]:
    yield from amounts(value, path) if isinstance(value, dict) else _OBJECT(value, path)


_PORT = either(int, str)
_PROBE = record(
    {
        "exec": record({"command": _TEXTS}),
        "httpGet": record(
            {
                "path": text(),
                "port": _PORT,
                "host": text(),
                "scheme": choice("HTTP", "HTTPS"),
                "httpHeaders": either(list),
            },
            needs=("port",),
        ),
        "tcpSocket": record({"port": _PORT, "host": text()}, needs=("port",)),
        "grpc": record({"port": whole(1, 65535), "service": text()}, needs=("port",)),
        "initialDelaySeconds": _SECONDS,
        "timeoutSeconds": _SECONDS,
        "periodSeconds": _SECONDS,
        "successThreshold": _SECONDS,
        "failureThreshold": _SECONDS,
        "terminationGracePeriodSeconds": whole(1),
    },
    one_of=_HANDLERS,
)
_HANDLER = record(
    {
        "exec": _OBJECT,
        "httpGet": _OBJECT,
        "tcpSocket": _OBJECT,
        "sleep": record({"seconds": _SECONDS}, needs=("seconds",)),
    },
    one_of=_ENDS,
)
_SHARED_SECURITY: Final[dict[str, Shape]] = {
    "seLinuxOptions": _OBJECT,
    "windowsOptions": _OBJECT,
    "runAsUser": _ID,
    "runAsGroup": _ID,
    "runAsNonRoot": truth,
    "seccompProfile": record(
        {"type": choice("RuntimeDefault", "Unconfined", "Localhost"), "localhostProfile": text()}, needs=("type",)
    ),
    "appArmorProfile": record(
        {"type": choice("RuntimeDefault", "Unconfined", "Localhost"), "localhostProfile": text()}, needs=("type",)
    ),
}
_CONTAINER_SECURITY = record(
    _SHARED_SECURITY
    | {
        "capabilities": record({"add": _TEXTS, "drop": _TEXTS}),
        "privileged": truth,
        "readOnlyRootFilesystem": truth,
        "allowPrivilegeEscalation": truth,
        "procMount": choice("Default", "Unmasked"),
    }
)
_POD_SECURITY = record(
    _SHARED_SECURITY
    | {
        "supplementalGroups": listed(_ID),
        "supplementalGroupsPolicy": choice("Merge", "Strict"),
        "fsGroup": _ID,
        "sysctls": listed(record({"name": text(), "value": text()}, needs=("name", "value"))),
        "fsGroupChangePolicy": choice("OnRootMismatch", "Always"),
        "seLinuxChangePolicy": choice("MountOption", "Recursive"),
    }
)
_PORTS = listed(
    record(
        {
            "name": text(_PORT_NAME, "at most 15 lower-case letters, digits and -", 15),
            "hostPort": whole(1, 65535),
            "containerPort": whole(1, 65535),
            "protocol": choice("TCP", "UDP", "SCTP"),
            "hostIP": text(),
        },
        needs=("containerPort",),
    )
)
_MOUNTS = listed(
    both(
        record(
            {
                "name": text(),
                "readOnly": truth,
                "recursiveReadOnly": choice("Disabled", "IfPossible", "Enabled"),
                "mountPath": text(),
                "subPath": text(),
                "mountPropagation": choice("None", "HostToContainer", "Bidirectional"),
                "subPathExpr": text(),
            },
            needs=("name", "mountPath"),
        ),
        at_most_one("subPath", "subPathExpr"),
    )
)
_CONTAINER = record(
    {
        "name": LABEL_NAME,
        "image": text(re.compile(r"\S(?:.*\S)?"), "without space at its ends"),
        "command": _TEXTS,
        "args": _TEXTS,
        "workingDir": text(),
        "ports": _PORTS,
        "envFrom": ENV_FROM,
        "env": ENV,
        "resources": record({"limits": _amounts, "requests": _amounts, "claims": either(list)}),
        "resizePolicy": either(list),
        "restartPolicy": choice("Always", "OnFailure", "Never"),
        "restartPolicyRules": either(list),
        "volumeMounts": _MOUNTS,
        "volumeDevices": either(list),
        "livenessProbe": _PROBE,
        "readinessProbe": _PROBE,
        "startupProbe": _PROBE,
        "lifecycle": record({"postStart": _HANDLER, "preStop": _HANDLER, "stopSignal": text()}),
        "terminationMessagePath": text(),
        "terminationMessagePolicy": choice("File", "FallbackToLogsOnError"),
        "imagePullPolicy": choice("Always", "IfNotPresent", "Never"),
        "securityContext": _CONTAINER_SECURITY,
        "stdin": truth,
        "stdinOnce": truth,
        "tty": truth,
    },
    needs=("name", "image"),
)
_VOLUME = both(record({"name": LABEL_NAME} | dict.fromkeys(_VOLUMES, _OBJECT), needs=("name",)), at_most_one(*_VOLUMES))
_SPEC = record(
    {
        "volumes": listed(_VOLUME),
        "initContainers": listed(_CONTAINER),
        "containers": listed(_CONTAINER),
        "ephemeralContainers": anything,
        "restartPolicy": choice("Always"),
        "terminationGracePeriodSeconds": _SECONDS,
        "activeDeadlineSeconds": _SECONDS,
        "dnsPolicy": choice("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
        "nodeSelector": LABELS,
        "serviceAccountName": DOMAIN_NAME,
        "serviceAccount": DOMAIN_NAME,
        "automountServiceAccountToken": truth,
        "nodeName": DOMAIN_NAME,
        "hostNetwork": truth,
        "hostPID": truth,
        "hostIPC": truth,
        "shareProcessNamespace": truth,
        "securityContext": _POD_SECURITY,
        "imagePullSecrets": pod_placement.LOCAL_REFS,
        "hostname": LABEL_NAME,
        "subdomain": LABEL_NAME,
        "affinity": pod_placement.AFFINITY,
        "schedulerName": text(),
        "tolerations": pod_placement.TOLERATIONS,
        "hostAliases": listed(record({"ip": text(), "hostnames": listed(DOMAIN_NAME)}, needs=("ip",))),
        "priorityClassName": DOMAIN_NAME,
        "priority": either(int),
        "dnsConfig": record({"nameservers": _TEXTS, "searches": _TEXTS, "options": either(list)}),
        "readinessGates": pod_placement.READINESS_GATES,
        "runtimeClassName": DOMAIN_NAME,
        "enableServiceLinks": truth,
        "preemptionPolicy": choice("PreemptLowerPriority", "Never"),
        "overhead": _OBJECT,
        "topologySpreadConstraints": pod_placement.SPREAD,
        "setHostnameAsFQDN": truth,
        "os": record({"name": choice("linux", "windows")}, needs=("name",)),
        "hostUsers": truth,
        "schedulingGates": listed(record({"name": text()}, needs=("name",))),
        "resourceClaims": either(list),
        "resources": _OBJECT,
        "hostnameOverride": text(),
        "workloadRef": _OBJECT,
        "schedulingGroup": _OBJECT,
    },
    needs=("containers",),
)
TEMPLATE = record({"metadata": record({"labels": LABELS, "annotations": ANNOTATIONS}), "spec": _SPEC})
