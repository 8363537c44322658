"""How a Responses request is written, whatever dialect it came in, and what of it cannot be.

From elsewhere it is stateless: native targets are told not to store it, and to give their reasoning back encrypted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.dialects import body as bodies
from pointsman.dialects import efforts, features, openai, schemas
from pointsman.dialects.responses import namespaces
from pointsman.dialects.responses.input import items, own
from pointsman.dialects.responses.request import HOME, STRING, TEXT
from pointsman.names import ProviderType
from pointsman.neutral import Text, ToolMode

if TYPE_CHECKING:
    from pointsman.neutral import Choice, Form, Json, Request, Rest, Thinking, Tool
    from pointsman.table import Model, Provider

LEAST_OUTPUT: Final = 16
"""Tokens: OpenAI refuses a smaller `max_output_tokens`, so less is asked for as this."""

_PLAIN: Final = {
    "max_tokens": "max_output_tokens", "temperature": "temperature", "top_p": "top_p", "user": "user",
    "parallel": "parallel_tool_calls",
}  # fmt: skip
_PENALTIES: Final = {
    "presence_penalty": "presence_penalty", "frequency_penalty": "frequency_penalty", "seed": "seed",
    "top_k": "top_k", "stop": "stop",
}  # fmt: skip
KNOBS: Final = {**_PENALTIES, "min_p": "min_p", "repetition_penalty": "repetition_penalty"}
EXTRAS: Final = {
    ProviderType.VLLM.value: {**_PENALTIES, "repetition_penalty": "repetition_penalty"},
    ProviderType.LLAMACPP.value: {**_PENALTIES, "min_p": "min_p", "repetition_penalty": "repeat_penalty"},
}
"""What servers take beyond OpenAI's fields: vLLM lists them, llama.cpp passes all fields on to its chat."""


def write_request(request: Request, model: Model, provider: Provider) -> dict[str, Json]:
    """The fields of the body. At home everything as it came; from elsewhere without what `loss` names."""
    if request.home is HOME:
        return _at_home(request)
    names = {**_PLAIN, **EXTRAS.get(provider.type, {})}
    fields: dict[str, Json] = {"model": request.model, **_values(request, names)}
    if provider.native and 0 < fields.get("max_output_tokens", 0) < LEAST_OUTPUT:
        fields["max_output_tokens"] = LEAST_OUTPUT
    if request.system:
        fields["instructions"] = "\n\n".join(part.text for part in request.system)
    fields["input"] = [item for i, turn in enumerate(request.turns) for item in items(turn, i, native=provider.native)]
    fields |= _tools(request, provider)
    if request.form is not None:
        fields["text"] = {"format": _form(request.form, {})}
    if request.thinking is not None and (thinking := reasoning(request.thinking, provider)):
        fields["reasoning"] = thinking
    if provider.native:
        fields["store"] = False
        fields |= _carried(request, provider, fields.get("text", {}))
        if bodies.reasons(model):
            fields["include"] = ["reasoning.encrypted_content"]
    if request.stream:
        fields["stream"] = True
    return fields


def _carried(request: Request, provider: Provider, text: Rest) -> Rest:
    """What OpenAI's chat says in the same words."""
    fields = openai.fields(request, HOME, provider)
    verbosity = fields.pop(f"{TEXT}verbosity", None)
    return fields if verbosity is None else {**fields, "text": {**text, "verbosity": verbosity}}


def _values(request: Request, names: dict[str, str]) -> dict[str, Json]:
    values = {written: getattr(request, field) for field, written in names.items()}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value is not None and value not in ("", ())
    }


# At home


def _at_home(request: Request) -> dict[str, Json]:
    fields = {"model": request.model, **_values(request, {**_PLAIN, **KNOBS})}
    shape = features.shape(request.rest) or {}
    fields |= own({name: value for name, value in request.rest.items() if not name.startswith(TEXT)})
    text = {name.removeprefix(TEXT): value for name, value in request.rest.items() if name.startswith(TEXT)}
    text |= shape.get("text", {})
    if request.form is not None:
        text["format"] = form_at_home(request.form)
    if text:
        fields["text"] = text
    if shape.get("stop") == STRING:
        fields["stop"] = request.stop[0]
    if request.system:
        fields["instructions"] = "\n\n".join(part.text for part in request.system)
    if request.tools:
        fields["tools"] = tools_at_home(request.tools)
    if request.choice is not None:
        fields["tool_choice"] = choice_at_home(request.choice)
    if request.thinking is not None:
        fields["reasoning"] = own(request.thinking.rest)
        if request.thinking.effort:
            fields["reasoning"]["effort"] = request.thinking.effort
    if request.stream:
        fields["stream"] = True
    return fields | _input_at_home(request, shape.get("input"))


