"""A rollout with hand-over, step by step."""

from dataclasses import replace
from typing import Any

import pytest

from pointsman.fleet import reasons
from pointsman.fleet.handover import Facts, Step, finding, step
from pointsman.fleet.world import ProofResult

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


def test_no_time_ends_the_wait_for_a_fallback() -> None:
    """The drain timeout is about requests: a lost fallback is waited for, and after it the reason says so."""
    lost = replace(RUNS, covered=False, away=True, in_flight=0, elapsed=600, bare=("chat",))
    said = step("Draining", lost)
    assert (said.phase, said.apply) == ("Draining", False)
    assert "route chat has no other target" in said.message
    told = finding({"maintenance": {"phase": "Draining"}}, said.message)
    assert (told.status, told.reason) == ("True", "NoHealthyTarget")
    before = finding({"maintenance": {"phase": "Draining"}}, step("Draining", replace(lost, elapsed=599)).message)
    assert before.reason == "Draining"


def test_what_answers_nobody_waits_for_no_fallback() -> None:
    """An engine that hangs is rolled, and what is to stop, stops."""
    lost = replace(RUNS, covered=False, away=True, in_flight=0)
    assert step("Draining", replace(lost, answers=False)).apply
    assert step("Draining", replace(lost, wanted_revision="old", wanted_replicas=0)).apply


def test_one_after_the_other() -> None:
    """What would be left alone by another's rollout is held; of two that drain the later one goes back."""
    alone = replace(RUNS, covered=False, bare=("chat",), awaits=("b",))
    for phase in ("", "Draining"):
        said = step(phase, alone)
        assert (said.phase, said.apply, said.out) == ("", False, False)
        assert said.again is not None
        assert "waiting for the rollout of b" in said.message
    first = step("Draining", replace(alone, first=True, elapsed=9999))
    assert (first.phase, first.apply) == ("Draining", False)
    assert step("", replace(alone, use_fallback=False)).apply
    assert step("", replace(alone, wanted_revision="old", wanted_replicas=0)).apply


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


def test_hopeless() -> None:
    """What time does not mend has failed after its patience, and says why; it comes back should it come up."""
    stuck = replace(NEW, live_ready=0, hopeless="NoMatchingNode: of 1 nodes 1 does not match")
    assert step("Rolling", replace(stuck, elapsed=59)).phase == "Rolling"
    for phase in ("Rolling", "Failed"):
        failed = step(phase, replace(stuck, elapsed=60))
        assert (failed.phase, failed.out) == ("Failed", True)
        assert "NoMatchingNode: of 1 nodes" in failed.message
    assert step("Failed", replace(stuck, live_ready=1, rolled=True, proof=ProofResult("new", ok=True))).phase == ""


@pytest.mark.parametrize("phase", ["Draining", "Rolling", "Failed"])
def test_another_change_begins_anew(phase: str) -> None:
    """What has just been applied is judged by its own time, not by that of what was there before."""
    begun = replace(NEW, live_ready=0, elapsed=9999, hopeless="OOMKilled", begun_for="older")
    assert step(phase, begun).phase == "Rolling"


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
