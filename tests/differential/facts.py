"""What was seen of one input behind one gateway, and plain statements about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from matrix.speech import Ask, Got

Json = Any
_OK: Final = 400


@dataclass
class Seen:
    """What the vendor was asked and the client got.

    `asked`: the bodies that the vendor got, `asks` what they mean to it; `got`: what the client's SDK says of each
    answer; `breaches`: of the client's dialect, in the last stream.
    """

    asked: list[Json] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)

    @property
    def body(self) -> Json:
        """The last request; {}: the vendor was not asked."""
        return self.asked[-1] if self.asked else {}

    @property
    def text(self) -> str:
        """It as JSON."""
        return json.dumps(self.body, ensure_ascii=False)

    @property
    def last(self) -> Got:
        return self.got[-1]

    @property
    def said(self) -> str:
        """The last answer on the wire; of an error, its words."""
        wire = self.last.wire
        return self.last.message if wire is None else wire.exchanges[-1].body.decode(errors="replace")

    @property
    def refused(self) -> bool:
        """Whether the gateway itself said no, with a reason for the client."""
        return not self.asked and _OK <= self.last.status < 500


@dataclass(frozen=True)
class Fact:
    """A statement that must hold, by the vendors' documentation."""

    says: str
    holds: Callable[[Seen], bool]


def asked(says: str, holds: Callable[[Json], bool]) -> Fact:
    """Of the last body that the vendor got."""
    return Fact(says, lambda seen: _safely(holds, seen.body))


def has(says: str, *words: str) -> Fact:
    """Each of these is somewhere in what the vendor was asked."""
    return Fact(says, lambda seen: all(json.dumps(word, ensure_ascii=False)[1:-1] in seen.text for word in words))


def lacks(says: str, *words: str) -> Fact:
    """None of these is."""
    return Fact(says, lambda seen: bool(seen.asked) and not any(word in seen.text for word in words))


def got(says: str, holds: Callable[[Got], bool]) -> Fact:
    """Of what the client's SDK says of the last answer."""
    return Fact(says, lambda seen: _safely(holds, seen.last))


def said(says: str, *words: str) -> Fact:
    """Each of these is somewhere in what the client got."""
    return Fact(says, lambda seen: all(word in seen.said for word in words))


def _safely(holds: Callable[[Any], bool], value: Any) -> bool:
    try:
        return holds(value)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return False
