"""A stream and the answer that it amounts to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects.fold import finish_of, fold, unfold
from pointsman.exchange import Failure, FailureKind, Usage
from pointsman.names import Dialect
from pointsman.neutral import (
    Begun,
    Broken,
    Closed,
    Ended,
    Event,
    Finish,
    Foreign,
    Grew,
    Image,
    Opened,
    Reasoning,
    Refusal,
    Reply,
    Seal,
    Text,
    ToolCall,
)

_WORDS = st.text(max_size=12)
_SEALS = st.none() | st.builds(Seal, st.sampled_from(Dialect), st.text(min_size=1, max_size=8))
_PARTS = st.one_of(
    st.builds(Text, _WORDS),
    st.builds(Refusal, _WORDS),
    st.builds(Reasoning, _WORDS, st.booleans(), _SEALS),
    st.builds(ToolCall, _WORDS, _WORDS, _WORDS),
    st.builds(Foreign, st.sampled_from(Dialect), _WORDS, st.integers()),
)
_REPLIES = st.builds(
    Reply,
    _WORDS,
    _WORDS,
    st.integers(0, 2**31),
    st.lists(_PARTS, max_size=5).map(tuple),
    st.sampled_from(Finish),
    _WORDS,
    st.builds(Usage, st.integers(0, 99), st.integers(0, 99)),
)


@given(_REPLIES)
def test_folding_undoes_unfolding(reply: Reply) -> None:
    """What is streamed part by part is the same answer."""
    assert fold(unfold(reply)) == reply


@given(_REPLIES, st.randoms(use_true_random=False))
def test_pieces_may_be_of_any_length_and_parts_may_grow_together(reply: Reply, random: object) -> None:
    """Only the order within a part matters."""
    begun, *between, ended = unfold(reply)
    opened = [event for event in between if isinstance(event, Opened)]
    pieces: list[Event] = []
    for event in between:
        if isinstance(event, Grew):
            pieces += [Grew(event.index, letter) for letter in event.text]
    random.shuffle(between)  # type: ignore[attr-defined]
    closed = [event for event in between if isinstance(event, Closed)]
    assert fold([begun, *opened, *pieces, *closed, ended]) == reply


_TEXT = Opened(0, Text(""))
_END = Ended(Finish.STOP)
_BAD: list[list[Event]] = [
    [],
    [Begun()],
    [Begun(), _TEXT, _END],
    [Begun(), Grew(0, "a"), _END],
    [Begun(), Opened(1, Text("")), Closed(1), _END],
    [Begun(), _TEXT, Closed(0), Closed(0), _END],
    [Begun(), _TEXT, Closed(0), Grew(0, "a"), _END],
    [Begun(), _END, _END],
    [Begun(), Broken(Failure(FailureKind.SERVER_ERROR))],
    [Begun(), Opened(0, Image("http://a")), Grew(0, "a"), Closed(0), _END],
]


@pytest.mark.parametrize("events", _BAD)
def test_what_keeps_to_no_grammar_is_no_answer(events: list[Event]) -> None:
    """Parts open in turn, grow while they are open, and are closed when the answer ends."""
    with pytest.raises(ValueError, match=r"part|event|stream"):
        fold(events)


def test_what_closes_a_part_may_say_more_of_it() -> None:
    """A seal comes last, and annotations may."""
    seal = Seal(Dialect.MESSAGES, "sig")
    events: list[Event] = [
        Begun("a"), Opened(0, Reasoning()), Grew(0, "hm"), Closed(0, seal),
        Opened(1, Text("")), Grew(1, "so"), Closed(1, rest={"annotations": [1]}), _END,
    ]  # fmt: skip
    assert fold(events).parts == (Reasoning("hm", seal=seal), Text("so", {"annotations": [1]}))


def test_an_answer_with_calls_ended_for_them() -> None:
    """Where a target says no more than that it is complete."""
    assert finish_of([Text("a"), ToolCall("1", "f")]) is Finish.TOOL
    assert finish_of([Text("a")]) is Finish.STOP
