"""The readers of HTTP, events and dialects under mutated input: what was once found, and some that is new to them."""

from __future__ import annotations

import pytest

from fuzz import targets
from fuzz.__main__ import CORPUS, fuzz, trouble
from fuzz.mutation import Mutator, minimised, tear

FRESH = 3000  # inputs a share, as new as the code that they meet
KEPT = sorted(file.name for file in CORPUS.iterdir() if not file.name.startswith("."))


@pytest.mark.parametrize("name", KEPT)
def test_what_was_found_stays_mended(name: str) -> None:
    """Each input that once brought trouble brings none."""
    assert trouble(targets.ALL[name.partition("-")[0]], (CORPUS / name).read_bytes()) == ""


@pytest.mark.parametrize("name", targets.ALL)
def test_seeds_and_fresh_inputs_bring_no_trouble(name: str) -> None:
    """What inputs begin as, and some thousand mutations, always the same."""
    target = targets.ALL[name]
    assert {trouble(target, seed) for seed in target.seeds} == {""}
    assert fuzz(name, FRESH * target.share, seed=7) == {}


def test_inputs_are_the_same_for_the_same_seed() -> None:
    """A finding can be had again."""
    target = targets.ALL["edge"]
    first, again, other = (Mutator(seed, target.seeds, target.tokens) for seed in (1, 1, 2))
    one = [first.next() for _ in range(50)]
    assert one == [again.next() for _ in range(50)]
    assert one != [other.next() for _ in range(50)]
    assert all(b"".join(tear(each)) == each and tear(each) == tear(each) for each in one)


def test_findings_are_made_small() -> None:
    """What does not matter is left out."""
    assert minimised(b"xxxxAxxxxxxBxxx", lambda data: b"A" in data and b"B" in data) == b"AB"
