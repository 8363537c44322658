"""A rollout with hand-over, step by step, and the facts that it is decided from."""

from dataclasses import replace
from typing import Any

import pytest

from fleet.worlds import deployed, down, endpoint, route, up, world
from pointsman.fleet import handover, reasons
from pointsman.fleet.handover import Facts, Step, finding, step
from pointsman.fleet.render import render
from pointsman.fleet.seen import Seen, seen
from pointsman.fleet.world import Demand, Gateway, ProofResult, Provider, Workload, World

RUNS = Facts("new", 1, "old", 1, 1, covered=True, used=True, in_flight=3)
NEW = replace(RUNS, live_revision="new", in_flight=0, begun_for="new")


def test_nothing_to_do() -> None:
    """What is wanted is live: it is applied all the same, so that drift is mended, and nothing else happens."""
    assert step("", replace(RUNS, wanted_revision="old", rolled=True)) == Step("")


def test_the_whole_way() -> None:
    """Out, drained, rolled, proved, back; nothing but the table changes before the last request has ended."""
    begun = step("", RUNS)
    assert (begun.phase, begun.apply, begun.out) == ("Draining", False, True)
    assert not step("Draining", replace(RUNS, in_flight=0)).apply
    assert not step("Draining", replace(RUNS, away=True)).apply
    rolled = step("Draining", replace(RUNS, away=True, in_flight=0))
    assert (rolled.phase, rolled.apply, rolled.out) == ("Rolling", True, True)
    assert step("Rolling", replace(NEW, live_ready=0)).phase == "Rolling"
    proving = step("Rolling", replace(NEW, rolled=True))
    assert (proving.phase, proving.prove, proving.out) == ("Proving", True, True)
    assert step("Proving", replace(NEW, rolled=True)).prove
    back = step("Proving", replace(NEW, rolled=True, proof=ProofResult("new", ok=True)))
    assert (back.phase, back.out, back.prove) == ("", False, False)


@pytest.mark.parametrize(
    "facts",
    [
        replace(RUNS, live_revision="", live_replicas=0, live_ready=0),
        replace(RUNS, live_ready=0, in_flight=None),
        replace(RUNS, in_place=False),
        replace(RUNS, covered=False),
        replace(RUNS, use_fallback=False),
        replace(RUNS, used=False),
        replace(RUNS, wanted_revision="old", wanted_replicas=3),
        replace(RUNS, wanted_revision="old", wanted_replicas=1, live_replicas=0, live_ready=0),
    ],
    ids=["first", "down", "one after another", "no fallback", "not allowed", "unused", "more", "wake"],
)
def test_straight_through(facts: Facts) -> None:
    """Where nobody gains by it there is no maintenance."""
    assert (step("", facts).phase, step("", facts).apply) == ("", True)


@pytest.mark.parametrize("field", ["covered", "use_fallback", "used"])
def test_it_is_said_that_requests_fail(field: str) -> None:
    """A change in place without a hand-over says what it costs, and why."""
    lacks: dict[str, Any] = {field: False}
    assert "requests fail meanwhile: " in step("", replace(RUNS, **lacks)).message


def test_stopping_drains_too() -> None:
    """Suspended or scaled to zero: what is under way ends first, and there is nothing to prove."""
    stops = replace(RUNS, wanted_revision="old", wanted_replicas=0)
    assert step("", stops).phase == "Draining"
    assert step("Draining", replace(stops, away=True, in_flight=0)).phase == "Rolling"
    ended = replace(stops, live_replicas=0, live_ready=0, in_flight=0)
    assert step("Rolling", ended).phase == "Rolling"
    assert step("Rolling", replace(ended, rolled=True)).phase == ""


def test_idle_is_waited_for_without_a_fallback() -> None:
    """waitForIdle: until nothing is under way, in its routes all the while, and at most the drain timeout."""
    waits = replace(RUNS, covered=False, use_fallback=False, wait_for_idle=True)
    begun = step("", waits)
    assert (begun.phase, begun.apply, begun.out) == ("Draining", False, False)
    assert step("Draining", replace(waits, in_flight=0)).apply
    assert not step("Draining", replace(waits, elapsed=599)).apply
    assert step("Draining", replace(waits, elapsed=600)).apply


def test_longest_wait() -> None:
    """After the drain timeout it rolls anyway and says that requests were under way."""
    assert not step("Draining", replace(RUNS, away=True, elapsed=599)).apply
    forced = step("Draining", replace(RUNS, away=True, elapsed=600))
    assert (forced.phase, forced.apply) == ("Rolling", True)
    assert "requests still under way" in forced.message


def test_unknown_is_not_idle() -> None:
    """Where gateways do not tell what is under way, their acknowledgement and a minute have to do."""
    untold = replace(RUNS, in_flight=None, away=True)
    assert not step("Draining", replace(untold, elapsed=59)).apply
    assert not step("Draining", replace(untold, away=False, elapsed=599)).apply
    assert step("Draining", replace(untold, elapsed=60)).apply


