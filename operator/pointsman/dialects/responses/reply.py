"""Whole Responses answers.

The response object repeats what was asked for, as the schema wants all of it to be there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.dialects import skim
from pointsman.dialects.responses.ask import choice_at_home, form_at_home, tools_at_home
from pointsman.dialects.responses.items import Called, Names, finish_of, output, parts_of
from pointsman.dialects.responses.request import HOME, TEXT
from pointsman.exchange import Usage
from pointsman.neutral import Finish, Reply, Request, ToolCall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.neutral import Json, Rest

_ANSWER: Final = msgspec.json.Decoder(dict[str, Any])
_FUTURE: Final = 2**40  # seconds: what is later is no time
_ECHOED: Final[Mapping[str, Json]] = {
    "max_tool_calls": None, "metadata": {}, "previous_response_id": None, "prompt_cache_key": None,
    "safety_identifier": None, "top_logprobs": 0, "truncation": "disabled",
}  # fmt: skip
"""What is repeated as it was asked for, with what stands there if it was not."""


def read_reply(body: bytes) -> Reply:
    """A whole answer. ValueError: it is none, or one that failed."""
    try:
        answer = skim.decode(_ANSWER, body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"no response object: {error}") from error
    items = answer.get("output")
    if answer.get("error") or answer.get("status") == "failed" or not isinstance(items, list):
        raise ValueError(f"a response that failed, or none: {str(answer.get('error'))[:200]}")
    parts = tuple(part for item in items if isinstance(item, dict) for part in parts_of(item))
    finish = finish_of(answer, cut=False, called=any(isinstance(part, ToolCall) for part in parts))
    ident, model, created = told_of(answer)
    return Reply(ident, model, created, parts, finish, usage=read_usage(answer.get("usage")))


def told_of(answer: Mapping[str, Any]) -> tuple[str, str, int]:
    """The identifier, the model and the time (seconds of the epoch) that an answer gives itself."""
    ident, model, created = answer.get("id"), answer.get("model"), answer.get("created_at")
    dated = isinstance(created, int | float) and 0 < created < _FUTURE
    return (
        ident if isinstance(ident, str) else "",
        model if isinstance(model, str) else "",
        int(created) if dated and created is not None else 0,
    )


def read_usage(value: Json) -> Usage | None:
    """What an answer cost; None: it does not say."""
    if not isinstance(value, dict):
        return None
    total, said = _count(value, "input_tokens"), _count(value, "output_tokens")
    given, made = value.get("input_tokens_details"), value.get("output_tokens_details")
    cached, written = _count(given, "cached_tokens"), _count(given, "cache_write_tokens")
    return Usage(total, said, cached, written, _count(made, "reasoning_tokens")) if total or said else None


def _count(value: Json, name: str) -> int:
    number = value.get(name) if isinstance(value, dict) else None
    return max(number, 0) if isinstance(number, int) and not isinstance(number, bool) else 0


def write_reply(reply: Reply, request: Request, now: int) -> bytes:
    """The answer as a response object. `request`: the client's own; `now`: the time of an answer that has none."""
    created = reply.created or now
    names = Names(reply.id, reply.model, created)
    items = output(reply.parts, names, Called(request), reply.finish)
    answer = base(request, names, reply.model, created)
    return msgspec.json.encode(ended(answer, items, reply.finish, reply.usage, max(now, created)))


def base(request: Request, names: Names, model: str, created: int) -> Rest:
    """A response of which nothing has been said."""
    asked = request if request.home is HOME else Request(HOME, request.model)
    rest, thinking = asked.rest, asked.thinking
    answer: Rest = {"id": names.response, "object": "response", "created_at": created, "status": "in_progress"}
    answer |= {"background": False, "completed_at": None, "error": None, "incomplete_details": None}
    answer["instructions"] = "\n\n".join(part.text for part in asked.system) or None
    answer |= {"max_output_tokens": asked.max_tokens, "model": model or request.model, "output": []}
    answer["parallel_tool_calls"] = asked.parallel is not False
    answer["reasoning"] = {
        "effort": (thinking.effort or None) if thinking is not None else None,
        "summary": thinking.rest.get("summary") if thinking is not None else None,
    }
    answer |= {name: default if rest.get(name) is None else rest[name] for name, default in _ECHOED.items()}
    answer |= {
        "service_tier": "default",
        "store": False,
        "text": _text(asked),
        "usage": None,
        "user": asked.user or None,
    }
    for name, default in (("temperature", 1.0), ("top_p", 1.0), ("presence_penalty", 0.0), ("frequency_penalty", 0.0)):
        value = getattr(asked, name)
        answer[name] = default if value is None else value
    answer["tool_choice"] = choice_at_home(asked.choice) if asked.choice is not None else "auto"
    answer["tools"] = [_tool(tool) for tool in tools_at_home(asked.tools)]
    return answer


def ended(answer: Rest, items: list[Json], finish: Finish, usage: Usage | None, now: int) -> Rest:
    """The response when all has been said."""
    whole = {**answer, "output": items, "usage": write_usage(usage)}
    if finish in {Finish.LENGTH, Finish.CONTEXT}:
        return {**whole, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    if finish is Finish.FILTER:
        return {**whole, "status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
    return {**whole, "status": "completed", "completed_at": now}


def write_usage(usage: Usage | None) -> Json:
    """What an answer cost; null: nobody knows."""
    if usage is None:
        return None
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.written},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }


def _text(asked: Request) -> Rest:
    text = {name.removeprefix(TEXT): value for name, value in asked.rest.items() if name.startswith(TEXT)}
    form = form_at_home(asked.form) if asked.form is not None else {"type": "text"}
    if form["type"] == "json_schema":
        said = {name: value for name, value in form.items() if value is not None}
        form = {"description": None, "strict": False, **said}
    return {**text, "format": form}


def _tool(tool: Json) -> Json:
    return {"description": None, "parameters": None, "strict": None, **tool} if tool["type"] == "function" else tool
