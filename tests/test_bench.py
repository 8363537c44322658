"""The judge of `bench/failover.py`: right answers pass, and whatever a gateway could do to one is noticed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent / "bench"))

import failover_text as texts

PLAN = texts.Plan(seed=7, words=9)
TEXT = texts.text(PLAN)
EVERY = pytest.mark.parametrize("dialect", texts.DIALECTS)


def stream(dialect: str, name: str = "first", plan: texts.Plan = PLAN) -> list[bytes]:
    return texts.events(dialect, name, texts.words(plan.seed, plan.words), texts.text(plan))


def judged(dialect: str, events: list[bytes]) -> str:
    return texts.judge(dialect, b"".join(events), TEXT, stream=True)


@EVERY
def test_a_right_answer_passes(dialect: str) -> None:
    """Streamed, however torn into events, and whole."""
    import msgspec

    assert judged(dialect, stream(dialect)) == ""
    assert judged(dialect, texts.events(dialect, "second", (TEXT[:11], TEXT[11:]), TEXT)) == ""
    whole = msgspec.json.encode(texts.whole(dialect, "first", TEXT))
    assert texts.judge(dialect, whole, TEXT, stream=False) == ""


@EVERY
@given(at=st.integers(0, 10_000))
def test_an_answer_cut_anywhere_is_noticed(dialect: str, at: int) -> None:
    """A truncated answer is never right."""
    body = b"".join(stream(dialect))
    assert texts.judge(dialect, body[: at % len(body)], TEXT, stream=True)


@EVERY
def test_two_answers_glued_together_are_noticed(dialect: str) -> None:
    """Twice the end, twice a word, a word left out, another's word."""
    events = stream(dialect)
    other = stream(dialect, plan=texts.Plan(seed=8, words=9))
    middle = next(i for i, event in enumerate(events) if b" " + TEXT.split()[4].encode()[:3] in event)
    assert judged(dialect, [*events, *events])
    assert judged(dialect, [*events[: middle + 1], *events[middle:]])
    assert judged(dialect, [*events[:middle], *events[middle + 1 :]])
    assert judged(dialect, [*events[:middle], other[middle], *events[middle + 1 :]])


@EVERY
def test_an_answer_that_begins_twice_is_noticed(dialect: str) -> None:
    """Another id, or another beginning, in the middle of an answer."""
    events, again = stream(dialect), stream(dialect, "second")
    assert judged(dialect, [*events[:5], *again[:1], *events[5:]])


@EVERY
def test_what_was_said_is_asked_for_no_more(dialect: str) -> None:
    """A backend reads the plan, and an assistant's turn after it, from a request of each dialect."""
    body = texts.request(dialect, PLAN, stream=True)
    assert texts.asked(body) == (PLAN, "")
    if dialect != "responses":
        body["messages"].append({"role": "assistant", "content": TEXT[:5]})
        assert texts.asked(body) == (PLAN, TEXT[:5])


def test_a_probe_gets_an_answer_too() -> None:
    """What is no plan is answered with a few words."""
    assert texts.asked({"messages": [{"role": "user", "content": "ping"}]})[0].words == 3
