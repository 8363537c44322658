"""The failover machine after the commit: an answer that broke off is taken up, or ends in its error."""

from __future__ import annotations

import pytest

from failover.playbook import (
    Fail,
    Try,
    Wait,
    answered,
    at,
    broke,
    close,
    commit,
    due,
    finished,
    held,
    left,
    play,
    rejoin,
    rejoined,
    spoke,
)
from pointsman.exchange import Failure, FailureKind
from pointsman.failover import steps
from pointsman.failover.machine import IllegalEventError
from pointsman.failover.steps import Broke, Stop
from pointsman.table import Policy, Timeouts


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


def test_with_none_left_the_one_that_broke_is_asked_once_more() -> None:
    """Nobody else can, or is there; then it ends in its error, inside the answer, with all that was tried."""
    script = play("a") << Try("a") >> answered << held >> spoke << commit >> cut("Timeout") << Wait("a")
    script = script >> at(0.2) >> due << Try("a") >> answered << held >> rejoined << rejoin >> cut()
    script << Fail(("Timeout", "ConnectFailure"), committed=True)
    script = play("a", "b") << Try("a") >> answered << held >> spoke << commit >> cut() << Try("b")
    script = script >> answered << held >> broke("Diverged") << Wait("a") >> due << Try("a") >> broke("ConnectFailure")
    script << Fail(("ConnectFailure", "Diverged", "ConnectFailure"), committed=True)


def test_the_gateway_may_end() -> None:
    """Wherever the answer stands: the client is told."""
    stop = Stop(Failure(FailureKind.CONNECT_FAILURE))
    script = play("a", "b") << Try("a") >> answered << held >> spoke << commit
    script >> stop << Fail(("ConnectFailure",), committed=True)
    script = play("a", "b") << Try("a") >> answered << held >> spoke << commit >> cut() << Try("b")
    script >> stop << Fail(("ConnectFailure", "ConnectFailure"), committed=True)


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
    for event in (steps.SPOKE, steps.WHOLE, steps.FINISHED):
        with pytest.raises(IllegalEventError):
            script.run.feed(event, 0.0)
