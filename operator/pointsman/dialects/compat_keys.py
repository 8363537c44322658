"""The keys of a model's `compat`, as OpenClaw 2026.9.6 has them: what may stand in each, and whom it concerns.

Most say what a server does not take, and the gateway shapes each request accordingly (`compat`). Some concern the
client alone: they are passed on to it where it is configured. One cannot be done here, and is refused.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FLAGS: Final = (
    "supportsStore", "supportsPromptCacheKey", "supportsResponsesContinuation", "supportsDeveloperRole",
    "supportsReasoningEffort", "supportsTemperature", "supportsInstructions", "supportsUsageInStreaming",
    "supportsTools", "supportsStrictMode", "supportsJsonSchemaResponseFormat", "requiresStringContent",
    "strictMessageKeys", "requiresToolResultName", "requiresAssistantAfterToolResult", "requiresThinkingAsText",
    "requiresReasoningContentOnAssistantMessages", "requiresOpenAiAnthropicToolPayload", "zaiToolStream",
    "sendSessionAffinityHeaders", "sendSessionIdHeader", "supportsEagerToolInputStreaming",
    "supportsLongCacheRetention",
)  # fmt: skip
"""true or false."""
WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "codeMode": ("preferred", "capable"),
    "maxTokensField": ("max_tokens", "max_completion_tokens"),
    "thinkingFormat": ("openai", "openrouter", "deepseek", "together", "qwen", "qwen-chat-template", "zai"),
    "toolSchemaProfile": ("llamacpp", "gemini"),
    "cacheControlFormat": ("anthropic",),
}
"""One of these words."""
LISTS: Final = ("visibleReasoningDetailTypes", "supportedReasoningEfforts", "unsupportedToolSchemaKeywords")
"""Lists of words."""
MAPS: Final = ("reasoningEffortMap",)
"""Words by words."""
ROUTING: Final = ("openRouterRouting", "vercelGatewayRouting")
"""Objects in the words of a vendor that hands requests on."""
ONLY_FOR: Final[Mapping[str, str]] = {"openRouterRouting": "OpenRouter", "vercelGatewayRouting": "OpenAICompatible"}
"""The type of provider for which such an object does something; at others a pin would pin nobody."""
_DECIMAL: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
ALL: Final = (*FLAGS, *WORDS, *LISTS, *MAPS, *ROUTING)

CLIENT: Final = frozenset({
    "codeMode", "visibleReasoningDetailTypes", "sendSessionAffinityHeaders", "sendSessionIdHeader",
    "supportsResponsesContinuation",
})  # fmt: skip
"""What only a client can follow: the gateway passes it on to the clients that it configures, and does nothing else."""
REFUSED: Final[Mapping[str, str]] = {
    "toolCallArgumentsEncoding": (
        "state it in the client's own configuration, "
        "as the gateway passes a tool's arguments on as the server writes them"
    ),
}
"""Keys that are OpenClaw's and that the gateway does not follow, and what to do."""


def fault(key: str, value: Any) -> str:
    """What is wrong with a key's value, and what it must be; "": nothing. Of keys that are not known, nothing."""
    if key in FLAGS:
        return "" if isinstance(value, bool) else "must be true or false"
    if key in WORDS:
        words = WORDS[key]
        return "" if isinstance(value, str) and value in words else f"must be {' or '.join(words)}"
    if key in LISTS:
        return "" if isinstance(value, list) and all(map(_is_word, value)) else "must be a list of words"
    if key in MAPS:
        sound = isinstance(value, dict) and all(map(_is_word, (*value, *value.values())))
        return "" if sound else "must be an object of words, such as {off: low}"
    return _routing(key, value) if key in ROUTING else ""


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _routing(key: str, value: Any) -> str:
    if not isinstance(value, dict):
        return "must be an object, such as {only: [HOST]}"
    if key == "vercelGatewayRouting":
        if not value or value.keys() - {"only", "order"}:
            return "must hold only, order or both, and nothing else"
    elif strange := next((name for name in value if name not in _PREFERENCES), None):
        close = difflib.get_close_matches(str(strange), _PREFERENCES, 1)
        meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(_PREFERENCES)}"
        return f"has no {strange!r}: {meant}"
    return next((f"{name} {why}" for name, each in value.items() if (why := _PREFERENCES[name](each))), "")


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _collection(value: Any) -> str:
    return "" if isinstance(value, str) and value in {"allow", "deny"} else "must be allow or deny"


def _words(value: Any) -> str:
    return "" if isinstance(value, list) and all(map(_is_word, value)) else "must be a list of words"


def _hosts(value: Any) -> str:
    # OpenRouter would take an empty list for everybody.
    return "must be a list of names of hosts, at least one" if not value or _words(value) else ""


def _sort(value: Any) -> str:
    if isinstance(value, dict):
        sound = value.keys() <= {"by", "partition"} and all(each is None or _is_word(each) for each in value.values())
        return "" if sound else "must hold by and partition, words, and nothing else"
    return "" if _is_word(value) else "must be a word, such as price, or an object of by and partition"


def _prices(value: Any) -> str:
    names = {"prompt", "completion", "image", "audio", "request"}
    sound = isinstance(value, dict) and value.keys() <= names and all(map(_is_price, value.values()))
    return "" if sound else f"must be an object of prices in USD, with {', '.join(sorted(names))}"


def _is_price(value: Any) -> bool:
    return _is_number(value) or (isinstance(value, str) and _DECIMAL.fullmatch(value) is not None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _measure(value: Any) -> str:
    names = {"p50", "p75", "p90", "p99"}
    sound = isinstance(value, dict) and value.keys() <= names and all(map(_is_number, value.values()))
    return (
        "" if _is_number(value) or sound else f"must be a number, or an object of numbers: {', '.join(sorted(names))}"
    )


_PREFERENCES: Final[Mapping[str, Callable[[Any], str]]] = {
    "allow_fallbacks": _flag,
    "require_parameters": _flag,
    "data_collection": _collection,
    "zdr": _flag,
    "enforce_distillable_text": _flag,
    "order": _hosts,
    "only": _hosts,
    "ignore": _words,
    "quantizations": _words,
    "sort": _sort,
    "max_price": _prices,
    "preferred_min_throughput": _measure,
    "preferred_max_latency": _measure,
}
"""What OpenRouter is told of hosts, each with what is wrong with a value of it. A word that it did not know it would
pass over in silence, and the promise with it."""
