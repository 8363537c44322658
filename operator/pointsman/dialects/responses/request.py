"""How a Responses request is read.

Each item of `input` is one turn. Items and parts of kinds that only this dialect has (files, hosted tools' calls,
references to what the server keeps) are Foreign. What is null stands in `rest`, to be written back at home alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from pointsman.dialects import customs, seals, values
from pointsman.dialects.calls import as_text
from pointsman.dialects.features import SHAPE
from pointsman.dialects.responses import namespaces
from pointsman.exchange import BadRequestError
from pointsman.names import Dialect
from pointsman.neutral import (
    Choice,
    Foreign,
    Form,
    Image,
    Reasoning,
    Refusal,
    Request,
    Role,
    Seal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolMode,
    ToolResult,
    Turn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from msgspec import Raw

    from pointsman.neutral import Json, Part, Rest

HOME: Final = Dialect.RESPONSES
DETAILS: Final = frozenset({"low", "high", "auto"})
TEXTS: Final = frozenset({"input_text", "output_text", "text"})
TEXT: Final = "text."  # how members of `text` begin in a request's `rest`
BARE: Final = "bare"  # a message without `type`
STRING: Final = "string"  # a text where a list may stand

_Value = TypeVar("_Value")
_ROLES: Final = {role.value: role for role in Role if role is not Role.TOOL}
_INTEGERS: Final = {"max_output_tokens": "max_tokens", "top_k": "top_k", "seed": "seed"}
_NUMBERS: Final = (
    "temperature", "top_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty",
)  # fmt: skip


def read_request(fields: Mapping[str, Raw]) -> Request:
    """The request in neutral words. BadRequestError names the path of what cannot be read."""
    said = {name: values.read(name, raw) for name, raw in fields.items() if name != SHAPE}
    known: dict[str, Any] = {"model": _named(said.pop("model", None), "model")}
    shape: Rest = {}
    known["turns"] = _turns(said, shape)
    for name in [name for name, value in said.items() if value is not None]:
        _take(name, said, known, shape)
    if said.get("tool_choice"):  # after the tools, whose namespaces it may leave out
        known["choice"] = _choose(said.pop("tool_choice"), known.get("tools", ()))
    said.update(known.pop("rest", {}))
    if shape:
        said[SHAPE] = shape
    return Request(HOME, rest=said, **known)


def _take(name: str, said: Rest, known: dict[str, Any], shape: Rest) -> None:
    """Moves a field from what was said to what is known; what has no neutral word stays."""
    value = said[name]
    if name in _INTEGERS:
        known[_INTEGERS[name]] = values.count(value, name)
    elif name in _NUMBERS:
        known[name] = values.number(value, name)
    elif name == "parallel_tool_calls":
        known["parallel"] = values.flag(value, name)
    elif name in _TAKERS:
        if not value:  # empty or false: asks for nothing
            return
        known.update(_TAKERS[name](value, shape))
    else:
        return
    del said[name]


# The small fields


def _stream(value: Json, _shape: Rest) -> Rest:
    return {"stream": values.flag(value, "stream")}


def _instructions(value: Json, _shape: Rest) -> Rest:
    return {"system": (Text(_named(value, "instructions")),)}


def _user(value: Json, _shape: Rest) -> Rest:
    return {"user": _named(value, "user")}


def _stop(value: Json, shape: Rest) -> Rest:
    if isinstance(value, str):
        shape["stop"] = STRING
        return {"stop": (value,)}
    return {"stop": tuple(values.text(text, f"stop[{i}]") for i, text in enumerate(values.items(value, "stop")))}


def _reasoning_field(value: Json, _shape: Rest) -> Rest:
    rest = _rest(values.mapping(value, "reasoning"))
    effort = _taken(rest, "effort", "reasoning", values.text) or ""
    summary = rest.get("summary")
    shown = None if summary is None else summary != "none"
    return {"thinking": Thinking(effort, enabled=False if effort == "none" else None, shown=shown, rest=rest)}


def _text_field(value: Json, shape: Rest) -> Rest:
    """The form of the answer. What else is in `text` goes to `rest` under its path, so that it is named by that."""
    members = dict(values.mapping(value, "text"))
    form = values.mapping(members["format"], "text.format") if members.get("format") is not None else {}
    if form and form.get("type") not in ("text", "json_object", "json_schema"):
        raise BadRequestError("text.format.type: must be text, json_object or json_schema")
    if form and form["type"] != "text":
        del members["format"]
        return {"form": _form(form), "rest": {f"{TEXT}{name}": members[name] for name in members}}
    shape["text"] = {"format": members.pop("format")} if "format" in members else {}
    return {"rest": {f"{TEXT}{name}": members[name] for name in members}}


def _form(value: Rest) -> Form:
    rest = _rest(value, "type")
    if value["type"] == "json_object":
        return Form(rest=rest)
    schema = values.mapping(rest.pop("schema", None), "text.format.schema")
    name = _taken(rest, "name", "text.format", values.text) or ""
    told = _taken(rest, "description", "text.format", values.text) or ""
    strict = _taken(rest, "strict", "text.format", values.flag)
    return Form(schema, name, told, strict, rest)


# Tools


def _tools(value: Json, _shape: Rest) -> Rest:
    given = enumerate(values.items(value, "tools"))
    tools = tuple(tool for i, each in given for tool in _grouped(each, f"tools[{i}]"))
    namespaces.check(tools)
    return {"tools": tools}


def _grouped(value: Json, path: str) -> tuple[Tool, ...]:
    """A tool, or those of a namespace."""
    inner = namespaces.members(value)
    if inner is None:
        return (_tool(value, path),)
    return namespaces.group(value, [_tool(tool, f"{path}.tools[{i}]") for i, tool in enumerate(inner)])


def _tool(value: Json, path: str) -> Tool:
    tool = values.mapping(value, path)
    kind = _named(tool.get("type"), f"{path}.type")
    if kind == "custom":
        name = _named(tool.get("name"), f"{path}.name")
        described = tool.get("description")
        told = described if isinstance(described, str) else ""
        return Tool(name, told, customs.schema(tool.get("format")), rest={SHAPE: tool})
    if kind != "function":
        return Tool(kind, foreign=tool)
    rest = _rest(tool, "type")
    name = _named(rest.pop("name", None), f"{path}.name")
    told = _taken(rest, "description", path, values.text) or ""
    schema = _taken(rest, "parameters", path, values.mapping)
    strict = _taken(rest, "strict", path, values.flag)
    return Tool(name, told, schema, strict, rest=rest)


def _choose(value: Json, tools: tuple[Tool, ...]) -> Choice:
    # What a client sends may not be hashable: tuples, not sets.
    if isinstance(value, str):
        if value in {"auto", "none", "required"}:
            return Choice(ToolMode(value))
        raise BadRequestError("tool_choice: must be auto, none, required or an object that names a tool")
    choice = values.mapping(value, "tool_choice")
    if choice.get("type") in ("function", "custom"):
        meant = namespaces.named(choice, tools)
        return Choice(ToolMode.ONE, meant[0], rest={SHAPE: choice}) if meant else _unknown(choice)
    return (_allowed(choice, tools) if choice.get("type") == "allowed_tools" else None) or _unknown(choice)


def _allowed(choice: Rest, tools: tuple[Tool, ...]) -> Choice | None:
    """A choice among some tools; None: some of them are not the client's own."""
    mode, listed = choice.get("mode"), choice.get("tools")
    if mode not in ("auto", "required") or not isinstance(listed, list) or not listed:
        return None
    meant = [namespaces.named(each, tools) if isinstance(each, dict) else () for each in listed]
    if not all(meant):
        return None
    return Choice(ToolMode(mode), allowed=tuple(name for names in meant for name in names), rest={SHAPE: choice})


