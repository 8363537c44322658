"""Mutated inputs, the same ones for the same seed."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from typing import Final

MOST: Final = 4096  # bytes of an input
_NUMBERS: Final = (
    b"0", b"1", b"-1", b"255", b"65536", b"4294967296", b"18446744073709551616", b"1e999", b"0x10", b"00",
)  # fmt: skip
_SPECIAL: Final = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b'"', b"\\", b"{", b"}", b"[", b"]", b"\xff", b"\xc3",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r\n\r\n", b"null", b"true", b"\\ud800", b"\\u0000",
)  # fmt: skip


class Mutator:
    """State: a source of randomness. `seeds` are what inputs begin as, `tokens` the words that matter to the reader."""

    def __init__(self, seed: int, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> None:
        self._random = random.Random(seed)
        self._seeds = [each[:MOST] for each in seeds]
        self._tokens = (*tokens, *_SPECIAL, *_NUMBERS)

    def next(self) -> bytes:
        """The next input: a seed with one to eight changes."""
        draw = self._random
        data = draw.choice(self._seeds)
        for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 5, 8))):
            data = self._change(data)
        return data[:MOST]

    def _change(self, data: bytes) -> bytes:
        draw = self._random
        at = draw.randint(0, len(data))
        end = min(len(data), at + draw.choice((1, 1, 2, 4, 8, 32, 200)))
        put = (
            lambda: draw.choice(self._tokens) + data[at:],
            lambda: draw.choice(self._tokens) + data[end:],
            lambda: data[end:],
            lambda: data[at:end] + data[at:],
            lambda: bytes([draw.randrange(256)]) + data[at + 1 :],
            self._end,
            lambda: b"",
        )
        return data[:at] + draw.choice(put)()

    def _end(self) -> bytes:
        other = self._random.choice(self._seeds)
        return other[self._random.randint(0, len(other)) :]


def tear(data: bytes) -> list[bytes]:
    """An input in pieces: where it is torn depends on nothing but itself, so that it can be replayed."""
    draw = random.Random(zlib.crc32(data))
    if draw.random() < 0.05 and len(data) < 1000:
        return [data[at : at + 1] for at in range(len(data))]
    cuts = sorted(draw.randint(0, len(data)) for _ in range(draw.randint(1, 6)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if start < end]


def minimised(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """The smallest input found that still fails, as `fails` tells."""
    size = max(1, len(data) // 2)
    while size:
        at = 0
        while at < len(data):
            shorter = data[:at] + data[at + size :]
            if fails(shorter):
                data = shorter
            else:
                at += size
        size //= 2
    return data