def test_set_back_while_draining() -> None:
    """It ends without a roll; but what the last operator has applied before it ended is proved."""
    back = replace(RUNS, wanted_revision="old", rolled=True, begun_for="new")
    assert step("Draining", back).phase == ""
    assert step("Draining", replace(NEW, live_ready=0)).phase == "Rolling"
    assert step("Draining", replace(NEW, rolled=True)).phase == "Proving"


def test_fallback_lost_while_draining() -> None:
    """The old engine goes on, as gateways use what is out where nothing else is left."""
    lost = replace(RUNS, covered=False, away=True, in_flight=0)
    assert (step("Draining", lost).phase, step("Draining", lost).apply) == ("Draining", False)


def test_engine_dies_while_draining() -> None:
    """Then there is nothing to wait for."""
    assert step("Draining", replace(RUNS, live_ready=0, in_flight=0)).phase == "Rolling"


def test_never_ready() -> None:
    """After the startup's time and ten minutes it has failed; it stays out, and comes back should it come up."""
    never = replace(NEW, live_ready=0, startup_seconds=60)
    assert step("Rolling", replace(never, elapsed=659)).phase == "Rolling"
    failed = step("Rolling", replace(never, elapsed=660))
    assert (failed.phase, failed.out) == ("Failed", True)
    assert step("Failed", never).phase == "Failed"
    assert step("Failed", replace(NEW, rolled=True)).prove
    assert step("Failed", replace(NEW, rolled=True, proof=ProofResult("new", ok=True))).phase == ""


def test_never_proved() -> None:
    """The engine is ready and gives no completion: out, with what it said, and asked again and again."""
    failed = step("Proving", replace(NEW, rolled=True, proof=ProofResult("new", ok=False, message="it said 500")))
    assert (failed.phase, failed.out, failed.prove) == ("Failed", True, True)
    assert "it said 500" in failed.message
    assert step("Proving", replace(NEW, elapsed=600)).phase == "Failed"


def test_proof_of_another_revision() -> None:
    """What an older engine has proved says nothing of this one."""
    assert step("Proving", replace(NEW, rolled=True, proof=ProofResult("old", ok=True))).phase == "Proving"


def test_engine_dies_while_proving() -> None:
    """It is waited for until it is ready again, whatever it proved before."""
    assert step("Proving", replace(NEW, live_ready=0, proof=ProofResult("new", ok=True))).phase == "Rolling"


@pytest.mark.parametrize("phase", ["Rolling", "Proving", "Failed"])
def test_new_spec_on_the_way(phase: str) -> None:
    """An engine that is down is rolled again at once; one that answers already is drained first."""
    again = replace(NEW, wanted_revision="newer")
    assert (step(phase, replace(again, live_ready=0)).phase, step(phase, replace(again, live_ready=0)).apply) == (
        "Rolling",
        True,
    )
    assert (step(phase, again).phase, step(phase, again).apply) == ("Draining", False)


def test_finding() -> None:
    """The condition is True in every phase, with a reason that is documented, and says what is waited for."""
    assert (finding({}).status, finding({}).reason) == ("False", "NotInMaintenance")
    for phase, reason in {**{p: p for p in ("Draining", "Rolling", "Proving")}, "Failed": "RolloutFailed"}.items():
        told = finding({"maintenance": {"phase": phase, "since": "2026-11-21T09:00:00Z"}})
        assert (told.status, told.reason) == ("True", reason)
        assert "fallback" in told.message
        assert reason in reasons.REASONS
    failed = finding({"maintenance": {"phase": "Failed"}}, "it said 500")
    assert "fallback" in failed.message
    assert "it said 500" in failed.message


NOW = "2026-11-21T09:00:30Z"
MAINTENANCE = {"phase": "Draining", "since": "2026-11-21T09:00:00Z", "revision": "new"}


def facts_of(made: World, revision: str = "new", replicas: int = 1) -> Facts:
    found = seen(made, "qwen")
    assert isinstance(found, Seen)
    return handover.facts(made, found, revision, replicas, NOW)


def engine(phase: bool = False, **deploy: Any) -> Provider:
    out = deployed("qwen", **deploy)
    return replace(out, status={"maintenance": MAINTENANCE}) if phase else out


def live(revision: str = "old", ready: int = 1) -> Workload:
    status = {"replicas": 1, "readyReplicas": ready, "updatedReplicas": 1, "observedGeneration": 2}
    return Workload(status=status, generation=2, replicas=1, revision=revision, addresses=("10.1.0.1:8000",) * ready)


def fleet(provider: Provider, policy: dict[str, Any] | None = None, **fields: Any) -> World:
    near = endpoint("near", dataPolicy={"location": "External"})
    told = {"qwen": up("Qwen/Qwen3-32B"), "near": up("m")}
    routes = [route("r", "qwen/Qwen/Qwen3-32B", "near/m", policy=policy)]
    return world([provider, near], routes, **{"probes": told, "workloads": {"qwen": live()}} | fields)


