"""The shapes of a container's environment in Kubernetes 1.36.

Source: k8s.io/api, core/v1, and kubernetes, pkg/apis/core/validation.
"""

from __future__ import annotations

import re
from typing import Final

from pointsman.fleet.pod_names import DOMAIN_NAME, ENV_NAME, KEY_REF, LABEL_NAME, quantity
from pointsman.fleet.shapes import at_most_one, both, listed, record, text, truth

_FIELD: Final = re.compile(
    r"metadata\.(?:name|namespace|uid|(?:labels|annotations)\['[^']+'\])"
    r"|spec\.(?:nodeName|serviceAccountName)|status\.(?:hostIPs?|podIPs?)"
)
_RESOURCE: Final = re.compile(r"(?:limits|requests)\.(?:cpu|memory|ephemeral-storage|hugepages-.+)")
_OPTIONAL_REF = record({"name": DOMAIN_NAME, "optional": truth}, needs=("name",))
_SOURCES = {
    "fieldRef": record(
        {"apiVersion": text(), "fieldPath": text(_FIELD, "a field of the Pod, as metadata.name or status.podIP")},
        needs=("fieldPath",),
    ),
    "resourceFieldRef": record(
        {
            "containerName": text(),
            "resource": text(_RESOURCE, "limits. or requests. with cpu, memory or ephemeral-storage"),
            "divisor": quantity,
        },
        needs=("resource",),
    ),
    "configMapKeyRef": KEY_REF,
    "secretKeyRef": KEY_REF,
    "fileKeyRef": record(
        {"volumeName": LABEL_NAME, "path": text(), "key": ENV_NAME, "optional": truth},
        needs=("volumeName", "path", "key"),
    ),
}

VALUE_FROM = record(_SOURCES, one_of=_SOURCES)
ENV_FROM = listed(
    record(
        {"prefix": ENV_NAME, "configMapRef": _OPTIONAL_REF, "secretRef": _OPTIONAL_REF},
        one_of=("configMapRef", "secretRef"),
    )
)
ENV = listed(
    both(
        record({"name": ENV_NAME, "value": text(), "valueFrom": VALUE_FROM}, needs=("name",)),
        at_most_one("value", "valueFrom"),
    )
)
