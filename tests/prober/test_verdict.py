"""What a token, its absence, or figures make of a good list of models."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.fleet.reasons import REASONS
from pointsman.prober.verdict import asleep, of_answer, of_looks, stalled
from pointsman.served import Answer, Finding, Look, ServedModel

FOUND = Finding(ok=True, models=(ServedModel("m"), ServedModel("n")), credentials_valid=True)
STILL, MOVED = Look({"tokens": 1.0}, running=1.0), Look({"tokens": 2.0}, running=1.0)


@pytest.mark.parametrize("status", [200, 201, 400, 404, 405, 409, 413, 415, 422, 501])
def test_an_answer_is_a_sign_of_life(status: int) -> None:
    """Also one that finds fault with our request."""
    assert of_answer(Answer(status, b'{"detail":"Not Found"}'), FOUND, "m") == FOUND


def test_a_model_that_is_listed_and_not_served_is_none_of_its_models() -> None:
    """VLLM's 404 names it."""
    answer = Answer(404, b'{"error":{"message":"The model `m` does not exist.","type":"NotFoundError"}}')
    found = of_answer(answer, FOUND, "m")
    assert found
    assert (found.ok, [model.id for model in found.models]) == (True, ["n"])


@pytest.mark.parametrize(
    ("answer", "reason", "valid"),
    [
        (Answer(401), "Unauthorized", False),
        (Answer(402), "QuotaExceeded", True),
        (Answer(403), "Forbidden", False),
        (Answer(429), "RateLimited", None),
        (Answer(500, b"EngineCore encountered an issue"), "ServerError", None),
        (Answer(502, b"bad gateway"), "ServerError", None),
        (Answer(503, b"no healthy upstream"), "ServerError", None),
        (Answer(503, b'{"error":{"message":"Loading model"}}'), "ModelLoading", None),
        (Answer(0, error="ConnectionReset", message="gone"), "ConnectionReset", True),
    ],
)
def test_what_speaks_against_a_server(answer: Answer, reason: str, valid: bool | None) -> None:
    """Refused keys, failures and connections that break."""
    found = of_answer(answer, FOUND, "m")
    assert found
    assert (found.ok, found.reason, found.credentials_valid) == (False, reason, valid)


@pytest.mark.parametrize(
    "said", [b"server busy, please try again. maximum pending requests exceeded", b"Queue is full", b"over capacity"]
)
def test_a_full_queue_is_a_sign_of_life(said: bytes) -> None:
    """Ollama and others answer 503 then."""
    assert of_answer(Answer(503, said), FOUND, "m") == FOUND


def test_no_answer_in_time_says_nothing_yet() -> None:
    """The figures decide."""
    assert of_answer(Answer(0, error="Timeout"), FOUND, "m") is None


@pytest.mark.parametrize(
    ("before", "after", "reason", "certain"),
    [
        (STILL, MOVED, "", False),
        (STILL, STILL, "EngineStalled", True),
        (None, STILL, "EngineStalled", False),
        (STILL, None, "EngineStalled", False),
        (None, None, "EngineStalled", False),
        (STILL, Look({"tokens": 2.0}, asleep=True), "Asleep", True),
    ],
)
def test_an_engine_that_owes_a_token_is_judged_by_its_figures(
    before: Look | None, after: Look | None, reason: str, certain: bool
) -> None:
    """Any change is a movement; what cannot be seen is not certain."""
    found = of_looks(FOUND, before, after)
    assert (found.ok, found.reason, found.certain) == (not reason, reason, certain)


def test_messages_say_how_to_mend() -> None:
    """Both are for people."""
    assert "/wake_up" in asleep(FOUND).message
    assert "restart it" in stalled(FOUND, certain=True).message


@given(
    st.builds(
        Answer,
        status=st.sampled_from([0, *range(100, 600, 7), 401, 402, 403, 404, 429, 500, 503]),
        body=st.binary(max_size=80),
        error=st.sampled_from(["", "Timeout", "ConnectionRefused"]),
    )
)
def test_every_verdict_is_a_documented_one(answer: Answer) -> None:
    """Whatever comes."""
    found = of_answer(answer, FOUND, "m")
    assert found is None or found.ok == (not found.reason)
    assert found is None or found.ok or found.reason in REASONS
