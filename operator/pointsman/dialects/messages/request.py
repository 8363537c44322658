"""A Messages request as a neutral one.

Content given as one string and content given as blocks are told apart by a note under `SHAPE`, so that home can be
written as it came. Fields that are not Messages', and null ones, are in `rest`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.dialects import values
from pointsman.dialects.features import SHAPE
from pointsman.dialects.messages.blocks import HOME, STRING, Object, read, wrong
from pointsman.exchange import BadRequestError
from pointsman.neutral import Choice, Form, Request, Role, Text, Thinking, Tool, ToolMode, Turn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msgspec import Raw

    from pointsman.neutral import Json, Rest

OUTPUT_FORMAT: Final = "output_format"
"""Where a schema was said before `output_config.format`: the note of a `Form` that came so."""
_ROLES: Final = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM, "developer": Role.DEVELOPER}
_MODES: Final = {"auto": ToolMode.AUTO, "any": ToolMode.REQUIRED, "tool": ToolMode.ONE, "none": ToolMode.NONE}
_PARALLEL: Final = "disable_parallel_tool_use"
_TURN: Final = frozenset({"role", "content"})
_TOOL: Final = frozenset({"name", "description", "input_schema", "strict"})
_THINKING: Final = frozenset({"type", "budget_tokens", "display"})
_DISPLAYS: Final = {"summarized": True, "omitted": False}
KINDS: Final = frozenset({"enabled", "adaptive", "disabled"})
"""The types of `thinking` that a `Thinking` tells apart; of any other, the `rest` holds the `type`."""
_ENABLED: Final = {"enabled": True, "adaptive": True, "disabled": False, "between_tools": False}


def read_request(fields: Mapping[str, Raw]) -> Request:
    """The request. BadRequestError, with the path: what no target could read."""
    top = values.fields(fields)
    parallel = _take_parallel(top.get("tool_choice"))
    user = _take(top, "metadata", "user_id")
    effort, form = _take(top, "output_config", "effort"), _form(top)
    return Request(
        home=HOME,
        model=_name(top.pop("model", None), "model"),
        stream=_flag(top.pop("stream", None), "stream") or False,
        system=_system(top.pop("system", None)),
        turns=_turns(top.pop("messages", None)),
        tools=_tools(top.pop("tools", None)),
        choice=_choice(top.pop("tool_choice", None)),
        parallel=parallel,
        form=form,
        thinking=_thinking(top.pop("thinking", None), effort),
        max_tokens=_whole(top.pop("max_tokens", None), "max_tokens"),
        temperature=_number(top.pop("temperature", None), "temperature"),
        top_p=_number(top.pop("top_p", None), "top_p"),
        top_k=_whole(top.pop("top_k", None), "top_k"),
        stop=_stop(top.pop("stop_sequences", None)),
        user=_optional(user, "metadata.user_id"),
        rest=_rest(top, frozenset()),
    )


def _take(top: Object, field: str, member: str) -> Json:
    """A member of an object at the top; what else is in it stays in `rest`."""
    value = top.get(field)
    if value is None:
        return None
    others = dict(values.mapping(value, field))
    found = others.pop(member, None)
    if others or not value:
        top[field] = others
    else:
        del top[field]
    return found


def _system(value: Json) -> tuple[Text, ...]:
    if isinstance(value, str):
        return (Text(value, {SHAPE: STRING}),) if value else ()
    return tuple(_instruction(block, f"system[{i}]") for i, block in enumerate(_list(value, "system")))


def _instruction(block: Json, path: str) -> Text:
    part = read(block, path)
    if not isinstance(part, Text):
        raise wrong(f"{path}.type", "must be 'text'")
    return part


def _turns(value: Json) -> tuple[Turn, ...]:
    if value is None:
        raise wrong("messages", "is missing: give the conversation, as [{'role': 'user', 'content': …}]")
    return tuple(_turn(turn, f"messages[{i}]") for i, turn in enumerate(_list(value, "messages")))


def _turn(turn: Json, path: str) -> Turn:
    name = values.mapping(turn, path).get("role")
    role = _ROLES.get(name) if isinstance(name, str) else None
    if role is None:
        raise wrong(f"{path}.role", "must be 'user', 'assistant' or 'system'")
    rest = _rest(turn, _TURN)
    content = turn.get("content")
    if isinstance(content, str):
        return Turn(role, (Text(content),), {**rest, SHAPE: STRING})
    blocks = enumerate(_list(content, f"{path}.content"))
    return Turn(role, tuple(read(block, f"{path}.content[{i}]") for i, block in blocks), rest)


def _tools(value: Json) -> tuple[Tool, ...]:
    return tuple(_tool(tool, f"tools[{i}]") for i, tool in enumerate(_list(value, "tools")))


def _tool(tool: Json, path: str) -> Tool:
    kind = _optional(values.mapping(tool, path).get("type"), f"{path}.type")
    if kind not in {"", "custom"}:
        return Tool(kind, foreign=tool)
    return Tool(
        name=_name(tool.get("name"), f"{path}.name"),
        description=_optional(tool.get("description"), f"{path}.description"),
        schema=tool.get("input_schema"),
        strict=_flag(tool.get("strict"), f"{path}.strict"),
        rest=_rest(tool, _TOOL),
    )


def _take_parallel(choice: Json) -> bool | None:
    if not isinstance(choice, dict):
        return None
    disabled = _flag(choice.get(_PARALLEL), f"tool_choice.{_PARALLEL}")
    return None if disabled is None else not disabled


def _choice(value: Json) -> Choice | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise wrong("tool_choice", "must be an object with a `type`: auto, any, tool or none")
    mode = _MODES.get(value["type"])
    if mode is None:
        return Choice(ToolMode.AUTO, foreign={name: item for name, item in value.items() if name != _PARALLEL})
    if mode is ToolMode.ONE:
        name = _name(value.get("name"), "tool_choice.name")
        return Choice(mode, name, rest=_rest(value, frozenset({"type", "name", _PARALLEL})))
    return Choice(mode, rest=_rest(value, frozenset({"type", _PARALLEL})))


def _form(top: Object) -> Form | None:
    config = top.get("output_config")
    if isinstance(config, dict) and _is_schema(config.get("format")):
        return _schema(_take(top, "output_config", "format"), {})
    if _is_schema(top.get(OUTPUT_FORMAT)):
        return _schema(top.pop(OUTPUT_FORMAT), {SHAPE: OUTPUT_FORMAT})
    return None


def _is_schema(value: Json) -> bool:
    return isinstance(value, dict) and value.get("type") == "json_schema" and value.get("schema") is not None


def _schema(value: Object, note: Rest) -> Form:
    return Form(value["schema"], rest={**_rest(value, frozenset({"type", "schema"})), **note})


def _thinking(value: Json, effort: Json) -> Thinking | None:
    word = _optional(effort, "output_config.effort")
    if value is None:
        return Thinking(word) if word else None
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise wrong("thinking", "must be an object with a `type`: enabled, adaptive or disabled")
    kind, display = value["type"], _optional(value.get("display"), "thinking.display")
    rest = _rest(value, _THINKING if display in _DISPLAYS else _THINKING - {"display"})
    if kind not in KINDS:
        rest["type"] = kind
    return Thinking(
        word,
        _whole(value.get("budget_tokens"), "thinking.budget_tokens"),
        enabled=_ENABLED.get(kind),
        adaptive=kind == "adaptive",
        shown=_DISPLAYS.get(display),
        rest=rest,
    )


def _stop(value: Json) -> tuple[str, ...]:
    return tuple(values.text(word, f"stop_sequences[{i}]") for i, word in enumerate(_list(value, "stop_sequences")))


def _list(value: Json, path: str) -> list[Any]:
    return [] if value is None else values.items(value, path)


def _optional(value: Json, path: str) -> str:
    return "" if value is None else values.text(value, path)


def _flag(value: Json, path: str) -> bool | None:
    return None if value is None else values.flag(value, path)


def _whole(value: Json, path: str) -> int | None:
    return None if value is None else values.count(value, path)


def _number(value: Json, path: str) -> float | None:
    return None if value is None else values.number(value, path)


def _name(value: Json, path: str) -> str:
    name = values.text(value, path)
    if not name:
        raise BadRequestError(f"{path}: must not be empty")
    return name


def _rest(value: Object, known: frozenset[str]) -> Rest:
    # Nobody but us may say how something was spelt.
    return {name: item for name, item in value.items() if name not in known and name != SHAPE}
