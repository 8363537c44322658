"""The failover machine, as scripts and as laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.playbook import (
    Fail,
    Hedge,
    Try,
    Wait,
    answered,
    at,
    broke,
    close,
    commit,
    deliver,
    due,
    finished,
    held,
    left,
    play,
    promote,
    rejoined,
    slow,
    spoke,
    whole,
)
from pointsman.exchange import Failure, FailureKind
from pointsman.failover import machine, steps
from pointsman.failover.choose import Order, Passed
from pointsman.failover.machine import IllegalEventError, Run, State
from pointsman.failover.steps import RivalBroke
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
    """No attempt may outlive the budget; unstreamed answers share what is left."""
    policy = Policy(timeouts=Timeouts(first_token=10, stall=15, total=11))
    script = play("a", "b", policy=policy) << Try("a")
    assert script.command.by == 11
    script = script >> at(10.0) >> broke("Timeout") << Try("b")
    assert script.command.by == 11
    script = script >> answered << held >> spoke << commit
    assert (script.command.stall, script.command.end_by) == (15, 11)
    unstreamed = play("a", "b", policy=Policy(), streamed=False) << Try("a")
    assert unstreamed.command.by == 300


@pytest.mark.parametrize(
    "script", [(), (answered,), (answered, spoke), (answered, spoke, finished), (broke("BadRequest"),)]
)
def test_a_client_may_leave_at_any_time(script: tuple[steps.Event, ...]) -> None:
    """Whatever has happened, its leaving ends the run."""
    run = play("a", "b").run
    for event in script:
        run.feed(event, 0.0)
    assert isinstance(run.feed(left, 0.0), steps.Close)
    assert run.state is State.DONE


EVENTS = (
    st.sampled_from([answered, spoke, whole, finished, left, due, slow, rejoined])
    | st.builds(lambda kind, known: steps.Broke(Failure(kind), known), st.sampled_from(FailureKind), st.booleans())
    | st.sampled_from([steps.Overtook(spoke), steps.Overtook(whole), RivalBroke(Failure(FailureKind.TIMEOUT))])
)
SCRIPTS = st.lists(st.tuples(EVENTS, st.sampled_from([0.0, 0.1, 1.0, 20.0, 300.0])), max_size=40)


@given(st.integers(0, 4), st.integers(0, 3), SCRIPTS, st.booleans(), st.sampled_from(["External", "OnPremises"]))
def test_laws(targets: int, most: int, script: list[tuple[steps.Event, float]], streamed: bool, where: str) -> None:
    """Each target is asked once, one of them once more; attempts and time are bounded; every run ends.

    Illegal events change nothing; an answer is begun once; beside a hosted target nobody is asked.
    """
    policy = Policy(max_attempts=most, hedge_after=1.0)
    run = play(*(f"t{i}" for i in range(targets)), policy=policy, streamed=streamed, location=where).run
    tried, begun, now, waits, unsent = [run.candidate] if run.candidate else [], 0, 0.0, 0, 0
    for event, later in script:
        now += later
        before = (run.state, run.tried, list(run.attempts), run.candidate, run.rival)
        try:
            command = run.feed(event, now)
        except IllegalEventError:
            assert (run.state, run.tried, run.attempts, run.candidate, run.rival) == before
            continue
        if isinstance(command, steps.Try | steps.Hedge):
            assert now < run.ends or event is due
            assert command.by <= run.ends
            assert isinstance(command, steps.Try) or where != "External"
            tried.append(command.candidate)
        if isinstance(command, steps.Wait):
            assert now < command.until < run.ends
            waits += command.failure.kind in {FailureKind.BUSY, FailureKind.MODEL_LOADING}
        unsent += isinstance(event, steps.Broke | RivalBroke) and event.failure.kind is FailureKind.BUSY
        begun += isinstance(command, steps.Commit | steps.Deliver)
    assert begun <= 1
    assert len(tried) <= targets + 1 + waits
    assert not most or len(tried) <= most + waits + unsent
    for _ in range(2 * targets + 200):
        if run.state is State.WAITING:
            now += 1.0
            run.feed(due, now)
        elif run.state not in {State.DONE, State.FAILED}:
            run.feed(steps.Broke(Failure(FailureKind.MODEL_LOADING)), now)
    assert run.state in {State.DONE, State.FAILED}


def test_what_passes_by_itself_is_asked_once_more() -> None:
    """When all have failed: after a moment, the first that refused, broke off or had an error, and only once."""
    script = play("a", "b") << Try("a") >> broke("ServerError") << Try("b") >> broke("Timeout") << Wait("a")
    assert script.command.until == pytest.approx(0.2)
    script >> due << Try("a") >> broke("ServerError") << Fail(("ServerError", "Timeout", "ServerError"))
    play("a") << Try("a") >> broke("ConnectFailure") << Wait("a") >> due << Try("a") >> whole << deliver


def test_a_rate_limit_that_ends_soon_is_waited_for() -> None:
    """By its own word, up to 2 s; a longer one is not, nor one that names no time."""
    script = play("a") << Try("a") >> broke("RateLimited", retry_after=2.0) << Wait("a")
    assert script.command.until == 2.0
    play("a") << Try("a") >> broke("RateLimited", retry_after=3.0) << Fail(("RateLimited",))
    play("a") << Try("a") >> broke("RateLimited") << Fail(("RateLimited",))


def test_what_was_a_last_resort_is_not_asked_again() -> None:
    """An outage of everything must not double every request."""
    script = play("a")
    run = Run(Order(script.run.candidates, 1, (Passed("a", "m", "cooling-ServerError", ""),)), Policy(),
              streamed=True, now=0.0)  # fmt: skip
    run.start(0.0)
    assert isinstance(run.feed(broke("ServerError"), 0.0), steps.Fail)


def test_a_model_that_loads_is_waited_for() -> None:
    """Again and again, as long as the patience lasts; it is told once."""
    script = play("a") << Try("a") >> broke("ModelLoading") << Wait("a") >> at(1.0) >> due << Try("a")
    script = script >> broke("ModelLoading") << Wait("a") >> at(29.5) >> due << Try("a")
    script >> broke("ModelLoading") << Fail(("ModelLoading",))


def test_what_bears_no_more_is_no_attempt() -> None:
    """The next is tried; with none left it is waited for; attempts are not used up by it."""
    script = play("a", "b", policy=Policy(max_attempts=1)) << Try("a") >> broke("Busy") << Try("b") >> broke("Busy")
    script << Wait("a") >> due << Try("a") >> whole << deliver


def test_the_hedge_that_speaks_first_answers() -> None:
    """The slow one is dropped and told of; a second hedge is never asked."""
    policy = Policy(hedge_after=1.0)
    script = play("a", "b", "c", policy=policy, location="OnPremises") << Try("a")
    assert script.command.hedge_at == 1.0
    script = script >> at(1.0) >> slow << Hedge("b") >> slow << held >> steps.Overtook(spoke) << commit
    assert [(each.candidate.provider.name, each.failure.kind) for each in script.run.attempts] == [("a", "Overtaken")]
    assert script.run.candidate is not None
    assert script.run.candidate.provider.name == "b"


def test_the_first_may_yet_be_faster_than_its_hedge() -> None:
    """Then the hedge is what was overtaken."""
    policy = Policy(hedge_after=1.0)
    script = play("a", "b", policy=policy, location="InCluster") << Try("a") >> slow << Hedge("b") >> whole << deliver
    assert [(each.candidate.provider.name, each.failure.kind) for each in script.run.attempts] == [("b", "Overtaken")]


def test_of_two_attempts_one_may_fail() -> None:
    """The other goes on; only when both have failed is a third tried."""
    policy = Policy(hedge_after=1.0)
    script = play("a", "b", "c", policy=policy, location="OnPremises") << Try("a") >> slow << Hedge("b")
    script = script >> broke("ServerError") << promote >> broke("Timeout") << Try("c") >> whole << deliver
    script = play("a", "b", "c", policy=policy, location="OnPremises") << Try("a") >> slow << Hedge("b")
    script >> RivalBroke(Failure(FailureKind.TIMEOUT)) << held >> broke("ServerError") << Try("c") >> whole << deliver


def test_beside_a_hosted_target_nobody_is_asked() -> None:
    """It would be paid twice."""
    play("a", "b", policy=Policy(hedge_after=1.0)) << Try("a") >> slow << held


def test_only_what_can_hold_the_request_is_tried_further() -> None:
    """The others are taken out of the chain."""
    script = play("a", "b", "c") << Try("a")
    script.run.only(script.run.candidates[2:])
    script >> broke("ContextLengthExceeded") << Try("c") >> whole << deliver


def test_the_table_is_complete() -> None:
    """Each state is in the table, and each may be left by the client."""
    assert set(machine.TABLE) == set(State)
    assert all(steps.Left in known for known in machine.TABLE.values())


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
