"""Whether a model takes images, videos or audio, by the names of those that vLLM 0.32 runs. Nothing raises."""

from __future__ import annotations

import re
from typing import Final

_KINDS: Final = r"[a-z]{0,12}vlm?\d?|vision|video|audio|speech|omni|multimodal|[a-z]{0,12}ocr\d?"
_FAMILIES: Final = (
    r"llava|pixtral|molmo\d?|paligemma\d?|idefics\d?|ovis\d?|fuyu|chameleon|moondream\d?|keye|nvlm|voxtral|ultravox|qvq",
    r"gemma-?3n|gemma-?3(?![\d.]|[-:](?:1b|270m)(?![a-z0-9]))|gemma-?4|medgemma(?!-27b-text)",
    r"llama-?4(?![\d.])|llama-guard-4",
    # Text alone: Mistral-Small of January 2025, Ministral of 2024, the first Devstrals.
    r"mistral-small-(?:3\.[1-9]|4)(?!\d)|mistral-(?:medium|large)-3|ministral-3(?![\db])|magistral-small-2509",
    r"devstral-small-2(?!\d)",
    r"qwen-?3\.[56](?!\d)|glm-?4(?:\.\d)?v|kimi-k2\.[5-9]|kimi-k3|minicpm-?[vo]|intern-?s[12]|skywork-r1v|cosmos-reason\d?",
)
_SEES: Final = re.compile(rf"(?<![a-z])(?:{'|'.join((_KINDS, *_FAMILIES))})(?![a-z])")


def takes_media(name: str) -> bool:
    """Of a model's name or source: "hf://google/gemma-3-27b-it" -> True; False: nothing says so."""
    return bool(_SEES.search(name.lower()))
