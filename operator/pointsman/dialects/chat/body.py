"""A neutral request as a chat completions body: as it was where it is chat's own, in chat's grammar where it is not.

From another dialect: instructions and system turns at the head become one system message, neighbouring turns of the
user one message, as many templates insist that roles alternate, and the assistant's too, its texts first and its calls
after them; each result of a tool a message, before whatever else that turn says. Chat takes no pictures in such a
message, so they follow in one of the user's, named by their call; and it cannot mark an error, so "Error: " stands
before its text. What was thought is written since the user's last question, as models that think
between their calls go on from it; before that only for models that want it back, or with a seal of chat's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from pointsman.dialects import body as bodies
from pointsman.dialects import customs, efforts, faults, openai, schemas
from pointsman.dialects.chat.parts import (
    CUSTOM,
    PARAGRAPH,
    beside_content,
    is_content,
    joined,
    own,
    shape,
    write_call,
    write_part,
    write_seal,
)
from pointsman.dialects.features import SHAPE
from pointsman.dialects.openai import is_openai
from pointsman.names import Dialect, ProviderType
from pointsman.neutral import (
    Choice,
    Foreign,
    Image,
    Reasoning,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolMode,
    ToolResult,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pointsman.dialects.chat.parts import Object
    from pointsman.neutral import Form, Json, Part, Request, Tool, Turn
    from pointsman.table import Model, Provider

VENDOR_ONLY: Final = frozenset({"top_k", "min_p", "repetition_penalty"})
"""What open servers know and OpenAI does not."""
_NUMBERS: Final = (
    "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty", "seed",
)  # fmt: skip
_WANTED: Final = ("requiresReasoningContentOnAssistantMessages", "requiresThinkingAsText")
_THOUGHTS: Final = "reasoning_content"
_PAUSE: Final = Reasoning()
"""Between two turns that become one message: their texts are paragraphs of their own."""
_PICTURED: Final = "The result is shown in the next message."


def write_request(request: Request, model: Model, provider: Provider) -> dict[str, Json]:
    """The fields of the body for a model of a provider. What `loss` names is not in it."""
    fields: dict[str, Json] = {"model": model.id}
    if request.home is Dialect.CHAT:
        fields["messages"] = [_write_turn(turn) for turn in request.turns]
        fields.update(_home_fields(request))
        return fields
    fields["messages"] = _Talk(model, provider).write(request)
    fields.update(_foreign_fields(request, model, provider))
    return fields


def prefills(request: Request) -> bool:
    """Whether the client has begun the answer itself, which only Messages' clients can."""
    last = request.turns[-1] if request.home is Dialect.MESSAGES and request.turns else None
    if last is None or last.role is not Role.ASSISTANT or any(isinstance(part, ToolCall) for part in last.parts):
        return False
    return any(isinstance(part, Text) and part.text for part in last.parts)


def continues(provider: Provider) -> bool:
    """Whether a server can be told to go on with the last message and give no more than the rest of it."""
    return provider.type == ProviderType.VLLM


# At home


def _home_fields(request: Request) -> dict[str, Json]:
    spelt = request.rest.get(SHAPE) or {}
    fields = {name: value for name, value in request.rest.items() if name != SHAPE}
    fields.update(_numbers(request, frozenset()))
    if request.stream:
        fields["stream"] = True
    if request.usage:
        fields["stream_options"] = {"include_usage": True, **(fields.get("stream_options") or {})}
    elif "usage" in spelt:
        fields["stream_options"] = spelt["usage"]
    if request.max_tokens is not None:
        fields[spelt.get("limit", "max_tokens")] = request.max_tokens
    if request.stop:
        fields["stop"] = request.stop[0] if spelt.get("stop") else list(request.stop)
    if request.choices != 1:
        fields["n"] = request.choices
    if request.thinking is not None:
        fields.update(own(request.thinking.rest) or {"reasoning_effort": request.thinking.effort})
    fields.update(_tool_fields(request, request.tools))
    return {**fields, **_shared_fields(request)}


