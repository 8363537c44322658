"""OpenAI's chat completions (`openai-completions`), passed through.

A stream is data-only chunks; the first carries the role alone. Each choice ends with a `finish_reason`, a last chunk
without choices may carry the usage, `[DONE]` closes. Servers differ: Ollama's first chunk has content already, vLLM
calls reasoning `reasoning`, others `reasoning_content`; some forget `[DONE]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from pointsman.dialects import body as bodies
from pointsman.dialects import errors
from pointsman.dialects.replay import Said
from pointsman.exchange import Failure, FailureKind, Head, Signal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.sse import Frame
    from pointsman.table import Model, Provider

PATH: Final = "/v1/chat/completions"

REASONING: Final = frozenset({"reasoning_effort"})
"""How to reason: left out for a model that is not known to, unless the target is the vendor itself."""
FOREIGN: Final = REASONING | {
    "service_tier", "store", "metadata", "prompt_cache_key", "prompt_cache_retention", "prediction",
    "safety_identifier", "verbosity",
}  # fmt: skip
"""What only the vendor itself understands, and others refuse or log: left out unless the target is that vendor."""

_OUTPUTS: Final = frozenset({
    "content", "reasoning_content", "reasoning", "reasoning_details", "refusal", "tool_calls", "function_call", "audio",
    "images",
})  # fmt: skip
_NOTHING: Final = (Raw(b"null"), Raw(b'""'), Raw(b"[]"), Raw(b"{}"))
_CHOICES: Final = msgspec.json.Decoder(int)
read_error = errors.read_error
write_error = errors.write_error


class _Choice(msgspec.Struct):
    delta: dict[str, Raw] | None = None
    message: dict[str, Raw] | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    error: Any = None


_CHUNK: Final = msgspec.json.Decoder(_Chunk)


def read_head(body: bytes) -> Head:
    """What the gateway needs of a request; BadRequestError says what is wrong with it."""
    fields = bodies.read_fields(body)
    tools = "tools" in fields and bodies.filled(fields, "tools")
    choices = _read_choices(fields["n"]) if "n" in fields else 1
    return Head(bodies.read_model(fields), bodies.read_stream(fields), fields, tools, choices)


def with_model(fields: dict[str, Raw], model: Model, provider: Provider) -> bytes:
    """The request for a target: its name for the model; clean unless it is the vendor itself; else as received."""
    if model.compat and model.compat.get("requiresStringContent") is True and "messages" in fields:
        fields = {**fields, "messages": _join_texts(fields["messages"])}
    return bodies.write(fields, model, provider, FOREIGN, REASONING)


class Scanner:
    """Follows one streamed answer. State: how many choices have ended, and whether anything was said."""

    __slots__ = ("_choices", "_finished", "_spoke")

    def __init__(self, head: Head) -> None:
        self._choices = head.choices
        self._finished = 0
        self._spoke = False

    def quiet(self, run: bytes) -> bool:
        """Whether a run of whole frames, after the first output, has nothing to look at; decodes nothing."""
        ends = run.count(b"\n\n")
        if run.count(b"}\n\n") != ends or run.count(b"data: {") != ends or b'"error"' in run:
            return False
        reasons = run.count(b'"finish_reason"')
        return reasons == run.count(b'"finish_reason":null') or reasons == run.count(b'"finish_reason": null')

    def feed(self, frame: Frame) -> Signal | Failure:
        """What a frame means; a Failure for an error in the stream, for what is no chunk, and for an empty answer."""
        data = frame.data
        if not data:
            return Signal.PREAMBLE
        if data == b"[DONE]":
            return Signal.TERMINAL if self._spoke or self._finished else _EMPTY
        try:
            chunk = _CHUNK.decode(data)
        except (msgspec.MsgspecError, RecursionError):
            return Failure(FailureKind.INVALID_RESPONSE, f"no chat chunk: {data[:80]!r}")
        if chunk.error:
            return errors.read_stream_error(chunk.error)
        return self._read(chunk.choices or [])

    def closing(self) -> bytes | None:
        """What completes a stream that ended here; None: it was cut."""
        return b"data: [DONE]\n\n" if self._finished >= self._choices else None

    def _read(self, choices: list[_Choice]) -> Signal | Failure:
        spoken = any(_has_output(choice.delta) for choice in choices)
        for choice in choices:
            if choice.finish_reason == "error":
                return Failure(FailureKind.SERVER_ERROR, "finish_reason is 'error'")
            if choice.finish_reason:
                self._finished += 1
                # An answer cut short by its limits or its filter is one; a stop before the first word is none.
                spoken = spoken or choice.finish_reason != "stop"
        self._spoke = self._spoke or spoken
        if not self._spoke and self._finished >= self._choices:
            return _EMPTY
        return Signal.OUTPUT if spoken else Signal.PREAMBLE


_EMPTY: Final = Failure(FailureKind.INVALID_RESPONSE, "an empty answer")


def whole_ok(status: int, body: bytes) -> Failure | None:
    """Why an unstreamed answer is none; None: it is one."""
    try:
        answer = _CHUNK.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        page = "an HTML page" if errors.looks_like_html(body) else f"no chat completion: {body[:80]!r}"
        return Failure(FailureKind.INVALID_RESPONSE, page, status)
    if answer.error:
        return errors.read_error(status, body)
    for choice in answer.choices or ():
        if _has_output(choice.message) or choice.finish_reason not in {None, "stop"}:
            return None
    return Failure(FailureKind.INVALID_RESPONSE, "an empty answer", status)


def is_error(body: bytes) -> bool:
    """Whether an error body is in the dialect's own shape, and so can be passed on."""
    return errors.has_object(body, "error")


def write_stream_error(status: int, code: str, message: str) -> bytes:
    """The event that ends a broken stream; SDKs raise on it."""
    return b"data: " + write_error(status, code, message) + b"\n\n"


def _has_output(said: dict[str, Raw] | None) -> bool:
    return any(name in _OUTPUTS and value not in _NOTHING for name, value in (said.items() if said is not None else ()))


def _read_choices(raw: Raw) -> int:
    try:
        return max(1, _CHOICES.decode(raw))
    except msgspec.MsgspecError:
        return 1  # the target will say what is wrong with it


def _join_texts(raw: Raw) -> Raw:
    """Messages whose content is a list of text parts, with the texts joined by LF; others stay as they are."""
    try:
        messages = msgspec.json.decode(raw, type=list[dict[str, Any]])
    except (msgspec.MsgspecError, RecursionError):
        return raw
    for message in messages:
        parts = message.get("content")
        if isinstance(parts, list) and all(isinstance(part, dict) and "text" in part for part in parts):
            message["content"] = "\n".join(str(part["text"]) for part in parts)
    return Raw(msgspec.json.encode(messages))


_TEXTS: Final = ("content", "reasoning", "reasoning_content")


def said(event: Mapping[str, Any]) -> Said | None:
    """What a chunk amounts to when it is told again; None: a call, a refusal, more than one choice."""
    texts: list[tuple[str, str]] = []
    mark = ""
    for choice in event.get("choices") or ():
        delta = choice.get("delta") or {}
        if choice.get("index") or any(delta.get(name) for name in _OUTPUTS.difference(_TEXTS)):
            return None
        texts += [(name, piece) for name in _TEXTS if isinstance(piece := delta.get(name), str) and piece]
        mark = "finish" if choice.get("finish_reason") else mark
    return Said(tuple(texts), mark)


def resaid(event: dict[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """A chunk with what is left of its texts."""
    choices = [{**choice, "delta": {**(choice.get("delta") or {}), **texts}} for choice in event["choices"]]
    return {**event, "choices": choices}
