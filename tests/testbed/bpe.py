"""A byte-level BPE vocabulary, made by hand, in which each wanted piece is one token and always encodes to itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import gguf

CONTROL = ("<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens by id, their GGUF types, the merges in rank order, and the id of each piece, special or control token."""

    tokens: Sequence[str]
    types: Sequence[gguf.TokenType]
    merges: Sequence[str]
    ids: dict[str, int]


def build_vocabulary(pieces: Sequence[str], special: Sequence[str], size: int) -> Vocabulary:
    """Control and special tokens, the 256 bytes, and `pieces` with all their beginnings; padded to `size` and to 64s.

    Pieces are what GPT-2's splitter cuts text into: a word or a number with its leading space, or punctuation.
    Every merge appends one byte to the beginning of a piece. Those with a leading space rank first: a beginning
    without one ("on" of "one") must not form inside a word (" second") before that word is whole.
    """
    merges = _merges(sorted(pieces, key=lambda piece: not piece.startswith(" ")))
    tokens = [*CONTROL, *special, *_BYTES.values(), *(left + right for left, right in merges)]
    types = [gguf.TokenType.CONTROL] * len(CONTROL) + [gguf.TokenType.USER_DEFINED] * len(special)
    types += [gguf.TokenType.NORMAL] * (len(tokens) - len(types))
    ids = {token: number for number, token in enumerate(tokens)}
    named = {name: ids[name] for name in (*CONTROL, *special)} | {piece: ids[_spell(piece)] for piece in pieces}
    padding = -(-max(size, len(tokens)) // 64) * 64 - len(tokens)
    tokens += [f"[PAD{number}]" for number in range(padding)]
    types += [gguf.TokenType.UNUSED] * padding
    return Vocabulary(tokens, types, [f"{left} {right}" for left, right in merges], named)


def _merges(pieces: Sequence[str]) -> list[tuple[str, str]]:
    merges: dict[tuple[str, str], None] = {}
    for piece in map(_spell, pieces):
        for end in range(1, len(piece)):
            merges.setdefault((piece[:end], piece[end]))
    return list(merges)


def _byte_letters() -> dict[int, str]:
    """The printable stand-in for each byte in byte-level BPE, in GPT-2's order; a space is written as a dotted G."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + number) for number, byte in enumerate(rest)}


_BYTES = _byte_letters()


def _spell(piece: str) -> str:
    return "".join(_BYTES[byte] for byte in piece.encode())
