"""What a new engine's answers prove."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.prober.first_answer import fault, other_kind, questions
from pointsman.served import Answer

CHOICES = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": ""}}]}'


def test_every_question_names_the_model() -> None:
    """As a model that chats first; one token is enough."""
    asked = questions("m")
    assert [path for path, _, _ in asked] == ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/pooling"]
    assert all(json.loads(body)["model"] == "m" for _, body, _ in asked)
    assert json.loads(asked[0][1])["max_tokens"] == 1


def test_an_answer_proves() -> None:
    """Even an empty text: the engine has made a step for it."""
    assert not fault(Answer(200, CHOICES), "choices")
    assert not fault(Answer(200, b'{"data": [{"embedding": [0.1]}]}'), "data")


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"<html>", b'{"choices": []}', b"[" * 100_000])
def test_what_is_no_answer(body: bytes) -> None:
    """200 alone proves nothing."""
    assert fault(Answer(200, body), "choices") == "its answer holds no choices"


@pytest.mark.parametrize(
    "body",
    [b'{"error": {"message": "engine\\n is dead"}}', b'{"error": "engine is dead"}', b'{"message": "engine is dead"}',
     b"engine is dead"],
)  # fmt: skip
def test_what_the_server_says(body: bytes) -> None:
    """Its own words, on one line."""
    assert fault(Answer(500, body), "choices") == "it answered with 500: engine is dead"


def test_no_answer_at_all() -> None:
    """The connection's fault is told as the prober tells it."""
    assert fault(Answer(0, error="ConnectionRefused", message="nothing listens at h:1"), "data") == (
        "nothing listens at h:1"
    )


@pytest.mark.parametrize(("status", "other"), [(200, False), (400, True), (404, True), (401, False), (500, False)])
def test_other_kinds(status: int, other: bool) -> None:
    """What is refused as a chat may be another kind of model; what fails is not."""
    assert other_kind(Answer(status)) is other


@given(st.integers(100, 599), st.binary(max_size=2000))
def test_any_answer(status: int, body: bytes) -> None:
    """Whatever comes, it is read, and what is said of it is short."""
    assert len(fault(Answer(status, body), "choices")) < 400
