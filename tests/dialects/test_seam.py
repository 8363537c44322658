"""Where two texts meet: what is held, what is passed on, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects.seam import Seam
from pointsman.names import Way

TOLD = "The quick brown fox jumps over the lazy dog "
PREFIX = TOLD.rstrip()
TRIED = "The quick brown fox"  # what a target is told that may not go on


def run(told: str, prefix: str, way: Way, pieces: list[str]) -> str | None:
    """All that is passed on; None: refused, and nothing was passed on before that."""
    seam, got = Seam(told, prefix, way), ""
    for piece in pieces:
        passed = seam.feed(piece)
        if passed is None:
            assert not got
            return None
        assert not passed or seam.joined
        got += passed
    last = seam.end()
    return None if last is None else got + last


@pytest.mark.parametrize("way", [Way.FLAGS, Way.PREFILL])
@pytest.mark.parametrize(
    ("pieces", "rest"),
    [
        (["and", " runs"], "and runs"),
        ([" and", " runs"], "and runs"),
        ([PREFIX + " and", " runs"], "and runs"),
        ([PREFIX, " ", "and"], "and"),
        ([TOLD + "and"], "and"),
        ([*TOLD, "and"], "and"),
        ([], ""),
        ([PREFIX], ""),
        ([TOLD], ""),
        (["The", " end"], "The end"),
        (["\n", "and"], "\nand"),
        (["  and"], " and"),
    ],
)
def test_what_was_promised(way: Way, pieces: list[str], rest: str) -> None:
    """The rest alone, or the prefix again and the rest; the white space that was told is not told twice."""
    assert run(TOLD, PREFIX, way, pieces) == rest


def test_a_prefix_may_lose_the_white_space_before_it() -> None:
    """Templates trim what they are given."""
    assert run("\n\n" + TOLD, "\n\n" + PREFIX, Way.PREFILL, [PREFIX + " and"]) == "and"


@pytest.mark.parametrize("pieces", [["The quick"], ["The", " quick", " brown fox jumps over a fence"]])
def test_a_second_beginning_is_no_rest(pieces: list[str]) -> None:
    """A server that begins anew after all would be glued to the first."""
    assert run(TOLD, PREFIX, Way.PREFILL, pieces) is None


@pytest.mark.parametrize("told", ["ha", "1 1 1", "AB"])
def test_flags_are_certain_where_little_was_told(told: str) -> None:
    """A rest that repeats a few letters is a rest."""
    assert run(told, told, Way.FLAGS, [told, told]) == told * 2


@pytest.mark.parametrize(
    ("pieces", "rest"),
    [
        ([" jumps over the lazy dog and"], "and"),
        (["jumps", " over the", " lazy dog and"], "and"),
        ([TOLD + "and"], "and"),
        ([TRIED, " jumps over the lazy dog", " and"], "and"),
        ([" jumps over the lazy dog"], ""),
        ([" jumps over the lazy cat"], None),
        (["and"], None),
        (["The quick"], None),
        ([" jumps over"], None),
        ([], None),
    ],
)
def test_what_was_not_promised(pieces: list[str], rest: str | None) -> None:
    """The last words come again, or all of it; anything else is another answer."""
    assert run(TOLD, TRIED, Way.TRY, pieces) == rest


@pytest.mark.parametrize(("tail", "rest"), [("ha!", "!"), ("ha ha ha ha ha", " ha ha ha ha")])
def test_two_readings_are_both_kept_until_one_is_left(tail: str, rest: str) -> None:
    """Words that fit the beginning and the end are held until it is known which they are."""
    told, prefix = "ha ha no ha ha ha", "ha ha no"
    assert run(told, prefix, Way.TRY, ["ha ", "ha ", *tail]) == rest


texts = st.text("ab \n", max_size=12)


@given(texts, texts, st.sampled_from([Way.FLAGS, Way.PREFILL, Way.TRY]), st.lists(texts, max_size=4))
def test_only_what_the_target_said_is_passed_on(told: str, rest: str, way: Way, pieces: list[str]) -> None:
    """Whatever it says: what is passed on is the end of it."""
    prefix = told.rstrip() or "a"
    got = run(prefix + rest, prefix, way, pieces)
    assert got is None or "".join(pieces).endswith(got)


@given(texts, texts, st.data())
def test_an_echo_is_found_however_it_is_torn(told: str, rest: str, data: st.DataObject) -> None:
    """What was told comes once, whatever pieces the target says it in."""
    told = "a" + told
    said, at = told + rest, data.draw(st.integers(0, len(told + rest)))
    assert run(told, told.rstrip(), Way.PREFILL, [said[:at], said[at:]]) == rest
