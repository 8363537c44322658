"""Thoughts that a server leaves in the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects.chat.think import CLOSE, OPEN, Thoughts, split

_BITS = st.sampled_from(["<", "<th", "<think>", "</think>", "</", "think>", " ", "\n\n", "Hm", "so", "é"])


def told(pieces: list[str]) -> tuple[str, str]:
    """What comes of a text in pieces."""
    thoughts = Thoughts()
    found = [each for piece in pieces for each in thoughts.feed(piece)] + thoughts.finish()
    assert all(words for _, words in found)
    assert thoughts.plain
    return "".join(w for inside, w in found if inside), "".join(w for inside, w in found if not inside)


@pytest.mark.parametrize(
    ("text", "thought", "words"),
    [
        ("<think>Hm</think>So", "Hm", "So"),
        ("\n<think>\nHm\n</think>\n\nSo\n", "Hm", "So\n"),
        ("<think>\n\n</think>\n\nSo", "", "So"),
        ("<think>cut short", "cut short", ""),
        ("<think> a b \n", "a b", ""),
        ("<think>a < b </ b</think>", "a < b </ b", ""),
        ("  So", "", "  So"),
        ("<thin", "", "<thin"),
        ("So <think>Hm</think>", "", "So <think>Hm</think>"),
        ("<thinking>Hm", "", "<thinking>Hm"),
        ("<think>a</think><think>b</think>", "a", "<think>b</think>"),
        ("", "", ""),
    ],
)
def test_only_the_head_is_taken_apart(text: str, thought: str, words: str) -> None:
    """White space around the thoughts belongs to nobody."""
    assert split(text) == (thought, words)


@given(st.lists(_BITS, max_size=12), st.integers(1, 5))
def test_it_may_be_torn_anywhere(bits: list[str], size: int) -> None:
    """The pieces amount to what the whole does."""
    text = "".join(bits)
    assert told([text[i : i + size] for i in range(0, len(text), size)]) == split(text)
    assert told(bits) == split(text)


@given(st.text(st.sampled_from("ab< \n"), min_size=1), st.text(st.sampled_from("ab \n")))
def test_nothing_but_white_space_is_lost(thought: str, words: str) -> None:
    """All that was thought and all that was said is told."""
    found = split(f"{OPEN}{thought}{CLOSE}{words}")
    assert found == (thought.strip(), words.lstrip())


def test_white_space_without_end_is_not_kept_back() -> None:
    """A server that sends nothing else cannot fill the memory."""
    thoughts = Thoughts()
    assert any(thoughts.feed(" " * 1000) for _ in range(10))
    thoughts = Thoughts()
    thoughts.feed("<think>a")
    assert any(thoughts.feed(" " * 1000) for _ in range(10))
