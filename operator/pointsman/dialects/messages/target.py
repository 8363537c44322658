"""A request of another dialect, written in Messages.

What chat and Responses spread over several messages or items, Messages wants in turns by turns:

    instructions    those at the head are `system`; later ones are texts of the user's, where they stand
    turns           neighbours of one role are one message; results are the user's, before his other blocks
    the first       is the user's: a `.` is put before an assistant's, as Anthropic refuses to begin with that
    texts           of white space are left out, and so is what is empty then; a last message of the assistant's
                    loses the white space at its end
    calls           have identifiers of letters, digits, `_` and `-` (`messages_blocks.ident`), objects for arguments
    reasoning       goes to whoever signed it, and to servers that ask to be told it again; nobody else's is shown

`max_tokens` must be said: where the client does not, it is the model's own most, or 8192, and half the window at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from pointsman.dialects.features import SHAPE
from pointsman.dialects.messages import blocks, forms, home, knobs, thinking
from pointsman.dialects.messages.blocks import HOME, STRING, Object
from pointsman.neutral import Reasoning, Refusal, Role, Text, ToolMode, ToolResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pointsman.neutral import Json, Part, Request, Tool, Turn
    from pointsman.table import Model, Provider

INSTRUCTIONS: Final = frozenset({Role.SYSTEM, Role.DEVELOPER})
_AGAIN: Final = "requiresReasoningContentOnAssistantMessages"
_OPENING: Final[Object] = {"role": "user", "content": "."}
_NO_ARGUMENTS: Final[Object] = {"type": "object", "properties": {}}


def write_request(request: Request, model: Model, provider: Provider) -> dict[str, Json]:
    """The fields of the body for a target. What `loss` names is not in it."""
    if request.home is HOME:
        return home.write(request, model.id)
    limit = knobs.limit(request, model)
    plan = thinking.plan(request, model, provider, limit)
    again = not provider.native and model.compat.get(_AGAIN) is True
    fields: Object = {"model": model.id, "max_tokens": limit}
    system = _system(request)
    if system:
        fields["system"] = system
    fields["messages"] = _messages(request.turns[head(request.turns) :], again=again)
    fields |= _tools(request)
    fields = blocks.merged(fields | _output(request), plan.fields)
    fields |= knobs.write(request, model, provider, plan)[0]
    if request.stream:
        fields["stream"] = True
    return fields


def head(turns: Sequence[Turn]) -> int:
    """How many turns at the head are instructions."""
    return next((i for i, turn in enumerate(turns) if turn.role not in INSTRUCTIONS), len(turns))


def tools(request: Request) -> list[Tool]:
    """The functions that may be called."""
    allowed = request.choice.allowed if request.choice is not None else ()
    return [tool for tool in request.tools if tool.foreign is None and (not allowed or tool.name in allowed)]


def _system(request: Request) -> Json:
    early = [part for turn in request.turns[: head(request.turns)] for part in turn.parts]
    texts = [part.text for part in (*request.system, *early) if isinstance(part, Text | Refusal) and part.text.strip()]
    return texts[0] if len(texts) == 1 else [{"type": "text", "text": text} for text in texts]


def _messages(turns: Iterable[Turn], again: bool) -> list[Object]:
    messages: list[tuple[str, list[Object]]] = []
    for turn in turns:
        role = "assistant" if turn.role is Role.ASSISTANT else "user"
        written = [block for part in turn.parts if (block := _block(part, again)) is not None]
        if not written:
            continue
        if messages and messages[-1][0] == role:
            messages[-1][1].extend(written)
        else:
            messages.append((role, written))
    if messages and messages[-1][0] == "assistant":
        _trim(messages[-1][1])
    told = [{"role": role, "content": _content(content)} for role, content in messages]
    return told if told and told[0]["role"] == "user" else [_OPENING, *told]


def _block(part: Part, again: bool) -> Any:
    if blocks.blank(part):
        return None
    if isinstance(part, Reasoning):
        sealed = part.seal is not None and part.seal.home is HOME
        if not sealed and not (again and part.text):
            return None
        return blocks.write(part if sealed else Reasoning(part.text))
    if isinstance(part, ToolResult):
        shown = tuple(inner for inner in part.parts if not blocks.blank(inner))
        bare = len(shown) == 1 and isinstance(shown[0], Text)
        return blocks.write(replace(part, parts=shown, rest={SHAPE: STRING} if bare else {}))
    return blocks.write(replace(part, rest={}) if hasattr(part, "rest") else part)


def _trim(content: list[Object]) -> None:
    if content[-1]["type"] == "text":
        content[-1] = {**content[-1], "text": content[-1]["text"].rstrip()}


def _content(content: list[Object]) -> Json:
    if len(content) == 1 and content[0]["type"] == "text":
        return content[0]["text"]
    return sorted(content, key=lambda block: bool(block["type"] != "tool_result"))


def _tools(request: Request) -> Object:
    told = tools(request)
    if not told:
        return {}
    fields: Object = {"tools": [_tool(tool) for tool in told]}
    choice = request.choice
    asked: Object = {} if choice is None or choice.foreign is not None else {"type": home.CHOICES[choice.mode]}
    if asked and choice is not None and choice.mode is ToolMode.ONE:
        asked["name"] = choice.name
    if request.parallel is False and (choice is None or choice.mode is not ToolMode.NONE):
        asked = {"type": "auto", **asked, "disable_parallel_tool_use": True}
    return {**fields, "tool_choice": asked} if asked else fields


def _tool(tool: Tool) -> Object:
    schema = tool.schema if isinstance(tool.schema, dict) and tool.schema else _NO_ARGUMENTS
    described: Object = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **described, "input_schema": {"type": "object", **schema}}


def _output(request: Request) -> Object:
    form = request.form
    if form is None or not isinstance(form.schema, dict):
        return {}
    try:
        schema = forms.fitted(form.schema)
    except forms.UnfitError:
        return {}
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
