"""What is applied, what is left as it is, and when: by what runs, what is fetched, and what is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from fleet.worlds import NOW, deployed, endpoint, route, running, up, world
from pointsman.fleet.engine import engine
from pointsman.fleet.seen import Seen, seen
from pointsman.fleet.world import Demand, Prefetch, Refused, Workload
from pointsman.names import ENGINE_KEYS_SECRET

if TYPE_CHECKING:
    from pointsman.fleet.engine import Engine
    from pointsman.fleet.world import Provider, World

Json = dict[str, Any]
KEY = {(ENGINE_KEYS_SECRET, "q"): "k"}


def decide(of: World, now: str = NOW) -> Engine:
    found = seen(of, "q")
    assert isinstance(found, Seen)
    assert found.spec.deploy is not None
    return engine(found, found.spec.deploy, now)


def kinds(of: Engine) -> set[str]:
    return {body["kind"] for body in of.objects}


def named(of: Engine, kind: str) -> Json:
    return next(body for body in of.objects if body["kind"] == kind)


def revision(of: Engine) -> str:
    template = named(of, "Deployment")["spec"]["template"]
    return str(template["metadata"]["annotations"]["pointsman.dev/revision"])


def live(provider: Provider, **of: Any) -> Workload:
    """The workload of this provider as it is rendered, ready."""
    status = {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "observedGeneration": 1}
    made = revision(decide(world([provider], secrets=KEY)))
    return replace(running(1, status=status, generation=1, replicas=1, revision=made), **of)


def with_status(provider: Provider, phase: str, since: str = NOW) -> Provider:
    maintenance = {"phase": phase, "since": since, "revision": "r"}
    return replace(provider, status={"maintenance": maintenance})


def test_a_new_provider_gets_everything_at_once() -> None:
    """There is nothing to hand over from."""
    made = decide(world([deployed("q")], secrets=KEY))
    assert kinds(made) == {"Deployment", "Service", "NetworkPolicy"}
    assert (made.held, made.maintenance, made.prove, made.replicas) == (frozenset(), None, "", 1)


def test_an_engine_waits_for_the_job_that_fetches_its_model() -> None:
    """It is looked at again, as Jobs tell of their end by themselves but its Pods do not."""
    q = deployed("q", cache={"size": "1Gi"})
    first = decide(world([q], secrets=KEY))
    assert kinds(first) >= {"Job", "PersistentVolumeClaim", "Service"}
    assert "Deployment" not in kinds(first)
    assert ("Deployment", "q") in first.held
    assert first.again is not None
    job = named(first, "Job")["metadata"]["name"]
    for prefetch, ready in ((Prefetch(job), False), (Prefetch("other", done=True), False), (Prefetch(job, True), True)):
        then = decide(world([q], secrets=KEY, workloads={"q": Workload(present=False, prefetch=prefetch)}))
        assert ("Deployment" in kinds(then)) is ready


def test_a_suspended_provider_fetches_nothing_and_stops_at_once() -> None:
    """Whatever its Job has come to."""
    q = deployed("q", cache={"size": "1Gi"})
    assert q.spec is not None
    off = replace(q, spec=q.spec.model_copy(update={"suspend": True}))
    made = decide(world([off], secrets=KEY, workloads={"q": running(1, replicas=1)}))
    assert "Job" not in kinds(made)
    assert named(made, "Deployment")["spec"]["replicas"] == 0


def test_what_runs_goes_on_while_the_next_model_is_fetched() -> None:
    """The live Deployment is left alone, and so is the proof that an engine still owes."""
    q = with_status(deployed("q", cache={"size": "1Gi"}), "Failed")
    runs = running(1, replicas=1, revision="old", status={"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1})
    made = decide(world([q], [route("r", "q/m", "e/m")], secrets=KEY, workloads={"q": runs}))
    assert ("Deployment", "q") in made.held
    assert made.maintenance is not None
    assert (made.maintenance["phase"], made.prove) == ("Proving", "old")


def test_a_rollout_in_place_drains_first_where_a_fallback_covers_it() -> None:
    """The engine's object is held; everything beside it is applied."""
    q = deployed("q")
    runs = live(q, revision="old")
    covered = world(
        [q, endpoint("e")], [route("r", "q/Qwen/Qwen3-32B", "e/m")], secrets=KEY, workloads={"q": runs},
        probes={"q": up("Qwen/Qwen3-32B"), "e": up("m")},
    )  # fmt: skip
    made = decide(covered)
    assert "Deployment" not in kinds(made)
    assert "Service" in kinds(made)
    assert made.maintenance is not None
    assert (made.maintenance["phase"], made.maintenance["since"]) == ("Draining", NOW)
    alone = decide(replace(covered, routes={}))
    assert "Deployment" in kinds(alone)
    assert alone.maintenance is None


