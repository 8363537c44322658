"""A provider's phase, and how far its start is."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.pods import at
from fleet.worlds import LATER, NOW, deployed, down, endpoint, provider, running, up, world
from pointsman.fleet import phases
from pointsman.fleet.seen import Seen, seen
from pointsman.fleet.world import Prefetch, Provider, Startup, Told, Workload
from pointsman.served import Probed

Json = dict[str, Any]


def of(found: Provider, **fields: Any) -> Any:
    """The provider as it is seen; `workload` and `probed` are its own."""
    workload, probed = fields.pop("workload", None), fields.pop("probed", None)
    workloads, probes = {"p": workload} if workload else {}, {"p": probed} if probed else {}
    return seen(world([found], workloads=workloads, probes=probes, **fields), "p")


def live(ready: int = 0, replicas: int = 1, **told: Any) -> Workload:
    """A Deployment whose Pods say `told`."""
    fetched = told.pop("prefetch", None)
    return running(ready, replicas, replicas=replicas, told=Told(**told), prefetch=fetched)


@pytest.mark.parametrize(
    ("probed", "phase"),
    [
        (Probed(), "Pending"),
        (up("m"), "Ready"),
        (down("ConnectionRefused"), "Unreachable"),
        (down("ModelLoading"), "Loading"),
        (down("Asleep"), "Idle"),
        (down("Unauthorized"), "Degraded"),
    ],
)
def test_a_server_that_others_run_has_the_phase_of_its_probes(probed: Probed, phase: str) -> None:
    """Whether it answers, and well."""
    assert phases.phase(of(endpoint("p"), probed=probed)) == phase


def test_what_is_decided_comes_before_what_is_seen() -> None:
    """Suspended, refused, not probed."""
    assert phases.phase(of(endpoint("p", suspend=True), probed=up("m"))) == "Suspended"
    assert phases.phase(of(provider("p", {"type": "VLLM"}))) == "Failed"
    assert phases.phase(of(endpoint("p", probe={"mode": "None"}))) == "Ready"


@pytest.mark.parametrize(
    ("workload", "phase"),
    [
        (None, "Pending"),
        (live(), "Pending"),
        (live(reason="InsufficientGPU"), "Pending"),
        (live(reason="Progressing"), "Pending"),
        (live(reason="ContainerCreating"), "Provisioning"),
        (live(reason="ModelLoading"), "Loading"),
        (live(reason="KVCacheTooSmall"), "Failed"),
        (live(prefetch=Prefetch("j")), "Downloading"),
        (live(prefetch=Prefetch("j", failed=True)), "Failed"),
        (live(prefetch=Prefetch("j", told=Told("PrefetchPodsMissing"))), "Failed"),
        (live(prefetch=Prefetch("j", told=Told("InsufficientResources"))), "Pending"),
        (live(prefetch=Prefetch("j", told=Told("RateLimitedByHub"))), "Downloading"),
        (live(prefetch=Prefetch("j", done=True), reason="ModelLoading"), "Loading"),
    ],
)
def test_an_engine_on_its_way_has_the_phase_of_its_pods(workload: Workload | None, phase: str) -> None:
    """Until one replica is ready."""
    assert phases.phase(of(deployed("p"), workload=workload)) == phase


def test_an_engine_that_runs_is_ready_as_far_as_it_serves() -> None:
    """Some replicas are Degraded; all of them without an answer are not Ready either."""
    assert phases.phase(of(deployed("p"), workload=live(1), probed=up("m"))) == "Ready"
    assert phases.phase(of(deployed("p"), workload=live(1))) == "Loading"
    assert phases.phase(of(deployed("p"), workload=live(1), probed=down("EngineStalled"))) == "Degraded"
    assert phases.phase(of(deployed("p", replicas=2), workload=live(1, 2), probed=up("m"))) == "Degraded"


def test_nothing_to_run_is_idle() -> None:
    """Asked for with zero replicas, or scaled down as nobody asks."""
    assert phases.phase(of(deployed("p", replicas=0), workload=live(0, 0))) == "Idle"
    asleep = of(deployed("p", scaling={}), workload=live(0, 0))
    assert (phases.phase(asleep), phases.asleep(asleep), phases.replicas(asleep)) == ("Idle", True, 0)
    waking = of(deployed("p", scaling={}), workload=live(0, 1, reason="ModelLoading"))
    assert (phases.phase(waking), phases.asleep(waking), phases.replicas(waking)) == ("Loading", False, 1)


def test_a_rollout_with_hand_over_is_maintenance() -> None:
    """Whatever its Pods say meanwhile."""
    rolled = provider("p", deployed_spec(), status={"maintenance": {"phase": "Rolling", "since": NOW}})
    assert phases.phase(of(rolled, workload=live(reason="ModelLoading"))) == "Maintenance"


def deployed_spec(**deploy: Any) -> Json:
    return {"type": "VLLM", "deploy": {"model": {"source": "hf://o/m"}, **deploy}}


def started(scheduled: float | None = None, image: float | None = None, load: float | None = None, **more: Any) -> Any:
    """A provider whose newest Pod began at 9:00."""
    told = more.pop("reason", "" if load else "ModelLoading")
    startup = Startup(at(more.pop("since", 0)), scheduled, image, load)
    return of(deployed("p"), workload=live(1 if load else 0, reason=told, startup=startup, **more))


def test_a_start_is_told_phase_by_phase() -> None:
    """In whole seconds; what has not ended is not there, and its sum is the last start's length."""
    assert phases.startup(started(), {}, NOW) == {"since": at(0)}
    assert phases.startup(started(1.4), {}, NOW) == {"since": at(0), "scheduledSeconds": 1}
    whole = phases.startup(started(1, 40, 120), {}, NOW)
    assert whole == {
        "since": at(0),
        "scheduledSeconds": 1,
        "imageSeconds": 40,
        "loadSeconds": 120,
        "lastSeconds": 161,
    }


