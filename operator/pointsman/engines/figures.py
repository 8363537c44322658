"""Reads the figures that engines show at /metrics, in Prometheus' text format. Strangers wrote them: nothing raises."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_LINE = 1024  # characters; a longer line is none of those that are looked for


def read(body: bytes, names: Collection[str]) -> dict[str, float]:
    """Series (name and labels as written) -> value, of those names; what is no finite number is left out."""
    out: dict[str, float] = {}
    for line in body.decode(errors="replace").splitlines():
        series, _, value = line.rpartition(" ")
        if len(line) <= _LINE and series.partition("{")[0] in names and (number := _number(value)) is not None:
            out[series] = number
    return out


def total(figures: Mapping[str, float], name: str) -> float:
    """The sum over all series of a name."""
    return sum(value for series, value in figures.items() if series.partition("{")[0] == name)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