def _write_turn(turn: Turn) -> Object:
    first = turn.parts[0] if turn.parts else None
    if isinstance(first, Foreign) and first.kind == "function":
        return dict(first.payload)
    if isinstance(first, ToolResult):
        content = _home_content(first.parts, shape(turn.rest))
        return {"role": turn.role, "tool_call_id": first.call_id, **content, **own(turn.rest)}
    content = _home_content(turn.parts, shape(turn.rest))
    return {"role": turn.role, **content, **beside_content(turn.parts), **own(turn.rest)}


def _home_content(parts: Iterable[Part], spelt: Json) -> Object:
    said = [part for part in parts if is_content(part)]
    if spelt == "parts":
        return {"content": [write_part(part) for part in said]}
    if spelt == "absent":
        return {}
    return {"content": said[0].text if said and isinstance(said[0], Text) else None}


# From another dialect


class _Talk:
    """The messages of a conversation in the making. State: what waits to be put into one message with what follows."""

    def __init__(self, model: Model, provider: Provider) -> None:
        self._vendor = is_openai(provider)
        self._goes_on = not provider.native and bodies.reasons(model)  # from what was thought between its calls
        self._developer = self._vendor or model.compat.get("supportsDeveloperRole") is True
        self._wanted = any(model.compat.get(key) is True for key in _WANTED)
        self._messages: list[Object] = []
        self._said: list[Part] = []  # by the assistant
        self._shown: list[Json] = []  # pictures out of results: they may not stand before the next result

    def write(self, request: Request) -> list[Object]:
        """All messages."""
        if request.system:
            self._add_system("system", request.system)
        asked = _last_question(request.turns)
        for i, turn in enumerate(request.turns):
            self._add(turn if self._wanted or (self._goes_on and i > asked) else _unthought(turn))
        self._end_turn()
        self._show([])
        return self._messages

    def _add(self, turn: Turn) -> None:
        if turn.role is Role.ASSISTANT:
            self._show([])
            self._said += [_PAUSE, *turn.parts] if self._said else turn.parts
        elif turn.role is Role.SYSTEM or turn.role is Role.DEVELOPER:
            role = "developer" if turn.role is Role.DEVELOPER and self._developer else "system"
            self._add_system(role, turn.parts)
        else:
            for part in turn.parts:
                if isinstance(part, ToolResult):
                    self._end_turn()
                    self._add_result(part)
            words = [part for part in turn.parts if isinstance(part, Text | Image)]
            if words:
                self._end_turn()
                self._show(words)

    def _add_system(self, role: str, parts: Iterable[Part]) -> None:
        text = PARAGRAPH.join(part.text for part in parts if isinstance(part, Text) and part.text)
        if not text:
            return
        self._end_turn()
        self._show([])
        last = self._messages[-1] if self._messages else None
        if last is not None and last["role"] == role:
            last["content"] = last["content"] + PARAGRAPH + text
        else:
            self._messages.append({"role": role, "content": text})

    def _add_result(self, result: ToolResult) -> None:
        text = "\n".join(part.text for part in faults.told(result) if isinstance(part, Text))
        pictures = [part for part in result.parts if isinstance(part, Image)]
        if pictures:
            self._shown.append({"type": "text", "text": f"The result of the call {result.call_id}:"})
            self._shown += [_write_plain(part) for part in pictures]
            text += _PICTURED if text in {"", faults.WORD} else ""
        self._messages.append({"role": "tool", "tool_call_id": result.call_id, "content": text})

    def _show(self, parts: list[Text | Image]) -> None:
        """The user's message: pictures out of results first. One text alone is written as a string."""
        alone = parts[0] if len(parts) == 1 and not self._shown else None
        content = alone.text if isinstance(alone, Text) else [*self._shown, *map(_write_plain, parts)]
        self._shown = []
        last = self._messages[-1] if self._messages else None
        if last is not None and last["role"] == "user" and (parts or content):
            last["content"] = _together(last["content"], content)
        elif parts or content:
            self._messages.append({"role": "user", "content": content})

    def _end_turn(self) -> None:
        """The assistant's message, if it says anything that chat can say."""
        said, self._said = self._said, []
        refused = "".join(part.text for part in said if isinstance(part, Refusal))
        if not self._vendor:  # others do not know the field
            said = [Text(part.text) if isinstance(part, Refusal) else part for part in said]
            refused = ""
        calls = [write_call(_as_function(part)) for part in said if isinstance(part, ToolCall)]
        text = joined(said)
        fields = self._thoughts([part for part in said if isinstance(part, Reasoning)])
        fields.update({"tool_calls": calls} if calls else {})
        fields.update({"refusal": refused} if refused else {})
        if text or (fields and (self._wanted or fields.keys() != {_THOUGHTS})):
            self._messages.append({"role": "assistant", "content": text or None, **fields})

    def _thoughts(self, parts: list[Reasoning]) -> Object:
        fields: Object = {}
        details: list[Json] = []
        for i, part in enumerate(parts):
            if part.seal is not None and part.seal.home is Dialect.CHAT:
                details += write_seal(part, part.seal, i)
        if details:
            fields["reasoning_details"] = details
        told = [part.text for part in parts if part.text and (self._wanted or part.seal is None)]
        text = PARAGRAPH.join(told)
        if text:
            fields[_THOUGHTS] = text
        return fields