def _input_at_home(request: Request, spelt: Json) -> dict[str, Json]:
    if spelt == STRING and len(request.turns) == 1 and request.turns[0].parts:
        first = request.turns[0].parts[0]
        return {"input": first.text if isinstance(first, Text) else ""}
    said = [item for i, turn in enumerate(request.turns) for item in items(turn, i, native=True, home=True)]
    return {"input": said} if said or spelt is not None else {}


def choice_at_home(choice: Choice) -> Json:
    """Which tools may be called, as the client wrote it."""
    return choice.foreign or features.shape(choice.rest) or _choice(choice)


def form_at_home(form: Form) -> Json:
    """What the answer must look like, as the client wrote it."""
    return _form(form, own(form.rest))


def tools_at_home(tools: tuple[Tool, ...]) -> list[Json]:
    """Tools as the client wrote them, those of a namespace in it."""
    return [written for tool in tools if (written := _tool_at_home(tool)) is not None]


def _tool_at_home(tool: Tool) -> Json | None:
    """A tool; None: it has been written, in its namespace."""
    noted = namespaces.note(tool)
    if noted is not None:
        return noted["whole"]
    spelt = tool.foreign if tool.foreign is not None else features.shape(tool.rest)
    if spelt is not None:
        return spelt
    written: Rest = {"type": "function", "name": tool.name, **own(tool.rest)}
    if tool.description:
        written["description"] = tool.description
    if tool.schema is not None:
        written["parameters"] = tool.schema
    if tool.strict is not None:
        written["strict"] = tool.strict
    return written


# Tools and forms


def _tools(request: Request, provider: Provider) -> dict[str, Json]:
    """Tools, and which of them may be called; only OpenAI itself is told of a choice among several."""
    fields: dict[str, Json] = {}
    choice, tools = request.choice, [tool for tool in request.tools if tool.foreign is None]
    if choice is not None and choice.allowed and not provider.native:
        tools = [tool for tool in tools if tool.name in choice.allowed]
    if tools:
        fields["tools"] = [_tool(tool) for tool in tools]
    if choice is not None and choice.foreign is None and tools:
        fields["tool_choice"] = _choice(choice) if provider.native or not choice.allowed else choice.mode.value
    return fields


def _tool(tool: Tool) -> Json:
    written: Rest = {"type": "function", "name": tool.name}
    if tool.description:
        written["description"] = tool.description
    written["parameters"] = schemas.arguments(tool.schema, closed=tool.strict)
    # Left out it would mean true at OpenAI.
    written["strict"] = bool(tool.strict) and schemas.strict(written["parameters"])
    return written


def _choice(choice: Choice) -> Json:
    if choice.mode is ToolMode.ONE:
        return {"type": "function", "name": choice.name}
    if choice.allowed:
        tools = [{"type": "function", "name": name} for name in choice.allowed]
        return {"type": "allowed_tools", "mode": choice.mode.value, "tools": tools}
    return choice.mode.value


def _form(form: Form, rest: Rest) -> Json:
    if form.schema is None:
        return {"type": "json_object", **rest}
    written: Rest = {"type": "json_schema", "schema": form.schema, **rest}
    if form.name or "name" not in rest:
        written["name"] = form.name or "answer"
    if form.description:
        written["description"] = form.description
    if form.strict is not None:
        written["strict"] = form.strict
    return written


def reasoning(thinking: Thinking, provider: Provider) -> Rest:
    """How to reason; empty: nothing that OpenAI has a word for. Not at all is `none`, which its older models refuse."""
    written: Rest = {}
    if thinking.enabled is False and thinking.effort in {"", "none"}:
        return {"effort": "none"} if thinking.effort or not provider.native else {}
    effort = thinking.effort or efforts.effort(thinking.budget)
    if effort:
        written["effort"] = effort
    if thinking.shown:
        written["summary"] = "auto"
    return written
