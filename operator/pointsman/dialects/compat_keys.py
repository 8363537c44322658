"""The keys of a model's `compat`, as OpenClaw 2026.9.6 has them: what may stand in each, and whom it concerns.

Most say what a server does not take, and the gateway shapes each request accordingly (`compat`). Some concern the
client alone: they are passed on to it where it is configured. One cannot be done here, and is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    if not _names(value.get("only", ["-"])):
        return "only must be a list of names of hosts, at least one"
    if key != "vercelGatewayRouting":
        return ""
    if not value or value.keys() - {"only", "order"}:
        return "must hold only, order or both, and nothing else"
    return "" if _names(value.get("order", ["-"])) else "order must be a list of names of hosts, at least one"


def _names(hosts: Any) -> bool:
    return isinstance(hosts, list) and bool(hosts) and all(map(_is_word, hosts))
