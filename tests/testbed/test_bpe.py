"""The hand-made vocabulary."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from testbed.bpe import build_vocabulary

words = st.lists(st.from_regex(r" ?[a-z]{1,6}", fullmatch=True), min_size=1, max_size=12, unique=True)


def encode(word: str, merges: list[str]) -> list[str]:
    """Byte-pair encoding by its definition: the pair of the lowest rank first, until none is left."""
    parts = list(word.replace(" ", "Ġ"))
    ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}
    while True:
        found = [(ranks[pair], i) for i, pair in enumerate(itertools.pairwise(parts)) if pair in ranks]
        if not found:
            return parts
        _, at = min(found)
        parts[at : at + 2] = ["".join(parts[at : at + 2])]


@given(words)
def test_a_piece_with_a_leading_space_is_always_one_token(pieces: list[str]) -> None:
    """Whatever other pieces there are, so that an answer encodes to the tokens that the model made it of."""
    vocabulary = build_vocabulary(pieces, [], 64)
    for piece in pieces:
        if piece.startswith(" "):
            assert encode(piece, list(vocabulary.merges)) == [piece.replace(" ", "Ġ")]


@given(words)
def test_every_token_has_one_id_and_a_type(pieces: list[str]) -> None:
    """Ids are positions; the table is padded to a multiple of 64."""
    vocabulary = build_vocabulary(pieces, ["<tool_call>"], 640)
    assert len(set(vocabulary.tokens)) == len(vocabulary.tokens) == len(vocabulary.types)
    assert len(vocabulary.tokens) % 64 == 0
    assert all(vocabulary.tokens[vocabulary.ids[piece]] == piece.replace(" ", "Ġ") for piece in pieces)
