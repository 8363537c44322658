"""From findings to a standing, and when to ask again."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.prober.thresholds import AT_ONCE, Settings, fold, news, next_due
from pointsman.served import Finding, Probed, ServedModel, State

UP = Finding(ok=True, models=(ServedModel("m"),))
DEAD = Finding(ok=False, reason="ConnectionRefused", message="nothing listens at h:1")
BUSY = Finding(ok=False, reason="RateLimited", message="later")
THREE = Settings(failure_threshold=3, success_threshold=2)

FINDINGS = st.builds(
    Finding,
    ok=st.just(False),
    reason=st.sampled_from(["ConnectionRefused", "Timeout", "RateLimited", "ServerError", *sorted(AT_ONCE)]),
    message=st.text(max_size=3),
    credentials_valid=st.sampled_from([None, True, False]),
) | st.builds(
    Finding,
    ok=st.just(True),
    models=st.lists(
        st.builds(ServedModel, id=st.sampled_from("abc"), context_window=st.sampled_from([0, 1, 2])),
        max_size=3,
        unique_by=lambda model: model.id,
    ).map(tuple),
    credentials_valid=st.sampled_from([None, True]),
)
SETTINGS = st.builds(
    Settings,
    period=st.floats(0.1, 3600),
    failure_threshold=st.integers(1, 5),
    success_threshold=st.integers(1, 5),
    steady=st.booleans(),
)


def after(*findings: Finding, settings: Settings = THREE, start: Probed | None = None) -> Probed:
    probed = start or Probed()
    for i, finding in enumerate(findings):
        probed = fold(probed, finding, now=100.0 + i, latency=0.5, settings=settings)
    return probed


def test_the_first_result_counts_at_once_either_way() -> None:
    """Nobody waits for three failures to learn that a new provider does not work."""
    assert after(UP).state is State.UP
    assert (after(DEAD).state, after(DEAD).reason, after(DEAD).message) == (State.DOWN, DEAD.reason, DEAD.message)


def test_down_takes_failures_in_a_row() -> None:
    """One miss ejects nobody, and a success in between starts the count anew."""
    assert after(UP, DEAD, DEAD).state is State.UP
    assert after(UP, DEAD, DEAD, UP, DEAD, DEAD).state is State.UP
    assert after(UP, DEAD, DEAD, DEAD).state is State.DOWN


def test_an_engine_without_a_sign_of_life_has_a_threshold_of_its_own() -> None:
    """Between two batches some are silent for long; where it can be seen that nothing moves, one probe is enough."""
    silent = Finding(ok=False, reason="EngineStalled", message="no sign of life")
    patient = Settings(failure_threshold=3, patience=5)
    assert after(UP, *[silent] * 4, settings=patient).state is State.UP
    assert after(UP, *[silent] * 5, settings=patient).state is State.DOWN
    assert after(UP, replace(silent, certain=True), settings=patient).state is State.DOWN
    assert after(UP, silent, DEAD, DEAD, settings=patient).state is State.DOWN


def test_misses_below_the_threshold_are_no_news() -> None:
    """Neither status nor table change for them."""
    assert not news(after(UP), after(UP, DEAD, DEAD))


def test_up_takes_successes_in_a_row() -> None:
    """A server that comes and goes stays out."""
    assert after(DEAD, UP).state is State.DOWN
    assert after(DEAD, UP, DEAD, UP).state is State.DOWN
    assert (after(DEAD, UP, UP).state, after(DEAD, UP, UP).reason) == (State.UP, "")


@pytest.mark.parametrize("reason", sorted(AT_ONCE))
def test_an_answer_that_refuses_everybody_needs_no_second_opinion(reason: str) -> None:
    """A refused key fails every request, and a loading model answers none."""
    found = after(UP, Finding(ok=False, reason=reason))
    assert (found.state, found.reason) == (State.DOWN, reason)


def test_a_busy_server_is_not_down() -> None:
    """429 is an answer: it serves, only not now."""
    assert (after(BUSY).state, after(UP, BUSY, BUSY, BUSY, BUSY).state) == (State.UP, State.UP)
    assert after(UP, BUSY).reason == "RateLimited"
    assert after(UP, BUSY, UP).reason == ""
    assert after(UP, BUSY).models == UP.models
    assert not after(BUSY).models_known


def test_a_busy_answer_proves_no_key() -> None:
    """What was refused stays refused until a list comes."""
    refused = Finding(ok=False, reason="Unauthorized", credentials_valid=False)
    found = after(refused, BUSY, BUSY, BUSY)
    assert (found.state, found.credentials_valid) == (State.DOWN, False)


def test_models_are_those_of_the_last_success() -> None:
    """A failure forgets nothing; an empty list is a list."""
    assert after(UP, DEAD, DEAD, DEAD).models == UP.models
    emptied = after(UP, Finding(ok=True))
    assert (emptied.models, emptied.models_known) == ((), True)


def test_models_come_in_order_of_id() -> None:
    """Ollama lists in another order each time, which is no news."""
    a, b = ServedModel("a"), ServedModel("b")
    assert not news(after(Finding(ok=True, models=(a, b))), after(Finding(ok=True, models=(b, a))))


def test_a_window_is_remembered_while_a_model_is_unloaded() -> None:
    """Ollama tells it of loaded models only; that it was unloaded does not change what it can take."""
    loaded = Finding(ok=True, models=(ServedModel("m", context_window=4096, loaded=True),))
    idle = Finding(ok=True, models=(ServedModel("m", loaded=False),))
    assert after(loaded, idle).models == (ServedModel("m", context_window=4096, loaded=False),)


def test_error_texts_that_differ_are_no_news() -> None:
    """Request ids in them would write a status with each probe."""
    first, second = replace(DEAD, message="error 1"), replace(DEAD, message="error 2")
    assert not news(after(first), after(first, second))
    assert news(after(first), after(first, replace(DEAD, reason="Timeout")))


def test_a_success_after_a_refusal_takes_the_refusal_back() -> None:
    """Also where a success does not prove the key."""
    refused = Finding(ok=False, reason="Forbidden", credentials_valid=False)
    assert after(refused, UP).credentials_valid is None
    assert after(replace(UP, credentials_valid=True), DEAD).credentials_valid is True


@given(st.lists(FINDINGS, min_size=1, max_size=12), SETTINGS)
def test_a_standing_is_sound_after_any_history(findings: list[Finding], settings: Settings) -> None:
    """Decided after one finding; Up has no failure's reason, Down has one; counters stay in bounds."""
    probed = after(*findings, settings=settings)
    assert probed.state in {State.UP, State.DOWN}
    assert probed.reason in {"", "RateLimited"} if probed.state is State.UP else probed.reason
    assert not (probed.failures and probed.successes)
    assert probed.successes <= settings.success_threshold
    assert probed.models_known == any(finding.ok for finding in findings)
    assert [model.id for model in probed.models] == sorted(model.id for model in probed.models)


