"""What an answer of chat says that it cost: `prompt_tokens` with the cached, `completion_tokens` with the thoughts.

What came out of a cache stands in OpenAI's details, or in DeepSeek's field; what was put into one in OpenRouter's
details, or in LiteLLM's field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.exchange import Usage

if TYPE_CHECKING:
    from pointsman.neutral import Json


def read(said: Json) -> Usage | None:
    """The value of `usage`; None: it says nothing."""
    if not isinstance(said, dict):
        return None
    prompt, output = _count(said, "prompt_tokens"), _count(said, "completion_tokens")
    if not prompt and not output:
        return None
    read_back = _inner(said, "prompt_tokens_details", "cached_tokens") or _count(said, "prompt_cache_hit_tokens")
    written = _inner(said, "prompt_tokens_details", "cache_write_tokens") or _count(said, "cache_creation_input_tokens")
    return Usage(prompt, output, read_back, written, _inner(said, "completion_tokens_details", "reasoning_tokens"))


def write(usage: Usage) -> dict[str, Json]:
    """The value of `usage`; details only of what there is."""
    said: dict[str, Any] = {
        "prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": usage.input + usage.output,
    }  # fmt: skip
    prompt = {"cached_tokens": usage.cached, "cache_write_tokens": usage.written}
    if usage.cached or usage.written:
        said["prompt_tokens_details"] = {name: count for name, count in prompt.items() if count}
    if usage.reasoning:
        said["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return said


def _count(said: dict[str, Json], name: str) -> int:
    value = said.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63 else 0


def _inner(said: dict[str, Json], name: str, member: str) -> int:
    details = said.get(name)
    return _count(details, member) if isinstance(details, dict) else 0