def _last_question(turns: Sequence[Turn]) -> int:
    """The number of the last turn in which the user says something beside results; -1: there is none."""
    asked = [i for i, turn in enumerate(turns) if turn.role is Role.USER and not _answers(turn)]
    return asked[-1] if asked else -1


def _answers(turn: Turn) -> bool:
    return any(isinstance(part, ToolResult) for part in turn.parts)


def _unthought(turn: Turn) -> Turn:
    """The turn without the words of reasoning that nobody has sealed."""
    if not any(isinstance(part, Reasoning) and part.seal is None for part in turn.parts):
        return turn
    parts = [_PAUSE if isinstance(part, Reasoning) and part.seal is None else part for part in turn.parts]
    return replace(turn, parts=tuple(parts))


def _together(first: Json, later: Json) -> Json:
    """The contents of two messages as one: a string where both are."""
    if isinstance(first, str) and isinstance(later, str):
        return PARAGRAPH.join(filter(None, (first, later)))
    both = [[_write_plain(Text(each))] if isinstance(each, str) else each for each in (first, later)]
    return both[0] + both[1]


def _as_function(call: ToolCall) -> ToolCall:
    """A call as chat's servers know it: a custom tool's is one of the function that they were told of in its place."""
    return ToolCall(call.id, call.name, customs.wrap(call.arguments) if call.free else call.arguments)


def _write_plain(part: Text | Image) -> Json:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": part.url, **({"detail": part.detail} if part.detail else {})}}


def _foreign_fields(request: Request, model: Model, provider: Provider) -> dict[str, Json]:
    vendor = is_openai(provider)
    fields = _numbers(request, VENDOR_ONLY if vendor else frozenset())
    fields.update(openai.fields(request, Dialect.CHAT, provider))
    if request.stream:
        fields.update({"stream": True, "stream_options": {"include_usage": True}})
    if request.max_tokens is not None:
        # Messages' clients must name a limit, and name their own vendor's: to more than it can, a server says no.
        most = model.max_tokens or request.max_tokens
        fields["max_completion_tokens" if vendor else "max_tokens"] = min(request.max_tokens, most)
    if prefills(request) and continues(provider):
        fields.update({"continue_final_message": True, "add_generation_prompt": False})
    if request.stop:
        fields["stop"] = list(request.stop)
    effort = effort_of(request.thinking, model)
    if effort:
        fields["reasoning_effort"] = effort
    allowed = request.choice.allowed if request.choice is not None else ()
    tools = [tool for tool in request.tools if not allowed or tool.name in allowed]
    fields.update(_tool_fields(request, tools) if tools else {})
    return {**fields, **_shared_fields(request)}


