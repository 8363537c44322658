"""The failover machine, as scripts and as laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.playbook import (
    Fail,
    Try,
    answered,
    at,
    broke,
    close,
    commit,
    deliver,
    finished,
    held,
    left,
    play,
    spoke,
    whole,
)
from pointsman.exchange import Failure, FailureKind
from pointsman.failover import machine
from pointsman.failover.machine import IllegalEventError, Run, State
from pointsman.table import Policy, Timeouts

MOVES_ON = ["ConnectFailure", "Timeout", "ServerError", "RateLimited", "Authentication", "ModelNotFound",
            "ContextLengthExceeded", "InvalidResponse"]  # fmt: skip


def test_a_stream_that_goes_well() -> None:
    """Held until the first output, then committed, then closed."""
    play("a", "b") << Try("a") >> answered << held >> spoke << commit >> finished << close


def test_a_whole_answer_that_goes_well() -> None:
    """Delivered at once, whether its head came by itself or not."""
    play("a") << Try("a") >> answered << held >> whole << deliver
    play("a") << Try("a") >> whole << deliver


@pytest.mark.parametrize("reason", MOVES_ON)
def test_before_the_commit_a_failure_moves_on(reason: str) -> None:
    """Before and after the head of an answer, as long as nothing was real output."""
    play("a", "b") << Try("a") >> broke(reason) << Try("b") >> answered << held >> spoke << commit
    play("a", "b") << Try("a") >> answered << held >> broke(reason) << Try("b") >> whole << deliver


def test_after_the_commit_no_target_is_tried() -> None:
    """A stream that breaks fails inside the answer."""
    (
        play("a", "b")
        << Try("a")
        >> answered
        << held
        >> spoke
        << commit
        >> broke("Timeout")
        << Fail(("Timeout",), committed=True)
    )


@pytest.mark.parametrize("reason", ["BadRequest", "ContentPolicy"])
def test_a_wrong_request_stops_at_once(reason: str) -> None:
    """What is wrong with the request would be wrong everywhere."""
    play("a", "b") << Try("a") >> broke(reason) << Fail((reason,))


def test_only_listed_reasons_move_on() -> None:
    """`failover.on` says which."""
    policy = Policy(failover_on=("Timeout",))
    play("a", "b", policy=policy) << Try("a") >> broke("ServerError") << Fail(("ServerError",))
    (
        play("a", "b", policy=policy)
        << Try("a")
        >> broke("Timeout")
        << Try("b")
        >> broke("Timeout")
        << Fail(("Timeout", "Timeout"))
    )


def test_attempts_are_bounded() -> None:
    """By the policy, and by the order's own limit."""
    policy = Policy(max_attempts=1)
    play("a", "b", policy=policy) << Try("a") >> broke("ServerError") << Fail(("ServerError",))
    (
        play("a", "b", "c", limit=2)
        << Try("a")
        >> broke("Timeout")
        << Try("b")
        >> broke("Timeout")
        << Fail(("Timeout", "Timeout"))
    )
    play() << Fail(())


def test_the_budget_of_time_bounds_attempts() -> None:
    """After it no further target is tried."""
    policy = Policy(timeouts=Timeouts(total=5.0))
    play("a", "b", policy=policy) << Try("a") >> at(5.0) >> broke("Timeout") << Fail(("Timeout",))


def test_deadlines_are_values_in_commands() -> None:
    """Connect and first output by these times, never after the budget; unstreamed answers share what is left."""
    policy = Policy(timeouts=Timeouts(connect=2, first_token=10, stall=15, total=11))
    script = play("a", "b", policy=policy) << Try("a")
    assert (script.command.connect_by, script.command.output_by) == (2, 10)
    script = script >> at(10.0) >> broke("Timeout") << Try("b")
    assert (script.command.connect_by, script.command.output_by) == (11, 11)
    script = script >> answered << held >> spoke << commit
    assert (script.command.stall, script.command.end_by) == (15, 11)
    unstreamed = play("a", "b", policy=Policy(), streamed=False) << Try("a")
    assert unstreamed.command.output_by == 300


@pytest.mark.parametrize(
    "script", [(), (answered,), (answered, spoke), (answered, spoke, finished), (broke("BadRequest"),)]
)
def test_a_client_may_leave_at_any_time(script: tuple[machine.Event, ...]) -> None:
    """Whatever has happened, its leaving ends the run."""
    run = play("a", "b").run
    for event in script:
        run.feed(event, 0.0)
    assert isinstance(run.feed(left, 0.0), machine.Close)
    assert run.state is State.DONE


EVENTS = st.sampled_from([answered, spoke, whole, finished, left]) | st.sampled_from(list(FailureKind)).map(
    lambda kind: machine.Broke(Failure(kind))
)


@given(st.integers(0, 4), st.integers(0, 3), st.lists(st.tuples(EVENTS, st.floats(0, 300)), max_size=30), st.booleans())
def test_laws(targets: int, max_attempts: int, script: list[tuple[machine.Event, float]], streamed: bool) -> None:
    """No try after a commit; each target once; bounded attempts; illegal events change nothing; every run ends."""
    names = [f"t{i}" for i in range(targets)]
    run = play(*names, policy=Policy(max_attempts=max_attempts), streamed=streamed).run
    tried, committed, now = [run.candidate] if run.candidate else [], False, 0.0
    for event, later in script:
        now += later
        before = (run.state, run.tried, len(run.attempts))
        try:
            command = run.feed(event, now)
        except IllegalEventError:
            assert (run.state, run.tried, len(run.attempts)) == before
            continue
        if isinstance(command, machine.Try):
            assert not committed
            assert now < run.ends
            assert command.connect_by <= run.ends
            assert now <= command.output_by <= run.ends
            tried.append(command.candidate)
        committed = committed or isinstance(command, machine.Commit | machine.Deliver)
    assert len(tried) == len(set(map(id, tried))) <= targets
    assert not max_attempts or len(tried) <= max_attempts
    for _ in range(targets + 1):
        if run.state not in {State.DONE, State.FAILED}:
            run.feed(machine.Broke(Failure(FailureKind.TIMEOUT)), now)
    assert run.state in {State.DONE, State.FAILED}


def test_the_table_is_complete() -> None:
    """Each state is in the table, and each may be left by the client."""
    assert set(machine.TABLE) == set(State)
    assert all(machine.Left in known for known in machine.TABLE.values())


def test_illegal_events_say_so() -> None:
    """A fault of the shell is told, by event and state; starting twice is one."""
    run: Run = play("a").run
    with pytest.raises(IllegalEventError, match="Finished while TRYING"):
        run.feed(finished, 0.0)
    with pytest.raises(IllegalEventError, match="started twice"):
        run.start(0.0)


def test_exhausted_by_one_kind() -> None:
    """One kind for all attempts, or none."""
    one = (play("a", "b") << Try("a") >> broke("RateLimited") << Try("b") >> broke("RateLimited")).run
    two = (play("a", "b") << Try("a") >> broke("RateLimited") << Try("b") >> broke("Timeout")).run
    assert machine.exhausted_by(one) is FailureKind.RATE_LIMITED
    assert machine.exhausted_by(two) is None
