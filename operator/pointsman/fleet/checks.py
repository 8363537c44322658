"""A provider's conditions: for each a chain of pure checks, of which the first finding counts, as in cert-manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.fleet import catalogue
from pointsman.fleet.conditions import Check, Finding, first, good, unknown
from pointsman.fleet.keys import secret_problem, secret_refs
from pointsman.served import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.fleet.seen import Seen

_NO_ANSWER: Final = ("ConnectionRefused", "DNSFailure", "TLSFailure", "Timeout", "ConnectionReset")


def provider_conditions(seen: Seen | Finding) -> dict[str, Finding]:
    """By type, in the order of the design; of a refused provider only Accepted and Ready."""
    if isinstance(seen, Finding):
        return {"Accepted": seen, "Ready": seen}
    found = {"Accepted": good("Accepted", "the spec is sound")}
    for kind, checks in _CHAINS.items():
        if kind != "WorkloadReady" or seen.spec.deploy:
            found[kind] = first(checks, seen) or _WELL[kind]
    return found | {"Ready": _ready(seen, found)}


def _no_secret(seen: Seen) -> Finding | None:
    return None if secret_refs(seen) else good("NoSecretNeeded", "the spec names no Secret")


def _refused_credentials(seen: Seen) -> Finding | None:
    if seen.probed.credentials_valid is not False:
        return None
    reason = seen.probed.reason if seen.probed.reason in {"Unauthorized", "Forbidden"} else "Unauthorized"
    return Finding(reason, seen.probed.message or "the server refused the credentials")


def _credentials_untold(seen: Seen) -> Finding | None:
    if seen.probed.credentials_valid:
        return None
    return _unprobed(seen) or unknown("NotTold", "the server's answers do not tell")


def _idle_on_purpose(seen: Seen) -> Finding | None:
    if seen.spec.suspend:
        return Finding("Suspended", "spec.suspend is true")
    if seen.spec.deploy and seen.spec.deploy.replicas == 0:
        return Finding("ScaledToZero", "spec.deploy.replicas is 0")
    return None


def _replicas(seen: Seen) -> Finding | None:
    wanted = seen.spec.deploy.replicas if seen.spec.deploy else 0
    ready = int(seen.workload.status.get("readyReplicas") or 0) if seen.workload else 0
    if ready >= wanted:
        return None
    reason, message = _lifted(seen)
    told = f"{ready} of {wanted} replicas ready" + (f": {message}" if message else "")
    return good("PartlyReady", told) if ready else Finding(reason, told)


def _lifted(seen: Seen) -> tuple[str, str]:
    """Why replicas are not ready: what the Pods say, else what the Deployment says."""
    if seen.workload is None:
        return "Progressing", "the Deployment is not there yet"
    if seen.workload.reason:
        return seen.workload.reason, seen.workload.message
    for each in seen.workload.status.get("conditions") or ():
        if (each.get("type"), each.get("status")) == ("ReplicaFailure", "True"):
            return "ReplicaFailure", str(each.get("message", ""))
        if each.get("reason") == "ProgressDeadlineExceeded":
            return "ProgressDeadlineExceeded", str(each.get("message", ""))
    return "Progressing", ""


def _unprobed(seen: Seen) -> Finding | None:
    return unknown(seen.probed.reason, seen.probed.message) if seen.probed.state is State.UNKNOWN else None


def _no_answer(seen: Seen) -> Finding | None:
    silent = seen.probed.state is State.DOWN and seen.probed.reason in _NO_ANSWER
    return Finding(seen.probed.reason, seen.probed.message) if silent else None


def _down(seen: Seen) -> Finding | None:
    return Finding(seen.probed.reason, seen.probed.message) if seen.probed.state is State.DOWN else None


def _stated_only(seen: Seen) -> Finding | None:
    return good("Static", "only the models of spec.models exist") if seen.spec.discovery == "Static" else None


def _no_list(seen: Seen) -> Finding | None:
    if seen.probed.models_known:
        return None
    return _unprobed(seen) or _down(seen) or Finding("NoModelList", "the server answers without a list of models")


def _no_models(seen: Seen) -> Finding | None:
    if catalogue.models(seen):
        return None
    return Finding("NoModels", "neither the server nor the spec names a model")


_CHAINS: Final[Mapping[str, tuple[Check[Seen], ...]]] = {
    "SecretResolved": (_no_secret, secret_problem),
    "CredentialsValid": (_refused_credentials, _no_secret, _credentials_untold),
    "WorkloadReady": (_idle_on_purpose, _replicas),
    "Reachable": (_unprobed, _no_answer),
    "ModelsDiscovered": (_stated_only, _no_list, _no_models),
    "Serving": (_unprobed, _down),
}
_WELL: Final[Mapping[str, Finding]] = {
    "SecretResolved": good("SecretsFound", "every Secret's key is there"),
    "CredentialsValid": good("Authorized", "the server took the credentials"),
    "WorkloadReady": good("ReplicasReady", "every replica is ready"),
    "Reachable": good("Reachable", "the server answers"),
    "ModelsDiscovered": good("Discovered", "the server's list of models was read"),
    "Serving": good("Serving", "the probes succeed"),
}


def _ready(seen: Seen, found: Mapping[str, Finding]) -> Finding:
    """The first that stands in the way; what is only unknown does so where nothing else can tell."""
    if seen.spec.suspend:
        return Finding("Suspended", "spec.suspend is true")
    for kind in ("SecretResolved", "WorkloadReady", "CredentialsValid", "Reachable", "ModelsDiscovered", "Serving"):
        if kind in found and found[kind].status == "False":
            return found[kind]
    if seen.probed.reason == "ProbeDisabled":
        return good("ProbeDisabled", seen.probed.message)
    serving = found["Serving"]
    return good("Ready", "the provider serves") if serving.status == "True" else serving
