"""A restarted operator knows what it knew."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from msgspec import structs

from fleet.strategies import WORLDS
from fleet.test_plan import stored
from fleet.worlds import LATER, endpoint, route, up, world
from pointsman import table
from pointsman.fleet.memory import recall, recall_reason
from pointsman.fleet.plan import plan_provider, plan_route
from pointsman.fleet.render import render
from pointsman.fleet.world import World


def restarted(of: World, rendered: table.RoutingTable | None) -> World:
    """The world as a new process sees it before its first probe: statuses, and the table if one is published."""
    published = {each.name: each for each in rendered.providers} if rendered else {}
    told = {name: recall(each, published.get(name)) for name, each in of.providers.items()}
    return replace(of, probes={name: each for name, each in told.items() if each})


@given(WORLDS)
def test_a_restart_in_a_settled_cluster_writes_nothing(of: World) -> None:
    """Neither a status nor another table, before the first probe has ended."""
    settled = stored(of)
    rendered = render(settled)
    new = restarted(settled, rendered)
    assert render(new) == rendered
    for name in new.providers:
        assert plan_provider(new, name, LATER).status is None
    for name in new.routes:
        assert plan_route(new, name, LATER).status is None


@given(WORLDS)
def test_without_a_table_the_status_is_memory_enough_for_itself(of: World) -> None:
    """In a namespace without routes nothing is published."""
    settled = stored(of)
    new = restarted(settled, None)
    for name in new.providers:
        assert plan_provider(new, name, LATER).status is None


def test_what_was_said_of_another_spec_is_forgotten() -> None:
    """An endpoint that moved is unknown until it is probed."""
    settled = stored(world([endpoint("p")], [route("r", "p/m")], probes={"p": up("m")}))
    p = settled.providers["p"]
    assert recall(p, None)
    assert recall(replace(p, meta=replace(p.meta, generation=2)), None) is None


def test_a_new_provider_has_no_past() -> None:
    """No status, no memory."""
    assert recall(endpoint("p"), None) is None


def test_what_pods_told_is_remembered_by_the_table() -> None:
    """What the table says of its own accord is not theirs."""
    told = table.Provider(name="q", type="VLLM", base_url="http://q", api=(), reason="InsufficientGPU")
    assert recall_reason(told) == "InsufficientGPU"
    for own in ("Maintenance", "NoReadyReplica", "ScaledToZero", "Waking", ""):
        assert recall_reason(structs.replace(told, reason=own)) == ""
    assert recall_reason(None) == ""