def _unknown(choice: Rest) -> Choice:
    return Choice(ToolMode.AUTO, foreign=choice)


_TAKERS: Final[Mapping[str, Callable[[Json, Rest], Rest]]] = {
    "stream": _stream,
    "instructions": _instructions,
    "user": _user,
    "stop": _stop,
    "reasoning": _reasoning_field,
    "text": _text_field,
    "tools": _tools,
}


# Items


def _turns(said: Rest, shape: Rest) -> tuple[Turn, ...]:
    value = said.get("input")
    if value is None:
        if not any(said.get(name) for name in ("previous_response_id", "conversation", "prompt")):
            raise BadRequestError("input: is missing: give a text, or a list of items")
        return ()
    del said["input"]
    if isinstance(value, str):
        shape["input"] = STRING
        return (Turn(Role.USER, (Text(value),)),)
    if not isinstance(value, list):
        raise BadRequestError("input: must be a text, or a list of items")
    if not value:
        shape["input"] = []
    return tuple(_turn(item, f"input[{i}]") for i, item in enumerate(value))


def _turn(value: Json, path: str) -> Turn:
    item = values.mapping(value, path)
    kind = item.get("type")
    if kind is None and "role" in item:
        kind = "message"
    elif kind is None and isinstance(item.get("id"), str):
        kind = "item_reference"
    reader = _ITEMS.get(_named(kind, f"{path}.type"))
    if reader is not None:
        return reader(item, path)
    return Turn(Role.TOOL if str(kind).endswith("_output") else Role.ASSISTANT, (Foreign(HOME, str(kind), item),))


def _message(item: Rest, path: str) -> Turn:
    role = _ROLES.get(_named(item.get("role"), f"{path}.role"))
    if role is None:
        raise BadRequestError(f"{path}.role: must be user, assistant, system or developer")
    rest = _rest(item, "type", "role", "content")
    shape = [] if item.get("type") is not None else [BARE]
    content = item.get("content")
    parts: tuple[Part, ...]
    if isinstance(content, str):
        shape.append(STRING)
        parts = (Text(content),)
    elif isinstance(content, list):
        parts = tuple(_part(part, f"{path}.content[{i}]", role) for i, part in enumerate(content))
    else:
        raise BadRequestError(f"{path}.content: must be a text, or a list of parts")
    return Turn(role, parts, {**rest, SHAPE: shape} if shape else rest)