def effort_of(thinking: Thinking | None, model: Model) -> str:
    """`reasoning_effort`; "": none is written.

    That it shall not reason is only written for models of which it is stated how they are told.
    """
    if thinking is None:
        return ""
    if thinking.enabled is False or thinking.effort == "none":
        return "none" if _can_be_told_not_to(model) else ""
    return thinking.effort or efforts.effort(thinking.budget)


def _can_be_told_not_to(model: Model) -> bool:
    compat = model.compat
    if compat.get("thinkingFormat") not in (None, "openai"):
        return True
    stated = (compat.get("supportedReasoningEfforts"), compat.get("reasoningEffortMap"))
    return any(name in words for words in stated if isinstance(words, list | dict) for name in ("none", "off"))


# Both


def _numbers(request: Request, unknown: frozenset[str]) -> dict[str, Json]:
    said = {name: getattr(request, name) for name in _NUMBERS if name not in unknown}
    return {name: value for name, value in said.items() if value is not None}


def _shared_fields(request: Request) -> dict[str, Json]:
    fields: dict[str, Json] = {}
    if request.form is not None:
        fields["response_format"] = _write_form(request.form, home=request.home is Dialect.CHAT)
    if request.user:
        fields["user"] = request.user
    return fields


def _tool_fields(request: Request, tools: Iterable[Tool]) -> dict[str, Json]:
    home = request.home is Dialect.CHAT
    fields: dict[str, Json] = {}
    listed = [_write_tool(tool, home=home) for tool in tools if home or tool.foreign is None]
    if listed:
        fields["tools"] = listed
    if request.choice is not None and (home or request.choice.foreign is None):
        fields["tool_choice"] = _write_choice(request.choice, home=home)
    if request.parallel is not None:
        fields["parallel_tool_calls"] = request.parallel
    return fields


def _write_tool(tool: Tool, *, home: bool) -> Json:
    left = own(tool.rest) if home else {}
    if home and (tool.foreign is not None or CUSTOM in left):
        return tool.foreign or left[CUSTOM]
    schema = tool.schema if home else schemas.arguments(tool.schema, closed=tool.strict)
    strict = tool.strict if home or not tool.strict or schemas.strict(schema) else None
    stated = {"description": tool.description or None, "parameters": schema, "strict": strict}
    function = {name: value for name, value in stated.items() if value is not None}
    more = left.pop("function", None) or {}
    return {"type": "function", "function": {"name": tool.name, **function, **more}, **left}


def _write_choice(choice: Choice, *, home: bool) -> Json:
    left = own(choice.rest) if home else {}
    if home and (choice.foreign is not None or CUSTOM in left):
        return choice.foreign or left[CUSTOM]
    if choice.mode is ToolMode.ONE:
        return {"type": "function", "function": {"name": choice.name}}
    if choice.allowed and home:
        tools = [{"type": "function", "function": {"name": name}} for name in choice.allowed]
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": tools}}
    return str(choice.mode)


def _write_form(form: Form, *, home: bool) -> Json:
    if form.schema is None:
        return {"type": "json_object"}
    left = own(form.rest) if home else {}
    stated: dict[str, Any] = {
        "name": form.name or ("" if home else "answer"), "description": form.description, "schema": form.schema,
        "strict": form.strict,
    }  # fmt: skip
    inner = {name: value for name, value in stated.items() if value not in (None, "")}
    return {"type": "json_schema", "json_schema": {**inner, **(left.pop("json_schema", None) or {})}, **left}
