"""Kubernetes quantities in the one form that the API server writes, so that what was applied reads back the same.

Source: k8s.io/apimachinery, pkg/api/resource, Quantity.CanonicalizeBytes.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from typing import Final

_FORM = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?|[eE][+-]?\d{1,2})", re.ASCII)
_BINARY: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL: Final = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_MAX: Final = 2**63 - 1


def canonical(quantity: int | str) -> str:
    """1 -> "1", "0.5" -> "500m", "1024Mi" -> "1Gi". ValueError for what is none, is negative or too large."""
    text = str(quantity)
    found = _FORM.fullmatch(text) if len(text) <= 32 else None
    if not found or found[1] == "-":
        raise ValueError(f"{text[:40]!r} is not a quantity such as 2, 500m or 16Gi")
    number, suffix = Decimal(found[2]), found[3]
    if suffix[:1] in {"e", "E"} and len(suffix) > 1 and suffix != "Ei":
        return _decimal(number.scaleb(int(suffix[1:])), exponent=True)
    if suffix in _BINARY and suffix:
        return _binary(number * 1024 ** _BINARY.index(suffix))
    return _decimal(number.scaleb(3 * _DECIMAL.index(suffix) - 9))


def _binary(value: Decimal) -> str:
    if value < 1024:
        return _decimal(value)
    whole = _bounded(value)
    step = 0
    while whole % 1024 == 0 and step < len(_BINARY) - 1:
        whole, step = whole // 1024, step + 1
    return f"{whole}{_BINARY[step]}"


def _decimal(value: Decimal, *, exponent: bool = False) -> str:
    _bounded(value)
    whole, step = int(value.scaleb(9).to_integral_value(ROUND_CEILING)), 0
    if whole == 0:
        return "0"
    while whole % 1000 == 0 and step < len(_DECIMAL) - 1:
        whole, step = whole // 1000, step + 1
    if not exponent:
        return f"{whole}{_DECIMAL[step]}"
    return f"{whole}e{3 * step - 9}" if step != _DECIMAL.index("") else str(whole)


def _bounded(value: Decimal) -> int:
    whole = int(value.to_integral_value(ROUND_CEILING))
    if whole > _MAX:
        raise ValueError(f"{value} is larger than any quantity")
    return whole
