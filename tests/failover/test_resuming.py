"""The failover machine after the commit: an answer that broke off is taken up, or ends in its error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.playbook import Fail, Try, answered, at, broke, close, commit, finished, held, left, play, spoke
from pointsman.exchange import Failure, FailureKind
from pointsman.failover import machine
from pointsman.failover.machine import REJOINED, Broke, IllegalEventError
from pointsman.table import Policy, Timeouts

rejoined, rejoin = REJOINED, machine.Rejoin


def cut(kind: str = "ConnectFailure") -> Broke:
    """An answer that broke off after the client saw a part that is known."""
    return Broke(Failure(FailureKind(kind)), resumable=True)


def test_another_target_takes_it_up() -> None:
    """It says again what was sent, then goes on; the client sees one answer."""
    script = play("a", "b") << Try("a") >> answered << held >> spoke << commit >> cut() << Try("b")
    script >> answered << held >> rejoined << rejoin >> finished << close


def test_a_third_takes_up_what_the_second_cannot() -> None:
    """The second is down, or says something else, or breaks off in turn."""
    for fault in ("ConnectFailure", "InvalidResponse", "BadRequest"):
        script = play("a", "b", "c") << Try("a") >> answered << held >> spoke << commit >> cut() << Try("b")
        script >> broke(fault) << Try("c") >> answered << held >> rejoined << rejoin >> finished << close
    script = play("a", "b", "c") << Try("a") >> answered << held >> spoke << commit >> cut() << Try("b")
    (
        script
        >> answered
        << held
        >> rejoined
        << rejoin
        >> cut("Timeout")
        << Try("c")
        >> answered
        << held
        >> rejoined
        << rejoin
    )


def test_with_none_left_it_ends_in_its_error() -> None:
    """Inside the answer, with all that was tried."""
    play("a") << Try("a") >> answered << held >> spoke << commit >> cut() << Fail(("ConnectFailure",), committed=True)
    script = play("a", "b") << Try("a") >> answered << held >> spoke << commit >> cut() << Try("b")
    (
        script
        >> answered
        << held
        >> broke("InvalidResponse")
        << Fail(("ConnectFailure", "InvalidResponse"), committed=True)
    )


@pytest.mark.parametrize(
    "policy", [Policy(mid_stream="Fail"), Policy(max_attempts=1), Policy(failover_on=("Timeout",))]
)
def test_the_policy_may_forbid_it(policy: Policy) -> None:
    """By its mode, its attempts, or its reasons."""
    script = play("a", "b", policy=policy) << Try("a") >> answered << held >> spoke << commit
    script >> cut() << Fail(("ConnectFailure",), committed=True)


def test_what_is_not_known_is_not_resumed() -> None:
    """A tool call was sent, or too much."""
    script = play("a", "b") << Try("a") >> answered << held >> spoke << commit
    script >> broke("ConnectFailure") << Fail(("ConnectFailure",), committed=True)


def test_the_time_for_all_attempts_holds() -> None:
    """An answer that broke off when it is spent is not begun anew."""
    policy = Policy(timeouts=Timeouts(total=5.0))
    script = play("a", "b", policy=policy) << Try("a") >> answered << held >> spoke << commit
    script >> at(5.0) >> cut("Timeout") << Fail(("Timeout",), committed=True)


def test_a_client_that_leaves_meanwhile_ends_it() -> None:
    """As at any time."""
    play("a", "b") << Try("a") >> answered << held >> spoke << commit >> cut() << Try("b") >> left << close


def test_nothing_is_passed_on_before_it_has_rejoined() -> None:
    """A target that takes up an answer cannot commit, deliver or finish it."""
    script = play("a", "b") << Try("a") >> answered << held >> spoke << commit >> cut() << Try("b") >> answered << held
    for event in (machine.SPOKE, machine.WHOLE, machine.FINISHED):
        with pytest.raises(IllegalEventError):
            script.run.feed(event, 0.0)


@given(st.lists(st.sampled_from(["answered", "rejoined", "cut"]), max_size=12), st.integers(1, 4))
def test_every_run_ends_and_no_target_is_tried_twice(events: list[str], targets: int) -> None:
    """Whatever happens after the commit."""
    script = play(*(f"t{i}" for i in range(targets)))
    run, tried = script.run, ["t0"]
    run.feed(machine.ANSWERED, 0.0)
    run.feed(machine.SPOKE, 0.0)
    for name in events:
        event = {"answered": machine.ANSWERED, "rejoined": REJOINED, "cut": cut()}[name]
        try:
            command = run.feed(event, 0.0)
        except IllegalEventError:
            continue
        if isinstance(command, machine.Try):
            tried.append(command.candidate.provider.name)
    assert len(set(tried)) == len(tried) <= targets
