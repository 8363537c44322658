"""What a request's `rest` means to the dialects that have no word for it: features are refused, knobs are dropped.

A feature changes what the client gets: without it the answer would be another one, or none. Everything else in `rest`
is a knob or a hint to the vendor, and so is every field that nobody here has heard of.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from pointsman.names import Dialect
from pointsman.neutral import Foreign, Loss, Refused, ToolMode, ToolResult

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from pointsman.neutral import Json, Part, Request, Rest, Tool

SHAPE: Final = "pointsman.shape"
"""The key in any `rest` under which a codec notes how the wire spelt something. Never written to a wire."""

FEATURES: Final[Mapping[Dialect, Mapping[str, str]]] = MappingProxyType({
    Dialect.CHAT: {
        "logprobs": "logprobs", "top_logprobs": "logprobs", "prompt_logprobs": "logprobs",
        "audio": "audio", "modalities": "audio",
        "web_search_options": "hosted-tool", "plugins": "hosted-tool",
        "functions": "legacy-functions", "function_call": "legacy-functions",
        "best_of": "choices", "use_beam_search": "choices", "echo": "echo",
        "guided_json": "grammar", "guided_regex": "grammar", "guided_choice": "grammar", "guided_grammar": "grammar",
        "structured_outputs": "grammar", "grammar": "grammar", "json_schema": "grammar", "structural_tag": "grammar",
        "regex": "grammar", "ebnf": "grammar",
        "continue_final_message": "prefill", "documents": "documents", "chat_template": "chat-template",
        "return_token_ids": "token-ids", "logits_processors": "logits-processor", "response_format": "form",
    },
    Dialect.RESPONSES: {
        "previous_response_id": "state", "conversation": "state", "background": "background",
        "prompt": "prompt-template",
        "context_management": "context-management", "top_logprobs": "logprobs", "include": "logprobs",
    },
    Dialect.MESSAGES: {
        "container": "container", "mcp_servers": "hosted-tool", "context_management": "context-management",
        "inference_geo": "residency",
    },
})  # fmt: skip
"""Top-level fields that are features, by their home dialect, with the word by which they are refused."""

_NAMES: Final[Mapping[Dialect, Mapping[str, str]]] = MappingProxyType({
    Dialect.CHAT: {
        "parallel": "parallel_tool_calls", "form": "response_format", "thinking": "reasoning_effort", "choices": "n",
        "usage": "stream_options", "choice": "tool_choice",
    },
    Dialect.RESPONSES: {
        "parallel": "parallel_tool_calls", "form": "text.format", "thinking": "reasoning", "system": "instructions",
        "max_tokens": "max_output_tokens", "choice": "tool_choice",
    },
    Dialect.MESSAGES: {
        "parallel": "tool_choice.disable_parallel_tool_use", "form": "output_config.format", "stop": "stop_sequences",
        "user": "metadata.user_id", "choice": "tool_choice",
    },
})  # fmt: skip

_IDLE: Final[Mapping[str, tuple[Json, ...]]] = MappingProxyType(
    {
        "modalities": (["text"],),
        "include": (["reasoning.encrypted_content"],),
        "truncation": ("disabled",),
        "top_logprobs": (0,),
        "best_of": (1,),
        "inference_geo": ("not_available",),
        "function_call": ("auto", "none"),
        "response_format": ({"type": "text"},),
    }
)
"""Values that ask for what is done anyway."""
_SWITCHES: Final = frozenset({"web_search_options"})
"""Fields that ask by being there: an empty object is all that clients write."""
_CLEARING: Final = "clear_"
_TOOLS: Final = "tools"
_DEFERRED: Final = "defer_loading"
_FINDER: Final = "tool_search"
_WORDS: Final[Mapping[str, str]] = MappingProxyType({
    "input_audio": "audio", "audio": "audio", "audio_url": "audio", "output_audio": "audio",
    "input_file": "file", "file": "file", "document": "file", "container_upload": "file", "file_search": "hosted-tool",
    "video_url": "video", "input_video": "video", "item_reference": "state", "image": "image", "input_image": "image",
    "custom": "custom-tool", "custom_tool_call": "custom-tool", "custom_tool_call_output": "custom-tool",
    "function": "legacy-functions", "function_call": "legacy-functions", "compaction": "context-management",
})  # fmt: skip
"""The words by which parts of foreign kinds, and foreign tools, are refused. All others: of hosted tools, or new."""
_HOSTED: Final = ("_call", "_call_output", "_tool_use", "_tool_result", "_approval_request", "_approval_response")
_ODD: Final = re.compile(r"[^a-z0-9]+")
_LOGPROBS: Final = "message.output_text.logprobs"


def name(home: Dialect, field: str) -> str:
    """What a field of `neutral.Request` is called in a dialect, as its clients write it."""
    return _NAMES[home].get(field, field)


def asks(field: str, value: Json) -> bool:
    """Whether a field's value asks for anything: false, null and empty ones do not."""
    if value is None or value is False or value in ("", [], {}):
        return field in _SWITCHES and value == {}
    return value not in _IDLE.get(field, ())