def _part(value: Json, path: str, role: Role) -> Part:
    part = values.mapping(value, path)
    kind = _named(part.get("type"), f"{path}.type")
    if kind in TEXTS:
        rest = _rest(part, "type", "text")
        if kind != ("output_text" if role is Role.ASSISTANT else "input_text"):
            rest[SHAPE] = kind
        return Text(values.text(part.get("text"), f"{path}.text"), rest)
    if kind == "refusal":
        return Refusal(values.text(part.get("refusal"), f"{path}.refusal"), _rest(part, "type", "refusal"))
    if kind == "input_image":
        return _image(part)
    return Foreign(HOME, kind, part)


def _image(part: Rest) -> Part:
    url = part.get("image_url")
    if isinstance(url, dict):  # as chat spells it
        url = url.get("url")
    if not isinstance(url, str) or not url or part.get("file_id"):
        return Foreign(HOME, "input_image", part)  # a file that the server keeps
    rest = _rest(part, "type", "image_url")
    detail = rest.pop("detail") if isinstance(rest.get("detail"), str) and rest["detail"] in DETAILS else ""
    return Image(url, detail, rest)


def _call(item: Rest, path: str) -> Turn:
    ident = item.get("call_id") or item.get("id")
    name = _named(item.get("name"), f"{path}.name")
    free = item["type"] == "custom_tool_call"
    field = "input" if free else "arguments"
    rest = _rest(item, "type", "call_id", "name", field)
    space = item.get(namespaces.KIND)
    if isinstance(space, str) and space:
        rest[SHAPE], name = name, namespaces.flat(space, name)
    call = ToolCall(_named(ident, f"{path}.call_id"), name, as_text(item.get(field)), free, rest)
    return Turn(Role.ASSISTANT, (call,))


def _result(item: Rest, path: str) -> Turn:
    ident = _named(item.get("call_id"), f"{path}.call_id")
    free = item["type"] == "custom_tool_call_output"
    rest = _rest(item, "type", "call_id", "output")
    output = item.get("output")
    parts: tuple[Part, ...]
    if isinstance(output, str):
        parts = (Text(output),)
    elif isinstance(output, list):
        parts = tuple(_part(part, f"{path}.output[{i}]", Role.TOOL) for i, part in enumerate(output))
        rest[SHAPE] = []
    else:
        raise BadRequestError(f"{path}.output: must be a text, or a list of parts")
    return Turn(Role.TOOL, (ToolResult(ident, parts, free=free, rest=rest),))


def _reasoning(item: Rest, path: str) -> Turn:
    rest = _rest(item, "type", "encrypted_content")
    sealed = item.get("encrypted_content")
    if sealed is None and "encrypted_content" in item:
        rest["encrypted_content"] = None
    if sealed is not None:
        values.text(sealed, f"{path}.encrypted_content")
    for name in ("summary", "content"):
        if item.get(name) is not None:
            values.items(item[name], f"{path}.{name}")
    text, summary = thoughts(item)
    return Turn(Role.ASSISTANT, (Reasoning(text, summary, seal_of(item), rest),))


_ITEMS: Final[Mapping[str, Callable[[Rest, str], Turn]]] = {
    "message": _message,
    "function_call": _call,
    "custom_tool_call": _call,
    "function_call_output": _result,
    "custom_tool_call_output": _result,
    "reasoning": _reasoning,
}


def thoughts(item: Mapping[str, Any]) -> tuple[str, bool]:
    """The text of a reasoning item, and whether that is a summary: the thoughts themselves if there is none."""
    summary = join_texts(item.get("summary"))
    return (summary, True) if summary else (join_texts(item.get("content")), False)


def join_texts(parts: Json) -> str:
    """The texts of a reasoning item's `summary` or `content`, with an empty line between them."""
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return "\n\n".join(text for text in texts if isinstance(text, str) and text)


def seal_of(item: Mapping[str, Any]) -> Seal | None:
    """What only the maker of a reasoning item can read: with it, what must go back beside it."""
    sealed = item.get("encrypted_content")
    seal = seals.read(HOME, sealed) if isinstance(sealed, str) else None
    if seal is None or seal.payload != sealed:
        return seal  # none, or carried here from elsewhere
    return Seal(HOME, {name: item[name] for name in ("id", "encrypted_content", "summary") if name in item})


# Values


def _rest(node: Rest, *known: str) -> Rest:
    return {name: node[name] for name in node if name not in known and name != SHAPE}


def _taken(rest: Rest, name: str, path: str, read: Callable[[Json, str], _Value]) -> _Value | None:
    """A member that is moved out of a node's rest; None: it is not said, and what stands there stays."""
    if rest.get(name) in (None, ""):
        return None
    return read(rest.pop(name), f"{path}.{name}")


def _named(value: Json, path: str) -> str:
    """A string with something in it."""
    if not values.text(value, path):
        raise BadRequestError(f"{path}: must not be empty")
    return str(value)