def test_facts_of_a_running_engine() -> None:
    """Revisions and replicas, who covers, what is under way."""
    found = facts_of(fleet(engine(), gateways=("h",), demand={"qwen": Demand(0.0, wanted=True, in_flight=2)}))
    assert found == Facts("new", 1, "old", 1, 1, covered=True, used=True, in_flight=2)
    assert facts_of(fleet(engine()), "old").rolled
    assert not facts_of(fleet(engine(), workloads={"qwen": live(ready=0)}), "old").rolled
    assert facts_of(fleet(engine(), gateways=("h",))).in_flight is None
    assert facts_of(fleet(engine())).in_flight == 0


def test_facts_before_the_first_deployment() -> None:
    """There is nothing live."""
    absent = {"qwen": Workload(present=False)}
    for workloads in ({}, absent):
        found = facts_of(fleet(engine(), workloads=workloads))
        assert (found.live_revision, found.live_replicas, found.live_ready, found.rolled) == ("", 0, 0, False)


def test_facts_of_cover() -> None:
    """Another target counts if the fence lets it be tried and it is healthy; every route must have one."""
    assert not facts_of(fleet(engine(), probes={"near": down()})).covered
    assert not facts_of(fleet(engine(), {"dataPolicy": {"allowedLocations": ["InCluster"]}})).covered
    two = fleet(engine())
    assert not facts_of(replace(two, routes={**two.routes, "s": route("s", "qwen/Qwen/Qwen3-32B")})).covered
    outside = fleet(engine(), {"dataPolicy": {"allowedLocations": ["External"]}})
    assert (facts_of(outside).used, facts_of(outside).covered) == (False, False)
    rival = route("s", "qwen/Qwen/Qwen3-32B", created="2026-02-01T00:00:00Z", modelName="r")
    assert facts_of(replace(two, routes={**two.routes, "s": rival})).covered


def test_facts_of_a_suspended_provider() -> None:
    """Its routes skip it already, and what they sent it may still be under way."""
    suspended = Provider(engine().meta, engine().spec.model_copy(update={"suspend": True}))  # type: ignore[union-attr]
    found = facts_of(fleet(suspended), "old", 0)
    assert (found.used, found.covered, found.in_place, found.changed) == (True, True, True, True)


def test_facts_of_being_away() -> None:
    """Away: every gateway runs the published table, and that is the one in which the provider is out."""
    inside, out = fleet(engine()), fleet(engine(phase=True))
    before, after = render(inside).hash, render(out).hash
    assert before != after

    def away(published: str, *gateways: str, of: World = out) -> bool:
        told = tuple(Gateway(f"g{i}", each) for i, each in enumerate(gateways))
        return facts_of(replace(of, published_hash=published, gateways=told)).away

    assert away(after, after, after)
    assert not away(after, after, before)
    assert not away(after, after, "")
    assert not away(before, before)
    assert not away(before, before, of=inside)
    assert away(before)


def test_facts_of_the_phase() -> None:
    """Since when, and for what it was begun."""
    found = facts_of(fleet(engine(phase=True)))
    assert (found.elapsed, found.begun_for) == (30.0, "new")


def test_facts_of_the_spec() -> None:
    """What spec.deploy says of rollouts and of the start."""
    rollout = {"strategy": "Recreate", "useFallback": False, "waitForIdle": True, "drainTimeout": "2m"}
    found = facts_of(fleet(engine(replicas=3, rollout=rollout, startupTimeout="5m")), replicas=3)
    assert (found.in_place, found.use_fallback, found.wait_for_idle) == (True, False, True)
    assert (found.drain_timeout, found.startup_seconds) == (120.0, 300.0)


@pytest.mark.parametrize(
    ("deploy", "live_replicas", "replicas", "in_place"),
    [
        ({}, 1, 1, True),
        ({"replicas": 3}, 3, 3, False),
        ({"replicas": 3}, 3, 0, True),
        ({"replicas": 3}, 1, 1, True),
        ({"replicas": 3, "rollout": {"strategy": "Recreate"}}, 3, 3, True),
        ({"rollout": {"strategy": "RollingUpdate"}}, 1, 1, True),
        ({"rollout": {"strategy": "RollingUpdate"}, "gpus": 0}, 1, 1, False),
        ({"replicas": 2, "cache": {"size": "1Gi", "accessModes": ["ReadWriteOncePod"]}}, 2, 2, True),
        ({"replicas": 2, "parallelism": {"nodes": 2}, "rollout": {"strategy": "Recreate"}}, 2, 2, False),
        ({"parallelism": {"nodes": 2}}, 1, 1, True),
    ],
)
def test_facts_of_the_strategy(deploy: dict[str, Any], live_replicas: int, replicas: int, in_place: bool) -> None:
    """In place: there is a moment without any replica, as no GPU is free for the new one beside the old one."""
    workloads = {"qwen": replace(live(), replicas=live_replicas)}
    assert facts_of(fleet(engine(**deploy), workloads=workloads), replicas=replicas).in_place is in_place