def of(request: Request, carried: Container[str] = ()) -> Loss:
    """What a request's top-level `rest` loses in any dialect but its home. `carried`: fields that are written there."""
    features = FEATURES[request.home]
    dropped: list[str] = []
    refused: list[Refused] = []
    for field, value in request.rest.items():
        if field == SHAPE or field in carried or not asks(field, value):
            continue
        if field in features and not _is_hint(field, value):
            refused.append(Refused(features[field], f"`{field}` has no equivalent in the target's dialect"))
        else:
            dropped.append(field)
    return Loss((*dropped, *_hints(request.tools)), tuple(refused))


def hosted(tools: Iterable[Tool]) -> Iterator[tuple[int, Tool]]:
    """The tools that nobody but their home's vendor has, with their numbers."""
    return ((i, tool) for i, tool in enumerate(tools) if tool.foreign is not None and not _finds(tool))


def without_hosted(request: Request) -> tuple[Request, tuple[str, ...]]:
    """The request without its vendor's tools, and their names; as it is where it must call one, or has called some."""
    gone = [tool for _, tool in hosted(request.tools)]
    left = tuple(tool for tool in request.tools if not any(tool is each for each in gone))
    must = request.choice is not None and request.choice.mode in {ToolMode.REQUIRED, ToolMode.ONE}
    if not gone or (must and not left):
        return request, ()
    names = dict.fromkeys(f"{_TOOLS}.{tool.name}" for tool in gone)
    return replace(request, tools=left), tuple(names)


def _hints(tools: Iterable[Tool]) -> Iterator[str]:
    """What tools say of when the model is told of them: elsewhere it is told of all of them at once."""
    yield from dict.fromkeys(f"{_TOOLS}.{tool.name}" for tool in tools if tool.foreign is not None and _finds(tool))
    if any(tool.rest.get(_DEFERRED) for tool in tools):
        yield f"{_TOOLS}.{_DEFERRED}"


def _finds(tool: Tool) -> bool:
    """Whether a vendor's tool only finds others that the request has anyway."""
    foreign = tool.foreign
    return tool.name.startswith(_FINDER) and not (isinstance(foreign, dict) and foreign.get("execution") == "client")


def word(kind: str) -> str:
    """The word by which a foreign part or tool of a kind is refused: lower case with hyphens, as headers show it."""
    known = _WORDS.get(kind)
    if known is not None:
        return known
    if kind.endswith(_HOSTED):
        return "hosted-tool"
    return _ODD.sub("-", kind.lower()).strip("-")[:40] or "unknown"


def content(request: Request, dialect: Dialect) -> tuple[Refused, ...]:
    """The parts, tools and choice of tools that another dialect than this one alone knows."""
    turns = "input" if request.home is Dialect.RESPONSES else "messages"
    found = [
        Refused(word(part.kind), f"{turns}[{i}]: {dialect.value} has nothing for a part of the kind {part.kind!r}")
        for i, turn in enumerate(request.turns)
        for part in _all(turn.parts)
        if isinstance(part, Foreign) and part.home is not dialect
    ]
    if request.home is not dialect:
        found += [
            Refused(_tool_word(tool.name), f"tools[{i}]: a tool of the kind {tool.name!r}")
            for i, tool in hosted(request.tools)
        ]
        if request.choice is not None and request.choice.foreign is not None:
            found.append(Refused("tool-choice", "tool_choice: a choice that only its own dialect has"))
    return tuple(found)


def shape(rest: Rest) -> Json:
    """What a codec has noted in a `rest` about the wire's spelling; None: nothing."""
    return rest.get(SHAPE)


def _all(parts: tuple[Part, ...]) -> Iterator[Part]:
    for part in parts:
        yield part
        if isinstance(part, ToolResult):
            yield from part.parts


def _tool_word(kind: str) -> str:
    return "custom-tool" if kind == "custom" else "hosted-tool"


def _is_hint(field: str, value: Json) -> bool:
    """Whether a feature's field holds nothing that is missed.

    An `include` of hosted tools' traces, or Messages' edits that only clear what was said long ago from the prompt, as
    Claude Code asks for: without them the prompt is longer.
    """
    if field == "include":
        return not (isinstance(value, list) and _LOGPROBS in value)
    edits = value.get("edits") if field == "context_management" and isinstance(value, dict) else None
    return isinstance(edits, list) and all(map(_clears, edits))


def _clears(edit: Json) -> bool:
    return isinstance(edit, dict) and str(edit.get("type")).startswith(_CLEARING)