def test_the_next_start_is_expected_to_take_as_long_as_the_last() -> None:
    """From its own beginning, as long as nothing is wrong with it; then the last length is kept alone."""
    last = phases.startup(started(1, 40, 120), {}, NOW)
    under_way = phases.startup(started(1, since=3600), last, LATER)
    assert under_way == {
        "since": at(3600),
        "scheduledSeconds": 1,
        "lastSeconds": 161,
        "expectedReady": at(3600 + 161),
    }
    broken = phases.startup(started(1, since=3600, reason="KVCacheTooSmall"), under_way, LATER)
    assert broken == {"since": at(3600), "scheduledSeconds": 1, "lastSeconds": 161}
    assert phases.startup(started(2, 10, 60, since=3600), under_way, LATER)["lastSeconds"] == 1 + 10 + 60


def test_nothing_changes_between_transitions() -> None:
    """Neither with the clock, nor as a Pod is ready once more, nor while nothing is known of Pods."""
    for found in (started(1), started(1, 40), started(1, 40, 120)):
        once = phases.startup(found, {}, NOW)
        assert phases.startup(found, once, LATER) == once
    whole = phases.startup(started(1, 40, 120), {}, NOW)
    assert phases.startup(started(1, 40, 7200), whole, LATER) == whole
    unknown = of(deployed("p"), workload=live(1))
    assert phases.startup(unknown, whole, LATER) == whole
    assert phases.startup(of(deployed("p"), workload=None), {}, NOW) == {}


def test_a_download_is_a_phase_before_the_first_pod() -> None:
    """It begins when it is seen first; how long it took stays with the start that waited for it."""
    fetching = of(deployed("p"), workload=live(prefetch=Prefetch("j")))
    begun = phases.startup(fetching, {}, NOW)
    assert begun == {"since": NOW}
    assert phases.startup(fetching, begun, LATER) == begun
    fetched = Prefetch("j", done=True, seconds=600.2)
    between = phases.startup(of(deployed("p"), workload=live(prefetch=fetched)), begun, LATER)
    assert between == {"since": NOW, "downloadSeconds": 600}
    whole = phases.startup(started(1, 40, 120, prefetch=fetched), between, LATER)
    assert (whole["downloadSeconds"], whole["lastSeconds"]) == (600, 161)


def test_what_is_stopped_keeps_its_last_start() -> None:
    """A start that was broken off leaves only the length of the one before."""
    whole = phases.startup(started(1, 40, 120), {}, NOW)
    stopped = of(deployed("p", replicas=0), workload=live(0, 0))
    assert isinstance(stopped, Seen)
    assert phases.startup(stopped, whole, LATER) == whole
    assert phases.startup(stopped, {"since": NOW, "lastSeconds": 9, "expectedReady": LATER}, LATER) == {
        "lastSeconds": 9
    }
