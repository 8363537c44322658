"""Where a text is cut so that its last words must come again."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects.cut import LEAST, MOST, SHORT, cut

words = st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9), max_size=30)


@given(words.map(" ".join) | st.text(max_size=200))
def test_the_cut_is_in_bounds_and_between_characters(text: str) -> None:
    """At most half the text and 64 characters are to be said again, and what is left ends in no white space."""
    prefix = cut(text)
    assert text.startswith(prefix)
    if not prefix:
        return
    assert len(text) >= SHORT
    assert 0 < len(text) - len(prefix) <= min(MOST, len(text) // 2)
    assert not prefix[-1].isspace()
    assert not unicodedata.combining(text[len(prefix)])


def test_it_is_some_words_before_the_end() -> None:
    """At the end of a word, and enough characters to tell one answer from another."""
    text = "It was the best of times, it was the worst of times, it was the age of wisdom"
    overlap = text[len(cut(text)) :]
    assert overlap == " it was the age of wisdom"
    assert len(overlap) >= LEAST


@pytest.mark.parametrize("text", ["", "Hello", "fifteen letters"])
def test_a_short_text_is_not_cut(text: str) -> None:
    """Too few words would fit another answer as well."""
    assert cut(text) == ""


@pytest.mark.parametrize("text", ["漢字" * 20, "https://example.org/" + "a" * 60, "👨‍👩‍👧" * 12, "e\u0301" * 30])
def test_without_spaces_it_is_between_characters(text: str) -> None:
    """A writing without them, an address, emoji of several code points, marks that combine."""
    prefix = cut(text)
    assert prefix
    assert text[len(prefix)] not in "\u200d\u0301"
    assert not prefix.endswith("\u200d")
