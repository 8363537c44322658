"""What is said of a model by how it streams, each finding with its remedy. Pure."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from pointsman.fleet.diagnosis import Check, Grade
from pointsman.fleet.replies import whole
from pointsman.names import Dialect, ProviderType

if TYPE_CHECKING:
    from collections.abc import Collection

    from pointsman.fleet.diagnosis import Asked, Patient
    from pointsman.fleet.replies import Reply, Stream

_THOUGHT: Final = re.compile(r"<think|<\|channel\|>|\[THINK\]|◁think▷|<thought>|<reasoning>", re.IGNORECASE)
_TEMPLATE: Final = re.compile(
    r"<\|(?:im_end|im_start|eot_id|end_of_text|endoftext|assistant|end)\|>|</s>|<end_of_turn>"
)
_PARSE: Final = {
    ProviderType.VLLM: "start it with --reasoning-parser",
    ProviderType.SGLANG: "start it with --reasoning-parser",
    ProviderType.LLAMACPP: "start it with --jinja --reasoning-format deepseek",
    ProviderType.LMSTUDIO: "turn on the setting that puts reasoning into its own field",
}


def streaming(  # noqa: PLR0913 - a question, its answer, and what may be advised
    patient: Patient,
    model: str,
    dialect: Dialect,
    asked: Asked,
    stream: Stream | None,
    *,
    spoken: Collection[Dialect] = tuple(Dialect),
) -> list[Check]:
    """Whether it streams, ends properly, numbers its events, and tells the usage. Only what is `spoken` is advised."""
    if stream is None:
        ignored = whole(dialect, asked.answer) is not None
        text = "stream: true is answered with a whole answer" if ignored else f"no stream came: {asked.fault}"
        return [Check("stream", Grade.BROKEN, text, "update the server; what agents use is streamed", model)]
    return [
        _ending(model, dialect, stream, spoken),
        *_usage(patient, model, dialect, stream),
        *_said(patient, model, stream.reply, spoken),
    ]


def _ending(model: str, dialect: Dialect, stream: Stream, spoken: Collection[Dialect]) -> Check:
    if stream.fault:
        return Check("stream", Grade.BROKEN, f"an error in the stream: {stream.fault}", "read the server's log", model)
    if not stream.ended:
        last = {Dialect.CHAT: "[DONE]", Dialect.RESPONSES: "response.completed"}.get(dialect, "message_stop")
        mend = "update the server; through the gateway, a stream that breaks off is taken up elsewhere"
        return Check("stream", Grade.WARNING, f"{last} is missing: clients cannot tell an end from a cut", mend, model)
    if not _numbered(stream.numbers):
        text = "its Responses events are not numbered: OpenAI's SDKs stumble over them"
        chat = "put openai-completions first in spec.api (OpenClaw: api: openai-completions), or "
        mend = f"{chat if Dialect.CHAT in spoken else ''}update the server"
        return Check("stream", Grade.WARNING, text, mend, model)
    tells = ", and tells the tokens" if _told(stream) else ""
    return Check("stream", Grade.WELL, f"it streams {dialect} in {stream.events} events{tells}", model=model)


def _numbered(numbers: tuple[int | None, ...]) -> bool:
    known = [number for number in numbers if number is not None]
    return len(known) == len(numbers) and all(before < after for before, after in pairwise(known))


def _told(stream: Stream) -> bool:
    return bool(stream.reply.prompt or stream.reply.output)


def _usage(patient: Patient, model: str, dialect: Dialect, stream: Stream) -> list[Check]:
    if _told(stream):
        return []
    text = f"streams of {dialect} do not tell their tokens: clients count none, the gateway estimates them"
    mend = patient.set_model(model, "compat.supportsUsageInStreaming: false") if dialect is Dialect.CHAT else ""
    return [Check("usage", Grade.WARNING, text, mend or "update the server", model)]


def _said(patient: Patient, model: str, reply: Reply, spoken: Collection[Dialect]) -> list[Check]:
    checks = []
    if _THOUGHT.search(reply.said):
        parse = _PARSE.get(patient.type, "turn on its parser of reasoning")
        responses = f", or {patient.set_provider('api: [openai-responses]', 'api: openai-responses')}"
        more = responses if Dialect.RESPONSES in spoken and Dialect.RESPONSES not in patient.api else ""
        text = "it writes its reasoning into the answer"
        checks.append(Check("reasoning", Grade.WARNING, text, f"{parse}{more}", model))
    elif reply.apart:
        checks.append(Check("reasoning", Grade.WELL, "its reasoning is apart from the answer", model=model))
    if found := _TEMPLATE.search(reply.said):
        text = f"it writes tokens of its template into the answer: {found[0]}"
        checks.append(
            Check("template", Grade.WARNING, text, "give it the chat template that belongs to the model", model)
        )
    return checks
