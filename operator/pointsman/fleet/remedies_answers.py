"""What is said of a model by its answers, each finding with its remedy. Pure: what was asked is in `questions`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pointsman.dialects.errors import read_error
from pointsman.exchange import FailureKind
from pointsman.fleet import questions
from pointsman.fleet.diagnosis import Check, Grade
from pointsman.fleet.replies import whole
from pointsman.names import Dialect, ProviderType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.fleet.diagnosis import Asked, Patient
    from pointsman.fleet.questions import Speech
    from pointsman.fleet.replies import Reply

_CALL: Final = re.compile(
    r"<tool_call>|\[TOOL_CALLS\]|<function[=_]|<\|python_tag\|>|^\s*\{\s*\"name\"\s*:", re.IGNORECASE
)
_SLACK: Final = 4  # tokens that an answer may have over its limit, for an end that is counted
_NAME: Final = 100  # characters of a model's name that are shown
_CALLS: Final = {
    ProviderType.VLLM: "start it with --enable-auto-tool-choice --tool-call-parser",
    ProviderType.SGLANG: "start it with --tool-call-parser",
    ProviderType.LLAMACPP: "start it with --jinja",
}
_LEAN: Final = "agents.defaults.experimental.localModelLean: true (OpenClaw)"


def spoken(patient: Patient, model: str, answers: Mapping[Dialect, Asked]) -> Check:
    """In which dialects a small request is answered, against those that are stated."""
    speaks = [dialect for dialect, asked in answers.items() if whole(dialect, asked.answer)]
    home = patient.api[0]
    if not speaks:
        told = answers[home].fault if answers[home].answer.status != 200 else "200, but no answer of this dialect"
        text = f"no small request is answered; {home}: {told}"
        return Check("answers", Grade.BROKEN, text, _unanswered(patient, answers[home]), model)
    names = ", ".join(speaks)
    missing = [dialect for dialect in patient.api if dialect not in speaks]
    if missing:
        grade = Grade.BROKEN if home in missing else Grade.WARNING
        text = f"{', '.join(missing)} is stated and not answered ({answers[missing[0]].fault}); {names} is"
        remedy = patient.set_provider(f"api: [{names}]", f"api: {speaks[0]}")
        return Check("answers", grade, text, remedy, model)
    further = [dialect for dialect in speaks if dialect not in patient.api]
    more = f" (of which {', '.join(further)} is not in spec.api)" if further else ""
    return Check("answers", Grade.WELL, f"it speaks {names}{more}", model=model)


def substituted(model: str, reply: Reply, others: list[str]) -> Check | None:
    """A finding where another model gave the answer: one that the server lists, else one that is called otherwise."""
    if reply.model in others and reply.model != model:
        text = f"{reply.model} answered in its place"
    elif not reply.model or _alike(model, reply.model):
        return None
    else:
        name = reply.model[:_NAME]
        text = f"the answer says that it is of {name!r}, which its list does not name"
        remedy = "look which model runs there; one that is served under another name is listed under that name"
        return Check("identity", Grade.WARNING, text, remedy, model)
    return Check(
        "identity", Grade.BROKEN, text, "load the model that was asked for: the server gives what it has", model
    )


def _alike(asked: str, told: str) -> bool:
    """Whether a name may be the other one's, with a date, a file, a folder or a tag: gpt-5 and gpt-5-2026-08-07."""
    one, other = (re.sub(r"\.gguf$|:latest$", "", name.lower()).replace("\\", "/") for name in (asked, told))
    one, other = one.rpartition("/")[2], other.rpartition("/")[2]
    return one in other or other in one


def content(patient: Patient, model: str, parts: Asked, dialect: Dialect) -> Check:
    """Whether content may be a list of parts."""
    if whole(dialect, parts.answer):
        return Check("content", Grade.WELL, "it takes content as a list of parts", model=model)
    if patient.compat(model, "requiresStringContent"):
        return Check("content", Grade.WELL, "it takes content as text only, as is stated", model=model)
    text = f"it takes content as text only: parts are answered with {parts.fault}"
    return Check("content", Grade.WARNING, text, patient.set_model(model, "compat.requiresStringContent: true"), model)


def tools(patient: Patient, model: str, dialect: Dialect, many: Asked, one: Asked | None) -> Check:
    """Whether it bears an agent's tools; `one`: what came of a single tool, None where that was not asked."""
    if reply := whole(dialect, many.answer):
        return _called(patient, model, reply)
    without = patient.set_model(model, "compat.supportsTools: false")
    failure = read_error(many.answer.status, many.answer.body)
    if failure.kind is FailureKind.CONTEXT_LENGTH_EXCEEDED:
        text = f"{questions.TOOLS} tools do not fit into its window: {many.fault}"
        return Check("tools", Grade.BROKEN, text, f"raise its window, or set {_LEAN}", model)
    if one and whole(dialect, one.answer):
        text = f"it bears one tool and not {questions.TOOLS}: {many.fault}"
        return Check("tools", Grade.BROKEN, text, f"set {_LEAN}, or {without}", model)
    text = f"it answers without tools and chokes on {questions.TOOLS}: {many.fault}"
    return Check("tools", Grade.BROKEN, text, without, model)


