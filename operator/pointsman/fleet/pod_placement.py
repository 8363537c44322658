"""The shapes of tolerations, affinity and topologySpreadConstraints in Kubernetes 1.36.

Source: k8s.io/api, core/v1, and kubernetes, pkg/apis/core/validation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pointsman.fleet.pod_names import DOMAIN_NAME, LABEL_NAME, LABEL_VALUE, LABELS, QUALIFIED
from pointsman.fleet.shapes import both, choice, listed, record, text, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBER = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_WEIGHT = whole(1, 100)


def _requirement(value: Any, path: str) -> Iterator[str]:
    """How many values an operator takes."""
    if not isinstance(value, dict) or not isinstance(value.get("values", []), list):
        return
    operator, values = value.get("operator"), value.get("values") or []
    if operator in ("In", "NotIn") and not values:
        yield f"{path}.values: {operator} needs some: add one"
    elif operator in ("Exists", "DoesNotExist") and values:
        yield f"{path}.values: {operator} takes none: remove them"
    elif operator in ("Gt", "Lt") and len(values) != 1:
        yield f"{path}.values: {operator} takes one: keep one"


def _requirements(*operators: str) -> Any:
    members = {"key": QUALIFIED, "operator": choice(*operators), "values": listed(LABEL_VALUE)}
    return listed(both(record(members, needs=("key", "operator")), _requirement))


def _toleration(value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    operator = value.get("operator") or "Equal"
    if operator == "Exists" and value.get("value"):
        yield f"{path}.value: Exists takes none: remove it, or take the operator Equal"
    if operator != "Exists" and not value.get("key"):
        yield f"{path}.key: only Exists can be without one: add it"
    if operator in ("Lt", "Gt") and not _NUMBER.fullmatch(str(value.get("value"))):
        yield f"{path}.value: {operator} needs a whole number, in quotes"
    if value.get("tolerationSeconds") is not None and value.get("effect") != "NoExecute":
        yield f"{path}.tolerationSeconds: is for the effect NoExecute alone: remove it, or set the effect"


def _domains(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict) and "minDomains" in value and value.get("whenUnsatisfiable") != "DoNotSchedule":
        yield f"{path}.minDomains: is for whenUnsatisfiable: DoNotSchedule alone: remove it"


def _once(value: Any, path: str) -> Iterator[str]:
    seen: list[tuple[Any, Any]] = []
    for each in value if isinstance(value, list) else ():
        mark = (each.get("topologyKey"), each.get("whenUnsatisfiable")) if isinstance(each, dict) else (None, None)
        if mark != (None, None) and mark in seen:
            yield f"{path}: {mark[0]} with {mark[1]} is there twice: keep one"
        seen.append(mark)


SELECTOR = record({"matchLabels": LABELS, "matchExpressions": _requirements("In", "NotIn", "Exists", "DoesNotExist")})
TOLERATIONS = listed(
    both(
        record(
            {
                "key": QUALIFIED,
                "operator": choice("Exists", "Equal", "Lt", "Gt"),
                "value": LABEL_VALUE,
                "effect": choice("NoSchedule", "PreferNoSchedule", "NoExecute"),
                "tolerationSeconds": whole(-(2**63)),
            }
        ),
        _toleration,
    )
)
SPREAD = both(
    listed(
        both(
            record(
                {
                    "maxSkew": whole(1),
                    "topologyKey": QUALIFIED,
                    "whenUnsatisfiable": choice("DoNotSchedule", "ScheduleAnyway"),
                    "labelSelector": SELECTOR,
                    "minDomains": whole(1),
                    "nodeAffinityPolicy": choice("Honor", "Ignore"),
                    "nodeTaintsPolicy": choice("Honor", "Ignore"),
                    "matchLabelKeys": listed(QUALIFIED),
                },
                needs=("maxSkew", "topologyKey", "whenUnsatisfiable"),
            ),
            _domains,
        )
    ),
    _once,
)

_FIELDS = record(
    {"key": choice("metadata.name"), "operator": choice("In", "NotIn"), "values": listed(text(), least=1)},
    needs=("key", "operator", "values"),
)
_NODES = record(
    {
        "matchExpressions": _requirements("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"),
        "matchFields": listed(_FIELDS),
    }
)
_PODS = record(
    {
        "labelSelector": SELECTOR,
        "namespaces": listed(LABEL_NAME),
        "topologyKey": QUALIFIED,
        "namespaceSelector": SELECTOR,
        "matchLabelKeys": listed(QUALIFIED),
        "mismatchLabelKeys": listed(QUALIFIED),
    },
    needs=("topologyKey",),
)
_NEAR = record(
    {
        _REQUIRED: listed(_PODS),
        _PREFERRED: listed(record({"weight": _WEIGHT, "podAffinityTerm": _PODS}, needs=("weight", "podAffinityTerm"))),
    }
)
AFFINITY = record(
    {
        "nodeAffinity": record(
            {
                _REQUIRED: record({"nodeSelectorTerms": listed(_NODES, least=1)}, needs=("nodeSelectorTerms",)),
                _PREFERRED: listed(record({"weight": _WEIGHT, "preference": _NODES}, needs=("weight", "preference"))),
            }
        ),
        "podAffinity": _NEAR,
        "podAntiAffinity": _NEAR,
    }
)
READINESS_GATES = listed(record({"conditionType": QUALIFIED}, needs=("conditionType",)))
LOCAL_REFS = listed(record({"name": DOMAIN_NAME}, needs=("name",)))
