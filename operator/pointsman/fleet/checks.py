"""A provider's conditions: for each a chain of pure checks, of which the first finding counts, as in cert-manager."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pointsman.engines.vllm_parallelism import nodes
from pointsman.fleet import catalogue, phases
from pointsman.fleet.conditions import LONGEST, Check, Finding, first, good, unknown
from pointsman.fleet.keys import secret_problem, secret_refs
from pointsman.fleet.podreport import PROGRESS
from pointsman.fleet.reasons import remedy_of
from pointsman.served import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.fleet.seen import Seen

_LEADER_WORKER_SET: Final = (
    "a replica of several nodes needs LeaderWorkerSets (leaderworkerset.x-k8s.io), which this cluster does not know"
)


def provider_conditions(seen: Seen | Finding) -> dict[str, Finding]:
    """By type, in the order of the design; of a refused provider only Accepted and Ready."""
    if isinstance(seen, Finding):
        return {"Accepted": seen, "Ready": seen}
    found = {"Accepted": good("Accepted", "the spec is sound")}
    for kind, checks in _CHAINS.items():
        if _applies(kind, seen):
            found[kind] = first(checks, seen) or _WELL[kind]
    # These two are told by Events; where they have one cause, it is told once.
    told: dict[str, Finding] = {kind: found[kind] for kind in ("CredentialsValid", "ModelCached") if kind in found}
    told["Ready"] = _ready(seen, found)
    return found | {kind: _mended(finding, seen.name) for kind, finding in told.items()}


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


def _applies(kind: str, seen: Seen) -> bool:
    if kind == "ModelCached":
        return seen.workload is not None and seen.workload.prefetch is not None
    return kind != "WorkloadReady" or seen.spec.deploy is not None


def _idle_on_purpose(seen: Seen) -> Finding | None:
    if seen.spec.suspend:
        return Finding("Suspended", "spec.suspend is true")
    if phases.asleep(seen):
        return Finding("ScaledToZero", "nobody asks for it: it wakes with the next request")
    if seen.spec.deploy and phases.replicas(seen) == 0:
        return Finding("ScaledToZero", "spec.deploy.replicas is 0")
    return None


def _no_groups(seen: Seen) -> Finding | None:
    grouped = seen.spec.deploy is not None and nodes(seen.spec.deploy) > 1
    missing = grouped and seen.world.leader_worker_sets is False
    return Finding("LeaderWorkerSetMissing", _LEADER_WORKER_SET) if missing else None


def _refused(seen: Seen) -> Finding | None:
    """What the API server did not take; what runs goes on as it was."""
    refused = seen.world.refused.get(seen.name, ())
    if not refused:
        return None
    told = "; ".join(f"{each.kind} {each.name}: {each.message}" for each in refused)
    if _ready_replicas(seen):
        return good("EditRefused", f"it runs as it was before, as the API server refuses what is wanted now: {told}")
    return Finding("ObjectRefused", told)


def _unfetched(seen: Seen) -> Finding | None:
    """Why the model is not in the cache yet."""
    job = seen.workload.prefetch if seen.workload else None
    if job is None or job.done:
        return None
    look = f"; if it makes no Pod, `kubectl describe job {job.job}` says why"
    message = job.told.message or f"the Job {job.job} fetches the model{look}"
    if job.failed:
        # What its last Pod said is the cause, unless that Pod is gone.
        told = job.told.reason not in {"", *PROGRESS}
        return Finding(job.told.reason if told else "DownloadFailed", message if told else f"the Job {job.job} failed")
    return Finding(job.told.reason or "Downloading", message)


def _fetching(seen: Seen) -> Finding | None:
    """The same as a reason not to be ready: an engine that runs goes on while the next model is fetched."""
    return None if _ready_replicas(seen) else _unfetched(seen)


def _replicas(seen: Seen) -> Finding | None:
    wanted, ready = phases.replicas(seen), _ready_replicas(seen)
    if ready >= wanted:
        return None
    reason, message = _lifted(seen)
    told = f"{ready} of {wanted} replicas ready" + (f": {message}" if message else "")
    return good("PartlyReady", told) if ready else Finding(reason, told)


def _ready_replicas(seen: Seen) -> int:
    return seen.workload.ready if seen.workload else 0


def _lifted(seen: Seen) -> tuple[str, str]:
    """Why replicas are not ready: what the Pods say, else what the Deployment says."""
    live = seen.workload
    if live is None or not live.present:
        return "Progressing", "the Deployment is not there yet"
    conditions = {str(each.get("type")): each for each in live.status.get("conditions") or ()}
    failure, progress = conditions.get("ReplicaFailure") or {}, conditions.get("Progressing") or {}
    reason, message = (live.told.reason, live.told.message) if live.told.reason else (live.reason, live.message)
    if failure.get("status") == "True" and reason in {"", *PROGRESS}:
        return "ReplicaFailure", str(failure.get("message", ""))
    if reason and reason != "Progressing":
        return reason, message
    if progress.get("reason") == "ProgressDeadlineExceeded":
        return "ProgressDeadlineExceeded", str(progress.get("message", ""))
    return "Progressing", message


def _unprobed(seen: Seen) -> Finding | None:
    return unknown(seen.probed.reason, seen.probed.message) if seen.probed.state is State.UNKNOWN else None


def _no_answer(seen: Seen) -> Finding | None:
    silent = seen.probed.state is State.DOWN and seen.probed.reason in phases.NO_ANSWER
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
    "ModelCached": (_unfetched,),
    "WorkloadReady": (_idle_on_purpose, _no_groups, _refused, _fetching, _replicas),
    "Reachable": (_unprobed, _no_answer),
    "ModelsDiscovered": (_stated_only, _no_list, _no_models),
    "Serving": (_unprobed, _down),
}
_WELL: Final[Mapping[str, Finding]] = {
    "SecretResolved": good("SecretsFound", "every Secret's key is there"),
    "CredentialsValid": good("Authorized", "the server took the credentials"),
    "ModelCached": good("ModelCached", "the model is in the cache"),
    "WorkloadReady": good("ReplicasReady", "every replica is ready"),
    "Reachable": good("Reachable", "the server answers"),
    "ModelsDiscovered": good("Discovered", "the server's list of models was read"),
    "Serving": good("Serving", "the probes succeed"),
}


def _mended(found: Finding, name: str) -> Finding:
    """With what to do about it, as this message alone is what a table and an Event show."""
    remedy = remedy_of(found.reason, name, found.message) if found.status != "True" else ""
    if not remedy or remedy.rstrip(".").lower() in found.message.lower():
        return found
    room = LONGEST - len(remedy) - 2
    said = found.message if len(found.message) <= room else found.message[: room - 1] + "…"
    ends = said[-1:] in {".", "!", "?", "…", ""}
    return replace(found, message=f"{said}{'' if ends else '.'} {remedy}".strip())


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
    return _serves(found) if serving.status == "True" else serving


def _serves(found: Mapping[str, Finding]) -> Finding:
    """It does; that something else was wanted must not be overlooked."""
    workload, cached = found.get("WorkloadReady"), found.get("ModelCached")
    if workload and workload.reason == "EditRefused":
        return workload
    if cached and cached.status == "False" and cached.reason not in PROGRESS:
        return good(
            "Ready", f"the provider serves as it was; the model that is wanted now is not there: {cached.message}"
        )
    return good("Ready", "the provider serves")