@given(st.lists(FINDINGS, max_size=8), SETTINGS)
def test_enough_of_the_same_decides(before: list[Finding], settings: Settings) -> None:
    """From wherever it comes, a dead server is Down after the threshold, and a good one Up."""
    start = after(*before, settings=settings)
    assert after(*[DEAD] * settings.failure_threshold, settings=settings, start=start).state is State.DOWN
    assert after(*[UP] * settings.success_threshold, settings=settings, start=start).state is State.UP


@given(st.lists(FINDINGS, max_size=8), FINDINGS, SETTINGS)
def test_repeating_a_finding_comes_to_rest(before: list[Finding], finding: Finding, settings: Settings) -> None:
    """A server that goes on as it does makes no more news."""
    settled = after(*before, *[finding] * 6, settings=settings)
    assert not news(settled, after(finding, settings=settings, start=settled))


@given(st.lists(FINDINGS, max_size=60), SETTINGS, st.floats(-1, 2))
def test_the_next_probe_is_neither_at_once_nor_never(
    findings: list[Finding], settings: Settings, jitter: float
) -> None:
    """Between a tenth below the shorter of period and 1 s, and a tenth above the longer of period and 60 s."""
    delay = next_due(after(*findings, settings=settings), settings, jitter)
    assert 0.9 * min(settings.period, 1.0) <= delay <= 1.1 * max(settings.period, 60.0)


def test_a_failure_is_looked_into_soon() -> None:
    """1, 2, 4 s ... up to the period; a server that stays dead every minute at last, if no period is stated."""

    def delays(settings: Settings, reason: str = "Timeout") -> list[float]:
        counts = (0, 1, 2, 3, 4, 5, 30, 31, 32, 33, 1000)
        return [next_due(Probed(failures=n, reason=reason if n else ""), settings, 0.5) for n in counts]

    assert delays(Settings(period=10)) == pytest.approx([10, 1, 2, 4, 8, 10, 10, 20, 40, 60, 60])
    assert delays(Settings(period=10, steady=True)) == pytest.approx([10, 1, 2, 4, 8, 10, 10, 10, 10, 10, 10])
    assert delays(Settings(period=300)) == pytest.approx([300, 1, 2, 4, 8, 16, 300, 300, 300, 300, 300])


def test_what_people_must_mend_is_not_asked_more_often() -> None:
    """A refused key that is tried again and again may get locked; a rate limit wants rest."""
    assert next_due(Probed(failures=1, reason="Unauthorized"), Settings(period=60), 0.5) == pytest.approx(60)
    assert next_due(Probed(reason="RateLimited"), Settings(period=10), 0.5) == pytest.approx(60)
    assert next_due(Probed(failures=1, reason="ModelLoading"), Settings(period=10), 0.5) == pytest.approx(1)
