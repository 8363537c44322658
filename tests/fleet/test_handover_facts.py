"""The facts that a rollout with hand-over is decided from."""

from dataclasses import replace
from typing import Any

import pytest

from fleet.worlds import deployed, down, endpoint, route, up, world
from pointsman.fleet import handover, handover_facts, phases
from pointsman.fleet.handover import Facts, step
from pointsman.fleet.render import render
from pointsman.fleet.seen import Seen, seen
from pointsman.fleet.world import Demand, Gateway, Provider, Told, Workload, World

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


PEER = {"maintenance": {"phase": "Rolling", "since": "2026-11-21T09:00:00Z", "revision": "new"}}


def pair(own: dict[str, Any], other: dict[str, Any], name: str = "qwen2") -> World:
    made = [replace(deployed("qwen"), status=own), replace(deployed(name), status=other)]
    model = "Qwen/Qwen3-32B"
    told = {each.meta.name: up(model) for each in made}
    return world(made, [route("r", f"qwen/{model}", f"{name}/{model}")], probes=told, workloads={"qwen": live()})


def test_facts_of_peers() -> None:
    """Whose rollout is waited for, and who of those that drain goes first: the older one, else by name."""
    waits = facts_of(pair({}, PEER))
    assert (waits.covered, waits.bare, waits.awaits, waits.first) == (False, ("r",), ("qwen2",), False)
    assert facts_of(pair({}, {})).awaits == ()
    cut = {"conditions": [{"type": "Maintenance", "status": "False", "message": f"{handover_facts.CUTS}: so"}]}
    assert facts_of(replace(pair({}, cut), probes={"qwen": up("m"), "qwen2": down()})).awaits == ("qwen2",)
    failed = {"maintenance": {**PEER["maintenance"], "phase": "Failed"}}
    assert facts_of(pair({}, failed)).awaits == ("qwen2 (RolloutFailed)",)
    drains = {"maintenance": MAINTENANCE}
    assert facts_of(pair(drains, drains)).first
    assert not facts_of(pair(drains, drains, name="a")).first
    older = {"maintenance": {**MAINTENANCE, "since": "2026-11-21T08:59:59Z"}}
    assert not facts_of(pair(drains, older)).first
    hung = replace(pair({}, drains), probes={"qwen": down(), "qwen2": up("m")})
    assert (facts_of(hung).answers, facts_of(hung).awaits) == (False, ())


def stored(message: str = "no rollout is under way", ready: str = "True") -> dict[str, Any]:
    told = {"type": "Maintenance", "status": "False", "message": message}
    return {"conditions": [{"type": "WorkloadReady", "status": ready}, told], "desiredReplicas": 1}


def test_a_replacement_in_place_is_told_as_long_as_it_lasts() -> None:
    """From what was applied until it is ready, with the route that it costs; not of a first start or a crash."""
    unobserved = replace(live("new"), generation=3)
    pending = replace(live("new", ready=0), status={**live().status, "readyReplicas": 0})

    def said(status: dict[str, Any], workload: Workload) -> str:
        alone = fleet(replace(engine(), status=status), workloads={"qwen": workload}, probes={"near": down()})
        return step("", facts_of(alone)).message

    cut = said(stored(), unobserved)
    assert cut.startswith("the engine is replaced in place, and requests fail meanwhile: route r has no other target")
    assert said(stored(cut, ready="False"), pending) == cut
    assert said(stored(cut, ready="False"), live("new")) == ""
    assert said(stored(), pending) == ""
    assert said({}, unobserved) == ""
    assert said({**stored(), "desiredReplicas": 3}, unobserved) == ""


@pytest.mark.parametrize(
    ("reason", "patience"),
    [("NoMatchingNode", 60.0), ("KVCacheTooSmall", 60.0), ("ImagePullFailed", 60.0), ("InsufficientGPU", 600.0)]
    + [(each, None) for each in ("", "ModelLoading", "RateLimitedByHub", "ReadinessProbeFailed")],
)
def test_facts_of_the_hopeless(reason: str, patience: float | None) -> None:
    """Reasons that time alone does not mend; of some of them it is only likely."""
    told = facts_of(fleet(engine(), workloads={"qwen": replace(live(), told=Told(reason, "it is so"))}))
    assert (told.hopeless, told.patience) == ((f"{reason}: it is so", patience) if patience else ("", 60.0))


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
        ({"replicas": 2, "parallelism": {"nodes": 2}}, 2, 2, False),
        ({"parallelism": {"nodes": 2}}, 1, 1, True),
    ],
)
def test_facts_of_the_strategy(deploy: dict[str, Any], live_replicas: int, replicas: int, in_place: bool) -> None:
    """In place: there is a moment without any replica, as no GPU is free for the new one beside the old one."""
    workloads = {"qwen": replace(live(), replicas=live_replicas)}
    assert facts_of(fleet(engine(**deploy), workloads=workloads), replicas=replicas).in_place is in_place


def test_phase_of_a_failed_rollout() -> None:
    """People see Failed, not Maintenance, though routes stay on their fallback as before."""
    failed = {"maintenance": {**MAINTENANCE, "phase": "Failed"}}
    for status, phase in ((failed, "Failed"), ({"maintenance": MAINTENANCE}, "Maintenance")):
        found = seen(fleet(replace(engine(), status=status)), "qwen")
        assert isinstance(found, Seen)
        assert phases.phase(found) == phase