def limit(patient: Patient, model: str, answers: Mapping[str, Asked]) -> Check:
    """Which of chat's two fields limits an answer. `answers` by the field's name."""
    refused = {name: asked for name, asked in answers.items() if not whole(Dialect.CHAT, asked.answer)}
    given = {name: reply for name, asked in answers.items() if (reply := whole(Dialect.CHAT, asked.answer))}
    kept = [name for name, reply in given.items() if reply.output <= questions.LIMIT + _SLACK]
    if len(kept) == len(answers):
        return Check("limit", Grade.WELL, f"it takes {' and '.join(kept)}", model=model)
    why = "; ".join(
        f"{name} {f'is refused ({refused[name].fault})' if name in refused else 'is ignored'}"
        for name in answers
        if name not in kept
    )
    stated = patient.compat(model, "maxTokensField")
    if kept and stated == kept[0]:
        return Check("limit", Grade.WELL, f"it takes {kept[0]}, as is stated", model=model)
    remedy = patient.set_model(model, f'compat.maxTokensField: "{kept[0]}"') if kept else "limit answers at the server"
    return Check("limit", Grade.WARNING, why, remedy, model)


def developer(patient: Patient, model: str, asked: Asked) -> Check:
    """Whether the role that OpenAI made of `system` works."""
    if whole(Dialect.CHAT, asked.answer):
        return Check("developer", Grade.WELL, "it takes the developer role", model=model)
    text = f"it refuses the developer role: {asked.fault}"
    if patient.compat(model, "supportsDeveloperRole") is False:
        return Check("developer", Grade.WELL, "it refuses the developer role, as is stated", model=model)
    return Check(
        "developer", Grade.WARNING, text, patient.set_model(model, "compat.supportsDeveloperRole: false"), model
    )


def overflow(patient: Patient, speech: Speech, size: int, asked: Asked) -> Check:
    """What it makes of a prompt that is longer than its window of `size` tokens."""
    model = speech.model
    if reply := whole(speech.dialect, asked.answer):
        return _taken(patient, model, size, reply)
    failure = read_error(asked.answer.status, asked.answer.body)
    if failure.kind is FailureKind.CONTEXT_LENGTH_EXCEEDED:
        return Check("overflow", Grade.WELL, "it says so when a prompt is too long", model=model)
    if asked.answer.error == "Timeout":
        return Check("overflow", Grade.NOTE, "what it makes of a prompt that is too long took too long", model=model)
    text = f"a prompt that is too long is answered with {asked.fault}"
    return Check("overflow", Grade.WARNING, text, patient.set_model(model, f"contextWindow: {size}"), model)


def _taken(patient: Patient, model: str, size: int, reply: Reply) -> Check:
    if reply.prompt > size:
        text = f"it took {reply.prompt} tokens: its window is wider than it tells"
        return Check("overflow", Grade.NOTE, text, model=model)
    text = "it cuts a prompt that is too long, and says nothing"
    stated = patient.models.get(model)
    if stated and stated.context_window and stated.context_window <= size:
        return Check("overflow", Grade.WELL, f"{text}; the window is stated, so the gateway sends none", model=model)
    remedy = patient.set_model(model, f"contextWindow: {size}") + ", so that the gateway sends none"
    more = "; or raise OLLAMA_CONTEXT_LENGTH" if patient.type is ProviderType.OLLAMA else ""
    return Check("overflow", Grade.WARNING, text, remedy + more, model)


def _unanswered(patient: Patient, asked: Asked) -> str:
    if asked.answer.status in {401, 403}:
        given = "the key is wrong: renew it" if patient.keyed else "it wants a key: set it"
        return f"{given} in spec.endpoint.credentials.secretRef (OpenClaw: apiKey)"
    if asked.answer.error == "Timeout":
        return "load the model and keep it loaded, restart a server that hangs, or give --timeout more seconds"
    kind = read_error(asked.answer.status, asked.answer.body).kind
    if kind is FailureKind.MODEL_NOT_FOUND:
        return "load the model, or mend its id in spec.models[].id (OpenClaw: models[].id)"
    return "read the server's log, and mend what it says there"


def _called(patient: Patient, model: str, reply: Reply) -> Check:
    if not reply.called and _CALL.search(reply.said):
        text = "it takes tools, but writes its calls as text, which no agent runs"
        remedy = _CALLS.get(patient.type, "turn on its parser of tool calls")
        without = patient.set_model(model, "compat.supportsTools: false")
        return Check("tools", Grade.BROKEN, text, f"{remedy}, or {without}", model)
    called = " and calls one" if reply.called else ""
    return Check("tools", Grade.WELL, f"it takes {questions.TOOLS} tools{called}", model=model)
