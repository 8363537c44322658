"""What a stream shows of a model, and what to do about it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.fleet.diagnosis import Asked, Check, Grade, Patient
from pointsman.fleet.remedies_streams import streaming
from pointsman.fleet.replies import Reply, Stream, stream
from pointsman.names import Dialect, ProviderType
from pointsman.served import Answer

BOX = Patient("box", ProviderType.VLLM, "http://127.0.0.1:8000", (Dialect.CHAT,))
GOOD = Stream(Reply("Hello.", prompt=3, output=2), events=3, ended=True)


def checks(dialect: Dialect, came: Stream | None, who: Patient = BOX) -> list[Check]:
    return streaming(who, "m", dialect, Asked(Answer(200)), came)


def test_a_good_stream_is_one_check() -> None:
    """Its tokens are told in the same line."""
    [check] = checks(Dialect.CHAT, GOOD)
    assert (check.grade, check.text) == (Grade.WELL, "it streams openai-completions in 3 events, and tells the tokens")


@pytest.mark.parametrize(
    ("numbers", "grade"),
    [
        ((0, 1, 2), Grade.WELL),
        ((4, 7, 9), Grade.WELL),
        ((0, 1, 1), Grade.WARNING),
        ((0, None, 2), Grade.WARNING),
        ((1, 0), Grade.WARNING),
    ],
)
def test_numbers_of_responses_grow(numbers: tuple[int | None, ...], grade: Grade) -> None:
    """Each event has one, and none comes twice."""
    came = Stream(GOOD.reply, events=3, ended=True, numbers=numbers)
    assert checks(Dialect.RESPONSES, came)[0].grade is grade


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("<think>Hm", "reasoning"),
        ("<THINKING>Hm", "reasoning"),
        ("[THINK]Hm", "reasoning"),
        ("<|channel|>analysis", "reasoning"),
        ("Hello<|eot_id|>", "template"),
        ("Hello</s>", "template"),
    ],
)
def test_what_does_not_belong_into_an_answer(said: str, name: str) -> None:
    """Thoughts and marks, with the flag of the engine that takes them out."""
    [_, check] = checks(Dialect.CHAT, Stream(Reply(said, prompt=1), events=1, ended=True))
    assert (check.name, check.grade) == (name, Grade.WARNING)
    assert name != "reasoning" or "--reasoning-parser" in check.remedy


def test_reasoning_that_is_apart_is_well() -> None:
    """In a field or an event of its own, as agents want it."""
    [_, check] = checks(Dialect.CHAT, Stream(Reply("Hello.", prompt=1, apart=True), events=1, ended=True))
    assert (check.name, check.grade) == ("reasoning", Grade.WELL)


@given(st.sampled_from(Dialect), st.lists(st.dictionaries(st.text(max_size=8), st.text(max_size=8)), max_size=4))
def test_any_stream_makes_checks_with_remedies(dialect: Dialect, events: list[dict[str, str]]) -> None:
    """Nothing that comes raises."""
    body = b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)
    answer = Answer(200, body)
    for check in streaming(BOX, "m", dialect, Asked(answer), stream(dialect, answer)):
        assert check.remedy or check.grade is Grade.WELL
