"""`compat` in chat completions: roles, contents and keys of messages, names of fields, ways to ask for reasoning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Raw

from pointsman.dialects import compat_efforts, compat_tools
from pointsman.dialects.compat import apply, no_temperature, no_tools, record, value

if TYPE_CHECKING:
    from pointsman.dialects.compat import Draft, Record

_NOTHING: Final = (None, Raw(b"null"))
_KEYS: Final = frozenset({"role", "content", "tool_calls", "tool_call_id", "name"})
_THOUGHTS: Final = ("reasoning_content", "reasoning")
_DETAILS: Final = "reasoning_details"
_WORDS: Final = ("text", "summary")
_SAID: Final = ("text", "refusal")
_READ: Final = "The results of the tools have been read."
_VERCEL: Final = ("only", "order", "models")  # by which a client could bring in others than those pinned
_LIMITS: Final = ("max_tokens", "max_completion_tokens")
_EFFORTS: Final = ("thinkingFormat", "supportedReasoningEfforts", "reasoningEffortMap", "supportsReasoningEffort")


def shape(draft: Draft) -> None:
    """A request as the model's server takes it."""
    apply(draft, _RULES)
    if not draft.compat.keys().isdisjoint(_EFFORTS):
        compat_efforts.shape_chat(draft)


def _developer(draft: Draft, stated: Any) -> None:
    """`supportsDeveloperRole: false`: what the developer says is said by the system."""
    if stated is False:
        for message in draft.records("messages"):
            if value(message.get("role")) == "developer":
                message["role"] = "system"


def _thoughts_as_text(draft: Draft, stated: Any) -> None:
    """`requiresThinkingAsText: true`: what was thought stands before what was said, between <thinking> and its end."""
    if stated is not True:
        return
    for message in _of(draft, "assistant"):
        content = value(message.get("content"))
        if content is None and message.get("content") not in _NOTHING:
            continue  # it cannot be read: the target will say what is wrong with it
        thoughts = [value(message.pop(name, None)) for name in _THOUGHTS]
        thoughts.append(_detailed(value(message.pop(_DETAILS, None))))
        thought = next((each for each in thoughts if isinstance(each, str) and each.strip()), "")
        if thought:
            message["content"] = _after(f"<thinking>\n{thought}\n</thinking>", content)


def _detailed(details: Any) -> str:
    """The words in OpenRouter's way to write thoughts; of what is encrypted there are none."""
    entries = [entry for entry in details if isinstance(entry, dict)] if isinstance(details, list) else []
    said = (entry.get(name) for entry in entries for name in _WORDS)
    return "\n\n".join(words for words in said if isinstance(words, str) and words)


def _after(text: str, content: Any) -> Any:
    if isinstance(content, list):
        return [{"type": "text", "text": text}, *content]
    return f"{text}\n{content}" if content else text


def _thoughts_kept(draft: Draft, stated: Any) -> None:
    """`requiresReasoningContentOnAssistantMessages: true`: each of the model's turns has it, if only empty."""
    if stated is True:
        for message in _of(draft, "assistant"):
            other = message.pop("reasoning", "")
            if "reasoning_content" not in message:
                message["reasoning_content"] = other


def _named_results(draft: Draft, stated: Any) -> None:
    """`requiresToolResultName: true`: a tool's result says which tool's, as the call before it does."""
    if stated is not True:
        return
    names: dict[str, str] = {}
    for message in draft.records("messages"):
        for call in _calls(message):
            names[str(call.get("id"))] = _name(call)
        name = names.get(str(value(message.get("tool_call_id"))), "")
        if value(message.get("role")) == "tool" and name and "name" not in message:
            message["name"] = name


