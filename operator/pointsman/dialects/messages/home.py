"""A request that came in Messages, written back as it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.dialects.features import SHAPE
from pointsman.dialects.messages import blocks
from pointsman.dialects.messages.blocks import STRING, Object
from pointsman.dialects.messages.request import OUTPUT_FORMAT
from pointsman.neutral import Text, ToolMode

if TYPE_CHECKING:
    from pointsman.neutral import Form, Json, Request, Rest, Thinking, Tool, Turn

CHOICES: Final = {
    ToolMode.AUTO: "auto", ToolMode.REQUIRED: "any", ToolMode.ONE: "tool", ToolMode.NONE: "none",
}  # fmt: skip


def write(request: Request, model: str) -> Object:
    """The fields of the body. Every part goes where it stood, none is mended."""
    fields: Object = {"model": model, "messages": [_turn(turn) for turn in request.turns]}
    said: Object = {
        "system": _system(request.system),
        "max_tokens": request.max_tokens,
        "stream": request.stream or None,
        "tools": [_tool(tool) for tool in request.tools] or None,
        "tool_choice": _choice(request),
        "thinking": None if request.thinking is None else _thinking(request.thinking),
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "stop_sequences": [*request.stop] or None,
    }
    fields |= {name: value for name, value in said.items() if value is not None}
    return _with_rest(fields | _nested(request), request.rest)


def kept(rest: Rest) -> Object:
    """A node's own members, without the note on how it was spelt."""
    return {name: value for name, value in rest.items() if name != SHAPE}


def _with_rest(fields: Object, rest: Rest) -> Object:
    return blocks.merged(fields, kept(rest))


def _nested(request: Request) -> Object:
    fields: Object = {}
    config: Object = {}
    if request.user:
        fields["metadata"] = {"user_id": request.user}
    if request.thinking is not None and request.thinking.effort:
        config["effort"] = request.thinking.effort
    if request.form is not None:
        if request.form.rest.get(SHAPE) == OUTPUT_FORMAT:
            fields[OUTPUT_FORMAT] = _form(request.form)
        else:
            config["format"] = _form(request.form)
    if config:
        fields["output_config"] = config
    return fields


def _form(form: Form) -> Object:
    return {"type": "json_schema", "schema": form.schema, **kept(form.rest)}


def _system(texts: tuple[Text, ...]) -> Json:
    if len(texts) == 1 and texts[0].rest.get(SHAPE) == STRING:
        return texts[0].text
    return [blocks.write(text) for text in texts] or None


def _turn(turn: Turn) -> Object:
    content: Json = [block for block in map(blocks.write, turn.parts) if block is not None]
    if turn.rest.get(SHAPE) == STRING and len(turn.parts) == 1 and isinstance(turn.parts[0], Text):
        content = turn.parts[0].text
    return {"role": turn.role.value, "content": content, **kept(turn.rest)}


def _tool(tool: Tool) -> Json:
    if tool.foreign is not None:
        return tool.foreign
    said: Object = {"description": tool.description or None, "input_schema": tool.schema, "strict": tool.strict}
    return {"name": tool.name, **{name: value for name, value in said.items() if value is not None}, **kept(tool.rest)}


def _choice(request: Request) -> Object | None:
    choice = request.choice
    if choice is None:
        return None
    written: Object = {"type": CHOICES[choice.mode]} if choice.foreign is None else dict(choice.foreign)
    if choice.mode is ToolMode.ONE:
        written["name"] = choice.name
    if request.parallel is not None:
        written["disable_parallel_tool_use"] = not request.parallel
    return {**written, **kept(choice.rest)}


def _thinking(thinking: Thinking) -> Object | None:
    rest = kept(thinking.rest)
    if thinking.enabled is None and "type" not in rest:
        return None
    kind = "adaptive" if thinking.adaptive else "enabled" if thinking.enabled else "disabled"
    written: Object = {"type": kind}
    if thinking.budget is not None:
        written["budget_tokens"] = thinking.budget
    if thinking.shown is not None:
        written["display"] = "summarized" if thinking.shown else "omitted"
    return {**written, **rest}
