"""What a model's name tells of its strength: parameters and bits of its weights. Nothing raises."""

from __future__ import annotations

import re
from typing import Final

SMALL: Final = 10.0  # billions of parameters, below which a model is told to be small
FEW_BITS: Final = 4.0

_EDGE: Final = r"(?<![a-z0-9.])"
_SIZE = re.compile(_EDGE + r"(?:(\d{1,3})x)?e?(\d{1,5}(?:\.\d{1,3})?)(b|m|t)(?![a-z0-9])")
_OF = {"b": 1.0, "m": 1e-3, "t": 1e3}
# A million tokens of context are written likewise.
_FEWEST_MILLIONS: Final = 50.0
_BITS = (
    re.compile(_EDGE + r"(?:ud-)?i?q(\d)(?:_[a-z0-9]+)*(?![a-z0-9])"),  # llama.cpp: q2_k, iq3_xxs, q8_0
    re.compile(_EDGE + r"(\d)[-_ ]?bits?(?![a-z0-9])"),
    re.compile(_EDGE + r"u?int(\d)(?![a-z0-9])"),
    re.compile(r"(?<![a-z0-9])w(\d)a\d{1,2}(?![a-z0-9])"),  # after a dot too: quantized.w4a16
    re.compile(_EDGE + r"(\d(?:\.\d{1,3})?)bpw(?![a-z0-9])"),
)
# What these make unless a name tells of more. Not mxfp4: models are trained in it.
_FOUR = re.compile(_EDGE + r"(awq|gptq|bnb|bitsandbytes|nf4|(?:nv)?fp4)(?![a-z0-9])")
# Small ones whose names tell no number, in billions as their makers state them.
_KNOWN: Final = tuple(
    (re.compile(rf"{_EDGE}(?:{name})(?![a-z0-9.])"), size)
    for name, size in (
        (r"phi-?3(?:\.5)?[-:]mini|phi-?4-mini", 3.8),
        (r"phi-?3(?:\.5)?-vision", 4.2),
        (r"phi-?4-multimodal", 5.6),
        (r"phi-?3[-:]small", 7.0),
        (r"phi-?2", 2.7),
        (r"phi-?1(?:[._]5)?", 1.3),
        (r"tinyllama", 1.1),
        (r"granite-?4(?:\.0)?[-:](?:h-)?micro", 3.0),
        (r"granite-?4(?:\.0)?[-:](?:h-)?tiny", 7.0),
    )
)


def billions(name: str) -> float:
    """Parameters in billions, all experts of a mixture together; 0.0: not told. "Qwen3-30B-A3B" -> 30.0."""
    found = [
        float(times or 1) * float(count) * _OF[unit]
        for times, count, unit in _SIZE.findall(name.lower())
        if unit != "m" or float(count) >= _FEWEST_MILLIONS
    ]
    known = (size for pattern, size in _KNOWN if pattern.search(name.lower()))
    return max(found) if found else next(known, 0.0)


def bits(name: str) -> float:
    """Bits of a weight, where the name tells of less than a whole number format has; 0.0: not told."""
    text = name.lower()
    told = [float(each) for pattern in _BITS for each in pattern.findall(text)]
    told = [each for each in told if each]
    return min(told) if told else 4.0 if _FOUR.search(text) else 0.0


def weakness(name: str) -> str:
    """Why a model of this name is weak, for people; "": nothing says so."""
    size, width = billions(name), bits(name)
    told = [f"{size:g} billion parameters"] if 0 < size < SMALL else []
    told += [f"quantized to {width:g} bits"] if 0 < width <= FEW_BITS else []
    return ", ".join(told)