def _calls(message: Record) -> list[Record]:
    calls = value(message.get("tool_calls"))
    return [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []


def _name(call: Record) -> str:
    inner = call.get("function") or call.get("custom")
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else ""


def _answered_results(draft: Draft, stated: Any) -> None:
    """`requiresAssistantAfterToolResult: true`: the user does not speak right after a tool."""
    if stated is not True:
        return
    before, turns = None, []
    for message in draft.records("messages"):
        role = value(message.get("role"))
        if before == "tool" and role == "user":
            turns.append({"role": "assistant", "content": _READ})
        turns.append(message)
        before = role
    if turns:
        draft.fields["messages"] = turns


def _string_content(draft: Draft, stated: Any) -> None:
    """`requiresStringContent: true`: a list of texts and refusals becomes one text, joined by LF; others stay."""
    if stated is not True:
        return
    for message in draft.records("messages"):
        content = message.get("content")
        if isinstance(content, Raw) and not bytes(content).startswith(b"["):
            continue  # text, as almost always: a long one takes time to read
        parts = value(content)
        texts = [_said(part) for part in parts] if isinstance(parts, list) else [None]
        if None not in texts:
            message["content"] = "\n".join(str(text) for text in texts)


def _said(part: Any) -> Any:
    """The words of a part; None: it has none."""
    return next((part[name] for name in _SAID if name in part), None) if isinstance(part, dict) else None


def _strict_keys(draft: Draft, stated: Any) -> None:
    """`strictMessageKeys: true`: a message has a role, content, calls, what it answers, a name, and nothing else."""
    if stated is not True:
        return
    keys = _KEYS
    if draft.compat.get("requiresReasoningContentOnAssistantMessages") is True:
        keys |= {"reasoning_content"}
    for message in draft.records("messages"):
        for key in message.keys() - keys:
            del message[key]


def _no_usage(draft: Draft, stated: Any) -> None:
    """`supportsUsageInStreaming: false`: a stream is not asked to tell what it cost."""
    if stated is False:
        draft.drop("stream_options")


def _limit(draft: Draft, stated: Any) -> None:
    """`maxTokensField`: the limit of the answer under the name that the server knows."""
    for name in _LIMITS:
        if name != stated and name in draft.fields:
            given = draft.fields.pop(name)
            draft.fields.setdefault(stated, given)


def _tool_stream(draft: Draft, stated: Any) -> None:
    """`zaiToolStream: true`: calls come in pieces as the rest of a stream does."""
    if stated is True and draft.records("tools") and value(draft.fields.get("stream")) is True:
        draft.fields["tool_stream"] = True


def _vercel(draft: Draft, stated: Any) -> None:
    """`vercelGatewayRouting`: who may answer, whatever the client says of it."""
    options = draft.record("providerOptions") or {}
    asked = record(options, "gateway")
    pinned = {key: stated[key] for key in ("only", "order") if stated.get(key)} if isinstance(stated, dict) else {}
    if not pinned:
        return
    draft.drop("models")  # other models than the one that is pinned, as among the options
    given = {key: value(asked[key]) for key in _VERCEL if key in asked} if asked is not None else {}
    if any(each != pinned.get(key) for key, each in given.items()):
        draft.lose("providerOptions.gateway")
    others = {key: each for key, each in (asked or {}).items() if key not in _VERCEL}
    draft.fields["providerOptions"] = {**options, "gateway": {**others, **pinned}}


def _of(draft: Draft, role: str) -> list[Record]:
    return [message for message in draft.records("messages") if value(message.get("role")) == role]


_RULES: Final = (
    ("supportsTools", no_tools),
    ("supportsTemperature", no_temperature),
    ("supportsDeveloperRole", _developer),
    ("requiresThinkingAsText", _thoughts_as_text),
    ("requiresReasoningContentOnAssistantMessages", _thoughts_kept),
    ("requiresToolResultName", _named_results),
    ("requiresAssistantAfterToolResult", _answered_results),
    ("requiresStringContent", _string_content),
    ("strictMessageKeys", _strict_keys),
    ("supportsUsageInStreaming", _no_usage),
    ("supportsStrictMode", compat_tools.no_strict("parameters")),
    ("toolSchemaProfile", compat_tools.profile("parameters")),
    ("unsupportedToolSchemaKeywords", compat_tools.without("parameters")),
    ("maxTokensField", _limit),
    ("zaiToolStream", _tool_stream),
    ("vercelGatewayRouting", _vercel),
)
"""In this order: texts are joined when thoughts are among them, and keys are looked at last of all."""
