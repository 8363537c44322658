"""`compat` in Messages: tools, cache hints, temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.dialects import compat_tools
from pointsman.dialects.compat import apply, no_temperature, no_tools, record, value

if TYPE_CHECKING:
    from pointsman.dialects.compat import Draft, Record

_CACHE: Final = "cache_control"
_ALONE: Final = "disable_parallel_tool_use"
_MODES: Final = {"auto": "auto", "any": "required", "none": "none"}


def shape(draft: Draft) -> None:
    """A request as the model's server takes it."""
    apply(draft, _RULES)


def _not_eager(draft: Draft, stated: Any) -> None:
    """`supportsEagerToolInputStreaming: false`: no tool asks for it; its input comes as it always did."""
    if stated is False:
        for tool in draft.records("tools"):
            tool.pop("eager_input_streaming", None)


def _openai_tools(draft: Draft, stated: Any) -> None:
    """`requiresOpenAiAnthropicToolPayload: true`: Messages whose tools, and what is said of them, are OpenAI's."""
    if stated is not True:
        return
    tools = draft.records("tools")
    if tools:
        draft.fields["tools"] = [_function(tool) if "input_schema" in tool else tool for tool in tools]
    choice = draft.record("tool_choice")
    if choice is None:
        return
    if value(choice.get(_ALONE)) is True:
        draft.lose(f"tool_choice.{_ALONE}")
    kind = value(choice.get("type"))
    if kind == "tool":
        draft.fields["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    elif kind in _MODES:
        draft.fields["tool_choice"] = _MODES[kind]


def _function(tool: Record) -> Record:
    function = {key: tool[key] for key in ("name", "description", "strict") if key in tool}
    return {"type": "function", "function": {**function, "parameters": tool["input_schema"]}}


def _short_cache(draft: Draft, stated: Any) -> None:
    """`supportsLongCacheRetention: false`: what is to be cached is cached for the usual time."""
    if stated is not False:
        return
    for holder in _cached(draft):
        hint = record(holder, "cache_control")
        if hint is not None and hint.pop("ttl", None) is not None:
            draft.lose("cache_control.ttl")


def _cached(draft: Draft) -> list[Record]:
    """Whatever may carry a hint to be cached: the request, its tools, its system's blocks, blocks of its turns."""
    found = [draft.fields, *draft.records("tools"), *draft.records("system")]
    for turn in draft.records("messages"):
        found += _blocks(turn)
    return [holder for holder in found if _CACHE in holder]


def _blocks(turn: Record) -> list[Record]:
    blocks = value(turn.get("content"))
    hinted = [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    if any(_CACHE in block for block in hinted):
        turn["content"] = blocks
        return hinted
    return []


_RULES: Final = (
    ("supportsTools", no_tools),
    ("supportsTemperature", no_temperature),
    ("supportsLongCacheRetention", _short_cache),
    ("supportsEagerToolInputStreaming", _not_eager),
    ("supportsStrictMode", compat_tools.no_strict("input_schema")),
    ("toolSchemaProfile", compat_tools.profile("input_schema")),
    ("unsupportedToolSchemaKeywords", compat_tools.without("input_schema")),
    ("requiresOpenAiAnthropicToolPayload", _openai_tools),
)
"""In this order: tools are turned into OpenAI's when nothing more is to be done to them."""