def test_a_phase_keeps_the_time_at_which_it_began() -> None:
    """Its length is what deadlines are measured by."""
    q = with_status(deployed("q"), "Draining", since="2026-11-21T08:59:00Z")
    q.status["maintenance"]["revision"] = revision(decide(world([deployed("q")], secrets=KEY)))
    of = world(
        [q, endpoint("e")], [route("r", "q/Qwen/Qwen3-32B", "e/m")], secrets=KEY,
        workloads={"q": live(deployed("q"), revision="old")}, probes={"e": up("m")},
        demand={"q": Demand(0.0, wanted=True, in_flight=1)},
    )  # fmt: skip
    made = decide(of)
    assert made.maintenance is not None
    assert (made.maintenance["phase"], made.maintenance["since"]) == ("Draining", "2026-11-21T08:59:00Z")
    q.status["maintenance"]["revision"] = "of another change"
    other = decide(of).maintenance
    assert other is not None
    assert other["since"] == NOW


def test_another_key_is_another_revision() -> None:
    """An engine that has the old key would refuse all that gateways send."""
    q = deployed("q")
    other = {(ENGINE_KEYS_SECRET, "q"): "other"}
    assert revision(decide(world([q], secrets=KEY))) != revision(decide(world([q], secrets=other)))


def test_a_key_that_is_lost_ends_no_engine() -> None:
    """Somebody has deleted the Secret that the spec names: what runs goes on with the key that it has."""
    q = deployed("q", apiKeyRef={"name": "mine"})
    there = world([q], secrets={("mine", "token"): "k"}, workloads={"q": running(1, replicas=1)})
    assert "Deployment" in kinds(decide(there))
    lost = decide(replace(there, secrets={}))
    assert "Deployment" not in kinds(lost)
    assert ("Deployment", "q") in lost.held


@pytest.mark.parametrize("known", [None, False])
def test_groups_of_pods_wait_for_their_kind(known: bool | None) -> None:
    """An API server that does not know the kind would refuse it; an older Deployment goes on meanwhile."""
    q = deployed("q", parallelism={"nodes": 2})
    made = decide(world([q], secrets=KEY, leader_worker_sets=known))
    assert "LeaderWorkerSet" not in kinds(made)
    assert made.held == {("Deployment", "q"), ("LeaderWorkerSet", "q")}
    assert made.again is not None
    there = decide(world([q], secrets=KEY, leader_worker_sets=True))
    assert "LeaderWorkerSet" in kinds(there)
    assert there.again is not None, "nobody watches them"


def test_nobody_asks_and_nothing_runs() -> None:
    """By demand, if the spec says so; the next request brings it back."""
    q = deployed("q", scaling={"minReplicas": 0, "idle": "5m"})
    ready = {"conditions": [{"type": "WorkloadReady", "status": "True", "lastTransitionTime": "2026-11-21T08:00:00Z"}]}
    q = replace(q, status=ready)
    for demand, replicas in ((Demand(301.0, wanted=False), 0), (Demand(10.0, wanted=True), 1)):
        of = world([q], secrets=KEY, workloads={"q": live(deployed("q"))}, demand={"q": demand})
        assert decide(of).replicas == replicas


def test_nobody_leaves_a_route_for_what_the_api_server_refuses() -> None:
    """It is tried without a trace first; refused, the engine stays in its routes, and is tried again."""
    q = deployed("q")
    of = world(
        [q, endpoint("e")], [route("r", "q/Qwen/Qwen3-32B", "e/m")], secrets=KEY,
        workloads={"q": live(q, revision="old")}, probes={"q": up("Qwen/Qwen3-32B"), "e": up("m")},
    )  # fmt: skip
    first = decide(of)
    assert first.trial is not None
    assert first.trial["kind"] == "Deployment"
    refused = replace(of, refused={"q": (Refused("Deployment", "q", "no", first.revision),)})
    held = decide(refused)
    assert held.maintenance is None
    assert held.trial == first.trial
    assert held.again is not None
    going = replace(refused, providers={**of.providers, "q": with_status(q, "Draining")})
    assert decide(going).maintenance is None, "it comes back"
