"""A chat completions request, read into the neutral form. Each message is a turn.

What the neutral form has no word for stays in `rest`: null values and fields that nobody here knows at the top, and
how a field was spelt under `features.SHAPE`. Legacy functions are not read as tools: a target in another dialect is
passed over for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.dialects import customs, values
from pointsman.dialects.chat.parts import CUSTOM, kept, read_content, take_answer, without_shape
from pointsman.dialects.features import SHAPE
from pointsman.exchange import BadRequestError
from pointsman.names import Dialect
from pointsman.neutral import Choice, Foreign, Form, Request, Role, Thinking, Tool, ToolCall, ToolMode, ToolResult, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from msgspec import Raw

    from pointsman.dialects.chat.parts import Object
    from pointsman.neutral import Json

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
NUMBERS: Final[Mapping[str, Callable[[Json, str], float]]] = {
    "temperature": values.number, "top_p": values.number, "min_p": values.number,
    "repetition_penalty": values.number, "presence_penalty": values.number, "frequency_penalty": values.number,
    "top_k": values.count, "seed": values.count,
}  # fmt: skip
"""Fields that are called the same in the neutral form."""
_LIMITS: Final = ("max_completion_tokens", "max_tokens")
_THINKING: Final = ("reasoning_effort", "reasoning", "thinking", "enable_thinking", "chat_template_kwargs")


def read_request(fields: Mapping[str, Raw]) -> Request:
    """The request; BadRequestError says what cannot be read, at which path."""
    left = {name: value for name, value in values.fields(fields).items() if name != SHAPE}
    shapes: Object = {}
    model = values.text(left.pop("model", ""), "model")
    turns = _read_turns(left.pop("messages", None))
    asked = {
        **_take_numbers(left),
        **_take_tools(left),
        **_take_limit(left, shapes),
        **_take_rest(left, shapes),
        **_take_stream(left, shapes),
        "form": _take_form(left),
        "thinking": _take_thinking(left),
    }
    rest = {**left, SHAPE: shapes} if shapes else left
    return Request(Dialect.CHAT, model, turns, rest=rest, **asked)


# Messages


def _read_turns(value: Json) -> tuple[Turn, ...]:
    if value is None:
        raise BadRequestError("messages: missing: give the conversation as a list of messages")
    free: set[str] = set()
    turns = []
    for i, message in enumerate(values.items(value, "messages")):
        turn = _read_turn(values.mapping(message, f"messages[{i}]"), f"messages[{i}]", free)
        free |= {part.id for part in turn.parts if isinstance(part, ToolCall) and part.free}
        turns.append(turn)
    return tuple(turns)


def _read_turn(message: Object, path: str, free: set[str]) -> Turn:
    left = without_shape(message)
    role = values.text(left.pop("role", None), f"{path}.role")
    if role == "function":
        return Turn(Role.TOOL, (Foreign(Dialect.CHAT, role, message),))
    if role not in set(Role):
        raise BadRequestError(f"{path}.role: {role!r} is none of {', '.join(Role)}")
    spelt = _spelling(message)
    if role == Role.TOOL:
        call = values.text(left.pop("tool_call_id", None), f"{path}.tool_call_id")
        parts = tuple(read_content(left.pop("content", None), f"{path}.content"))
        return Turn(Role.TOOL, (ToolResult(call, parts, free=call in free),), kept(left, spelt))
    if role == Role.ASSISTANT:
        said = take_answer(left, path, f"call_{path.strip('mesag[]')}_")
        if left.get("function_call"):
            said.append(Foreign(Dialect.CHAT, "function_call", left.pop("function_call")))
        return Turn(Role.ASSISTANT, tuple(said), kept(left, spelt))
    content = read_content(left.pop("content", None), f"{path}.content")
    return Turn(Role(role), tuple(content), kept(left, spelt))


def _spelling(message: Object) -> str | None:
    """How `content` was spelt; None: as a string, or as null where nothing is said."""
    if "content" not in message:
        return "absent"
    return "parts" if isinstance(message["content"], list) else None


# Tools


def _take_tools(left: Object) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if left.get("tools"):
        listed = values.items(left.pop("tools"), "tools")
        asked["tools"] = tuple(_read_tool(tool, f"tools[{i}]") for i, tool in enumerate(listed))
    if left.get("tool_choice"):
        asked["choice"] = _read_choice(left.pop("tool_choice"), "tool_choice")
    if left.get("parallel_tool_calls") is not None:
        asked["parallel"] = values.flag(left.pop("parallel_tool_calls"), "parallel_tool_calls")
    return asked


def _read_tool(value: Json, path: str) -> Tool:
    left = without_shape(values.mapping(value, path))
    kind = values.text(left.pop("type", "function"), f"{path}.type")
    if kind == "custom":
        return _read_custom(left, path, value)
    if kind != "function":
        return Tool(kind, foreign=value)
    function = dict(values.mapping(left.pop("function", None), f"{path}.function"))
    name = values.text(function.pop("name", None), f"{path}.function.name")
    described = isinstance(function.get("description"), str) and function["description"]
    strict = function.pop("strict") if isinstance(function.get("strict"), bool) else None
    schema = function.pop("parameters") if isinstance(function.get("parameters"), dict) else None
    description = function.pop("description") if described else ""
    return Tool(name, description, schema, strict, rest=kept({**left, "function": function} if function else left))


def _read_custom(left: Object, path: str, value: Json) -> Tool:
    """A custom tool, as the function that others are told of in its place."""
    custom = values.mapping(left.get("custom"), f"{path}.custom")
    name = values.text(custom.get("name"), f"{path}.custom.name")
    told, form = custom.get("description"), custom.get("format")
    grammar = form.get("grammar") if isinstance(form, dict) else None
    return Tool(name, told if isinstance(told, str) else "", customs.schema(grammar), rest=kept({CUSTOM: value}))


def _read_choice(value: Json, path: str) -> Choice:
    if isinstance(value, str):
        if value not in {"auto", "none", "required"}:
            raise BadRequestError(
                f"{path}: {value!r} is none of auto, none, required and an object that names a function"
            )
        return Choice(ToolMode(value))
    choice = values.mapping(value, path)
    for kind in ("function", "custom"):
        name = _named(choice, kind)
        if name and choice.keys() == {"type", kind}:
            return Choice(ToolMode.ONE, name, rest={} if kind == "function" else kept({CUSTOM: value}))
    return _read_allowed(choice) or Choice(ToolMode.AUTO, foreign=value)


def _read_allowed(choice: Object) -> Choice | None:
    """A choice among some functions; None: it is another one."""
    allowed = choice.get("allowed_tools")
    if choice.keys() != {"type", "allowed_tools"} or not isinstance(allowed, dict):
        return None
    tools = allowed.get("tools")
    names = [_named(tool, "function") for tool in tools] if isinstance(tools, list) else []
    if (
        allowed.keys() != {"mode", "tools"}
        or allowed["mode"] not in ("auto", "required")
        or not all(names)
        or not names
    ):
        return None
    return Choice(ToolMode(allowed["mode"]), allowed=tuple(names))


def _named(value: Json, kind: str) -> str:
    inner = value.get(kind) if isinstance(value, dict) and value.get("type") == kind else None
    name = inner.get("name") if isinstance(inner, dict) and len(inner) == 1 else None
    return name if isinstance(name, str) else ""


# The rest of the fields


def _take_numbers(left: Object) -> dict[str, Any]:
    asked: dict[str, Any] = {
        name: read(left.pop(name), name) for name, read in NUMBERS.items() if left.get(name) is not None
    }
    if left.get("n") not in (None, 1):
        asked["choices"] = values.count(left.pop("n"), "n")
    return asked


def _take_limit(left: Object, shapes: Object) -> dict[str, Any]:
    """Zero and less are no limit, as LM Studio has it."""
    said = {name: values.count(left[name], name) for name in _LIMITS if left.get(name) is not None}
    name = next((name for name, limit in said.items() if limit > 0), "")
    if not name:
        return {}
    left.pop(name)
    shapes["limit"] = name
    return {"max_tokens": said[name]}


def _take_rest(left: Object, shapes: Object) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    stop = left.get("stop")
    if isinstance(stop, str) and stop:
        shapes["stop"] = "bare"
        asked["stop"] = (left.pop("stop"),)
    elif stop:
        stops = values.items(left.pop("stop"), "stop")
        asked["stop"] = tuple(values.text(text, f"stop[{i}]") for i, text in enumerate(stops))
    if left.get("user"):
        asked["user"] = values.text(left.pop("user"), "user")
    return asked


def _take_stream(left: Object, shapes: Object) -> dict[str, Any]:
    asked: dict[str, Any] = {"usage": False}
    if left.get("stream") is not None and values.flag(left["stream"], "stream"):
        asked["stream"] = left.pop("stream")
    options = left.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage") is True:
        asked["usage"] = True
        left["stream_options"] = {name: value for name, value in options.items() if name != "include_usage"}
        if not left["stream_options"]:
            del left["stream_options"]
    elif isinstance(options, dict) and options.get("include_usage") is False and len(options) == 1:
        shapes["usage"] = left.pop("stream_options")
    return asked


def _take_form(left: Object) -> Form | None:
    said = left.get("response_format")
    if not isinstance(said, dict):
        return None
    if said == {"type": "json_object"}:
        del left["response_format"]
        return Form()
    inner = said.get("json_schema")
    if said.get("type") != "json_schema" or not isinstance(inner, dict) or not isinstance(inner.get("schema"), dict):
        return None
    del left["response_format"]
    more = {name: value for name, value in said.items() if name not in {"type", "json_schema", SHAPE}}
    return _read_schema(dict(inner), more)


def _read_schema(inner: Object, more: Object) -> Form:
    schema = inner.pop("schema")
    words = {
        name: inner.pop(name) for name in ("name", "description") if inner.get(name) and isinstance(inner[name], str)
    }
    strict = inner.pop("strict") if isinstance(inner.get("strict"), bool) else None
    return Form(schema, strict=strict, rest=kept({**more, "json_schema": inner} if inner else more), **words)


def _take_thinking(left: Object) -> Thinking | None:
    """How to reason, in OpenAI's, OpenRouter's, DeepSeek's and Qwen's words. `rest` has all of them as they came.

    What cannot be read of them stays at the top, as any field that nobody here knows.
    """
    asked: dict[str, Any] = {}
    taken: Object = {}
    for name in _THINKING:
        read = _read_thinking(name, left[name]) if left.get(name) is not None else {}
        if read:
            taken[name] = left.pop(name)
            asked = {**read, **asked}
    if not asked:
        return None
    plain = taken == {"reasoning_effort": asked.get("effort")}
    return Thinking(rest={} if plain else kept(taken), **asked)


def _read_thinking(name: str, value: Json) -> dict[str, Any]:
    if name == "reasoning_effort":
        return _read_effort(value)
    if name == "enable_thinking":
        return {"enabled": value} if isinstance(value, bool) else {}
    return _READERS[name](value) if isinstance(value, dict) else {}


def _read_template(value: Object) -> dict[str, Any]:
    if value.keys() - {"enable_thinking", "thinking"}:
        return {}  # there is more in it than that
    flag = value.get("enable_thinking", value.get("thinking"))
    return {"enabled": flag} if isinstance(flag, bool) else {}


def _read_effort(value: Json) -> dict[str, Any]:
    if value not in EFFORTS:
        return {}
    return {"effort": value, "enabled": False} if value == "none" else {"effort": value}


def _read_typed(value: Object) -> dict[str, Any]:
    kind, budget = value.get("type"), value.get("budget_tokens")
    if kind not in ("enabled", "disabled", "adaptive"):
        return {}
    if kind == "adaptive":
        return {"adaptive": True}
    return {"enabled": kind == "enabled", **({"budget": budget} if type(budget) is int else {})}


def _read_openrouter(value: Object) -> dict[str, Any]:
    asked = _read_effort(value.get("effort"))
    if type(value.get("max_tokens")) is int:
        asked["budget"] = value["max_tokens"]
    if isinstance(value.get("enabled"), bool):
        asked["enabled"] = value["enabled"]
    if isinstance(value.get("exclude"), bool):
        asked["shown"] = not value["exclude"]
    return asked


_READERS: Final[Mapping[str, Callable[[Object], dict[str, Any]]]] = {
    "chat_template_kwargs": _read_template,
    "thinking": _read_typed,
    "reasoning": _read_openrouter,
}
