"""What the cluster's objects say of a provider's engine: its Deployment or group, its addresses, its Job."""

from typing import Any

from pointsman.controller import workloads
from pointsman.names import PROVIDER_LABEL, REVISION_ANNOTATION

Json = dict[str, Any]


def meta(name: str, provider: str = "qwen", **more: Any) -> Json:
    return {"namespace": "ai", "name": name, "labels": {PROVIDER_LABEL: provider}, "generation": 3, **more}


def deployment(ready: int, of: int = 1, revision: str = "abc", **status: Any) -> Json:
    template = {"metadata": {"annotations": {REVISION_ANNOTATION: revision}}}
    counts = {"replicas": of, "updatedReplicas": of, "readyReplicas": ready, "observedGeneration": 3} | status
    spec = {"replicas": of, "template": template}
    return {"kind": "Deployment", "metadata": meta("qwen"), "spec": spec, "status": counts}


def job(name: str, made: str = "2026-11-21T09:00:00Z", **status: Any) -> Json:
    return {"kind": "Job", "metadata": meta(name, creationTimestamp=made), "status": status}


def ended(kind: str) -> list[Json]:
    return [{"type": kind, "status": "True"}]


def endpoints(*addresses: str, ready: bool = True) -> Json:
    listed = [{"addresses": [each], "conditions": {"ready": ready}} for each in addresses]
    return {"metadata": meta("qwen-x"), "addressType": "IPv4", "ports": [{"port": 8000}], "endpoints": listed}


def test_a_deployment_that_is_all_there_is_rolled() -> None:
    """Its live template tells by which spec it was made."""
    seen = workloads.read([deployment(1)], [endpoints("10.0.0.1")])["qwen"]
    assert (seen.rolled, seen.revision, seen.replicas, seen.addresses) == (True, "abc", 1, ("10.0.0.1:8000",))


def test_a_rollout_under_way_is_not_rolled() -> None:
    """Neither before the controller has seen it, nor while old Pods are there, nor before the new ones are ready."""
    for status in ({"observedGeneration": 2}, {"updatedReplicas": 0}, {"readyReplicas": 0}, {"replicas": 2}):
        assert not workloads.read([deployment(1, **status)], [])["qwen"].rolled


def test_nothing_wanted_and_nothing_there_is_rolled() -> None:
    """The API server leaves counts out that are 0."""
    body = deployment(0, of=0)
    body["status"] = {"observedGeneration": 3}
    assert workloads.read([body], [])["qwen"].rolled


def test_a_job_is_known_before_there_is_an_engine() -> None:
    """How it ended and how long it took; of several the newest counts."""
    old = job("qwen-prefetch-1", made="2026-11-20T09:00:00Z", conditions=ended("Complete"))
    times = {"startTime": "2026-11-21T09:00:00Z", "completionTime": "2026-11-21T09:02:05Z"}
    new = job("qwen-prefetch-2", conditions=ended("Complete"), **times)
    seen = workloads.read([], [], [new, old])["qwen"]
    assert not seen.present
    assert seen.prefetch is not None
    assert (seen.prefetch.job, seen.prefetch.done, seen.prefetch.seconds) == ("qwen-prefetch-2", True, 125.0)


def test_a_job_that_gave_up_has_failed() -> None:
    """And one that is being deleted does not count."""
    gone = job("qwen-prefetch-2", made="2026-11-21T10:00:00Z", conditions=ended("Complete"))
    gone["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:01Z"
    seen = workloads.read([], [], [job("qwen-prefetch-1", conditions=ended("Failed")), gone])["qwen"].prefetch
    assert seen is not None
    assert (seen.job, seen.failed, seen.done) == ("qwen-prefetch-1", True, False)


def test_a_group_of_pods_counts_as_a_deployment_does() -> None:
    """Its revision stands in its leader's template."""
    leader = {"metadata": {"annotations": {REVISION_ANNOTATION: "xyz"}}}
    body = {
        "kind": "LeaderWorkerSet",
        "metadata": meta("qwen"),
        "spec": {"replicas": 2, "leaderWorkerTemplate": {"leaderTemplate": leader, "size": 2}},
        "status": {"replicas": 2, "readyReplicas": 2, "updatedReplicas": 2},
    }
    seen = workloads.read([body], [])["qwen"]
    assert (seen.revision, seen.replicas, seen.rolled) == ("xyz", 2, True)


def test_only_addresses_that_are_ready_count() -> None:
    """IPv6 ones stand in brackets; a slice without a port has none."""
    six = endpoints("fd00::1") | {"addressType": "IPv6"}
    waiting, mute = endpoints("10.0.0.2", ready=False), endpoints("10.0.0.3") | {"ports": []}
    assert workloads.read([deployment(1)], [six, waiting, mute])["qwen"].addresses == ("[fd00::1]:8000",)
